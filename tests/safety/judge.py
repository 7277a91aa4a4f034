"""Compare the venue's own ledger with our store: nothing lost, doubled, unexplained.

What the venue holds is what its judge makes of the ledger, in arithmetic that the venue does not
share; ours is read as it was stored, with no code of the agents that brought it about.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from tradeagent.agents.identity import is_ours
from tradeagent.messages import OrderStatus, OrderUpdate
from tradeagent.simulation.venue.judge import Judge
from tradeagent.storage.records import SqlRecords

S = OrderStatus
CENT = Decimal("0.01")
NEVER_THERE = (S.NOT_PLACED, S.DENIED, S.EXPIRED_LOCAL)
UNSETTLED = (S.UNKNOWN, S.PREPARED, S.PEND_CANCEL, S.PEND_REPLACE, S.RESURRECTED)
MUST_NOT_COME = (
    "OVERFILL",
    "UNKNOWN_ORDER",
    "POSITION_MISMATCH",
    "CASH_MISMATCH",
    "RESURRECTED",
    "ORDER_DENIED",
)
ALL = 10_000_000
FOREVER = 1 << 62


@dataclass
class VenueBook:
    """What the venue's ledger says of one account; orders and fills by the names we gave them."""

    orders: Counter[str]
    nameless: list[int]
    lives: dict[str, tuple[int, int]]
    """When each order came and when it ended, ms; the newest of one name."""
    open: set[str]
    fills: dict[tuple[str, str], tuple[Decimal, Decimal]]
    positions: dict[str, Decimal]
    cash: Decimal
    doubled: list[str]
    """What stands there twice, and may not."""


def venue_book(state: Path, user: str) -> VenueBook:
    """Read an account as the venue's ledger has it at one moment."""
    judge = Judge(state)
    with closing(judge), judge.moment():
        orders, fills = judge.orders(user), judge.fills(user)
        positions, cash = judge.positions(user), judge.raw(user)
        doubled = judge.doubled(user)
    names = {one.oid: one.cloid or str(one.oid) for one in orders}
    return VenueBook(
        orders=Counter(one.cloid for one in orders if one.cloid is not None),
        nameless=[one.oid for one in orders if one.cloid is None],
        lives={
            names[one.oid]: (one.time, FOREVER if one.live else one.statuses[-1][1])
            for one in orders
        },
        open={names[one.oid] for one in orders if one.live},
        fills={(names[one.oid], str(one.tid)): (one.size, one.price) for one in fills},
        positions=positions,
        cash=cash,
        doubled=doubled,
    )


@dataclass
class OurBook:
    """What our store says."""

    orders: dict[str, OrderUpdate]
    fills: dict[tuple[str, str], tuple[Decimal, Decimal]]
    positions: dict[str, Decimal]
    cash: Decimal
    incidents: Counter[str]


def our_book(state: Path) -> OurBook:
    """Read the state tables; raises AssertionError for a fill that is booked twice."""
    records = SqlRecords.read(state / "journal.db")
    try:
        orders = {one.message.order.cloid: one.message for one in records.orders(limit=ALL)}
        fills: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
        for row in records.fills(ALL):
            key = (row.message.cloid, row.message.tid)
            assert key not in fills, f"fill {key} is booked twice"
            fills[key] = (row.message.size, row.message.price)
        held = records.positions()
        cash = sum(
            (
                one.realised_pnl - one.fees - one.funding - one.size * one.entry_price
                for one in held
            ),
            Decimal(0),
        )
        incidents = Counter(str(getattr(row.message, "code", "")) for row in records.incidents(ALL))
        positions = {one.symbol: one.size for one in held if one.size}
        return OurBook(orders, fills, positions, cash, incidents)
    finally:
        records.close()


def differences(venue: VenueBook, ours: OurBook, deposit: Decimal = Decimal(10_000)) -> list[str]:
    """Return every way in which the two disagree, in words; none when all is well and settled."""
    found = always(venue, ours)
    for name, update in ours.orders.items():
        if update.status in UNSETTLED:
            found.append(f"{name} is still {update.status}")
    resting = {
        name for name, one in ours.orders.items() if one.status in (S.OPEN, S.PARTIAL, S.TRIGGERED)
    }
    if resting != venue.open:
        found.append(f"open here {resting - venue.open}, open there {venue.open - resting}")
    if ours.fills != venue.fills:
        lost = {key: one for key, one in venue.fills.items() if ours.fills.get(key) != one}
        extra = set(ours.fills) - set(venue.fills)
        found.append(f"fills lost or wrong here: {lost}; made up here: {extra}")
    if ours.positions != venue.positions:
        found.append(f"positions here {ours.positions}, there {venue.positions}")
    if abs(deposit + ours.cash - venue.cash) >= CENT:
        found.append(f"cash here {deposit + ours.cash}, there {venue.cash}")
    return found


def always(venue: VenueBook, ours: OurBook) -> list[str]:
    """Return every breach of what must hold at any moment once all that arrived is on record."""
    found = [f"an order without a name: {oid}" for oid in venue.nameless]
    sent: dict[str, list[str]] = defaultdict(list)
    for name, times in venue.orders.items():
        update = ours.orders.get(name)
        if update is None:
            found.append(f"{name} is at the venue and not in our books; ours: {is_ours(name)}")
            continue
        if times > 1 and update.order.replaces is None:
            found.append(f"{name} was placed {times} times")
        if update.status in NEVER_THERE:
            found.append(f"{name} is at the venue, we say {update.status}: {update.reason}")
        sent[update.order.intent_id].append(name)
    for intent, names in sent.items():
        filled = sum((ours.orders[name].filled for name in names), Decimal(0))
        asked = max(ours.orders[name].order.size for name in names)
        if filled > asked:
            found.append(f"intent {intent} filled {filled} of {asked} by {names}")
        lives = sorted(venue.lives[name] for name in names)
        if any(after[0] < before[1] for before, after in pairwise(lives)):
            found.append(f"intent {intent} was at the venue twice at once: {names}")
    told = [f"incident {code}" for code in MUST_NOT_COME if ours.incidents[code]]
    return [*found, *venue.doubled, *told]
