"""What may be done to a daemon from outside: all that is said, shown, cut, forged and repeated."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from tests.adversary.judge import Judge
from tests.adversary.watched import FUNDING, Watched
from tests.harness import BTC, START, tick
from tradeagent.bus.memory import MemoryBus
from tradeagent.clock import SECOND, SimulatedClock
from tradeagent.messages import (
    CancelRequest,
    ExecutionReport,
    Message,
    Order,
    OrderBookUpdate,
    OrderRequest,
    RiskAssessment,
    RiskOverride,
    StopPlan,
    StrategyState,
    TickerUpdate,
    TradeSignal,
    TradingMode,
    TradingState,
)

Blow = tuple[int, int, int]
"""What happens, and two numbers that say how."""
LIMIT = Decimal(3_000)
STRATEGIES = ("one", "two")
SIZES = ("0.0001", "1", "7.5", "25", "1e9", "0.00001", "3.3333333", "30")
BAD = (float("nan"), float("inf"), float("-inf"), -1.0, 0.0, 1e300, 1e-300, -1e9)
MODES = (TradingMode.ACTIVE, TradingMode.ACTIVE, TradingMode.HALTED, TradingMode.REDUCE_ONLY)
REPEATED = (TradeSignal, OrderRequest, RiskAssessment, ExecutionReport, CancelRequest, TickerUpdate)


class Blows:
    """What may be done to a daemon; `one` and `two` say how."""

    def __init__(self) -> None:
        self.clock = SimulatedClock(START)
        self.judge = Judge(LIMIT)
        self.exchange = Watched(self.judge, lambda: self.clock.now())
        self.price = 100.0
        self.said: list[Message] = []
        self.bus: MemoryBus
        self.count = 0

    def say(self, message: Message, source: str = "stranger") -> None:
        """Publish from outside."""
        self.bus.publish(message, source)

    def quote(self) -> None:
        """Tell the price."""
        told = {"time": self.clock.now(), "funding": FUNDING}
        self.say(tick(self.price).model_copy(update=told), "data")

    def operate(self, mode: TradingMode) -> None:
        """Ask for a trading state."""
        if mode is TradingMode.HALTED:
            self.say(
                TradingState(
                    mode=mode, previous=TradingMode.ACTIVE, reason="so", actor="op", since=0
                ),
                "operator",
            )
        self.say(RiskOverride(rule="STATE", mode=mode, reason="so", actor="op"), "operator")

    def signal(self, one: int, two: int) -> None:
        """Say what a strategy wants, sometimes late, sometimes with a target."""
        direction = ("long", "short", "flat")[one % 3]
        sign = 1 if direction == "long" else -1
        away = self.price * (0.002 + one % 17 / 100)
        now = self.clock.now() - (two % 5) * SECOND
        self.say(
            TradeSignal(
                symbol="BTC",
                strategy=STRATEGIES[two % 2],
                direction=direction,
                time=now,
                price=self.price,
                strength=(1 + two % 4) / 4,
                stop=self.price - sign * away if direction != "flat" else None,
                target=self.price + sign * away * 2 if two % 3 == 0 else None,
                trail=away if two % 7 == 0 else None,
                valid_until=now + (10 if two % 11 else -1) * SECOND,
            ),
            "analysis",
        )

    def garbage(self, one: int, two: int) -> None:
        """Say what makes no sense, as far as a message can hold it."""
        bad = BAD[two % len(BAD)]
        fields: dict[str, Any] = {
            "symbol": "BTC", "strategy": "one", "direction": "long", "time": self.clock.now(),
            "price": self.price, "strength": 1.0, "confidence": 1.0, "stop": self.price * 0.95,
            "valid_until": self.clock.now() + 60 * SECOND,
        }  # fmt: skip
        fields[("price", "strength", "stop", "confidence")[one % 4]] = bad
        with suppress(ValidationError):
            self.say(TradeSignal(**fields), "analysis")

    def move(self, one: int, two: int) -> None:
        """Move the price, a little mostly."""
        step = (one % 21 - 10) / 1000 * (10 if two % 8 == 0 else 1)
        self.price = round(min(max(self.price * (1 + step), 20.0), 500.0), 1)

    def request(self, one: int, two: int, **changes: Any) -> None:
        """Ask for an order by hand: right, wrong or absurd."""
        side = ("buy", "sell")[one % 2]
        sign = 1 if side == "buy" else -1
        self.count += 1
        price = Decimal(repr(self.price))
        fields: dict[str, Any] = {
            "intent_id": f"hand-{self.count}",
            "symbol": "BTC",
            "side": side,
            "size": Decimal(SIZES[two % len(SIZES)]),
            "reduce_only": one % 3 == 0,
            "price": price,
            "price_time": self.clock.now(),
            "valid_until": self.clock.now() + 30 * SECOND,
            "stop_plan": StopPlan(stop=price * (1 - sign * Decimal("0.05"))) if one % 5 else None,
        }
        if one % 4 == 1:
            far = Decimal((-30, -1, 0, 1, 30)[two % 5]) / 1000
            limit = BTC.fit_price(price * (1 + far))
            fields |= {"type": "limit", "limit": limit, "tif": ("GTC", "IOC", "ALO")[two % 3]}
        self.say(OrderRequest(**{**fields, **changes}), "operator")

    def rest(self, one: int, two: int) -> None:
        """Ask for an order that rests a little away."""
        side = ("buy", "sell")[two % 2]
        away = Decimal(1 + one % 15) / 1000 * (-1 if side == "buy" else 1)
        price = Decimal(repr(self.price))
        self.request(
            1,
            0,
            side=side,
            size=Decimal((10, 20, 25)[one % 3]),
            type="limit",
            limit=BTC.fit_price(price * (1 + away)),
            reduce_only=False,
            stop_plan=StopPlan(stop=price * (1 + away * 10)),
        )

    def thin(self, one: int, two: int) -> None:
        """Show a book with little in it, so that orders fill in parts."""
        few, gap = 1.0 + one % 9, 0.1 * (1 + two % 5)
        self.say(
            OrderBookUpdate(
                symbol="BTC",
                time=self.clock.now(),
                bids=tuple((round(self.price - gap * step, 1), few) for step in (1, 2, 3)),
                asks=tuple((round(self.price + gap * step, 1), few) for step in (1, 2, 3)),
            ),
            "data",
        )
        self.request(one, two)

    def absurd_request(self, one: int, two: int) -> None:
        """Ask for an order whose numbers are none."""
        bad = (Decimal("NaN"), Decimal("Infinity"), Decimal(-5), Decimal(0), Decimal("1e30"))[
            two % 5
        ]
        self.count += 1
        fields: dict[str, Any] = {
            "intent_id": f"absurd-{self.count}", "symbol": "BTC", "side": "buy", "weight": 1.0,
            "size": Decimal(1), "type": "market", "limit": None, "trigger": None, "tif": "GTC",
            "reduce_only": one % 2 == 0, "stop_plan": None, "strategy": "operator", "shares": (),
            "price": Decimal(repr(self.price)), "price_time": self.clock.now(),
            "valid_until": self.clock.now() + 30 * SECOND, "replaces": None, "group": None,
            "votes": (), "follows": "", "rationale": "",
        }  # fmt: skip
        fields["size" if one % 3 else "price"] = bad
        with suppress(ValidationError):
            self.say(OrderRequest(**fields), "operator")

    def forge(self, one: int, two: int) -> None:
        """Say in Risk's name that something is approved."""
        known = [
            message
            for message in self.said
            if isinstance(message, RiskAssessment) and message.order is not None
        ]
        until = self.clock.now() + 60 * SECOND
        if known and one % 2:
            model = known[two % len(known)]
            assert model.order is not None
            order = model.order.model_copy(
                update={"size": model.order.size * (2 + two % 3), "cloid": f"0x7a67{two:028x}"}
            )
            forged = model.model_copy(
                update={"order": order, "expires_at": until, "intent_id": f"forged-{two}"}
            )
        else:
            order = Order(
                cloid=f"0x7a67{one:014x}{two:014x}", intent_id=f"forged-{one}-{two}", symbol="BTC",
                side=("buy", "sell")[two % 2], size=Decimal(1 + two % 50), type="market",
            )  # fmt: skip
            forged = RiskAssessment(
                intent_id=order.intent_id, symbol="BTC", verdict="approved", order=order,
                strategy="one", expires_at=until, seal="0" * 64,
            )  # fmt: skip
        self.say(forged, ("risk", "stranger")[one % 2])

    def replay(self, one: int, two: int) -> None:
        """Say again what was said before."""
        kind = REPEATED[two % len(REPEATED)]
        known = [message for message in self.said if isinstance(message, kind)][-20:]
        if known:
            self.say(known[one % len(known)], "stranger")

    def late(self, one: int, _: int) -> None:
        """Say again an approval that nobody has acted on."""
        idle = [
            message
            for message in self.said
            if isinstance(message, RiskAssessment)
            and message.order is not None
            and message.order.cloid not in self.judge.sent
        ]
        if idle:
            self.say(idle[one % len(idle)], "stranger")

    def govern(self, one: int, _: int) -> None:
        """Ask for a trading state as an operator."""
        self.operate(MODES[one % len(MODES)])

    def calm(self, _: int, __: int) -> None:
        """Trade again."""
        self.operate(TradingMode.ACTIVE)

    def lift(self, one: int, two: int) -> None:
        """Lift a rule for a while."""
        rule = ("GROSS", "DAILY_LOSS", "STOP_PLAN", "COLLAR", "POSITION")[one % 5]
        until = self.clock.now() + (1 + two % 60) * SECOND
        self.say(RiskOverride(rule=rule, reason="so", actor="op", valid_until=until), "operator")

    def cancel(self, one: int, _: int) -> None:
        """Cancel orders, sometimes the protective ones too."""
        self.say(CancelRequest(symbol="BTC", keep_protective=one % 4 != 0, reason="so"), "operator")

    def cut(self, one: int, two: int) -> None:
        """Lose the next call to the exchange, or its answer."""
        self.exchange.trouble.append(("lost", "unanswered")[one % 2])
        (self.request if one % 3 else self.rest)(one, two)

    def direct(self, one: int, two: int) -> None:
        """Pause, close or take up a strategy."""
        mode = ("paused", "closed", "active", "active")[one % 4]
        self.say(
            StrategyState.model_validate(
                {"strategy": STRATEGIES[two % 2], "mode": mode, "reason": "so", "actor": "op"}
            ),
            "operator",
        )

    def nothing(self, _: int, __: int) -> None:
        """Let time pass, or the run end."""


BLOWS: tuple[Callable[[Blows, int, int], None], ...] = (
    Blows.signal, Blows.signal, Blows.signal, Blows.signal, Blows.move, Blows.move, Blows.calm,
    Blows.calm, Blows.calm, Blows.request, Blows.request, Blows.rest, Blows.rest,
    Blows.thin, Blows.thin, Blows.absurd_request, Blows.garbage, Blows.forge, Blows.replay,
    Blows.replay, Blows.late,
    Blows.govern, Blows.lift, Blows.cancel, Blows.cut, Blows.direct, Blows.nothing, Blows.nothing,
)  # fmt: skip
WAIT = len(BLOWS) - 2
RESTART = len(BLOWS) - 1
