"""A daemon that hangs leaves no entry at the venue, for somebody else cancels it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.daemon import command, environment, run
from tests.safety.judge import our_book, venue_book
from tests.safety.pair import KEY, USER, Pair, until
from tradeagent.agents.identity import TAG
from tradeagent.messages import OrderStatus

OURS = f"0x{TAG}" + "9" * 28
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Start a venue and a daemon that enters by limits."""
    made = Pair(tmp_path, entry="limit")
    try:
        made.start().until_said("fill ")
        yield made
    finally:
        made.close()


def resting_entries(pair: Pair) -> set[str]:
    """Return the entries that rest at the venue by its own ledger."""
    resting = venue_book(pair.venue_state, USER).open
    known = our_book(pair.state).orders  # read last: what rests was on record before
    return {name for name in resting if not known[name].order.reduce_only}


def test_entries_of_a_frozen_daemon_are_cancelled(pair: Pair) -> None:
    """The watchdog cancels them, leaves stops alone, and the daemon halts when it wakes."""
    daemon = pair.daemon
    assert daemon is not None
    until(lambda: bool(resting_entries(pair)))
    daemon.process.send_signal(signal.SIGSTOP)
    where = ("-c", str(pair.folder / "daemon.yaml"), "--state", str(pair.state))
    dog = subprocess.Popen(
        command("watchdog", *where, "--after", "1", "--every", "0.2"),
        env=environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        until(lambda: not resting_entries(pair) and (pair.state / "KILL").exists())
        assert "no sign of life" in (pair.state / "KILL").read_text()

        daemon.process.send_signal(signal.SIGCONT)
        daemon.until_said("trading is HALTED")
    finally:
        dog.kill()
        dog.communicate()
    assert pair.settle() == []
    assert all(
        one.status is not OrderStatus.OPEN or one.order.reduce_only
        for one in our_book(pair.state).orders.values()
    )


@pytest.mark.parametrize("kept", [False, True])
def test_an_orderly_stop_is_no_death(tmp_path: Path, kept: bool) -> None:
    """No KILL is written; what an orderly stop left resting is cancelled, unless it was to stay."""
    pair = Pair(tmp_path, entry="limit", on_stop="keep")
    try:
        daemon = pair.start()
        daemon.until_said("fill ")
        assert daemon.interrupt() == 0
        entry = {
            "a": 0, "b": True, "p": "20000", "s": "0.001", "r": False, "c": OURS,
            "t": {"limit": {"tif": "Gtc"}},
        }  # fmt: skip
        action = {"type": "order", "orders": [entry], "grouping": "na"}
        pair.venue.switch("outsider", user=USER, action=action)
        assert OURS in venue_book(pair.venue_state, USER).open
        pair.venue.switch("lose", path="exchange", p=1.0, seconds=0)
        config = yaml.safe_load((pair.folder / "daemon.yaml").read_text())
        config["agents"]["execution"]["on_stop"] = "keep" if kept else "cancel"
        (pair.folder / "daemon.yaml").write_text(yaml.safe_dump(config))
        where = ("-c", str(pair.folder / "daemon.yaml"), "--state", str(pair.state))
        dog = subprocess.Popen(
            command("watchdog", *where, "--after", "1", "--every", "0.2"),
            env=environment(),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert dog.stderr is not None
        try:
            if kept:
                assert any("stopped in order" in line for line in dog.stderr)
                assert OURS in venue_book(pair.venue_state, USER).open
            else:
                assert any("tried again" in line for line in dog.stderr)
                pair.venue.clear()
                until(lambda: OURS not in venue_book(pair.venue_state, USER).open)
        finally:
            dog.kill()
            dog.communicate()
        assert not (pair.state / "KILL").exists()
    finally:
        pair.close()


def test_a_watchdog_without_a_venue_says_so(tmp_path: Path) -> None:
    """There is nothing to watch where the exchange is in the daemon, or ends with it."""
    for profile, text in (("demo", "in the daemon itself"), ("local", "ends with it")):
        done = run("watchdog", "--profile", profile, "--state", str(tmp_path / profile))
        assert done.returncode == 1
        assert text in done.stderr


def test_a_watchdog_goes_on_while_the_venue_gives_no_answer(tmp_path: Path) -> None:
    """It is there for outages: neither a silent venue nor a file it cannot write ends it."""
    away = {"network": "local", "url": "http://127.0.0.1:9"}
    settings = {
        "profile": "local",
        "exchange": away,
        "feeds": [{"type": "hyperliquid", **away}],
        "watchlist": ["BTC"],
    }
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(settings))
    state = tmp_path / "state"
    (state / "KILL").mkdir(parents=True)
    state.chmod(0o700)
    (state / "heartbeat").touch()
    (state / "local.key").write_text(KEY.removeprefix("0x"))
    where = ("-c", str(tmp_path / "c.yaml"), "--state", str(state))
    dog = subprocess.Popen(
        command("watchdog", *where, "--after", "1", "--every", "0.1"),
        env=environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert dog.stderr is not None
        asked = (line for line in dog.stderr if "tried again" in line)
        assert next(asked, "")
        assert next(asked, "")
    finally:
        dog.kill()
        dog.communicate()


def test_a_watchdog_without_its_key_says_so_at_its_start(tmp_path: Path) -> None:
    """Not in the moment in which it is needed."""
    line = {"network": "testnet"}
    settings = {"exchange": {**line, "account": USER}, "feeds": [{"type": "hyperliquid", **line}]}
    agents = {"agents": {"execution": {"enabled": True}}}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump({"profile": "testnet", **settings, **agents}))
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "heartbeat").touch()

    done = run("watchdog", "-c", str(tmp_path / "c.yaml"), "--state", str(state))

    assert done.returncode == 2
    assert "HYPERLIQUID_WATCHDOG_KEY" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_watchdog_watches_the_state_of_the_run_with_the_same_settings(tmp_path: Path) -> None:
    """The profile may stand in the file, and the account is part of the folder's name."""
    line = {"network": "testnet"}
    settings = {"exchange": {**line, "account": USER}, "feeds": [{"type": "hyperliquid", **line}]}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump({"profile": "testnet", **settings}))

    done = run("watchdog", "-c", str(tmp_path / "c.yaml"), XDG_STATE_HOME=str(tmp_path))

    assert f"{tmp_path}/tradeagent/testnet-testnet-{USER}: no daemon has lived here" in done.stderr
