"""What the venue shows of each coin: levels, mark, trades, candles and what follows from them."""

from __future__ import annotations

from collections import deque
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from math import floor, log10

from tradeagent.integrations.base import MarketFeed
from tradeagent.messages import (
    InstrumentUpdate,
    MarketData,
    MarketTrade,
    OrderBookUpdate,
    TickerUpdate,
)
from tradeagent.messages.build import changed
from tradeagent.simulation.venue.base import Json, MarketNews
from tradeagent.simulation.venue.candles import DAY, MILLISECOND, Candles, number
from tradeagent.simulation.venue.listing import Asset
from tradeagent.simulation.venue.numbers import hash_of, tid_of

DEPTH = 20
KEPT_TRADES = 200
TOUCH = 50_000.0
"""What stands at the touch where the feed shows no size, in quote currency."""
OPEN_INTEREST = 50_000_000.0
IMPACT = 6_000.0
IMPACT_MAJOR = 20_000.0
MAJORS = frozenset({"BTC", "ETH"})
OTHER = "0x" + "0" * 39 + "1"
"""Who trades with the accounts, and in the feed buys from itself."""
PUBLIC = (OTHER, OTHER)

Level = tuple[float, float]
Levels = tuple[Level, ...]
Shown = TickerUpdate | OrderBookUpdate | MarketTrade


class Stall:
    """One coin's market as it stands; `hear` takes in an event of the feed.

    A ticker whose touch differs from the levels shown gets levels of its own behind it, thicker
    farther out, and trades that account for its volume; the accounts meet just what is shown.
    A feed of candles alone is shown as four tickers for each.
    """

    def __init__(self, asset: Asset, feed: MarketFeed, born: int, seed: int) -> None:
        """Show nothing yet."""
        self.asset = asset
        self.bids: Levels = ()
        self.asks: Levels = ()
        self.last = self.mark = 0.0
        self.funding: float = 0.0
        self.candles = Candles(feed, asset.symbol, born)
        self.trades: deque[Json] = deque(maxlen=KEPT_TRADES)
        self.bare = feed.shortest(asset.symbol) is not None
        """Whether only candles were seen so far."""
        self._seed = seed
        self.fresh: list[Json] = []
        """The trades of the last event."""
        self.followed: list[str] = []
        """The intervals whose candles form."""
        self._ticks = 0
        self._traded = self._stated = False
        self._volume = 0.0
        self._day = (-1, 0.0, 0.0)
        self._before: tuple[int, float | None] = (-1, None)

    @property
    def open(self) -> bool:
        """Tell whether anything was shown yet."""
        return bool(self.bids and self.asks)

    @property
    def mid(self) -> float:
        """Return the middle of the touch, the last price while there is none."""
        return (self.bids[0][0] + self.asks[0][0]) / 2 if self.open else self.last

    def standing(self, time: int) -> list[Shown]:
        """Return what shows an account the market as it stands at `time` (UTC ns)."""
        if not self.open:
            return []
        tick = TickerUpdate(
            symbol=self.asset.symbol,
            time=time,
            bid=self.bids[0][0],
            ask=self.asks[0][0],
            last=self.last or self.mid,
            mark=self.mark,
            funding=self.funding,
        )
        return [tick, self._book(time)]

    def hear(self, event: Shown | MarketData, time: int) -> list[Shown]:
        """Take in an event at `time` (UTC ns); returns what the accounts are to meet, in order."""
        self.fresh = []
        if isinstance(event, TickerUpdate):
            self.bare = False
            return self._quote(event, time)
        if isinstance(event, OrderBookUpdate):
            self.bare = False
            return self._deepen(event)
        if isinstance(event, MarketTrade):
            self._traded = True
            self._count(event.size, time)
            self._print(event.side == "buy", event.price, event.size, time)
            self.last = event.price
            self.followed = self.candles.tick(event.price, event.size, 1, time)
            return [event]
        return self._play(event, time) if self.bare else []

    def _quote(self, tick: TickerUpdate, time: int) -> list[Shown]:
        self._stated = True
        self.mark = (tick.bid + tick.ask) / 2 if tick.mark is None else tick.mark
        self.funding = tick.funding if tick.funding is not None else self.funding
        grid = self.asset.instrument
        bid, ask = _fitted(tick.bid, grid, ROUND_FLOOR), _fitted(tick.ask, grid, ROUND_CEILING)
        if (bid, ask) != (tick.bid, tick.ask):
            tick = changed(tick, bid=bid, ask=ask)
        heard: list[Shown] = [tick]
        if not self.open or (self.bids[0][0], self.asks[0][0]) != (bid, ask):
            self._stack(tick, bid, ask)
            heard.append(self._book(tick.time))
        traded = max(tick.volume - self._volume, 0.0) if tick.volume >= self._volume else 0.0
        self._volume = tick.volume
        rose = tick.last >= self.last
        self.last = tick.last
        prints: list[Shown] = []
        if traded and not self._traded and self._ticks:
            prints = self._invent(traded, rose, time)
        self._ticks += 1
        if not self._traded:
            self.followed = self.candles.tick(tick.last, traded, len(prints), time)
            self._count(traded, time)
        return heard + prints

    def _deepen(self, book: OrderBookUpdate) -> list[Shown]:
        if not book.bids or not book.asks:
            return []
        grid = self.asset.instrument
        self.bids = _on_grid(book.bids, grid, ROUND_FLOOR)
        self.asks = _on_grid(book.asks, grid, ROUND_CEILING)
        if not self._stated:
            self.mark = self.mid
            self.last = self.last or self.mid
        return [self._book(book.time)]

    def _play(self, bar: MarketData, time: int) -> list[Shown]:
        """Show a candle as the touch on its way: open, the extremes, close."""
        rising = bar.close >= bar.open
        way = (bar.open, bar.low, bar.high, bar.close)
        if not rising:
            way = (bar.open, bar.high, bar.low, bar.close)
        heard: list[Shown] = []
        for price in way:
            step = float(self.asset.instrument.tick)
            tick = TickerUpdate(
                symbol=bar.symbol, time=time, bid=price, ask=price + step, last=price, mark=price
            )
            heard += self._quote(tick, time)
        self._count(bar.volume, time)
        self.bare = True
        return heard

    def _stack(self, tick: TickerUpdate, bid: float, ask: float) -> None:
        """Put levels behind a touch, thicker farther out."""
        step = _step(ask, self.asset.instrument)
        parts = round(1 / step) if step < 1 else 1
        unit = max(round(step * parts), 1)
        first, other = round(bid * parts / unit), round(ask * parts / unit)
        gap = max(1, (other - first) // 2)
        usual = TOUCH / ask
        places = self.asset.decimals
        low, high = tick.bid_size or usual, tick.ask_size or usual
        self.bids = tuple(
            ((first - gap * i) * unit / parts, _sized(low, i, places))
            for i in range(DEPTH)
            if first > gap * i
        )
        self.asks = tuple(
            ((other + gap * i) * unit / parts, _sized(high, i, places)) for i in range(DEPTH)
        )
        if self.bids[0][0] != bid or self.asks[0][0] != ask:  # the grid changes at powers of ten
            self.bids = ((bid, _sized(low, 0, places)),)
            self.asks = ((ask, _sized(high, 0, places)),)

    def _book(self, time: int) -> OrderBookUpdate:
        return OrderBookUpdate(symbol=self.asset.symbol, time=time, bids=self.bids, asks=self.asks)

    def _invent(self, traded: float, rose: bool, time: int) -> list[Shown]:
        """Return trades at both sides of the touch that add up to what was traded."""
        lot = 10.0**-self.asset.decimals
        whole = round(traded / lot)
        share = (25 + self._ticks * 7919 % 101) / 150
        bought = round(whole * (share if rose else 1 - share))
        made: list[Shown] = []
        for lots, buy in ((bought, True), (whole - bought, False)):
            size = round(lots * lot, self.asset.decimals)
            if size <= 0:
                continue
            price = self.asks[0][0] if buy else self.bids[0][0]
            self._print(buy, price, size, time)
            made.append(
                MarketTrade(
                    symbol=self.asset.symbol,
                    time=time,
                    price=price,
                    size=size,
                    side="buy" if buy else "sell",
                )
            )
        return made

    def _print(self, buy: bool, price: float, size: float, time: int) -> None:
        self.fresh.append(self.show_trade(buy, number(price), number(size), time, PUBLIC))

    def show_trade(
        self, buy: bool, price: str, size: str, time: int, users: tuple[str, str]
    ) -> Json:
        """Add a trade; `users` are buyer and seller."""
        key = f"{self._seed}|{self.asset.coin}|{time}|{self._ticks}|{len(self.fresh)}|{users}"
        trade: Json = {
            "coin": self.asset.coin,
            "side": "B" if buy else "A",
            "px": price,
            "sz": size,
            "time": time // MILLISECOND,
            "hash": hash_of(key),
            "tid": tid_of(key + "|" + str(buy)),
            "users": list(users),
        }
        self.trades.append(trade)
        return trade

    def _count(self, traded: float, time: int) -> None:
        day, base, quote = self._day
        if day != time // DAY:
            day, base, quote = time // DAY, 0.0, 0.0
            if self._volume and not traded:
                base, quote = self._volume, self._volume * self.last
        self._day = (day, base + traded, quote + traded * self.last)

    # -- as the protocol shows it

    def l2(self, time: int, digits: int | None = None, mantissa: int | None = None) -> Json:
        """Answer `l2Book` at `time` (ms); with `digits`, levels of so many significant figures."""
        bids, asks = self.bids, self.asks
        spread: Json = {}
        if digits is not None:
            bids = _merged(bids, digits, mantissa, ROUND_FLOOR)
            asks = _merged(asks, digits, mantissa, ROUND_CEILING)
            if bids and asks:
                spread = {"spread": number(round(asks[0][0] - bids[0][0], 8))}
        levels = [[_level(one) for one in side[:DEPTH]] for side in (bids, asks)]
        return {"coin": self.asset.coin, "time": time, "levels": levels, **spread}

    def bbo(self, time: int) -> Json:
        """Return the touch as `bbo` shows it."""
        sides = [_level(side[0]) if side else None for side in (self.bids, self.asks)]
        return {"coin": self.asset.coin, "time": time, "bbo": sides}

    def ctx(self) -> Json:
        """Return its context, as in `metaAndAssetCtxs`."""
        _, base, quote = self._day
        oracle = self.mark
        impact = self._impact() if self.open else None
        shown: Json = {
            "funding": number(round(self.funding, 10)),
            "openInterest": number(round(OPEN_INTEREST / (self.last or 1.0), self.asset.decimals)),
            "prevDayPx": number(self._yesterday()),
            "dayNtlVlm": number(round(quote, 6)),
            "premium": None,
            "oraclePx": number(oracle),
            "markPx": number(self.mark),
            "midPx": number(self.mid) if self.open else None,
            "impactPxs": None,
            "dayBaseVlm": number(round(base, self.asset.decimals)),
        }
        if impact is not None and not self.asset.delisted and oracle:
            bid, ask = impact
            premium = (max(bid - oracle, 0.0) - max(oracle - ask, 0.0)) / oracle
            shown |= {"premium": number(round(premium, 10))}
            shown |= {"impactPxs": [number(bid), number(ask)]}
        return shown

    def news(self, time: int) -> list[MarketNews]:
        """Return what the channels show after a change at `time` (ms)."""
        coin = self.asset.coin
        told = [MarketNews("l2Book", coin, self.l2(time), time)]
        told.append(MarketNews("bbo", coin, self.bbo(time), time))
        if self.fresh:
            told.append(MarketNews("trades", coin, self.fresh, time))
        for interval in self.followed:
            if (candle := self.candles.forming(interval)) is not None:
                shown = candle.shown(coin, interval, self.asset.decimals)
                told.append(MarketNews("candle", coin, shown, time))
        told.append(MarketNews("activeAssetCtx", coin, {"coin": coin, "ctx": self.ctx()}, time))
        return told

    def _yesterday(self) -> float:
        """Return the price of a day ago, looked up once a minute."""
        minute = self.candles.time // (60_000 * MILLISECOND)
        if self._before[0] != minute:
            self._before = (minute, self.candles.before(minute * 60_000 * MILLISECOND - DAY))
        return self._before[1] or self.last

    def _impact(self) -> tuple[float, float]:
        notional = IMPACT_MAJOR if self.asset.coin in MAJORS else IMPACT
        return _average(self.bids, notional), _average(self.asks, notional)


def _average(levels: Levels, notional: float) -> float:
    """Return the average price at which `notional` is taken from levels, on five digits."""
    left, base = notional, 0.0
    for price, size in levels:
        part = min(left, price * size)
        left -= part
        base += part / price
        if left <= 0:
            break
    return float(f"{(notional - left) / base:.5g}") if base else levels[0][0]


def _fitted(price: float, grid: InstrumentUpdate, rounding: str) -> float:
    return float(grid.fit_price(Decimal(repr(price)), rounding)) or float(grid.tick)


def _on_grid(levels: Levels, grid: InstrumentUpdate, rounding: str) -> Levels:
    """Return levels with their prices on the grid; those that meet there are one."""
    merged: dict[float, float] = {}
    for price, size in levels[:DEPTH]:
        fitted = _fitted(price, grid, rounding)
        merged[fitted] = round(merged.get(fitted, 0.0) + size, 8)
    return tuple(merged.items())


def _step(price: float, grid: InstrumentUpdate) -> float:
    digits = floor(log10(price)) + 1
    return max(float(grid.tick), min(10.0 ** (digits - grid.significant), 1.0))


def _sized(best: float, level: int, decimals: int) -> float:
    return max(round(best * (1 + level * 0.4), decimals), 10.0**-decimals)


def _merged(levels: Levels, digits: int, mantissa: int | None, rounding: str) -> Levels:
    """Return levels put together on fewer digits, bids down and asks up."""
    merged: dict[float, float] = {}
    for price, size in levels:
        exact = Decimal(repr(price))
        step = Decimal(1).scaleb(exact.adjusted() + 1 - digits) * (mantissa or 1)
        fitted = float((exact / step).to_integral_value(rounding) * step)
        merged[fitted] = round(merged.get(fitted, 0.0) + size, 8)
    return tuple(merged.items())


def _level(level: Level) -> Json:
    price, size = level
    return {"px": number(price), "sz": number(size), "n": 1 + int(size * 1000) % 5}
