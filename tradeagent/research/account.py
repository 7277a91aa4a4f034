"""What a run's books come to: its round trips, and its equity at each close."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from tradeagent.messages import ZERO, Fill, FundingPayment, PositionPart, PositionUpdate
from tradeagent.quant.curve import Curve, Floats, Times
from tradeagent.quant.trades import Trade
from tradeagent.research.witness import Booked

DUST = Decimal("1e-9")
"""What division over strategies leaves of a position; no lot is as small."""
EMPTY = PositionPart(strategy="nobody", size=ZERO)


@dataclass(slots=True)
class Trip:
    """A position of one strategy in one symbol on its way from flat to flat.

    `entered` and `left` are (size, worth) of all entries and exits, sizes above 0.
    """

    symbol: str
    strategy: str
    long: bool
    since: int
    most: Decimal = ZERO
    entered: tuple[Decimal, Decimal] = (ZERO, ZERO)
    left: tuple[Decimal, Decimal] = (ZERO, ZERO)
    fees: Decimal = ZERO
    funding: Decimal = ZERO

    @property
    def size(self) -> Decimal:
        """Return what is held, above 0."""
        return self.entered[0] - self.left[0]

    def enter(self, size: Decimal, price: Decimal) -> None:
        """Add to the position."""
        self.entered = (self.entered[0] + size, self.entered[1] + size * price)
        self.most = max(self.most, self.size)

    def leave(self, size: Decimal, price: Decimal) -> None:
        """Take from the position."""
        self.left = (self.left[0] + size, self.left[1] + size * price)

    def ended(self, time: int | None, mark: Decimal = ZERO) -> Trade:
        """Return the trade it came to at `time`, None for one that still stands at `mark`."""
        sign = 1 if self.long else -1
        gained = sign * (self.left[1] - self.entered[1] + self.size * mark)
        open_ = time is None
        return Trade(
            symbol=self.symbol,
            strategy=self.strategy,
            side="long" if self.long else "short",
            size=self.most,
            entry_time=self.since,
            entry_price=self.entered[1] / self.entered[0],
            exit_time=time,
            exit_price=None if open_ or not self.left[0] else self.left[1] / self.left[0],
            fees=self.fees,
            funding=self.funding,
            pnl=gained - self.fees - self.funding,
        )


class Trips:
    """Follows every strategy's part of every position, fill by fill."""

    def __init__(self) -> None:
        self.done: list[Trade] = []
        self._open: dict[tuple[str, str], Trip] = {}
        self._parts: dict[tuple[str, str], PositionPart] = {}

    def book(self, booked: Booked) -> None:
        """Take a position with its parts, and the fill that led there."""
        for part in booked.held.parts:
            key = (booked.held.symbol, part.strategy)
            before = self._parts.get(key, EMPTY)
            if part == before:
                continue
            self._parts[key] = part
            self._fund(key, part.funding - before.funding)
            if booked.fill is not None:
                self._move(key, part.size - before.size, part.fees - before.fees, booked.fill)

    def _fund(self, key: tuple[str, str], paid: Decimal) -> None:
        trip = self._open.get(key)
        if trip is not None:
            trip.funding += paid

    def _move(self, key: tuple[str, str], quantity: Decimal, fee: Decimal, fill: Fill) -> None:
        """Book a signed quantity: it adds to what is held, takes from it, or turns it over."""
        trip = self._open.get(key)
        if trip is not None and quantity and (quantity > 0) is not trip.long:
            closing = min(abs(quantity), trip.size)
            share = fee if closing == abs(quantity) else fee * closing / abs(quantity)
            trip.leave(closing, fill.price)
            trip.fees += share
            if trip.size > DUST:
                return
            self.done.append(self._open.pop(key).ended(fill.time))
            fee -= share
            left = abs(quantity) - closing
            quantity, trip = (left if quantity > 0 else -left), None
        if abs(quantity) <= DUST:
            return
        if trip is None:
            trip = self._open[key] = Trip(*key, quantity > 0, fill.time)
        trip.enter(abs(quantity), fill.price)
        trip.fees += fee

    def standing(self, marks: Mapping[str, Decimal]) -> list[Trade]:
        """Return what is open as trades without an end, worth their symbol's mark."""
        return [trip.ended(None, marks[trip.symbol]) for trip in self._open.values()]


def trades_of(booked: Iterable[Booked], marks: Mapping[str, Decimal]) -> tuple[Trade, ...]:
    """Return every trade by when it ended; those that stand at the end come last."""
    trips = Trips()
    for one in booked:
        trips.book(one)
    return (*trips.done, *trips.standing(marks))


@dataclass(frozen=True, slots=True)
class Marks:
    """What one symbol was marked at from each moment (UTC ns) on."""

    time: Times
    price: Floats

    def at(self, moments: Times) -> Floats:
        """Return the mark at each moment, 0 before the first."""
        if not len(self.time):
            return np.zeros(len(moments))
        row = np.searchsorted(self.time, moments, side="right") - 1
        return np.where(row < 0, 0.0, self.price[np.maximum(row, 0)])


def curve_of(
    start: tuple[int, Decimal],
    booked: Sequence[Booked],
    payments: Sequence[tuple[int, FundingPayment]],
    marks: Mapping[str, Marks],
    moments: Times,
) -> Curve:
    """Return equity and exposure at `moments` (UTC ns, rising), from (time, balance) on.

    Equity is cash plus size times mark, over all symbols: what the account showed at each moment.
    """
    began, balance = start
    time = np.concatenate((np.array([began], np.int64), moments[moments > began]))
    cash = np.full(len(time), float(balance))
    paid = [(ts, -float(payment.payment)) for ts, payment in payments]
    cash += _running(paid, time)
    exposure = np.zeros(len(time))
    for symbol, own in _by_symbol(booked).items():
        cash += _running([(one.ts, _cash(one.fill)) for one in own if one.fill is not None], time)
        worth = _standing([(one.ts, one.held) for one in own], time) * marks[symbol].at(time)
        cash += worth
        exposure += np.abs(worth)
    return Curve(time, cash, exposure)


def _by_symbol(booked: Sequence[Booked]) -> dict[str, list[Booked]]:
    found: dict[str, list[Booked]] = {}
    for one in booked:
        found.setdefault(one.held.symbol, []).append(one)
    return found


def _cash(fill: Fill | None) -> float:
    """Return what a fill moved in cash."""
    assert fill is not None
    worth = fill.size * fill.price
    return float((-worth if fill.side == "buy" else worth) - fill.fee)


def _running(amounts: Sequence[tuple[int, float]], moments: Times) -> Floats:
    """Return what all amounts up to each moment add up to."""
    times = np.array([ts for ts, _ in amounts], np.int64)
    totals = np.concatenate((np.zeros(1), np.cumsum([amount for _, amount in amounts])))
    found: Floats = totals[np.searchsorted(times, moments, side="right")]
    return found


def _standing(held: Sequence[tuple[int, PositionUpdate]], moments: Times) -> Floats:
    """Return the size that was held at each moment."""
    times = np.array([ts for ts, _ in held], np.int64)
    sizes = np.array([0.0, *(float(one.size) for _, one in held)])
    found: Floats = sizes[np.searchsorted(times, moments, side="right")]
    return found
