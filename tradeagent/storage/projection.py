"""The state of trading as a fold of the journal, held in memory."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from hashlib import sha256
from typing import Any, TypeVar, cast

from tradeagent.clock import SECOND
from tradeagent.messages import (
    TERMINAL,
    ZERO,
    AccountUpdate,
    AgentStatus,
    Boot,
    Fill,
    FundingPayment,
    InstrumentUpdate,
    Message,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Restriction,
    RiskAlert,
    RiskOverride,
    StrategyState,
    Submission,
    TrackRecord,
    TradeSignal,
    TradingState,
    VenueStatus,
    decode_payload,
    encode_payload,
)
from tradeagent.storage.base import Closing, DayOpen, Past

DAY = 86_400 * SECOND
FILLS_KEPT = 10_000
PAYMENTS_KEPT = 1_000
RESTING_EXITS = ("stop", "take_profit")
UNANSWERED = (OrderStatus.PREPARED, OrderStatus.UNKNOWN)
CLOSINGS_KEPT = 100
"""How many closings in a symbol are kept that no record tells of."""
M = TypeVar("M", bound=Message)

LATEST: dict[type[Message], Callable[[Any], tuple[str, str]]] = {
    TradingState: lambda _: ("", ""),
    AccountUpdate: lambda _: ("", ""),
    Boot: lambda _: ("", ""),
    InstrumentUpdate: lambda message: ("", message.symbol),
    TradeSignal: lambda message: (message.strategy, message.symbol),
    RiskOverride: lambda message: (message.rule, message.scope),
    RiskAlert: lambda message: (message.code, message.scope),
    Restriction: lambda _: ("", ""),
    TrackRecord: lambda message: (message.strategy, message.symbol),
    AgentStatus: lambda message: (message.agent, ""),
    StrategyState: lambda message: (message.strategy, ""),
    VenueStatus: lambda _: ("", ""),
}
"""Classes of which only the last message of each (name, scope) counts."""


class Projection:
    """What a start needs of all that was journaled; bounded, whatever the journal's length.

    Orders that ended more than a day before the last row are forgotten, as are fills before the
    last 10,000; the tables keep both. Intents, incidents and analyses live in the tables only.
    """

    def __init__(self) -> None:
        self.seq = 0
        self.ts = 0
        self.latest: dict[tuple[type[Message], str, str], Message] = {}
        self.orders: dict[str, tuple[int, OrderUpdate]] = {}
        self.fills: set[tuple[str, str]] = set()
        self.last_fill_time = 0
        self.payments: deque[tuple[int, str]] = deque(maxlen=PAYMENTS_KEPT)
        self.positions: dict[str, PositionUpdate] = {}
        self.day_open: DayOpen | None = None
        self.high_water = ZERO
        self.closings: dict[str, tuple[Closing, ...]] = {}
        """Those in each symbol that no TrackRecord tells of, oldest first."""
        self.submissions: dict[str, Submission] = {}
        """The requests of orders of which nothing was heard, by cloid."""
        self._stopped: set[str] = set()
        """Symbols in which a stop filled and the position is still to follow."""
        self._fill_order: deque[tuple[str, str]] = deque()
        self._ended: deque[tuple[int, str]] = deque()
        self._folds: dict[type[Message], Callable[[Any, int], None]] = {
            OrderUpdate: self._order,
            Fill: self._fill,
            FundingPayment: self._payment,
            PositionUpdate: self._position,
            AccountUpdate: self._account,
            TrackRecord: self._record,
            Submission: self.remember_submission,
        }

    def apply(self, seq: int, ts: int, message: Message) -> None:
        """Fold the message of row `seq`, dispatched at `ts` (UTC ns)."""
        kind = type(message)
        key = LATEST.get(kind)
        if key is not None and not self._outlasted(message):
            self.latest[(kind, *key(message))] = message
        fold = self._folds.get(kind)
        if fold is not None:
            fold(message, ts)
        self.advance(seq, ts)

    def _outlasted(self, message: Message) -> bool:
        """Tell whether a lock that holds longer is known: nobody shortens one by another alert."""
        if type(message) is not RiskAlert:
            return False
        known = self.latest.get((RiskAlert, *LATEST[RiskAlert](message)))
        return type(known) is RiskAlert and known.until > message.until

    def advance(self, seq: int, ts: int) -> None:
        """Note that the journal reaches up to `seq`."""
        self.seq, self.ts = seq, ts

    def remember_order(self, update: OrderUpdate, ts: int) -> None:
        """Note where an order stands since `ts` (UTC ns)."""
        cloid = update.order.cloid
        self.orders[cloid] = (ts, update)
        if update.status in TERMINAL:
            self._ended.append((ts, cloid))

    def remember_fill(self, key: tuple[str, str]) -> bool:
        """Note that the fill (cloid, tid) is booked; returns whether it was new."""
        if key in self.fills:
            return False
        self.fills.add(key)
        self._fill_order.append(key)
        if len(self._fill_order) > FILLS_KEPT:
            self.fills.discard(self._fill_order.popleft())
        return True

    def digest(self) -> str:
        """Return a hash of the whole state, the same for equal states however they came about."""
        self._forget_ended()
        sections: dict[str, Iterable[tuple[tuple[str, ...], object]]] = {
            "journal": [((), [self.seq, self.ts])],
            "latest": [((k.wire, *key), _plain(m)) for (k, *key), m in self.latest.items()],
            "orders": [((cloid,), [ts, _plain(m)]) for cloid, (ts, m) in self.orders.items()],
            "fills": [(key, self.last_fill_time) for key in self.fills],
            "payments": [((tid,), time) for time, tid in self.payments],
            "positions": [((symbol,), _plain(m)) for symbol, m in self.positions.items()],
            "submissions": [((one.cloid,), _plain(one)) for one in self._alive()],
            "closings": [((symbol,), found) for symbol, found in self.closings.items() if found],
            "day": [((), [self.day_open, self.high_water])],
        }
        state = sha256()
        for name, rows in sections.items():
            for key, value in sorted(rows, key=lambda row: row[0]):
                line = json.dumps([name, key, value], sort_keys=True, default=str)
                state.update(line.encode() + b"\n")
        return state.hexdigest()

    def dump(self) -> str:
        """Return the whole state as JSON, from which `load` makes it again."""
        day = self.day_open
        return json.dumps(
            {
                "at": [self.seq, self.ts],
                "latest": [[k.wire, _body(m)] for (k, *_), m in self.latest.items()],
                "orders": [[ts, _body(m)] for ts, m in self.orders.values()],
                "fills": list(self._fill_order),
                "last_fill_time": self.last_fill_time,
                "payments": list(self.payments),
                "positions": [_body(m) for m in self.positions.values()],
                "day_open": None if day is None else [day.day, str(day.equity)],
                "high_water": str(self.high_water),
                "submissions": [_body(one) for one in self._alive()],
                "closings": [
                    self.closings_in(one) for one, known in self.closings.items() if known
                ],
            }
        )

    def closings_in(self, symbol: str) -> str:
        """Return as JSON what closed in a symbol and no record tells of."""
        return json.dumps([symbol, self.closings.get(symbol, ())], default=str)

    def remember_closings(self, text: str) -> None:
        """Note what `closings_in` wrote."""
        symbol, found = json.loads(text)
        self.closings[symbol] = tuple(
            Closing(strategy, name, time, Decimal(net), stopped)
            for strategy, name, time, net, stopped in found
        )

    @classmethod
    def load(cls, text: str) -> Projection:
        """Return the state that `dump` wrote."""
        told, state = json.loads(text), cls()
        state.advance(*told["at"])
        for wire, body in told["latest"]:
            message = decode_payload(wire, body)
            kind = type(message)
            state.latest[(kind, *LATEST[kind](message))] = message
        for ts, body in sorted(told["orders"], key=lambda pair: pair[0]):
            state.remember_order(cast(OrderUpdate, decode_payload(OrderUpdate.wire, body)), ts)
        for cloid, tid in told["fills"]:
            state.remember_fill((cloid, tid))
        state.last_fill_time = told["last_fill_time"]
        state.payments.extend((time, tid) for time, tid in told["payments"])
        for body in told["positions"]:
            held = cast(PositionUpdate, decode_payload(PositionUpdate.wire, body))
            state.positions[held.symbol] = held
        if told["day_open"] is not None:
            day, equity = told["day_open"]
            state.day_open = DayOpen(day, Decimal(equity))
        state.high_water = Decimal(told["high_water"])
        for body in told.get("submissions", ()):
            state.remember_submission(
                cast(Submission, decode_payload(Submission.wire, body)), state.ts
            )
        for text in told.get("closings", ()):
            state.remember_closings(text)
        return state

    def past(self, epoch: int, *, clean: bool) -> Past:
        """Return the state as what the start with number `epoch` restores."""
        return Past(
            epoch=epoch,
            seq=self.seq,
            ts=self.ts,
            clean=clean,
            digest=self.digest(),
            trading_state=self._last(TradingState),
            orders=tuple(update for _, update in self._orders()),
            fills=tuple(self._fill_order),
            last_fill_time=self.last_fill_time,
            payments=tuple(tid for _, tid in self.payments),
            last_funding_time=max((time for time, _ in self.payments), default=0),
            positions=tuple(self.positions[symbol] for symbol in sorted(self.positions)),
            signals=self._all(TradeSignal),
            overrides=self._all(RiskOverride),
            strategies=self._all(StrategyState),
            instruments=self._all(InstrumentUpdate),
            day_open=self.day_open,
            account=self._last(AccountUpdate),
            high_water=self.high_water,
            records=self._all(TrackRecord),
            closings=tuple(
                sorted((one for found in self.closings.values() for one in found), key=_when)
            ),
            alerts=self._all(RiskAlert),
            restriction=self._last(Restriction),
            venue=self._last(VenueStatus),
            stopped={
                (share.strategy, update.symbol): ts
                for ts, update in self._orders()
                if update.order.type in RESTING_EXITS and update.status in TERMINAL
                if update.filled
                for share in update.shares
            },
            submissions=self._alive(),
        )

    def _orders(self) -> list[tuple[int, OrderUpdate]]:
        known = sorted(self.orders, key=lambda cloid: (self.orders[cloid][0], cloid))
        return [self.orders[cloid] for cloid in known]

    def remember_submission(self, submission: Submission, _ts: int) -> None:
        """Note the request for an order, if nothing was heard of that yet and it is the first."""
        known = self.orders.get(submission.cloid)
        if known is None or known[1].status not in UNANSWERED:
            return
        if known[1].dies_at in (0, submission.dies_at):
            self.submissions.setdefault(submission.cloid, submission)

    def _alive(self) -> tuple[Submission, ...]:
        """Return the requests that a venue may still take, in the order of their ids."""
        alive = [
            one
            for name, one in self.submissions.items()
            if self.ts < one.dies_at == self.orders[name][1].dies_at
        ]
        return tuple(sorted(alive, key=lambda one: one.cloid))

    def _order(self, update: OrderUpdate, ts: int) -> None:
        self.remember_order(update, ts)
        if update.status not in UNANSWERED:
            self.submissions.pop(update.order.cloid, None)
        self.ts = ts
        self._forget_ended()

    def _forget_ended(self) -> None:
        ended = self._ended
        while ended and ended[0][0] < self.ts - DAY:
            ts, cloid = ended.popleft()
            known = self.orders.get(cloid)
            if known is not None and known[0] == ts and known[1].status in TERMINAL:
                del self.orders[cloid]

    def _fill(self, fill: Fill, _ts: int) -> None:
        known = self.orders.get(fill.cloid)
        if known is not None and known[1].order.type == "stop":
            self._stopped.add(fill.symbol)
        if self.remember_fill((fill.cloid, fill.tid)):
            self.last_fill_time = max(self.last_fill_time, fill.time)

    def _payment(self, payment: FundingPayment, _ts: int) -> None:
        self.payments.append((payment.time, payment.tid))

    def _position(self, position: PositionUpdate, _ts: int) -> None:
        symbol = position.symbol
        known, self.positions[symbol] = self.positions.get(symbol), position
        stopped = symbol in self._stopped
        self._stopped.discard(symbol)
        before = {part.strategy: part.size for part in known.parts if part.size} if known else {}
        ended = [
            Closing(
                part.strategy,
                symbol,
                position.time,
                part.realised_pnl - part.fees - part.funding,
                stopped,
            )
            for part in position.parts
            if part.strategy in before and before[part.strategy] * part.size <= 0
        ]
        if ended:
            self.closings[symbol] = (*self.closings.get(symbol, ()), *ended)[-CLOSINGS_KEPT:]

    def _record(self, record: TrackRecord, _ts: int) -> None:
        """Forget the oldest closing of its strategy: each is told in its turn."""
        found = self.closings.get(record.symbol, ())
        for number, one in enumerate(found):
            if one.strategy == record.strategy:
                self.closings[record.symbol] = (*found[:number], *found[number + 1 :])
                return

    def _account(self, account: AccountUpdate, ts: int) -> None:
        day = ts // DAY
        if self.day_open is None or self.day_open.day != day:
            self.day_open = DayOpen(day, account.equity)
        self.high_water = max(self.high_water, account.equity)

    def _all(self, kind: type[M]) -> tuple[M, ...]:
        found = [(key, message) for (known, *key), message in self.latest.items() if known is kind]
        return tuple(cast(M, message) for _, message in sorted(found, key=lambda pair: pair[0]))

    def _last(self, kind: type[M]) -> M | None:
        return cast(M | None, self.latest.get((kind, "", "")))


def _when(closing: Closing) -> tuple[int, str, str]:
    return closing.time, closing.symbol, closing.strategy


def _body(message: Message) -> str:
    return encode_payload(message).decode()


def _plain(message: Message) -> dict[str, Any]:
    return message.model_dump(mode="json")
