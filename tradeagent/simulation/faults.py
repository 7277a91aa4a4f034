"""Draw what goes wrong with a generated market: halts, candles left out, ticks that are wrong.

Each kind is a pure function of seed, symbol and day, and drawn apart from the prices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from tradeagent.simulation.settings import MarketSettings

MINUTES = 1440
LONGEST = 60
"""The longest halt, in minutes."""


@dataclass(slots=True, frozen=True)
class Faults:
    """A symbol's day: the minutes it is halted, those whose candles are left out, bad ticks.

    `bad` has the factor by which a ticker is off, by its index in the day.
    """

    halted: frozenset[int] = frozenset()
    gaps: frozenset[int] = frozenset()
    bad: Mapping[int, float] = field(default_factory=dict)

    def runs(self, first: int, last: int) -> list[tuple[int, int]]:
        """Return the stretches of [first, last) in minutes in which there is trade."""
        if self.halted.isdisjoint(range(first, last)):
            return [(first, last)]
        runs: list[tuple[int, int]] = []
        for minute in range(first, last):
            if minute in self.halted:
                continue
            if runs and runs[-1][1] == minute:
                runs[-1] = (runs[-1][0], minute + 1)
            else:
                runs.append((minute, minute + 1))
        return runs


CALM = Faults()


def draw_faults(settings: MarketSettings, symbol: str, day: int) -> Faults:
    """Return what goes wrong with a symbol on one day, counted from 1970."""
    if not (settings.halt_chance or settings.gap_chance or settings.bad_tick_chance):
        return CALM
    name = f"{settings.seed}|{symbol}|{day}"
    return Faults(
        halted=_halts(Random(f"{name}|halts"), settings.halt_chance),  # noqa: S311
        gaps=_gaps(Random(f"{name}|gaps"), settings.gap_chance),  # noqa: S311
        bad=_bad(Random(f"{name}|bad"), settings),  # noqa: S311
    )


def _halts(random: Random, chance: float) -> frozenset[int]:
    halted: set[int] = set()
    for hour in range(24):
        if random.random() < chance:
            start = hour * 60 + int(60 * random.random())
            halted.update(range(start, start + 1 + int(LONGEST * random.random())))
    return frozenset(minute for minute in halted if minute < MINUTES)


def _gaps(random: Random, chance: float) -> frozenset[int]:
    return frozenset(minute for minute in range(MINUTES) if random.random() < chance)


def _bad(random: Random, settings: MarketSettings) -> dict[int, float]:
    """Return factors between a half and 0.9, or 1.1 and 2."""
    ticks = MINUTES * 60 // settings.tick_seconds
    bad: dict[int, float] = {}
    for index in range(ticks if settings.bad_tick_chance else 0):
        if random.random() < settings.bad_tick_chance:
            factor = 1.1 + 0.9 * random.random()
            bad[index] = factor if random.random() < 0.5 else 1 / factor
    return bad
