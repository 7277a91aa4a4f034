"""What happens to the account from outside is seen, told, and never traded against blindly."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.safety.judge import always, differences
from tests.safety.pair import PATIENCE, USER, Pair, until, within
from tests.safety.test_kills import live
from tradeagent.messages import InstrumentUpdate, decode_payload

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


def test_money_that_leaves_is_told_to_the_cent(pair: Pair) -> None:
    """Somebody takes money out: the very sum is an incident, once, whatever was traded before."""
    live(pair, 2.0)  # the account is compared a few times before
    action = {"type": "usdSend", "destination": "0x" + "1" * 40, "amount": "123.45", "time": 1}
    pair.call("halt", reason="so that statements are quiet")
    pair.venue.switch("outsider", user=USER, action=action)

    until(lambda: bool(pair.books[1].incidents["CASH_MISMATCH"]))
    live(pair, 2.0)
    told = "SELECT CAST(payload AS TEXT) FROM incidents WHERE code = 'CASH_MISMATCH'"
    assert ["123.45 left" in row for row in _rows(pair.journal, told)] == [True]


def test_the_file_kill_stops_a_flattening_and_lets_another_pass(pair: Pair) -> None:
    """What was asked for before is stopped like all else; the way to flat is open after that."""
    until(lambda: bool(pair.books[1].positions))
    pair.venue.switch("maintenance")
    pair.ask("flatten", "--reason", "out")
    (pair.state / "KILL").touch()
    until(lambda: mode(pair) == "HALTED")
    pair.ask("flatten", "--reason", "out all the same")
    live(pair, 1.0)
    pair.venue.clear()

    until(lambda: not pair.books[0].positions and mode(pair) == "HALTED")
    assert within(PATIENCE, lambda: differences(*pair.books)) == []


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
    """Fewer decimals of size and less leverage: agents are told, and what is asked for fits."""
    pair.venue.switch("metadata", coin="BTC", szDecimals=3, maxLeverage=20)
    live(pair, 5.0)
    last = _rows(pair.venue_state / "venue.db", "SELECT max(oid) FROM orders")[0]
    live(pair, 3.0)

    pair.call("halt", reason="to compare")
    assert within(PATIENCE, lambda: differences(*pair.books)) == []
    refused = f"SELECT status FROM statuses WHERE oid > {last} AND status LIKE '%ejected'"
    assert _rows(pair.venue_state / "venue.db", refused) == []
    told = "SELECT payload FROM journal WHERE type = 'INSTRUMENT_UPDATE' ORDER BY seq"
    listed = [decode_payload("INSTRUMENT_UPDATE", row) for row in _rows(pair.journal, told)]
    assert isinstance(listed[-1], InstrumentUpdate)
    assert (listed[-1].symbol, listed[-1].lot, listed[-1].max_leverage) == (
        "BTC",
        Decimal("0.001"),
        20,
    )


def _rows(place: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(place)) as db:
        return [row[0] for row in db.execute(query)]


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
            f"SELECT ts FROM journal WHERE type = 'RISK_ASSESSMENT' AND ts > {stalled} AND "
            "json_extract(CAST(payload AS TEXT), '$.verdict') <> 'rejected' AND "
            "json_extract(CAST(payload AS TEXT), '$.order.reduce_only') = 0"
        )
        late = _rows(pair.journal, approved)
        assert all(ts - stalled <= 5_000_000_000 for ts in late), late
        pair.venue.clear()
        pair.call("halt", reason="to compare")
        assert within(PATIENCE, lambda: always(*pair.books)) == []
    finally:
        pair.close()
