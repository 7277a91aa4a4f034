"""Messages and envelopes for the tests of storage, the same ones for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from tradeagent.clock import SECOND
from tradeagent.messages import (
    AccountUpdate,
    AgentState,
    AgentStatus,
    Analysis,
    Boot,
    CancelRequest,
    Envelope,
    Fill,
    Heartbeat,
    Incident,
    InstrumentUpdate,
    MarketData,
    Message,
    Order,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    Origin,
    PositionUpdate,
    RiskAlert,
    RiskAssessment,
    RiskOverride,
    Sentiment,
    Severity,
    Share,
    TickerUpdate,
    TradeSignal,
    TradingMode,
    TradingState,
)
from tradeagent.storage.projection import DAY
from tradeagent.storage.sql import SqlStore

START = 19_700 * DAY
SYMBOLS = ("BTC", "ETH/USDT:USDT")
STRATEGIES = ("sma_cross", "breakout", "rsi")


def envelope(
    seq: int, message: Message, ts: int | None = None, cause: int = 0
) -> Envelope[Message]:
    """Return `message` as the run queue dispatches it."""
    made = Envelope(message, "tester", 1, cause)
    made.seq, made.ts = seq, START + seq if ts is None else ts
    if cause:
        made.origin = Origin.DERIVED
    return made


def tick(number: int) -> TickerUpdate:
    """Return a tick unlike its neighbours."""
    return TickerUpdate(symbol="BTC", time=number, bid=100.0 + number, ask=1000.5, last=100.25)


def bar(symbol: str, number: int) -> MarketData:
    """Return the minute candle that opened `number` minutes after the start."""
    price = 100.0 + number % 17
    return MarketData(
        symbol=symbol,
        timeframe="1m",
        time=START + number * 60 * SECOND,
        open=price,
        high=price + 0.1,
        low=price - 0.1,
        close=price,
        volume=float(number),
    )


def order(cloid: str, symbol: str = "BTC") -> Order:
    """Return an order whose intent is named after it."""
    return Order(
        cloid=cloid,
        intent_id=f"intent-{cloid}",
        symbol=symbol,
        side="buy",
        size=Decimal("0.30"),
        type="market",
    )


def update(cloid: str, status: OrderStatus, symbol: str = "BTC") -> OrderUpdate:
    """Return an order's step to `status`."""
    return OrderUpdate(
        order=order(cloid, symbol), status=status, strategy="sma_cross", expires_at=START
    )


def fill(
    cloid: str,
    tid: str,
    *,
    side: str = "buy",
    size: str = "1",
    price: str = "100",
    fee: str = "0.1",
    shares: tuple[Share, ...] = (),
    symbol: str = "BTC",
    time: int = START,
) -> Fill:
    """Return a fill; without shares it is all the first strategy's."""
    return Fill(
        cloid=cloid,
        intent_id=f"intent-{cloid}",
        tid=tid,
        symbol=symbol,
        side=side,
        size=Decimal(size),
        price=Decimal(price),
        fee=Decimal(fee),
        liquidity="taker",
        time=time,
        strategy=STRATEGIES[0],
        shares=shares,
    )


def request(intent: str, symbol: str = "BTC") -> OrderRequest:
    """Return a wish for an order."""
    return OrderRequest(
        intent_id=intent,
        symbol=symbol,
        side="buy",
        price=Decimal(100),
        price_time=START,
        valid_until=START,
        strategy="sma_cross",
    )


def assessment(intent: str, approved: Order | None = None, symbol: str = "BTC") -> RiskAssessment:
    """Return Risk's answer: approved with an order, rejected without."""
    return RiskAssessment(
        intent_id=intent,
        symbol=symbol,
        verdict="rejected" if approved is None else "approved",
        reasons=("MAX_EXPOSURE",) if approved is None else (),
        order=approved,
        strategy="sma_cross",
        expires_at=START,
    )


def boot(epoch: int) -> Boot:
    """Return a start of the daemon."""
    return Boot(
        version="1",
        profile="demo",
        epoch=epoch,
        clock="wall",
        seed=1,
        configuration="c",
        code="d",
        state="e",
        clean=True,
    )


def any_message(rng: random.Random, number: int) -> Message:
    """Return a message of any class that matters, or a tick."""
    symbol, time = rng.choice(SYMBOLS), START + number
    make = rng.choice((_trading, _opinion, _operating))
    return make(rng, number, symbol, time)


def _trading(rng: random.Random, number: int, symbol: str, time: int) -> Message:
    cloid, amount = f"{rng.randrange(30):04x}", Decimal(rng.randrange(1, 5000)) / 1000
    part = Decimal(rng.randrange(-9, 20)) / 10
    shares = (
        Share(strategy=rng.choice(STRATEGIES), part=part),
        Share(strategy="rest", part=1 - part),
    )
    return rng.choice(
        (
            update(cloid, rng.choice(list(OrderStatus)), symbol),
            fill(
                cloid,
                str(rng.randrange(200)),
                side=rng.choice(("buy", "sell")),
                size=str(amount),
                price=str(100 + amount),
                shares=shares,
                symbol=symbol,
                time=time,
            ),
            PositionUpdate(symbol=symbol, size=amount, fees=amount / 3, time=time),
            AccountUpdate(balance=amount, equity=amount * 2, time=time),
            request(f"intent-{cloid}", symbol),
            assessment(f"intent-{cloid}", order(cloid) if number % 2 else None, symbol),
            CancelRequest(cloid=cloid, reason="r"),
        )
    )


def _opinion(rng: random.Random, number: int, symbol: str, time: int) -> Message:
    strategy, values = rng.choice(STRATEGIES), {"z": 1.0, "a": float(number)}
    return rng.choice(
        (
            tick(number),
            bar(symbol, rng.randrange(1000)),
            TradeSignal(
                symbol=symbol,
                strategy=strategy,
                direction="long",
                time=time,
                price=1.5,
                values=values,
                valid_until=time,
            ),
            Analysis(symbol=symbol, analyst=strategy, time=time, valid_until=time),
            Sentiment(
                symbol=symbol,
                analyst=strategy,
                time=time,
                score=0.1,
                confidence=0.5,
                valid_until=time,
            ),
        )
    )


def _operating(rng: random.Random, number: int, symbol: str, time: int) -> Message:
    agent, mode = rng.choice(STRATEGIES), rng.choice(list(TradingMode))
    return rng.choice(
        (
            RiskAlert(code="DRAWDOWN", severity=rng.choice(list(Severity)), symbol=symbol),
            Incident(code="LAG", severity=Severity.WARNING, text="Größe ✓"),
            RiskOverride(rule=rng.choice(("A", "B")), scope=symbol, reason="r", actor="me"),
            TradingState(
                mode=mode, previous=TradingMode.ACTIVE, reason="r", actor="me", since=time
            ),
            AgentStatus(agent=agent, state=AgentState.RUNNING),
            Heartbeat(agent=agent, state=AgentState.RUNNING, waiting=0, last_seq=1),
            InstrumentUpdate(symbol=symbol, tick=Decimal("0.10"), lot=Decimal(number + 1)),
            boot(number),
        )
    )


def stream(seed: int, count: int, first: int = 1) -> Iterator[Envelope[Message]]:
    """Yield a random run of about a quarter of an hour a message, with gaps in `seq`."""
    rng = random.Random(seed)
    seq, ts = first, START + first * SECOND
    for number in range(count):
        made = envelope(seq, any_message(rng, number), ts, rng.choice((0, max(seq - 1, 0))))
        made.origin = rng.choice(list(Origin))
        yield made
        seq += rng.randrange(1, 3)
        ts += rng.randrange(1800 * SECOND)


def written(path: Path, envelopes: Iterator[Envelope[Message]]) -> SqlStore:
    """Return a store that has taken `envelopes` and was closed and opened again."""
    store = SqlStore.open(path, waits=False)
    for made in envelopes:
        store.journal.append(made)
    store.close()
    return SqlStore.open(path, waits=False)
