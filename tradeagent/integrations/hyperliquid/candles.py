"""Close candles once and in order, from a stream that may skip and answers that may lag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tradeagent.clock import MILLISECOND
from tradeagent.integrations.hyperliquid.answers import Candle
from tradeagent.messages import TIMEFRAMES, MarketData, Timeframe, candle_open
from tradeagent.messages.build import checked

_new_bar = checked(MarketData)


def bar_of(candle: Candle, timeframe: Timeframe) -> MarketData:
    """Return a candle as a message; raises ValueError for prices that are none."""
    return _new_bar(
        symbol=candle.coin,
        timeframe=timeframe,
        time=candle.opened * MILLISECOND,
        open=float(candle.open),
        high=float(candle.high),
        low=float(candle.low),
        close=float(candle.close),
        volume=float(candle.volume),
    )


@dataclass(slots=True)
class Tally:
    """How whole the data of a symbol is."""

    rows: int = 0
    gaps: int = 0
    missing: int = 0
    duplicates: int = 0
    disordered: int = 0
    malformed: int = 0
    last_time: int = 0


class CandleSeries:
    """The candles of one symbol and timeframe, from the one that closes at `since` (UTC ns) on.

    A candle is closed when the stream begins the next one. Where the stream was cut, skips one or
    is silent, the venue is asked; a candle in its answer is closed when the answer holds a later
    one, or when the venue's own time, which may lag, is past the close. Times inside are ms.
    """

    def __init__(self, timeframe: Timeframe, since: int, settled: int) -> None:
        """Ask `settled` ms after a close."""
        self.timeframe = timeframe
        self.length = TIMEFRAMES[timeframe] // MILLISECOND
        self.tally = Tally()
        self._settled = settled
        self.next = candle_open(timeframe, since - 1) // MILLISECOND
        """When the candle opens that is closed next."""
        self._current: Candle | None = None
        self._quiet = False  # the venue was asked and has nothing that has closed

    def cut(self) -> None:
        """Forget the candle that has begun: the stream may have missed the end of it."""
        self._current = None
        self._quiet = False

    @property
    def skips(self) -> bool:
        """Tell whether the stream has gone on without the candle that is closed next."""
        return self._current is not None and self._current.opened > self.next

    def wants(self, now: int) -> bool:
        """Tell whether the venue must be asked for what has closed."""
        return self.skips or now >= self.next + self.length + self._settled

    def blocks(self, now: int) -> bool:
        """Tell whether anything later must wait for a candle; not for one that does not exist."""
        return self.skips or (self.wants(now) and not self._quiet)

    def take(self, candle: Candle) -> list[MarketData]:
        """Take in a candle of the stream; returns the one it closes, if it does."""
        current, opened = self._current, candle.opened
        if opened < self.next or (current is not None and opened < current.opened):
            self.tally.disordered += 1
            return []
        if current is None or opened == current.opened:
            if current is not None and candle.trades < current.trades:
                self.tally.disordered += 1
            else:
                self._current = candle
            return []
        self._current = candle
        return self._close(current) if current.opened == self.next else []

    def fill(self, candles: Sequence[Candle], shown: int) -> list[MarketData]:
        """Take in what the venue answers, whose own time is `shown`; returns what has closed.

        What is not in the answer although a later candle is, does not exist.
        """
        closed: list[MarketData] = []
        known = sorted(candles, key=lambda one: one.opened)
        for candle in known:
            if candle.opened < self.next:
                continue
            self._skip(candle.opened)
            past = shown >= candle.opened + self.length + self._settled
            if (candle.opened == known[-1].opened and not past) or self._knows_more_of(candle):
                break
            closed += self._close(candle)
        self._quiet = not self.skips and shown >= self.next + self.length + self._settled
        return closed

    def _knows_more_of(self, candle: Candle) -> bool:
        """Tell whether the stream has shown more trades of a candle than the answer."""
        current = self._current
        if current is None or current.opened != candle.opened:
            return False
        return candle.trades < current.trades

    def _skip(self, opened: int) -> None:
        """Give up what is missing before `opened`."""
        if opened > self.next:
            self.tally.gaps += 1
            self.tally.missing += -(-(opened - self.next) // self.length)
            self.next = opened

    def _close(self, candle: Candle) -> list[MarketData]:
        self.next = candle.opened + self.length
        if self._current is not None and self._current.opened < self.next:
            self._current = None
        try:
            bar = bar_of(candle, self.timeframe)
        except ValueError:
            self.tally.malformed += 1
            return []
        self.tally.rows += 1
        self.tally.last_time = bar.close_time
        return [bar]
