"""Work out a strategy's trades over whole columns, where no message could change them.

A screening is no second backtest. It takes what a strategy signals over its column of candles and
fills at the next open what follows from that, with the exchange's own arithmetic of prices and
fees and the gate's own sizes and rules. Whatever it does not know (stops, delays, several symbols,
a limit that binds) it refuses, and says why: then only the whole backtest can tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from tradeagent.agents.execution import ExecutionSettings
from tradeagent.agents.exposure import Exposure
from tradeagent.agents.gate import Ground, History, entry_context, order_size
from tradeagent.agents.line import Line
from tradeagent.agents.pace import Pace
from tradeagent.integrations.recorded import RecordedFeed
from tradeagent.messages import (
    ZERO,
    AccountUpdate,
    MarketData,
    Order,
    OrderRequest,
    Side,
    TradingMode,
    Vote,
)
from tradeagent.messages.build import typed
from tradeagent.plan import Plan
from tradeagent.quant.curve import DAY, Curve, Floats, Prices, Times
from tradeagent.quant.holding import hold
from tradeagent.quant.metrics import Orders
from tradeagent.quant.performance import measure
from tradeagent.quant.protections import Protections, Trip
from tradeagent.quant.rules import check_all
from tradeagent.quant.trades import Trade
from tradeagent.research.outcome import Measured
from tradeagent.research.prices import candles_of
from tradeagent.research.screenable import NotScreened, checked
from tradeagent.simulation.account import CENT
from tradeagent.simulation.fees import Fees
from tradeagent.simulation.margin import Leverages
from tradeagent.simulation.matching import Terms
from tradeagent.strategies.base import BARS_VALID, Opinions, Screened

_new_order_request = typed(OrderRequest)
_new_order = typed(Order)

SIDES: dict[int, Side] = {1: "buy", -1: "sell"}
SURE = 0.001
"""How far from a limit of the account's equity a screening still trusts itself, as a ratio."""


@dataclass(frozen=True, slots=True)
class Bought:
    """One fill: at which candle's open, when (UTC ns), a signed size, a price and a fee."""

    place: int
    time: int
    size: Decimal
    price: Decimal
    fee: Decimal


@dataclass
class Account:
    """The account as fills change it: balance, position, and what the rules count from."""

    balance: Decimal
    size: Decimal = ZERO
    fills: list[Bought] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)

    def fill(self, bought: Bought) -> None:
        """Book a fill; what is closed is closed whole."""
        if self.size:
            entry = self.fills[-1]
            self.balance += self.size * (bought.price - entry.price)
        self.balance -= bought.fee
        self.size += bought.size
        self.fills.append(bought)


def screen(plan: Plan, feed: RecordedFeed) -> Measured:
    """Return what a plan's whole backtest comes to; raises NotScreened with the reason."""
    return _Screen(plan, feed).run()


class _Screen:
    """One screening: what is fixed for all of it, and its account."""

    def __init__(self, plan: Plan, feed: RecordedFeed) -> None:
        strategy, risk, exchange = checked(plan)
        (symbol,) = strategy.symbols
        (made,) = strategy.make()
        timeframe = feed.shortest(symbol)
        candles = candles_of(feed, symbol)
        inputs = made.inputs()
        if (
            candles is None
            or timeframe is None
            or inputs.bars != (timeframe,)
            or inputs.symbols
            or inputs.quotes
        ):
            raise NotScreened("it plays other candles than those of the files, or no candles alone")
        assert isinstance(made, Screened)
        self.strategy, self.risk, self.exchange, self.candles = strategy, risk, exchange, candles
        before = feed.history(symbol, timeframe, int(candles.time[0]), 25 * inputs.warmup)
        opinions = made.screen(_joined(before, candles))
        if opinions is None:
            raise NotScreened(f"the signals of {strategy.name} carry stops, or more than candles")
        self.instrument = next(one for one in feed.instruments() if one.symbol == symbol)
        self.opinions = _heard(opinions, len(before), inputs.warmup)
        self.closed = candles.time + candles.length
        self.terms = Terms(self.instrument, exchange)
        self.fees = Fees(exchange, {})
        self.protections = Protections(risk.protections)
        self.account = Account(exchange.balance)
        self.exposure, self.pace, self.line = Exposure(risk.limits), Pace(risk.limits), Line()
        self.exposure.listed(self.instrument)
        self.timeframe = timeframe
        self.most_sent = _most_sent(plan)

    def run(self) -> Measured:
        """Fill what follows from each signal, candle by candle where something happens."""
        at, directions = self.opinions.at.tolist(), self.opinions.direction.tolist()
        asked: Decimal | None = None
        place, wanted, valid, heard = -1, 0, 0, 0
        while heard < len(at) or asked is not None:
            place = at[heard] if asked is None else place + 1
            if place >= len(self.candles):
                break
            if asked is not None:
                self._fill(place, asked)
            if heard < len(at) and at[heard] == place:
                wanted, heard = directions[heard], heard + 1
                valid = int(self.closed[place]) + BARS_VALID * self.candles.length
            asked = self._asked(place, wanted, valid)
        return self._result()

    def _asked(self, place: int, wanted: int, valid: int) -> Decimal | None:
        """Return the signed size that is asked for at a candle's close, None for nothing."""
        account = self.account
        if account.size:
            return -account.size if account.size * wanted <= 0 else None
        if not wanted or int(self.closed[place]) > valid:
            return None
        return self._entry(place, SIDES[wanted], valid)

    def _entry(self, place: int, side: Side, valid: int) -> Decimal:
        """Return the size of an entry that every rule lets pass; raises NotScreened otherwise."""
        now, limits = int(self.closed[place]), self.risk.limits
        request = self._request(place, side, valid)
        self._know(place, now)
        exposure, counts = self.exposure, self.pace.asked(request, now)
        equity, standing = exposure.equity, exposure[request.symbol]
        sized = order_size(request, self.instrument, standing, equity, self.risk, History())
        ground = Ground(
            TradingMode.ACTIVE,
            now,
            known_source=True,
            exposure=exposure,
            pace=self.pace,
            protections=self.protections,
            restriction=None,
            line=self.line,
        )
        context = entry_context(request, self.instrument, sized.size, equity, counts, ground)
        refused = [one.rule for one in check_all(context, limits) if not one.passed]
        if refused or sized.size <= 0:
            rules = ", ".join(refused) or "MIN_NOTIONAL"
            raise NotScreened(f"{rules} would refuse an entry at {_moment(now)}")
        self._afford(sized.size * request.price, now)
        self.pace.approved(_order(request, sized.size), request.price, now, counts.wishes)
        return sized.size if side == "buy" else -sized.size

    def _request(self, place: int, side: Side, valid: int) -> OrderRequest:
        """Return what Trading would ask for at a candle's close."""
        now, name, weight = int(self.closed[place]), self.strategy.name, self.strategy.weight
        decided = valid - BARS_VALID * self.candles.length
        return _new_order_request(
            intent_id=f"{name} {decided} {now}",
            symbol=self.instrument.symbol,
            side=side,
            weight=weight,
            strategy=name,
            price=Decimal(repr(float(self.candles.close[place]))),
            price_time=now,
            valid_until=valid,
            votes=(Vote(strategy=name, weight=weight, time=decided),),
        )

    def _know(self, place: int, now: int) -> None:
        """Let the gate know the account and the mark at a candle's close."""
        balance, candles = self.account.balance, self.candles
        told = AccountUpdate(balance=balance, equity=balance, time=now, stands=True)
        self.exposure.account(told, now)
        self.exposure.price(
            MarketData(
                symbol=self.instrument.symbol,
                timeframe=self.timeframe,
                time=int(candles.time[place]),
                open=float(candles.open[place]),
                high=float(candles.high[place]),
                low=float(candles.low[place]),
                close=float(candles.close[place]),
                volume=float(candles.volume[place]),
            )
        )

    def _afford(self, worth: Decimal, now: int) -> None:
        """Raise NotScreened where the exchange, or the last look before it, would refuse."""
        if worth > self.most_sent:
            raise NotScreened(f"an entry at {_moment(now)} is more than may leave within a minute")
        leverage = Leverages(self.exchange).at(self.instrument, worth)
        if worth / leverage > self.account.balance:
            raise NotScreened(f"the margin of an entry at {_moment(now)} is not there")

    def _fill(self, place: int, size: Decimal) -> None:
        """Fill an order at a candle's open, as the exchange does."""
        candles, buy = self.candles, size > 0
        price = self.terms.slipped(float(candles.open[place]), buy)
        mark = Decimal(repr(float(candles.close[place - 1])))
        cap = self.exchange.slippage_cap
        worst = self.terms.on_grid(mark * (1 + cap if buy else 1 - cap), buy)
        time = max(int(candles.time[place]), int(self.closed[place - 1]))
        if price > worst if buy else price < worst:
            raise NotScreened(f"the open at {_moment(time)} is beyond the cap of a market order")
        worth = price * abs(size)
        fee = (worth * self.fees.rate("taker", time)).quantize(CENT)
        self.fees.add(worth, time)
        closes = bool(self.account.size)
        self.account.fill(Bought(place, time, size, price, fee))
        if closes:
            self._ended(time)

    def _ended(self, time: int) -> None:
        entry, exit_ = self.account.fills[-2:]
        trade = self._trade(entry, exit_)
        self.account.trades.append(trade)
        trip = Trip(trade.strategy, trade.symbol, time, trade.pnl, stopped=False)
        self.protections.closed(trip)

    def _trade(self, entry: Bought, exit_: Bought | None) -> Trade:
        left = exit_.price if exit_ is not None else Decimal(repr(float(self.candles.close[-1])))
        fees = entry.fee + (exit_.fee if exit_ is not None else ZERO)
        return Trade(
            symbol=self.instrument.symbol,
            strategy=self.strategy.name,
            side="long" if entry.size > 0 else "short",
            size=abs(entry.size),
            entry_time=entry.time,
            entry_price=entry.price,
            exit_time=None if exit_ is None else exit_.time,
            exit_price=None if exit_ is None else exit_.price,
            fees=fees,
            pnl=entry.size * (left - entry.price) - fees,
        )

    def _result(self) -> Measured:
        account, candles = self.account, self.candles
        curve, held = self._curve()
        self._watch(curve, held)
        standing = [self._trade(account.fills[-1], None)] if account.size else []
        trades = (*account.trades, *standing)
        market = {candles.symbol: candles}
        metrics = measure(
            curve,
            trades,
            hold(market, int(curve.time[0]), int(curve.time[-1])),
            traded=sum((abs(one.size) * one.price for one in account.fills), ZERO),
            slippage=self._slippage(),
            orders=Orders(0, len(account.fills), 0),
        )
        return Measured(metrics, curve, trades, market)

    def _slippage(self) -> Decimal:
        """Return what the fills came dearer than the closes they were decided on, in money."""
        closes, fills = self.candles.close, self.account.fills
        decided = (Decimal(repr(float(closes[one.place - 1]))) for one in fills)
        return sum(
            (one.size * (one.price - price) for one, price in zip(fills, decided, strict=True)),
            ZERO,
        )

    def _curve(self) -> tuple[Curve, Floats]:
        """Return equity and exposure at each close, and the size held."""
        candles, fills = self.candles, self.account.fills
        places = np.array([one.place for one in fills], np.int64)
        cash = np.zeros(len(candles))
        size = np.zeros(len(candles))
        np.add.at(cash, places, [float(-one.size * one.price - one.fee) for one in fills])
        np.add.at(size, places, [float(one.size) for one in fills])
        held = np.cumsum(size)
        worth = held * candles.close
        start = float(self.exchange.balance)
        equity = np.concatenate(([start], start + np.cumsum(cash) + worth))
        exposure = np.concatenate(([0.0], np.abs(worth)))
        began = int(self.closed[0]) - 1
        time = np.concatenate((np.array([began], np.int64), self.closed))
        return Curve(time, equity, exposure), held

    def _watch(self, curve: Curve, held: Floats) -> None:
        """Raise NotScreened where the continuous checks could have stopped trading."""
        limits, watch = self.risk.limits, self.risk.watch
        equity, high = curve.equity, np.maximum.accumulate(curve.equity)
        if np.any(equity <= 0):
            raise NotScreened("the account would be used up")
        if np.max((high - equity) / high) > float(limits.max_drawdown_ratio) - SURE:
            raise NotScreened("DRAWDOWN would come near its limit")
        if np.max(_day_losses(curve)) > float(limits.max_daily_loss_ratio) - SURE:
            raise NotScreened("DAILY_LOSS would come near its limit")
        worst = np.where(held > 0, self.candles.low, self.candles.high)
        trough = equity[1:] + held * (worst - self.candles.close)
        _, maintenance = self.exposure[self.instrument.symbol].rates
        gross = np.abs(held) * np.maximum(worst, self.candles.close)
        least = max(float(limits.min_liquidation_distance_ratio), watch.flatten_distance_ratio)
        at_stake = gross > 0
        distance = (trough - float(maintenance) * gross)[at_stake] / gross[at_stake]
        if np.any(distance < least + SURE):
            raise NotScreened("LIQUIDATION would come near its limit")


def _day_losses(curve: Curve) -> Floats:
    """Return, at each moment, what the UTC day has lost of the most it may have opened with."""
    day = curve.time // DAY
    first = np.flatnonzero(np.diff(day, prepend=day[0] - 1))
    opening = np.maximum(curve.equity[first], curve.equity[np.maximum(first - 1, 0)])
    each = np.repeat(opening, np.diff(np.append(first, len(day))))
    losses: Floats = (each - curve.equity) / each
    return losses


def _most_sent(plan: Plan) -> Decimal:
    """Return what entries may be worth within a minute; candles are no shorter."""
    found = (one.settings for one in plan.agents if isinstance(one.settings, ExecutionSettings))
    return next(found).max_notional_per_minute


def _order(request: OrderRequest, size: Decimal) -> Order:
    return _new_order(
        cloid=request.intent_id,
        intent_id=request.intent_id,
        symbol=request.symbol,
        side=request.side,
        size=size,
        type="market",
    )


def _heard(opinions: Opinions, before: int, warmup: int) -> Opinions:
    """Return the signals that count: within the range, once the strategy is warm."""
    counts = opinions.at >= max(before, warmup)
    return Opinions(opinions.at[counts] - before, opinions.direction[counts])


def _joined(before: Sequence[MarketData], candles: Prices) -> Prices:
    """Return the candles that a strategy is warmed up on, and those after them."""
    if not before:
        return candles
    earlier: dict[str, Floats] = {
        name: np.array([getattr(one, name) for one in before])
        for name in ("open", "high", "low", "close", "volume")
    }
    time: Times = np.concatenate((np.array([one.time for one in before], np.int64), candles.time))
    return Prices(
        candles.symbol,
        candles.length,
        time,
        **{name: np.concatenate((one, getattr(candles, name))) for name, one in earlier.items()},
    )


def _moment(time: int) -> str:
    return str(np.datetime64(time, "ns").astype("datetime64[s]")) + "Z"
