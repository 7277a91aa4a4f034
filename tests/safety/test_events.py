"""What happens to the account from outside is seen, told, and never traded against blindly."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.safety.judge import always, differences
from tests.safety.pair import PATIENCE, USER, Pair, within
from tests.safety.test_kills import live

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Start a venue and a daemon that trades on it."""
    made = Pair(tmp_path)
    try:
        made.start().until_said("fill ")
        yield made
    finally:
        made.close()


def until(holds: Callable[[], bool]) -> None:
    """Wait until `holds` does."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def mode(pair: Pair) -> str:
    """Return the trading state."""
    told = pair.call("status")
    assert isinstance(told, dict)
    return str(told["mode"])


def test_a_trade_by_hand_ends_in_reduce_only_with_the_position_known(pair: Pair) -> None:
    """Somebody trades on the account: entries stop, and our books come to hold what it holds."""
    price = str(int(float(dict(pair.venue.info("allMids"))["BTC"]) * 1.04))  # type: ignore[call-overload]
    order = {
        "a": 0, "b": True, "p": price, "s": "0.02", "r": False, "t": {"limit": {"tif": "Ioc"}},
    }  # fmt: skip
    pair.venue.switch(
        "outsider", user=USER, action={"type": "order", "orders": [order], "grouping": "na"}
    )

    until(lambda: mode(pair) == "REDUCE_ONLY")
    pair.call("halt", reason="to compare")
    assert within(PATIENCE, lambda: _positions(pair)) == []
    codes = pair.books[1].incidents
    assert codes["FOREIGN_ORDER"]
    assert codes["POSITION_MISMATCH"]


def _positions(pair: Pair) -> list[str]:
    venue, ours = pair.books
    agree = venue.positions == ours.positions
    return [] if agree else [f"here {ours.positions}, there {venue.positions}"]


def test_a_liquidation_is_booked_and_halts(pair: Pair) -> None:
    """The venue closes what we hold: every fill is booked, nothing is opened, and we halt."""
    until(lambda: bool(pair.books[1].positions))
    pair.venue.switch("liquidate", user=USER)

    until(lambda: mode(pair) == "HALTED")
    assert within(PATIENCE, lambda: _positions(pair)) == []
    venue, ours = pair.books
    assert ours.incidents["LIQUIDATED"]
    assert set(venue.fills.values()) == set(ours.fills.values())


def test_a_changed_grid_is_learnt(pair: Pair) -> None:
    """Fewer decimals of size and less leverage: what is asked for fits them soon."""
    pair.venue.switch("metadata", coin="BTC", szDecimals=3, maxLeverage=20)
    live(pair, 5.0)
    with closing(sqlite3.connect(pair.venue_state / "venue.db")) as db:
        (last,) = db.execute("SELECT max(oid) FROM orders").fetchone()
    live(pair, 3.0)

    pair.call("halt", reason="to compare")
    assert within(PATIENCE, lambda: differences(*pair.books)) == []
    with closing(sqlite3.connect(pair.venue_state / "venue.db")) as db:
        sizes = db.execute("SELECT size FROM orders WHERE coin = 'BTC' AND oid > ?", (last,))
        places = [len(size.partition(".")[2].rstrip("0")) for (size,) in sizes]
        refused = "SELECT count(*) FROM statuses WHERE oid > ? AND status LIKE '%ejected'"
        assert db.execute(refused, (last,)).fetchone() == (0,)
    assert places
    assert max(places) <= 3


def test_a_delisting_is_seen(pair: Pair) -> None:
    """What the venue closes because it lists it no more is booked."""
    until(lambda: "SOL" in pair.books[1].positions)
    pair.venue.switch("metadata", coin="SOL", isDelisted=True)
    live(pair, 3.0)

    pair.call("halt", reason="to compare")
    assert within(PATIENCE, lambda: _positions(pair)) == []
    assert "SOL" not in pair.books[1].positions


def test_entries_are_blocked_within_five_seconds_of_silence(tmp_path: Path) -> None:
    """Once the market data stalls no entry is approved on a price older than five seconds."""
    pair = Pair(tmp_path, price_age=5)
    try:
        pair.start().until_said("fill ")
        live(pair, 1.0)
        pair.venue.switch("stall", new=True)
        told = pair.venue.info("exchangeStatus")
        stalled = int(dict(told)["time"]) * 1_000_000  # type: ignore[call-overload]
        live(pair, 3.0)

        approved = (
            "SELECT ts FROM journal WHERE type = 'RISK_ASSESSMENT' AND ts > ? AND "
            "json_extract(CAST(payload AS TEXT), '$.verdict') <> 'rejected' AND "
            "json_extract(CAST(payload AS TEXT), '$.order.reduce_only') = 0"
        )
        with closing(sqlite3.connect(pair.state / "journal.db")) as db:
            late = [ts for (ts,) in db.execute(approved, (stalled,))]
        assert all(ts - stalled <= 5_000_000_000 for ts in late), late
        pair.venue.clear()
        pair.call("halt", reason="to compare")
        assert within(PATIENCE, lambda: always(*pair.books)) == []
    finally:
        pair.close()
