"""Draw the price path of one symbol: a pure function of seed, symbol and time.

A day's path runs between two anchors, the logarithmic prices at its midnights. The anchors are a
random walk that is pulled back to the listing's price (an AR(1) chain from 2026-01-01 both ways),
so that a price stays in its order of magnitude for years. Inside the day regimes of hours (calm,
rising, falling, wild) meet a volatility that clusters (an AR(1) of its logarithm, by the minute)
and rare jumps that stir it up. Only `random()` of seeded generators is used, whose sequence Python
keeps the same across versions.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import accumulate
from math import exp, log10, sqrt
from random import Random
from typing import NamedTuple

from tradeagent.messages import OrderBookUpdate, TickerUpdate
from tradeagent.messages.build import typed
from tradeagent.simulation.settings import Listing

_new_ticker_update = typed(TickerUpdate)

DAY = 86_400 * 1_000_000_000
MINUTES = 1440
FIRST_DAY = 20_454
"""2026-01-01, counted in days from 1970-01-01."""
PULL = 0.998
"""What is left of an anchor's distance from the listing's price after a day."""

REGIMES = ((0.35, 0.5, 0.0), (0.55, 0.9, 1.0), (0.75, 0.9, -1.0), (1.0, 1.8, 0.0))
"""(cumulative probability, volatility, drift): calm, rising, falling, wild."""
DRIFT = 0.4 / 240
"""A trend's drift in a minute, in daily deviations: in four hours as far as chance goes."""
HEAT_MEMORY = 0.985
HEAT_SPREAD = 0.35
"""How the logarithm of volatility lasts from minute to minute, and its standard deviation."""
USUAL = 1.3
"""The root mean square of all the volatility factors, which the base is divided by."""
JUMP_CHANCE = 2 / MINUTES
LEVELS = 10

Uniform = Callable[[], float]


def noise(uniform: Uniform) -> float:
    """Return a number of mean 0 and variance 1, bell-shaped within plus and minus 3."""
    return 2.0 * (uniform() + uniform() + uniform() - 1.5)


@dataclass(slots=True, frozen=True)
class Minutes:
    """A day's candles of one minute as columns; `volume` counts lots."""

    open: array[float]
    high: array[float]
    low: array[float]
    close: array[float]
    volume: array[int]


class Grid(NamedTuple):
    """One minute's price step as a fraction, its spread in steps and its usual touch in lots."""

    minute: int
    step: int
    parts: int
    spread: int
    depth: float


class Session:
    """One symbol's day: its middle prices by tick, and the quotes and candles seen from them."""

    def __init__(
        self, listing: Listing, mids: array[float], volumes: array[int], rates: array[float]
    ) -> None:
        """Take the middle price at each tick, the lots of each minute, the funding of each hour."""
        self.symbol = listing.symbol
        self.rates = rates
        self.mids = mids
        self.volumes = volumes
        self.per_minute = len(mids) // MINUTES
        self._instrument = listing.instrument
        self._lot = listing.instrument.lot.as_integer_ratio()
        self._turnover = listing.turnover / MINUTES
        self._grid = Grid(-1, 1, 1, 1, 0.0)

    @cached_property
    def marks(self) -> array[float]:
        """Return the mark at each tick: the middle, smoothed over about eight ticks."""
        return array("d", accumulate(self.mids, lambda mark, mid: mark + (mid - mark) / 8))

    @cached_property
    def traded(self) -> array[int]:
        """Return the lots traded in the day up to the beginning of each minute."""
        return array("q", accumulate(self.volumes, initial=0))

    def grid(self, minute: int) -> Grid:
        """Return what is the same for all ticks of a minute.

        The spread is a fifth of a basis point and a twentieth of the minute's range; what stands
        at the touch is about a tenth of a usual minute's turnover.
        """
        if self._grid.minute == minute:
            return self._grid
        prices = self.mids[minute * self.per_minute : (minute + 1) * self.per_minute]
        highest, lowest = max(prices), min(prices)
        tick, significant = self._instrument.tick, self._instrument.significant
        if significant:
            digits = int(log10(highest * 1.01) // 1) + 1
            tick = max(tick, Decimal(1).scaleb(min(digits - significant, 0)))
        step, parts = tick.as_integer_ratio()
        per_lot, lots = self._lot
        wide = (0.00002 * highest + 0.05 * (highest - lowest)) * parts / step
        depth = self._turnover / 10 / highest * lots / per_lot
        self._grid = Grid(minute, step, parts, max(1, round(wide)), depth)
        return self._grid

    def ticker(self, index: int, time: int, off: float = 1.0) -> TickerUpdate:
        """Return the quote of one tick; `volume` is what the UTC day has traded so far.

        A bad tick is `off` by a factor, but for its mark.
        """
        minute, within = divmod(index, self.per_minute)
        _, step, parts, spread, depth = self.grid(minute)
        per_lot, lots = self._lot
        last = int(self.mids[index] * off * parts / step + 0.5) or 1
        bid = max(last - (spread + (index & 1)) // 2, 1)
        traded = self.traded[minute] + self.volumes[minute] * (within + 1) // self.per_minute
        return _new_ticker_update(
            symbol=self.symbol,
            time=time,
            bid=bid * step / parts,
            ask=(bid + spread) * step / parts,
            last=last * step / parts,
            mark=(int(self.marks[index] * parts / step + 0.5) or 1) * step / parts,
            bid_size=(1 + int(depth * (25 + index * 7919 % 101) / 50)) * per_lot / lots,
            ask_size=(1 + int(depth * (25 + index * 6271 % 103) / 50)) * per_lot / lots,
            volume=traded * per_lot / lots,
            funding=self.rates[minute // 60],
        )

    def book(self, index: int, time: int) -> OrderBookUpdate:
        """Return ten levels a side behind the touch of one tick, thicker farther out."""
        quote = self.ticker(index, time)
        _, step, parts, spread, _ = self.grid(index // self.per_minute)
        per_lot, lots = self._lot
        bid, ask = round(quote.bid * parts / step), round(quote.ask * parts / step)
        sizes = [
            tuple(
                round((best or 0.0) * lots / per_lot * (1 + level * 0.4)) * per_lot / lots
                for level in range(LEVELS)
            )
            for best in (quote.bid_size, quote.ask_size)
        ]
        gap = max(1, spread // 2)
        return OrderBookUpdate(
            symbol=self.symbol,
            time=time,
            bids=tuple(
                ((bid - gap * level) * step / parts, size)
                for level, size in enumerate(sizes[0])
                if bid > gap * level
            ),
            asks=tuple(
                ((ask + gap * level) * step / parts, size) for level, size in enumerate(sizes[1])
            ),
        )

    def minutes(self) -> Minutes:
        """Return the candles of `last` prices; rounding keeps order, so extremes need no ticks."""
        columns = opens, highs, lows, closes = [array("d") for _ in range(4)]
        per = self.per_minute
        for minute in range(MINUTES):
            _, step, parts, _, _ = self.grid(minute)
            prices = self.mids[minute * per : (minute + 1) * per]
            row = (prices[0], max(prices), min(prices), prices[-1])
            for column, price in zip(columns, row, strict=True):
                column.append((int(price * parts / step + 0.5) or 1) * step / parts)
        return Minutes(opens, highs, lows, closes, self.volumes)


class PricePath:
    """The path of one symbol, drawn a day at a time."""

    def __init__(self, seed: int, listing: Listing, tick_seconds: int, funding: float) -> None:
        self.listing = listing
        self._funding = funding
        self._seed = f"{seed}|{listing.symbol}"
        self._per_minute = 60 // tick_seconds
        self._anchors = {FIRST_DAY: 0.0}
        self._from = self._to = FIRST_DAY

    def anchor(self, day: int) -> float:
        """Return the logarithm of the midnight price against the listing's, `day` from 1970."""
        while self._to < day:
            self._to += 1
            self._anchors[self._to] = PULL * self._anchors[self._to - 1] + self._shock(self._to)
        while self._from > day:
            self._from -= 1
            self._anchors[self._from] = PULL * self._anchors[self._from + 1] + self._shock(
                self._from
            )
        return self._anchors[day]

    def session(self, day: int) -> Session:
        """Draw one day, `day` counted from 1970; takes about 10 ms at ticks of 5 s."""
        uniform = Random(f"{self._seed}|{day}").random  # noqa: S311
        levels, heats = self._draw(uniform)
        count = len(levels) - 1
        start, end = self.anchor(day), self.anchor(day + 1)
        slope = (end - start - levels[count]) / count
        price = self.listing.price
        mids = array("d", [price * exp(start + levels[i] + slope * i) for i in range(count)])
        return Session(self.listing, mids, self._volumes(uniform, mids, heats), self._rates(day))

    def _rates(self, day: int) -> array[float]:
        """Return the funding rate of each hour: the usual one, give or take twice as much."""
        uniform = Random(f"{self._seed}|{day}|funding").random  # noqa: S311
        drawn = (self._funding * (1 + 2 * noise(uniform)) for _ in range(24))
        return array("d", [round(rate, 10) for rate in drawn])

    def _shock(self, day: int) -> float:
        uniform = Random(f"{self._seed}|{day}|anchor").random  # noqa: S311
        return noise(uniform) * self.listing.volatility

    def _draw(self, uniform: Uniform) -> tuple[list[float], list[float]]:
        """Return the unpinned logarithmic path by tick and the volatility factor by minute."""
        sigma, per = self.listing.volatility, self._per_minute
        base = 2.0 * sigma / USUAL / sqrt(MINUTES * per)
        renewal = HEAT_SPREAD * sqrt(1 - HEAT_MEMORY**2)
        heat = HEAT_SPREAD * noise(uniform)
        level, turn, factor, drift = 0.0, 0, 1.0, 0.0
        levels, heats = [level], []
        for minute in range(MINUTES):
            if minute == turn:
                turn += 60 + int(240 * uniform())
                pick = uniform()
                factor, drift = next((v, d) for chance, v, d in REGIMES if pick <= chance)
                drift *= DRIFT * sigma / per
            heat = HEAT_MEMORY * heat + renewal * noise(uniform)
            heats.append(factor * exp(heat))
            spread = base * heats[-1]
            for _ in range(per):
                level += drift + spread * (uniform() + uniform() + uniform() - 1.5)
                levels.append(level)
            if uniform() < JUMP_CHANCE:
                jump = sigma * (0.2 + 0.4 * uniform())
                level += jump if uniform() < 0.5 else -jump
                levels[-1] = level
                heat += 0.8
        return levels, heats

    def _volumes(self, uniform: Uniform, mids: array[float], heats: list[float]) -> array[int]:
        """Return the lots of each minute: more when prices move."""
        per_lot, lots = self.listing.instrument.lot.as_integer_ratio()
        usual = self.listing.turnover / MINUTES * lots / per_lot
        per = self._per_minute
        return array(
            "q",
            [
                1 + int(usual / mids[minute * per] * heat * (0.4 + uniform()))
                for minute, heat in enumerate(heats)
            ],
        )
