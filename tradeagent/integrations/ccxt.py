"""The past of any exchange that ccxt knows, a page at a time: candles, funding and trades."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar, cast

from tradeagent.clock import MILLISECOND, SECOND, Clock
from tradeagent.errors import DataError, VenueUnavailable
from tradeagent.integrations.base import FundingRate, Page
from tradeagent.messages import TIMEFRAMES, InstrumentUpdate, MarketData, MarketTrade, Timeframe
from tradeagent.messages.build import checked

T = TypeVar("T")
USUAL_PAGE = 500
"""Rows asked for at once where ccxt does not know how many an exchange tells."""
MOST_PAGE = 1_000
LEAST_PAGE = 100
"""A page of so many rows may be full, whatever was asked for."""
SETTLED = 10 * SECOND
"""How long after its close a candle is believed, by this machine's clock."""
FUNDING_STEP = 8 * 3600 * SECOND
"""The usual time between two rates."""
QUIET = 3600 * SECOND
"""How much of the time is believed to be without trades when none are told."""
CANDLES_IN_BASE = frozenset({"okx", "okxus", "myokx", "htx"})
"""Whose candles of contracts ccxt tells in base units already."""
CANDLES_IN_CONTRACTS = frozenset({"gate", "gateeu", "mexc"})
"""Whose candles of contracts ccxt tells in numbers of them."""
_candle = checked(MarketData)
_trade = checked(MarketTrade)


class CcxtPast:
    """Asks one exchange for what was, at the pace that ccxt keeps for it."""

    def __init__(self, exchange: str, clock: Clock, url: str = "") -> None:
        """Ask `exchange` by ccxt's name of it; `url` is where a server of one's own stands for it.

        Raises DataError without ccxt, and for an exchange that it does not know.
        """
        self._ccxt = _ccxt()
        if exchange not in self._ccxt.exchanges:
            close = get_close_matches(exchange, ["hyperliquid", *self._ccxt.exchanges], n=1)
            hint = f"did you mean {close[0]!r}?" if close else "ccxt lists those it knows"
            raise DataError(f"--exchange: ccxt knows no {exchange!r}; {hint}")
        self.name = f"ccxt {exchange}"
        self._clock = clock
        self._client: Any = getattr(self._ccxt, exchange)({"enableRateLimit": True})
        if url:
            self._client.urls["api"] = {"public": url, "private": url}

    async def open(self) -> None:
        """Learn what is listed."""
        await self._asked(self._client.load_markets)

    async def close(self) -> None:
        """Disconnect."""
        await self._client.close()

    def now(self) -> int:
        """Return up to when all has settled, by this machine's clock."""
        return self._clock.now() - SETTLED

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await self._clock.sleep(seconds)

    def earliest(self, timeframe: Timeframe) -> int:  # noqa: ARG002 - each exchange differs
        """Return 0: how far back an exchange goes is not known before it is asked."""
        return 0

    def instrument(self, symbol: str) -> InstrumentUpdate | None:
        """Return the grid of a symbol in base units, None where ccxt does not tell it by steps.

        Raises DataError where the exchange does not list it, and for contracts that are worth a
        fixed sum instead of a fixed number of coins.
        """
        market = self._client.markets.get(symbol)
        if market is None:
            close = get_close_matches(symbol, list(self._client.markets), n=3, cutoff=0.3)
            raise DataError(
                f"{self.name} does not list {symbol!r}; did you mean {' or '.join(close)}?"
                if close
                else f"{self.name} does not list {symbol!r}; write it as ccxt does, as BTC/USDT"
            )
        steps = market.get("precision") or {}
        tick, lot = steps.get("price"), steps.get("amount")
        worth = self._worth(symbol)
        by_steps = self._client.precisionMode == self._ccxt.TICK_SIZE
        if not by_steps or not tick or not lot:
            return None
        return InstrumentUpdate(
            symbol=symbol, tick=Decimal(str(tick)), lot=Decimal(str(lot)) * worth
        )

    async def candles(
        self, symbol: str, timeframe: Timeframe, start: int, end: int
    ) -> Page[MarketData]:
        """Return candles, as many as the exchange tells at once."""
        self._able("fetchOHLCV", "candles")
        if timeframe not in self._client.timeframes:
            known = ", ".join(one for one in self._client.timeframes if one in TIMEFRAMES)
            raise DataError(f"{self.name} has no {timeframe} candles; it has {known}")
        worth = self._worth_of_candles(symbol)
        count = self._page("fetchOHLCV", symbol)
        told: Sequence[Sequence[float]] = await self._asked(
            lambda: self._client.fetch_ohlcv(symbol, timeframe, start // MILLISECOND, count)
        )
        try:
            bars = [_bar(symbol, timeframe, row, worth) for row in told]
        except (ValueError, TypeError) as error:
            raise DataError(
                f"{self.name}: a candle of {symbol} cannot be: {_line(error)}"
            ) from None
        length = TIMEFRAMES[timeframe]
        times = sorted(bar.time + length for bar in bars if bar.time >= start)
        return _page(bars, start, end, times, start + count * length)

    async def funding(self, symbol: str, start: int, end: int) -> Page[FundingRate]:
        """Return rates, as many as the exchange tells at once."""
        self._able("fetchFundingRateHistory", "funding rates")
        count = self._page("fetchFundingRateHistory", symbol)
        told: Sequence[Mapping[str, float]] = await self._asked(
            lambda: self._client.fetch_funding_rate_history(symbol, start // MILLISECOND, count)
        )
        rates = [
            FundingRate(int(one["timestamp"]) * MILLISECOND, float(one["fundingRate"]))
            for one in told
        ]
        times = sorted(one.time + 1 for one in rates if one.time >= start)
        return _page(rates, start, end, times, start + count * FUNDING_STEP)

    async def trades(self, symbol: str, start: int, end: int) -> Page[MarketTrade]:
        """Return trades, as many as the exchange tells at once."""
        self._able("fetchTrades", "public trades")
        count = self._page("fetchTrades", symbol)
        told: Sequence[Mapping[str, Any]] = await self._asked(
            lambda: self._client.fetch_trades(symbol, start // MILLISECOND, count)
        )
        worth = self._worth(symbol)
        try:
            trades = [_public(symbol, one, worth) for one in told]
        except (ValueError, TypeError) as error:
            raise DataError(f"{self.name}: a trade of {symbol} cannot be: {_line(error)}") from None
        # Further trades of the last moment may be on the next page: it begins with that moment.
        times = sorted(one.time for one in trades if one.time > start)
        first = sum(one.time == start for one in trades)
        if first >= min(count, LEAST_PAGE) and not times:
            raise DataError(
                f"{self.name} tells {first} trades of {symbol} at once, all of the "
                f"millisecond {start // MILLISECOND}, and there is no asking for the rest; import "
                "a file of them instead"
            )
        lone = start + (MILLISECOND if trades else QUIET)
        return _page(trades, start, end, times, lone)

    def _worth(self, symbol: str) -> Decimal:
        """Return how many coins what is counted is worth; raises DataError where that varies."""
        market = self._client.markets[symbol]
        if not market.get("contract"):
            return Decimal(1)
        if not market.get("linear"):
            raise DataError(
                f"{self.name}: contracts of {symbol} are not worth a fixed number of coins, so "
                "their sizes say nothing here; choose a market that is settled in its quote "
                "currency, as BTC/USDT:USDT"
            )
        return Decimal(str(market.get("contractSize") or 1))

    def _worth_of_candles(self, symbol: str) -> Decimal:
        worth, exchange = self._worth(symbol), self._client.id
        if worth == 1 or exchange in CANDLES_IN_BASE:
            return Decimal(1)
        if exchange in CANDLES_IN_CONTRACTS:
            return worth
        raise DataError(
            f"{self.name}: it is not known whether the volume of {symbol} counts coins or "
            f"contracts of {worth}; import a file of its candles instead"
        )

    def _able(self, method: str, what: str) -> None:
        if not self._client.has.get(method):
            raise DataError(f"{self.name} tells no past {what}; import a file of them instead")

    def _page(self, method: str, symbol: str) -> int:
        told = self._client.feature_value(symbol, method, "limit", USUAL_PAGE)
        return min(int(told or USUAL_PAGE), MOST_PAGE)

    async def _asked(self, ask: Callable[[], Awaitable[object]]) -> T:
        ccxt = self._ccxt
        try:
            return cast("T", await ask())
        except ccxt.NetworkError as error:
            raise VenueUnavailable(_line(error)) from None
        except ccxt.BaseError as error:
            raise DataError(f"{self.name}: {type(error).__name__}: {_line(error)}") from None


def _bar(symbol: str, timeframe: Timeframe, row: Sequence[float], worth: Decimal) -> MarketData:
    time, start, high, low, close, volume = row[:6]
    return _candle(
        symbol=symbol,
        timeframe=timeframe,
        time=int(time) * MILLISECOND,
        open=start,
        high=high,
        low=low,
        close=close,
        volume=_coins(volume or 0.0, worth),
    )


def _public(symbol: str, one: Mapping[str, Any], worth: Decimal) -> MarketTrade:
    if one["side"] not in ("buy", "sell"):
        raise ValueError("the exchange does not tell who took it, a buyer or a seller")
    return _trade(
        symbol=symbol,
        time=int(one["timestamp"]) * MILLISECOND,
        price=float(one["price"]),
        size=_coins(one["amount"], worth),
        side=one["side"],
        trade_id=str(one["id"] or ""),
    )


def _coins(count: float, worth: Decimal) -> float:
    return float(Decimal(str(float(count))) * worth)


P = TypeVar("P", MarketData, FundingRate, MarketTrade)


def _page(rows: Sequence[P], start: int, end: int, times: Sequence[int], empty: int) -> Page[P]:
    """Return a page up to the last of `times`; one without any is believed up to `empty`."""
    upto = min(end, times[-1] if times else empty)
    return Page(sorted((one for one in rows if start <= one.time < upto), key=_time), upto)


def _time(row: MarketData | FundingRate | MarketTrade) -> int:
    return row.time


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _ccxt() -> ModuleType:
    try:
        return import_module("ccxt.async_support")
    except ImportError as error:
        raise DataError(
            "downloading from other exchanges than hyperliquid needs ccxt: "
            "pip install 'tradeagent[ccxt]'"
        ) from error
