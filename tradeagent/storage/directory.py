"""The folder a daemon keeps its state in: locked, private, and for one account only."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tradeagent.errors import LockedError, StateError

SOCKET_PATH_LIMIT = 107 if os.uname().sysname == "Linux" else 103
"""Bytes a Unix socket's path may have."""
SEAL_BYTES = 32
DIGITS = 19
"""Digits a time in ns has at most."""
ENDED = "ended in order\n"
"""What the heartbeat says of a run that nobody need look after."""
WATCHDOG = "watchdog:"
"""How the text of the file KILL begins that a watchdog wrote."""
KEPT = frozenset({"lock", "identity", "seal.key", "starts", "previous", "KILL"})
"""What `fresh` leaves where it is."""


class StateDirectory:
    """One daemon's folder, made with mode 0700; as a context it is locked.

    Raises StateError when the folder cannot be made or used.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).expanduser().absolute()
        self._lock: int | None = None
        with _explained(self.path):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def journal(self) -> Path:
        """Return where the journal and its state tables are."""
        return self.path / "journal.db"

    @property
    def ledger(self) -> Path:
        """Return where the simulated exchange keeps its books."""
        return self.path / "exchange.db"

    @property
    def control(self) -> Path:
        """Return where the daemon listens for commands.

        A socket's path is short by law, so a long folder's socket stands in a private folder named
        after it, under XDG_RUNTIME_DIR or /tmp. Raises StateError if that is not ours alone.
        """
        own = self.path / "control.sock"
        if _fits(own):
            return own
        name = f"tradeagent-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]}"
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        if runtime and _fits(found := Path(runtime) / name / "control.sock"):
            return _private(found.parent) / found.name
        return _private(Path("/tmp") / f"{name}-{os.getuid()}") / "control.sock"  # noqa: S108

    def venue(self) -> Path:
        """Return the folder of a venue that runs beside the daemon, made if it is missing."""
        with _explained(folder := self.path / "venue"):
            folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def lock(self) -> None:
        """Keep every other daemon out until `release`; raises LockedError naming the one inside."""
        with _explained(place := self.path / "lock"):
            opened = os.open(place, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(opened, 20).decode(errors="replace").strip() or "unknown"
            os.close(opened)
            raise LockedError(
                f"{self.path} is in use by process {owner}; stop it or choose another --state"
            ) from error
        os.ftruncate(opened, 0)
        os.pwrite(opened, f"{os.getpid()}\n".encode(), 0)
        self._lock = opened

    def release(self) -> None:
        """Let others in."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> StateDirectory:
        self.lock()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def claim(self, identity: str) -> None:
        """Make the folder that of `identity` (profile-network-account) for good.

        Raises StateError when it is another's.
        """
        with _explained(place := self.path / "identity"):
            if not place.exists():
                _write(place, identity.encode() + b"\n")
            owner = _read(place).strip()
        if owner != identity:
            raise StateError(
                f"{place}: this is the state of {owner}, not of {identity}; use --state"
            )

    @property
    def simulating(self) -> Path:
        """Return the mark of a simulated run, which writes in groups and cannot be resumed."""
        return self.path / "simulating"

    @property
    def kill(self) -> Path:
        """Return the file that stops trading while it is there; its text is the reason."""
        return self.path / "KILL"

    @property
    def heartbeat(self) -> Path:
        """Return the file that is touched while the daemon lives."""
        return self.path / "heartbeat"

    def live(self) -> None:
        """Leave the first sign of life of a run; raises StateError."""
        with _explained(self.heartbeat):
            _write(self.heartbeat, b"")

    def beat(self) -> None:
        """Leave a sign of life; a disk that takes none is told of elsewhere."""
        with suppress(OSError):
            self.heartbeat.touch(mode=0o600)

    @property
    def starts(self) -> Path:
        """Return where the starts stand that have not ended in order; apart from the store."""
        return self.path / "starts"

    def begin(self, now: int, window: int) -> int:
        """Note a start at `now`; return how many within `window` before have not ended in order.

        Both are in ns of the wall's clock. What cannot be read in the file counts for nothing.
        """
        with _explained(self.starts):
            known = (one for one in self._begun() if one.isdecimal() and len(one) <= DIGITS)
            recent = [one for one in known if int(one) > now - window]
            _write(self.starts, " ".join([*recent, str(now)]).encode() + b"\n")
        return len(recent)

    def excuse(self) -> None:
        """Forget the last start: its end was told in a line, so it was no crash."""
        with _explained(self.starts):
            _write(self.starts, " ".join(self._begun()[:-1]).encode() + b"\n")

    def end(self) -> None:
        """Forget all starts, and say so where signs of life are left: a run has ended in order."""
        with _explained(self.starts):
            self.starts.unlink(missing_ok=True)
        self.rest()

    def rest(self) -> None:
        """Say where signs of life are left that nobody need look after what was left."""
        with suppress(OSError):
            self.heartbeat.write_text(ENDED)

    @property
    def has_ended(self) -> bool:
        """Tell whether the last run that left a sign of life ended in order."""
        try:
            return self.heartbeat.read_text() == ENDED
        except OSError:
            return False

    def _begun(self) -> list[str]:
        return _read(self.starts).split() if self.starts.exists() else []

    def keep_settings(self, digest: str, record: bytes, inbox_cap: int) -> None:
        """Keep the settings of a run, once for each `digest`: what a replay of it is made from.

        Beside them stands what they do not tell: where relative paths begin, and `inbox_cap`.
        """
        folder = self.path / "settings"
        with _explained(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        beside = json.dumps({"folder": os.getcwd(), "inbox_cap": inbox_cap}).encode()
        with _explained(place := folder / f"{digest}.json"):
            if not place.exists():
                _write(place, beside + b"\n" + record + b"\n")

    def settings(self, digest: str) -> tuple[bytes, str, int]:
        """Return what `keep_settings` kept: the record, the folder, the cap; raises StateError."""
        place = self.path / "settings" / f"{digest}.json"
        try:
            beside, _, record = place.read_bytes().rstrip(b"\n").partition(b"\n")
            told = json.loads(beside)
            folder, inbox_cap = str(told["folder"]), int(told["inbox_cap"])
        except FileNotFoundError as error:
            raise StateError(f"its settings are not at hand: {place} is not there") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StateError(f"its settings are not at hand: {place}: {error}") from error
        if hashlib.sha256(record).hexdigest() != digest:
            raise StateError(f"its settings are not at hand: {place} was changed")
        return record, folder, inbox_cap

    def keep(self, name: str, make: Callable[[], str]) -> str:
        """Return the word in a file of the folder, made once: the same after each restart."""
        with _explained(place := self.path / name):
            if not place.exists():
                _write(place, make().encode() + b"\n")
            return _read(place).strip()

    def node(self) -> str:
        """Return the folder's own name on a bus."""
        return self.keep("node", lambda: secrets.token_hex(4))

    def seal_key(self) -> bytes:
        """Return the key Risk seals approvals with: 32 random bytes, made once, mode 0600."""
        with _explained(place := self.path / "seal.key"):
            if not place.exists():
                _write(place, secrets.token_bytes(SEAL_BYTES))
            key = place.read_bytes()
        if len(key) != SEAL_BYTES:
            raise StateError(f"{place}: has {len(key)} bytes, not {SEAL_BYTES}; delete it")
        return key

    def kept_seal_key(self) -> bytes:
        """Return that key without making one; raises StateError when there is none."""
        if not (self.path / "seal.key").exists():
            raise StateError(f"the key of its seals is not at hand: {self.path}/seal.key is gone")
        return self.seal_key()

    def fresh(self) -> None:
        """Move an old run's files to `previous/`, in place of those of the run before it.

        Call it locked, before anything is opened.
        """
        old = [entry for entry in self.path.iterdir() if entry.name not in KEPT]
        if not old:
            return
        with _explained(previous := self.path / "previous"):
            shutil.rmtree(previous, ignore_errors=True)
            previous.mkdir(mode=0o700)
            for entry in old:
                entry.rename(previous / entry.name)


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= SOCKET_PATH_LIMIT


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}; choose another --state") from error


def _private(folder: Path) -> Path:
    with _explained(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise StateError(f"{folder}: not a private folder of this user; remove it")
    return folder


def _read(place: Path) -> str:
    """Return a file's text; what is no text stands as such."""
    return place.read_text(encoding="utf-8", errors="replace")


def _write(place: Path, content: bytes) -> None:
    """Write a private file, in the place of one, so that it is there whole or not at all."""
    draft = place.with_name(place.name + ".new")
    draft.unlink(missing_ok=True)
    opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(opened, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(place)
