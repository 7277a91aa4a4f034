"""Random lives of an exchange: what is asked of it and what the market shows, in short."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import strategies as st

from tradeagent.messages import InstrumentUpdate
from tradeagent.simulation.settings import FeeTier

from .reference_books import DAY, HOUR, SECOND

SYMBOLS = ("A", "B")
INSTRUMENTS = tuple(
    InstrumentUpdate(
        symbol=name, tick=Decimal(1), lot=Decimal(1), min_notional=Decimal(0), max_leverage=10
    )
    for name in SYMBOLS
)
MAKER, TAKER = Decimal("0.001"), Decimal("0.003")
CHEAP = FeeTier(volume=Decimal(500), maker=Decimal("-0.0005"), taker=Decimal("0.002"))
RATES = (None, None, 0.001, -0.002)

Action = tuple[Any, ...]


def price(random: Random) -> int:
    """Return a price near 100."""
    return random.randint(93, 107)


def wish(random: Random) -> Action:
    """Return an order in short: symbol, sign, size, kind, price, worst, tif, reduce-only, group."""
    return (
        random.choice("AAAB"),
        random.choice([1, -1]),
        random.randint(1, 9),
        random.choice(["market", "limit", "limit", "stop", "take_profit"]),
        price(random),
        random.choice([None, None, None, 98, 102]),
        random.choice(["GTC", "GTC", "GTC", "IOC", "ALO"]),
        random.choice([False, False, False, True]),
        random.choice([None, None, None, "g", "h"]),
    )


def levels(random: Random) -> list[int]:
    """Return the sizes of one side of a book."""
    return [random.randint(1, 4) for _ in range(random.randint(1, 3))]


def shown(random: Random, symbol: str, *, bars: bool) -> Action:
    """Return something the market shows: a bar, or a quote, a book or a trade."""
    if bars:
        return "bar", symbol, tuple(price(random) for _ in range(4))
    kind = random.choice(["quote", "quote", "book", "book", "trade", "trade"])
    if kind == "book":
        return kind, symbol, random.randint(-1, 1), levels(random), levels(random)
    if kind == "trade":
        return kind, symbol, random.randint(-2, 4), random.randint(1, 9), random.choice([1, -1])
    off, size = random.choice([None, 0, 0, 1, -1, 3, -3]), random.choice([None, 2, 5])
    return kind, symbol, price(random), random.randint(1, 3), off, size, random.choice(RATES)


def action(seed: int, *, bars: bool) -> Action:
    """Return one thing that happens; each seed has its own, so that lives shrink by deletion."""
    random = Random(seed)
    kind = random.choices(
        ["place", "modify", "cancel", "wait", "market"], weights=[30, 8, 6, 8, 48]
    )[0]
    if kind == "place":
        return kind, wish(random)
    if kind == "modify":
        return kind, random.randint(0, 5), random.random() < 0.6, wish(random)
    if kind == "cancel":
        return kind, random.randint(0, 5)
    if kind == "wait":
        return kind, random.choice([SECOND // 2, SECOND, 20 * SECOND, HOUR, DAY])
    return shown(random, random.choice("AAAB"), bars=bars)


LIVES = st.tuples(
    st.lists(st.integers(0, 1 << 30), min_size=8, max_size=40), st.sampled_from([0, 0, 15, 40])
)
"""Seeds of actions, and how many of them live on bars before quotes begin."""
