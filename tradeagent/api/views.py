"""What operators are shown, read from the store's tables whether the daemon runs or not."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from tradeagent.clock import SECOND
from tradeagent.quant.costs import shortfall, slippage
from tradeagent.storage.base import Records


class View(BaseModel):
    """A row of a table for people and scripts."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AgentView(View):
    """One agent: its state, how long its inbox is, what it did last."""

    agent: str
    state: str
    waiting: int = 0
    last_seq: int = 0
    restarts: int = 0
    errors: int = 0
    reason: str = ""


class StrategyView(View):
    """One strategy's part in one symbol; P&L is realised, before fees, in quote currency."""

    strategy: str
    state: str
    symbol: str
    size: str
    entry_price: str
    realised_pnl: str
    fees: str


class OrderView(View):
    """The newest state of an order."""

    time: int
    cloid: str
    symbol: str
    side: str
    type: str
    size: str
    filled: str
    price: str
    status: str
    strategy: str
    reason: str


class ExecutionView(View):
    """What an order that filled cost against the price it was decided at.

    `arrival` is that price, a stop's or target's trigger; slippage is in basis points of it, above
    0 for worse. `shortfall` is slippage and fees in quote currency. `seconds` is from the request
    to the last fill.
    """

    time: int
    cloid: str
    symbol: str
    side: str
    type: str
    strategy: str
    size: str
    filled: str
    arrival: str
    average: str
    slippage_bp: str
    fees: str
    shortfall: str
    seconds: str


class PositionView(View):
    """The netted position in one symbol."""

    symbol: str
    size: str
    entry_price: str
    realised_pnl: str
    fees: str
    funding: str


class TradeView(View):
    """One fill."""

    time: int
    symbol: str
    side: str
    size: str
    price: str
    fee: str
    closed_pnl: str
    liquidity: str
    strategy: str
    cloid: str
    tid: str


class StatusView(View):
    """Where the daemon stands."""

    profile: str
    pid: int
    mode: str
    reason: str
    time: int
    equity: str
    balance: str
    signals: int
    approvals: int
    rejections: dict[str, int]
    fills: int
    lag_seconds: float
    ready: bool
    not_ready_because: tuple[str, ...]


def strategies(records: Records) -> Sequence[StrategyView]:
    """Return each strategy's parts."""
    states = {word.strategy: word.mode for word in records.strategy_states()}
    return [
        StrategyView(
            strategy=part.strategy,
            state=states.get(part.strategy, "active"),
            symbol=held.symbol,
            size=f"{part.size:f}",
            entry_price=f"{part.entry_price:.8f}",
            realised_pnl=f"{part.realised_pnl:.4f}",
            fees=f"{part.fees:.4f}",
        )
        for held in records.positions()
        for part in held.parts
    ]


def orders(records: Records, *, open_only: bool, limit: int) -> Sequence[OrderView]:
    """Return orders, newest first."""
    views = []
    for record in records.orders(open_only=open_only, limit=limit):
        update, order = record.message, record.message.order
        price = update.average_price or order.limit or order.trigger
        views.append(
            OrderView(
                time=record.ts,
                cloid=order.cloid,
                symbol=order.symbol,
                side=order.side,
                type=order.type,
                size=f"{order.size:f}",
                filled=f"{update.filled:f}",
                price="" if price is None else f"{price:f}",
                status=update.status.value,
                strategy=update.strategy,
                reason=update.reason,
            )
        )
    return views


def executions(records: Records, limit: int) -> Sequence[ExecutionView]:
    """Return what each order that filled cost, newest first."""
    views = []
    for found in records.executed(limit):
        update, order = found.update, found.update.order
        arrival = found.request.price if found.request is not None else order.trigger
        average = update.average_price
        if arrival is None or average is None:
            continue
        worse = slippage(order.side, arrival, average) * 10_000
        cost = shortfall(order.side, update.filled, arrival, average, found.fees)
        views.append(
            ExecutionView(
                time=found.done,
                cloid=order.cloid,
                symbol=order.symbol,
                side=order.side,
                type=order.type,
                strategy=update.strategy,
                size=f"{order.size:f}",
                filled=f"{update.filled:f}",
                arrival=f"{arrival:f}",
                average=f"{average:.8f}".rstrip("0").rstrip("."),
                slippage_bp=f"{worse:.2f}",
                fees=f"{found.fees:.4f}",
                shortfall=f"{cost:.4f}",
                seconds=f"{(found.done - found.asked) / SECOND:.3f}",
            )
        )
    return views


def positions(records: Records) -> Sequence[PositionView]:
    """Return the position of each symbol."""
    return [
        PositionView(
            symbol=held.symbol,
            size=f"{held.size:f}",
            entry_price=f"{held.entry_price:.8f}",
            realised_pnl=f"{held.realised_pnl:.4f}",
            fees=f"{held.fees:.4f}",
            funding=f"{held.funding:.4f}",
        )
        for held in records.positions()
    ]


def trades(records: Records, limit: int) -> Sequence[TradeView]:
    """Return fills, newest first."""
    return [
        TradeView(
            time=record.message.time,
            symbol=record.message.symbol,
            side=record.message.side,
            size=f"{record.message.size:f}",
            price=f"{record.message.price:f}",
            fee=f"{record.message.fee:f}",
            closed_pnl=f"{record.message.closed_pnl:.4f}",
            liquidity=record.message.liquidity,
            strategy=record.message.strategy,
            cloid=record.message.cloid,
            tid=record.message.tid,
        )
        for record in records.fills(limit)
    ]
