"""The account is looked at as rarely as possible, and still tells all that each price would."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest

from tests.agents.risk_desk import at, desk, hold, judge, request, update
from tests.harness import START, bar
from tradeagent.agents import lookout
from tradeagent.agents.risk import Risk
from tradeagent.clock import SECOND
from tradeagent.messages import AccountUpdate, MarketData, Message, OrderStatus, RiskAlert

LIMITS = {
    "max_gross_ratio": "4",
    "max_daily_loss_ratio": "0.05",
    "max_drawdown_ratio": "0.08",
    "require_stop": False,
}
Step = tuple[str, float, int]
WHAT = ("BTC", "BTC", "BTC", "BTC", "ETH", "ETH", "hold BTC", "hold ETH", "money", "worth")
PAUSES = (60, 60, 60, 60, 60, 60, 60, 60, 60, 36_000)
"""Seconds between two events; now and then a night."""


def course(source: Random) -> list[Step]:
    """Return 40 events, after an account and two prices are known."""
    begun: list[Step] = [("money", 0.0, 1), ("BTC", 0.0, 1), ("ETH", 0.0, 1)]
    return begun + [
        (source.choice(WHAT), source.uniform(-0.03, 0.03), source.choice(PAUSES)) for _ in range(40)
    ]


def live(risk: Risk, moves: tuple[float, ...], course: list[Step]) -> list[tuple[int, Any]]:
    """Let time pass, prices move and positions change; return what was told, and when."""
    told: list[tuple[int, Any]] = []
    prices, now, balance = {"BTC": 100.0, "ETH": 100.0}, 0, Decimal(10_000)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lookout, "MOVES", moves)
        for what, change, seconds in course:
            now += max(60, seconds)
            at(risk, now)
            said: list[Message] = []
            if what in ("money", "worth"):
                balance += Decimal(repr(round(change * 10_000, 2))) * (what == "money")
                equity = balance + Decimal(repr(round(abs(change) * 10_000, 2))) * (what == "worth")
                said = risk.account(
                    AccountUpdate(
                        balance=balance, equity=equity, time=START + now * SECOND, stands=True
                    )
                )
            elif what.startswith("hold"):
                symbol = what.split()[1]
                hold(risk, repr(round(change * 10_000, 1)), symbol=symbol)
            else:
                prices[what] *= 1 + change
                said = risk.bar(_bar(what, prices[what], now)) or []
            told.extend((now, one.model_dump(exclude={"evidence"})) for one in said)
    return told


def _bar(symbol: str, price: float, now: int) -> MarketData:
    candle = bar(price)
    return candle.model_copy(
        update={"symbol": symbol, "time": START + (now - 60) * SECOND, "timeframe": "1m"}
    )


@pytest.mark.parametrize("wants_stop", [False, True])
def test_resting_between_marks_misses_nothing(wants_stop: bool) -> None:
    """An account that rests tells the same alerts at the same prices as one that never does."""
    source, told = Random(1), 0
    limits = {**LIMITS, "require_stop": wants_stop}
    for _ in range(200):
        events = course(source)
        resting = live(desk(limits=limits), lookout.MOVES, events)
        restless = live(desk(limits=limits), (), events)
        assert resting == restless
        told += len(restless)
    assert told > 1_000


def test_it_does_rest() -> None:
    """Between marks close to each other nothing is worked out again."""
    risk = desk(limits=LIMITS)
    begun: list[Step] = [("money", 0.0, 1), ("BTC", 0.0, 1), ("hold BTC", 0.001, 1)]
    live(risk, lookout.MOVES, [*begun, ("BTC", 0.0, 1)])
    calm = risk.lookout._calm_until
    live(risk, lookout.MOVES, [("BTC", 0.0005, 600)])
    assert risk.lookout._calm_until == calm > 0


def fund_stands(risk: Risk) -> None:
    """Tell an account that stands until the next word."""
    money = Decimal(10_000)
    risk.account(AccountUpdate(balance=money, equity=money, time=START, stands=True))


def test_shorter_candles_hasten_the_next_look() -> None:
    """Once a symbol shows candles of a minute, an hour without one is silence."""
    risk = desk(limits=LIMITS, watch={"max_blind_s": 300})
    fund_stands(risk)
    risk.bar(_bar("BTC", 100.0, 60).model_copy(update={"timeframe": "1h", "time": START}))
    at(risk, 3600)
    hold(risk, "1")
    risk.monitor_risk()
    assert not risk.lookout.is_overdue(START + 3700 * SECOND)

    at(risk, 3660)
    risk.bar(_bar("BTC", 100.0, 3660))

    assert not risk.lookout.is_overdue(START + (3660 + 359) * SECOND)
    assert risk.lookout.is_overdue(START + (3660 + 362) * SECOND)


def test_an_approval_that_lapsed_is_looked_at_once() -> None:
    """What came to nothing is forgotten by the look it causes, and causes no other."""
    risk = desk(limits=LIMITS)
    fund_stands(risk)
    verdict = judge(risk, request())
    assert verdict.approved
    risk.monitor_risk()
    lapse = risk.exposure.claims.lapse
    assert lapse is not None
    assert risk.lookout.is_overdue(lapse + 1)

    at(risk, (lapse - START) / SECOND + 1)
    risk.monitor_risk()
    assert risk.exposure.claims.lapse is None
    assert not risk.lookout.is_overdue(lapse + 2 * SECOND)


def test_a_candle_to_come_is_no_silence() -> None:
    """A holding on candles of a day, with an order resting, is left alone until one is missing."""
    day, patience = 86_400, 300
    risk = desk(limits={**LIMITS, "require_stop": False}, watch={"max_blind_s": patience})
    fund_stands(risk)
    risk.bar(_bar("BTC", 100.0, 60).model_copy(update={"timeframe": "1d", "time": START}))
    verdict = judge(risk, request())
    at(risk, day)
    risk.ordered(update(verdict, OrderStatus.OPEN))
    hold(risk, "1")
    assert risk.monitor_risk() == []

    late = START + (2 * day + patience) * SECOND
    assert not risk.lookout.is_overdue(late)
    assert risk.lookout.is_overdue(late + 2)
    at(risk, 2 * day + patience + 1)
    assert [one.code for one in risk.monitor_risk() if isinstance(one, RiskAlert)] == [
        "HOLDING_BLIND"
    ]
