"""Put a symbol's ticker together from the channels that tell its parts."""

from __future__ import annotations

from collections import OrderedDict

from tradeagent.clock import MILLISECOND
from tradeagent.integrations.hyperliquid.answers import BookSnapshot, Level
from tradeagent.integrations.hyperliquid.candles import Tally
from tradeagent.integrations.hyperliquid.channels import AssetContext, Touch, Trade
from tradeagent.messages import MarketTrade, OrderBookUpdate, TickerUpdate
from tradeagent.messages.build import checked

LEVELS = 20
TRADES = 2_000
"""How many trades are remembered, so that none is told twice."""

_new_ticker = checked(TickerUpdate)
_new_book = checked(OrderBookUpdate)
_new_trade = checked(MarketTrade)


class Quote:
    """The touch, the last trade, the mark and the funding of one symbol.

    A ticker's time is that of its touch: a mark that moves makes no old touch fresh, and without a
    fresh mark there is no ticker. Times are the venue's, in ms; `now` is what it shows by now.
    """

    def __init__(self, symbol: str, tally: Tally, lasts: int) -> None:
        """Take a mark for fresh for `lasts` ms."""
        self._lasts = lasts
        self._told = 0
        self._symbol = symbol
        self._tally = tally
        self._time = 0
        self._bid: Level | None = None
        self._ask: Level | None = None
        self._last: float | None = None
        self._context: AssetContext | None = None
        self._trades: OrderedDict[int, None] = OrderedDict()

    def cut(self) -> None:
        """Forget mark and funding: the line was lost, and they may have moved since."""
        self._context = None

    def touch(self, touch: Touch, now: int) -> TickerUpdate | None:
        """Take in the best bid and ask; returns the ticker, None where a part is missing."""
        bid, ask = touch.bbo
        return self._ticker(touch.time, bid, ask, now)

    def book(self, book: BookSnapshot, now: int) -> tuple[TickerUpdate | OrderBookUpdate, ...]:
        """Take in a book; returns the ticker and the book, thinned to 20 levels."""
        bids, asks = book.levels
        ticker = self._ticker(book.time, bids[0] if bids else None, asks[0] if asks else None, now)
        if self._time != book.time:
            return ()  # it is older than what was told
        try:
            thinned = _new_book(
                symbol=self._symbol,
                time=book.time * MILLISECOND,
                bids=tuple((float(one.px), float(one.sz)) for one in bids[:LEVELS]),
                asks=tuple((float(one.px), float(one.sz)) for one in asks[:LEVELS]),
            )
        except ValueError:
            self._tally.malformed += 1
            return ()
        return (thinned,) if ticker is None else (ticker, thinned)

    def context(self, context: AssetContext, now: int) -> TickerUpdate | None:
        """Take in mark and funding; returns the ticker."""
        self._context, self._told = context, now
        return self._whole(now)

    def trades(self, trades: list[Trade], since: int) -> list[MarketTrade]:
        """Take in trades; returns those from `since` (ms) on that were not told before."""
        news = []
        for trade in trades:
            if trade.tid in self._trades:
                self._tally.duplicates += 1
                continue
            self._trades[trade.tid] = None
            if len(self._trades) > TRADES:
                self._trades.popitem(last=False)
            try:
                told = _new_trade(
                    symbol=self._symbol,
                    time=trade.time * MILLISECOND,
                    price=float(trade.px),
                    size=float(trade.sz),
                    side="buy" if trade.side == "B" else "sell",
                    trade_id=str(trade.tid),
                )
            except ValueError:
                self._tally.malformed += 1
                continue
            self._last = told.price
            if trade.time >= since:
                news.append(told)
        return news

    def _ticker(
        self, time: int, bid: Level | None, ask: Level | None, now: int
    ) -> TickerUpdate | None:
        if time < self._time:
            self._tally.disordered += 1
            return None
        self._time, self._bid, self._ask = time, bid, ask
        return self._whole(now)

    def _whole(self, now: int) -> TickerUpdate | None:
        bid, ask, context = self._bid, self._ask, self._context
        if bid is None or ask is None or context is None or now - self._told > self._lasts:
            return None
        mark = float(context.mark_px)
        try:
            return _new_ticker(
                symbol=self._symbol,
                time=self._time * MILLISECOND,
                bid=float(bid.px),
                ask=float(ask.px),
                last=mark if self._last is None else self._last,
                mark=mark,
                bid_size=float(bid.sz),
                ask_size=float(ask.sz),
                volume=float(context.day_base_vlm or 0),
                funding=None if context.funding is None else float(context.funding),
            )
        except ValueError:
            self._tally.malformed += 1
            return None
