"""What a run says that its result is made of: orders, fills, positions and marks, as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from tradeagent.app import iso
from tradeagent.bus.base import Handler, Subscriber
from tradeagent.messages import (
    ZERO,
    Fill,
    FundingPayment,
    Message,
    OrderBookUpdate,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    RiskAssessment,
    TickerUpdate,
    TradingMode,
    TradingState,
)
from tradeagent.research.wording import counted


class Booked(NamedTuple):
    """A position as it was booked at `ts` (UTC ns of the clock), and the fill that led there.

    A fill at the open of a candle is booked at its close, when the candle is known. Without a fill
    it was funding.
    """

    ts: int
    held: PositionUpdate
    fill: Fill | None


class Witness:
    """Listens to a run and decides nothing.

    Of candles it keeps nothing, for the feed has them; of tickers and books, what each symbol was
    marked at.
    """

    def __init__(self) -> None:
        self.booked: list[Booked] = []
        self.payments: list[tuple[int, FundingPayment]] = []
        self.orders: dict[str, OrderUpdate] = {}
        self.marks: dict[str, tuple[list[int], list[float]]] = {}
        self.refused = 0
        """How many orders the rules refused."""
        self.reasons: Counter[str] = Counter()
        self.resumed = 0
        self._shut: tuple[int, TradingState] | None = None
        self.slippage = ZERO
        """What the fills came dearer than the prices they were decided on, in money."""
        self._asked: dict[str, Decimal] = {}
        self._fill: Fill | None = None
        self._stated: dict[str, float] = {}
        heard: dict[type[Message], Handler] = {
            OrderRequest: self._request,
            RiskAssessment: self._judge,
            OrderUpdate: self._order,
            Fill: self._filled,
            PositionUpdate: self._position,
            FundingPayment: self._pay,
            TickerUpdate: self._quote,
            OrderBookUpdate: self._book,
            TradingState: self._state,
        }
        self.subscriber = Subscriber("witness", heard, observer=True)

    @property
    def now(self) -> int:
        """Return the time of the message in hand, UTC ns."""
        hand = self.subscriber.hand
        return hand.ts if hand is not None else 0

    @property
    def fills(self) -> list[Fill]:
        """Return every fill, in the order they were booked."""
        return [one.fill for one in self.booked if one.fill is not None]

    @property
    def rejected(self) -> int:
        """Return how many orders a rule or the venue refused."""
        return self.refused + len(self._rejections)

    @property
    def ended(self) -> list[OrderUpdate]:
        """Return the orders to trade at once or at a limit that the venue took, at their end."""
        taken = (OrderStatus.FILLED, OrderStatus.CANCELED)
        return [
            one for one in self.orders.values() if one.status in taken and one.order.trigger is None
        ]

    @property
    def unfilled(self) -> int:
        """Return how many of those were to enter, and ended without a fill."""
        return sum(not (one.filled or one.order.reduce_only) for one in self.ended)

    @property
    def _rejections(self) -> list[OrderUpdate]:
        return [one for one in self.orders.values() if one.status is OrderStatus.REJECTED]

    def told(self) -> Iterator[str]:
        """Yield, in words, where trading was shut for the rest of the run, and what was refused."""
        if self._shut is not None:
            ts, state = self._shut
            yield (
                f"Trading went to {state.mode} at {iso(ts)} ({state.reason}) and stayed there: a "
                "daemon waits for its operator then, and so does a backtest. Looser limits, or an "
                "operator who resumes each day (--resume-daily), show what would have followed."
            )
        if self.resumed:
            yield (
                f"Trading was halted {counted(self.resumed, 'time')} "
                "and resumed at the next midnight: nobody promises that an operator would."
            )
        yield from self._refusals()

    def _refusals(self) -> Iterator[str]:
        if self.refused:
            several = " (one may break several)" if self.reasons.total() > self.refused else ""
            yield f"{_were(self.refused)} refused, by rule{several}: {_most(self.reasons)}."
        if self._rejections:
            reasons = Counter(one.reason or "no reason" for one in self._rejections)
            yield f"{_were(len(self._rejections))} refused by the venue: {_most(reasons)}."

    def _state(self, state: TradingState) -> None:
        self.resumed += self._shut is not None and state.mode is TradingMode.ACTIVE
        self._shut = None if state.mode is TradingMode.ACTIVE else (self.now, state)

    def _request(self, request: OrderRequest) -> None:
        self._asked[request.intent_id] = request.price

    def _judge(self, verdict: RiskAssessment) -> None:
        if not verdict.approved:
            self.refused += 1
            self.reasons.update(verdict.reasons)

    def _order(self, update: OrderUpdate) -> None:
        self.orders[update.order.cloid] = update

    def _filled(self, fill: Fill) -> None:
        self._fill = fill
        update = self.orders.get(fill.cloid)
        wanted = self._asked.get(fill.intent_id)
        if wanted is None and update is not None:
            wanted = update.order.trigger
        if wanted is not None:
            dearer = fill.price - wanted if fill.side == "buy" else wanted - fill.price
            self.slippage += dearer * fill.size

    def _position(self, held: PositionUpdate) -> None:
        fill, self._fill = self._fill, None
        self.booked.append(Booked(self.now, held, fill))

    def _pay(self, payment: FundingPayment) -> None:
        self.payments.append((self.now, payment))

    def _quote(self, tick: TickerUpdate) -> None:
        if tick.mark is not None:
            self._stated[tick.symbol] = tick.mark
        else:
            self._stated.pop(tick.symbol, None)
        self._mark(tick.symbol, tick.mid if tick.mark is None else tick.mark)

    def _book(self, book: OrderBookUpdate) -> None:
        if book.bids and book.asks:
            middle = (book.bids[0][0] + book.asks[0][0]) / 2
            self._mark(book.symbol, self._stated.get(book.symbol, middle))

    def _mark(self, symbol: str, mark: float) -> None:
        known = self.marks.get(symbol)
        if known is None:
            known = self.marks[symbol] = ([], [])
        known[0].append(self.now)
        known[1].append(mark)


def _were(count: int) -> str:
    return f"{counted(count, 'order')} {'was' if count == 1 else 'were'}"


def _most(reasons: Counter[str]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common(5))
