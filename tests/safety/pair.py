"""A venue and a daemon that trades on it, two processes on one fast clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import yaml
from eth_account import Account

from tests.e2e.daemon import Process, run
from tests.safety.judge import OurBook, VenueBook, differences, our_book, venue_book
from tests.venue.server import Venue
from tradeagent.cli.places import Caller
from tradeagent.errors import CommandError

SPEED = 20
ORIGIN = "2026-01-01T00:00:00Z"
PATIENCE = 40.0
"""Seconds of the wall within which all must be settled once nothing is wrong any more."""
KEY = "0x" + "5a" * 32
USER = Account.from_key(KEY).address.lower()
STRATEGY = {
    "type": "tests.safety.busy:Busy",
    "weight": 1.0,
}


def _settings(url: str, since: str, price_age: float) -> dict[str, object]:
    """Return a daemon's settings: much trading, and intervals that a slow machine keeps."""
    line = {"network": "local", "url": url, "request_timeout": 30, "ack_within": 60}
    return {
        "profile": "local",
        "clock": {"mode": "accelerated", "speed": SPEED, "origin": ORIGIN, "since": since},
        "exchange": {
            **line,
            "mids_within": 40,
            "answers_within": 60,
            "skew_allowed": 60,
            "listing_every": 40,
            "weight_share": 1.0,
        },
        "feeds": [{"type": "hyperliquid", **line, "timeframes": ["1m"], "book_within": 60}],
        "watchlist": ["BTC", "ETH", "SOL"],
        "strategies": {
            "sma_cross": None,
            "rsi_reversal": None,
            "breakout": None,
            "quick": {**STRATEGY, "params": {"seconds": 10}},
            "slow": {**STRATEGY, "weight": 0.5, "params": {"seconds": 35, "stop": 0.006}},
        },
        "risk": {
            "sizing": "fixed_fraction",
            "fraction": 0.05,
            "limits": {
                "max_price_age_s": price_age,
                "max_repeated_entries": 1_000_000,
                "max_daily_loss_ratio": 1,
                "max_drawdown_ratio": 1,
                "max_order_notional": 5_000,
                "max_gross_ratio": 2,
                "duplicate_window_s": 0,
            },
            "protections": {"stop_guard_stops": None, "max_losses_in_a_row": None},
            "watch": {
                "max_venue_reject_ratio": 1.0,
                "max_unknown_orders": 1000,
                "max_unknown_age_s": 600,
            },
        },
    }


class Planted(Process):
    """A daemon with a bug in it."""

    module = "tests.safety.planted"


class Pair:
    """The two processes, their folders, and what they have on record."""

    def __init__(
        self,
        folder: Path,
        *venue: str,
        bus: str = "memory://",
        entry: str = "market",
        on_stop: str = "keep",
        planted: str = "",
        price_age: float = 60,
    ) -> None:
        """Start the venue; the daemon is started by `start`, and enters as `entry` says.

        `planted` names a bug that it has.
        """
        self.folder = folder
        self.since = datetime.now(UTC).isoformat()
        self._venue_options = venue
        self._bus, self._entry, self._on_stop = bus, entry, on_stop
        self._planted, self._price_age = planted, price_age
        self.state, self.venue_state = folder / "daemon", folder / "venue"
        self.state.mkdir(mode=0o700)
        (self.state / "local.key").write_text(KEY.removeprefix("0x") + "\n")
        self.venue = self._open_venue()
        self.daemon: Process | None = None

    def _open_venue(self) -> Venue:
        clock = ("--speed", str(SPEED), "--origin", ORIGIN, "--since", self.since)
        where = ("--state", str(self.venue_state), *self._venue_options)
        return Venue(self.folder / "venue.log", *clock, *where)

    def start(self, **environment: str) -> Process:
        """Start the daemon, on the same state each time."""
        config = self.folder / "daemon.yaml"
        settings = _settings(self.venue.url, self.since, self._price_age)
        settings["agents"] = {
            "execution": {"max_notional_per_minute": 1_000_000, "on_stop": self._on_stop},
            "trading": {"entry": self._entry, "reprice_s": 8},
        }
        config.write_text(yaml.safe_dump(settings))
        where = ("-c", str(config), "--bus", self._bus)
        kind = Planted if self._planted else Process
        self.daemon = kind(self.state, "run", *where, PLANTED=self._planted, **environment)
        return self.daemon

    def ask(self, *arguments: str) -> str:
        """Give a command to the running daemon; returns what it says."""
        done = run(*arguments, "--state", str(self.state))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def call(self, method: str, **parameters: object) -> object:
        """Call a method of the running daemon; fails where it runs no more."""
        try:
            return Caller(self.state).call(method, **parameters)
        except CommandError as error:
            assert self.daemon is not None
            raise AssertionError(f"{error}\n{self.daemon.log.read_text()[-3000:]}") from error

    def carry_on(self) -> None:
        """Resume as an operator would after a stop that the price had passed while nobody looked.

        What it was for was closed then, and trading is REDUCE_ONLY.
        """
        caller = Caller(self.state)
        with suppress(CommandError):  # it may just have been killed
            told = caller.call("status")
            assert isinstance(told, dict)
            if told["mode"] == "REDUCE_ONLY" and str(told["reason"]).startswith("STOP_REJECTED"):
                caller.call("resume", reason="the stop had been passed")

    @property
    def journal(self) -> Path:
        """Return the daemon's journal."""
        return self.state / "journal.db"

    @property
    def books(self) -> tuple[VenueBook, OurBook]:
        """Return both books as they are on disk now; ours first, for the venue may be ahead."""
        ours = our_book(self.state)
        return venue_book(self.venue_state, USER), ours

    def settle(self, patience: float = PATIENCE) -> list[str]:
        """Halt, wait until both books agree, and end both; returns what still differs."""
        assert self.daemon is not None
        self.daemon.until_said("running from")
        self.ask("halt", "--reason", "the end of the test")
        left = within(patience, lambda: differences(*self.books))
        assert self.daemon.interrupt() == 0
        self.venue.stop()
        return left

    def close(self) -> None:
        """End what still runs."""
        if self.daemon is not None and self.daemon.process.poll() is None:
            self.daemon.kill()
        if self.venue.process.poll() is None:
            self.venue.stop(9)


def within(seconds: float, look: Callable[[], list[str]], every: float = 0.25) -> list[str]:
    """Look until nothing is found or the time is over; returns what was found last."""
    deadline = time.monotonic() + seconds
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(every)
    return found


def until(holds: Callable[[], bool]) -> None:
    """Wait until `holds` does; fails where it does not soon."""
    assert within(PATIENCE, lambda: [] if holds() else ["it does not hold"], every=0.1) == []
