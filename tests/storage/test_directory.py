"""The state directory: private, locked, one account's."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tradeagent.errors import LockedError, StateError
from tradeagent.storage.directory import SOCKET_PATH_LIMIT, StateDirectory

HOLD = """
import sys
from tradeagent.storage.directory import StateDirectory
with StateDirectory(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_is_private(tmp_path: Path) -> None:
    """The folder is made with all above it, readable by its owner alone."""
    state = StateDirectory(tmp_path / "a" / "b")

    assert mode(state.path) == 0o700
    assert state.journal.parent == state.ledger.parent == state.control.parent == state.path


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    """A path that is a file is a StateError that names it."""
    (tmp_path / "file").touch()

    with pytest.raises(StateError, match=r"file.*--state"):
        StateDirectory(tmp_path / "file")


def test_another_process_keeps_us_out(tmp_path: Path) -> None:
    """A second opener learns who holds the folder; when that one dies, the folder is free."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match=f"{tmp_path} is in use by process {child.pid};"):
            StateDirectory(tmp_path).lock()
        child.kill()
        child.wait()

    with StateDirectory(tmp_path), pytest.raises(LockedError, match=str(os.getpid())):
        StateDirectory(tmp_path).lock()
    StateDirectory(tmp_path).lock()


def test_the_seal_key_is_made_once(tmp_path: Path) -> None:
    """The key has 32 bytes, is private, and stays; a short one is refused."""
    key = StateDirectory(tmp_path / "one").seal_key()

    assert len(key) == 32
    assert StateDirectory(tmp_path / "one").seal_key() == key
    assert StateDirectory(tmp_path / "two").seal_key() != key
    assert mode(tmp_path / "one" / "seal.key") == 0o600
    (tmp_path / "one" / "seal.key").write_bytes(b"short")
    with pytest.raises(StateError, match=r"seal\.key: has 5 bytes"):
        StateDirectory(tmp_path / "one").seal_key()


def test_the_folder_belongs_to_one_account(tmp_path: Path) -> None:
    """A folder once claimed is refused to any other identity, by name."""
    state = StateDirectory(tmp_path)
    state.claim("paper-mainnet-main")
    state.claim("paper-mainnet-main")

    with pytest.raises(StateError, match="state of paper-mainnet-main, not of live-mainnet-main"):
        state.claim("live-mainnet-main")


def test_a_folder_whose_owner_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A damaged file of identity is another's, in one line."""
    (tmp_path / "identity").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(StateError, match="use --state"):
        StateDirectory(tmp_path).claim("demo-simulated-1")


def test_a_fresh_start_keeps_the_run_before(tmp_path: Path) -> None:
    """Files of the old run move to `previous`, in place of older ones; key and identity stay."""
    state = StateDirectory(tmp_path)
    state.claim("demo")
    key = state.seal_key()
    with state:
        for run in ("first", "second"):
            state.journal.write_text(run)
            (tmp_path / f"{run}.txt").touch()
            state.fresh()
        state.fresh()

    assert (tmp_path / "previous" / "journal.db").read_text() == "second"
    assert {path.name for path in (tmp_path / "previous").iterdir()} == {"journal.db", "second.txt"}
    assert not state.journal.exists()
    assert state.seal_key() == key
    state.claim("demo")


def test_a_deep_folder_has_a_short_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the folder's path, the control socket can be bound, in a private folder."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    deep = StateDirectory(tmp_path / ("d" * 60) / ("e" * 60))

    assert len(os.fsencode(deep.control)) <= SOCKET_PATH_LIMIT
    assert deep.control == StateDirectory(deep.path).control
    assert deep.control != StateDirectory(deep.path / "other").control
    assert mode(deep.control.parent) == 0o700
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(deep.control))


def test_a_shared_socket_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short folder that others may write to is not used."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    deep = StateDirectory(tmp_path / ("d" * 60) / ("e" * 60))
    deep.control.parent.chmod(0o777)

    with pytest.raises(StateError, match="not a private folder"):
        _ = deep.control


def test_a_folder_has_one_name_on_a_bus(tmp_path: Path) -> None:
    """The name is the same after a restart, another's elsewhere, and new for a fresh run."""
    state, other = StateDirectory(tmp_path / "a"), StateDirectory(tmp_path / "b")
    name = state.node()

    assert StateDirectory(tmp_path / "a").node() == name != other.node()
    with state:
        state.fresh()
    assert state.node() != name


def test_only_a_run_that_ended_in_order_is_said_to_have(tmp_path: Path) -> None:
    """Not one that was killed, whatever starts were refused since; a new run takes it back."""
    state = StateDirectory(tmp_path / "state")
    assert not state.has_ended
    state.begin(1, 10)
    state.live()
    state.begin(20, 10)
    state.excuse()
    assert not state.has_ended
    state.end()
    state.begin(40, 10)
    state.excuse()
    assert state.has_ended
    state.live()
    state.beat()
    assert not state.has_ended
