"""Read the venue's ledger and judge by it, in arithmetic of its own.

Nothing here is shared with the exchange: a position is the sum of its fills, money is what came in,
less what was paid for fills, fees and funding.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tradeagent.errors import StateError
from tradeagent.simulation.venue.ledger import NAME

ZERO = Decimal(0)
LIVE = ("open", "triggered")


@dataclass(frozen=True, slots=True)
class JudgedFill:
    """A fill: `start` is the position before it, `closed` what it realised before fees."""

    tid: int
    oid: int
    coin: str
    buy: bool
    price: Decimal
    size: Decimal
    fee: Decimal
    start: Decimal
    closed: Decimal
    time: int
    forced: bool

    @property
    def signed(self) -> Decimal:
        """Return what it adds to the position."""
        return self.size if self.buy else -self.size


@dataclass(frozen=True, slots=True)
class JudgedOrder:
    """An order and all its statuses with their times (ms), oldest first."""

    oid: int
    cloid: str | None
    coin: str
    buy: bool
    size: Decimal
    price: Decimal
    time: int
    statuses: tuple[tuple[str, int], ...]
    filled: Decimal

    @property
    def status(self) -> str:
        """Return how it stands."""
        return self.statuses[-1][0] if self.statuses else ""

    @property
    def live(self) -> bool:
        """Tell whether it may still fill."""
        return self.status in LIVE


@dataclass(frozen=True, slots=True)
class JudgedFlow:
    """Money that came, above 0, or went: deposit, send, withdraw, class, requests, funding."""

    kind: str
    coin: str
    usd: Decimal
    time: int


@dataclass(frozen=True, slots=True)
class JudgedAction:
    """An action as it arrived, and what was answered; `burned` tells that its nonce is used up."""

    time: int
    signer: str
    nonce: int
    burned: bool
    action: dict[str, Any]
    outcome: dict[str, Any]


class Judge:
    """Reads the ledger in a venue's folder, whether the venue runs or not.

    Every method reads what is on disk at that moment, and inside `moment` all read the same one.
    `faults` tells where the ledger contradicts itself; there is nothing in it as long as the venue
    is right.
    """

    def __init__(self, state: Path) -> None:
        """Open the ledger for reading; raises StateError when there is none."""
        path = state / NAME
        try:
            self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
        except sqlite3.Error as error:
            raise StateError(f"{path}: {error}; name the folder of a venue") from error

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @contextmanager
    def moment(self) -> Iterator[None]:
        """Let all that is read inside be of one moment, whatever the venue writes meanwhile."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.rollback()

    def accounts(self) -> list[str]:
        """Return every account, in the order they were opened."""
        return [user for (user,) in self._rows("SELECT user FROM seats ORDER BY number")]

    def actions(self, user: str) -> list[JudgedAction]:
        """Return the actions for an account, in the order they arrived."""
        query = (
            "SELECT time, signer, nonce, burned, action, outcome FROM actions WHERE user = ? "
            "ORDER BY seq"
        )
        return [
            JudgedAction(time, signer, nonce, bool(burned), json.loads(action), json.loads(said))
            for time, signer, nonce, burned, action, said in self._rows(query, user)
        ]

    def orders(self, user: str) -> list[JudgedOrder]:
        """Return the orders of an account, oldest first."""
        steps: dict[int, list[tuple[str, int]]] = defaultdict(list)
        query = "SELECT oid, status, time FROM statuses WHERE user = ? ORDER BY seq"
        for oid, status, time in self._rows(query, user):
            steps[oid].append((status, time))
        filled: dict[int, Decimal] = defaultdict(lambda: ZERO)
        for fill in self.fills(user):
            filled[fill.oid] += fill.size
        query = "SELECT oid, cloid, coin, buy, size, px, time FROM orders WHERE user = ?"
        return [
            JudgedOrder(
                oid,
                cloid,
                coin,
                bool(buy),
                Decimal(size),
                Decimal(price),
                time,
                tuple(steps[oid]),
                filled[oid],
            )
            for oid, cloid, coin, buy, size, price, time in self._rows(
                f"{query} ORDER BY oid", user
            )
        ]

    def fills(self, user: str) -> list[JudgedFill]:
        """Return the fills of an account, in the order they happened."""
        rows = self._rows("SELECT body FROM fills WHERE user = ? ORDER BY seq", user)
        return [_fill(json.loads(body)) for (body,) in rows]

    def flows(self, user: str) -> list[JudgedFlow]:
        """Return the money that came and went, in the order it did."""
        query = "SELECT kind, coin, usd, time FROM flows WHERE user = ? ORDER BY seq"
        return [
            JudgedFlow(kind, coin, Decimal(usd), time)
            for kind, coin, usd, time in self._rows(query, user)
        ]

    def positions(self, user: str) -> dict[str, Decimal]:
        """Return the signed size held of each coin that is not flat: the sum of its fills."""
        held: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for fill in self.fills(user):
            held[fill.coin] += fill.signed
        return {coin: size for coin, size in held.items() if size}

    def raw(self, user: str) -> Decimal:
        """Return the raw USD: what came in, less what fills cost, fees and funding."""
        paid = sum((fill.signed * fill.price + fill.fee for fill in self.fills(user)), ZERO)
        return sum((flow.usd for flow in self.flows(user)), ZERO) - paid

    def cash(self, user: str) -> Decimal:
        """Return the money: what came in, the results of closed positions, less fees, funding."""
        fills = self.fills(user)
        earned = sum((one.closed - one.fee for one in fills), ZERO)
        return sum((flow.usd for flow in self.flows(user)), ZERO) + earned

    def doubled(self, user: str) -> list[str]:
        """Return the trade ids and the used up nonces that stand there twice, one line for each."""
        burned = self._rows("SELECT signer, nonce FROM actions WHERE user = ? AND burned", user)
        found = [f"trade id {tid} twice" for tid in _twice([one.tid for one in self.fills(user)])]
        found += [f"nonce {nonce} of {signer} burned twice" for signer, nonce in _twice(burned)]
        return found

    def faults(self, user: str) -> list[str]:
        """Return where the ledger contradicts itself, one line for each place."""
        orders = {one.oid: one for one in self.orders(user)}
        found = self.doubled(user)
        held: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for fill in self.fills(user):
            if fill.start != held[fill.coin]:
                found.append(f"fill {fill.tid} starts at {fill.start}, not {held[fill.coin]}")
            held[fill.coin] += fill.signed
            if fill.oid not in orders:
                found.append(f"fill {fill.tid} of an unknown order {fill.oid}")
        for order in orders.values():
            found += _order_faults(order)
        return found

    def _rows(self, query: str, *keys: str) -> list[tuple[Any, ...]]:
        return self._db.execute(query, keys).fetchall()


def _order_faults(order: JudgedOrder) -> list[str]:
    name = f"order {order.oid}"
    if not order.statuses:
        return [f"{name} has no status"]
    found = []
    if order.size and order.filled > order.size:
        found.append(f"{name} filled {order.filled} of {order.size}")
    ends = [status for status, _ in order.statuses if status not in LIVE]
    if len(ends) > 1 or (ends and order.live):
        found.append(f"{name} went on after its end: {order.statuses}")
    if "Rejected" in order.status and order.filled:
        found.append(f"{name} was rejected and has filled")
    if order.status == "filled" and not order.filled:
        found.append(f"{name} is filled without a fill")
    times = [time for _, time in order.statuses]
    if times != sorted(times):
        found.append(f"{name} goes back in time: {times}")
    return found


def _fill(shown: dict[str, Any]) -> JudgedFill:
    return JudgedFill(
        tid=shown["tid"],
        oid=shown["oid"],
        coin=shown["coin"],
        buy=shown["side"] == "B",
        price=Decimal(shown["px"]),
        size=Decimal(shown["sz"]),
        fee=Decimal(shown["fee"]),
        start=Decimal(shown["startPosition"]),
        closed=Decimal(shown["closedPnl"]),
        time=shown["time"],
        forced="liquidation" in shown or shown["dir"] == "Settlement",
    )


def _twice(keys: list[Any]) -> list[Any]:
    seen: set[Any] = set()
    doubled = []
    for key in keys:
        if key in seen:
            doubled.append(key)
        seen.add(key)
    return doubled
