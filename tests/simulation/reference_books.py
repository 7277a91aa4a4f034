"""What the slow venue knows, and what its log adds up to.

Positions, balance, fees and margins are worked out from one log of what happened, anew each time
they are asked for. It shares no code with the package.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

SECOND = 1_000_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND
Told = tuple[object, ...]


@dataclass
class Rules:
    """What the venue is set to."""

    deposit: int
    slippage: Fraction
    cap: Fraction
    maker: Fraction
    taker: Fraction
    tiers: list[tuple[int, Fraction, Fraction]]
    leverage: dict[str, int]
    most: int
    isolated: set[str]
    order_delay: int = 0
    cancel_delay: int = 0


@dataclass(eq=False)
class Wish:
    """An order in the reference's own words; `sign` is 1 for a buy."""

    cloid: str
    symbol: str
    sign: int
    size: int
    kind: str
    price: int | None = None
    worst: int | None = None
    tif: str = "GTC"
    reduce_only: bool = False
    group: str | None = None
    replaces: str | None = None
    placed: int = 0
    arrived: bool = False
    filled: int = 0
    lost: int = 0
    triggered: bool = False
    ahead: int | None = None

    @property
    def left(self) -> int:
        """Return what may still fill."""
        return self.size - self.filled - self.lost


@dataclass
class Bar:
    """A minute's candle."""

    time: int
    open: int
    high: int
    low: int
    close: int


@dataclass
class Quote:
    """A touch; sizes may be unknown."""

    bid: int
    ask: int
    bid_size: int | None = None
    ask_size: int | None = None


@dataclass
class Shown:
    """A book as shown, and what our own orders have left of it."""

    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]
    left: dict[int, int] = field(default_factory=dict)


@dataclass
class Held:
    """A position as the log adds up to it."""

    size: int = 0
    cost: Fraction = Fraction(0)
    realised: Fraction = Fraction(0)
    margin: Fraction = Fraction(0)


@dataclass
class Entry:
    """A line of the log: a fill, or a funding payment where `size` is 0."""

    symbol: str
    sign: int
    size: int
    price: int
    cost: Fraction
    time: int


def cents(amount: Fraction) -> Fraction:
    """Round to the smallest money, half to even."""
    return Fraction(round(amount * 10**8), 10**8)


class SlowBooks:
    """Prices as they were shown, orders that are open, and the log."""

    def __init__(self, rules: Rules, symbols: list[str]) -> None:
        self.rules = rules
        self.symbols = symbols
        self.now = 0
        self.open: list[Wish] = []
        self.log: list[Entry] = []
        self.told: list[Told] = []
        self.done_groups: set[str] = set()
        self.marks: dict[str, Fraction | int] = {}
        self.quotes: dict[str, Quote] = {}
        self.stated: dict[str, int | None] = {}
        self.books: dict[str, Shown] = {}
        self.bars: dict[str, Bar] = {}
        self.entry_bars: dict[str, Bar] = {}
        self.rates: dict[str, Fraction] = {}
        self.hours: dict[str, int] = {}
        self.trades_heard: set[str] = set()
        self.coming: list[tuple[int, int, Wish, bool]] = []
        self.count = 0

    def held(self, symbol: str) -> Held:
        """Add up the position in a symbol from the first line of the log on."""
        held = Held()
        for entry in self.log:
            if entry.symbol != symbol:
                continue
            if not entry.size:
                if held.margin:
                    held.margin -= entry.cost
                continue
            closing = min(entry.size, max(-held.size * entry.sign, 0))
            opening = entry.size - closing
            if closing:
                part = Fraction(closing, abs(held.size))
                cost = held.cost if part == 1 else cents(held.cost * part)
                held.margin -= held.margin if part == 1 else cents(held.margin * part)
                held.realised += -entry.sign * closing * entry.price - cost
                held.cost -= cost
            held.cost += entry.sign * opening * entry.price
            held.size += entry.sign * entry.size
            if opening and symbol in self.rules.isolated:
                held.margin += cents(Fraction(opening * entry.price, self.rules.leverage[symbol]))
        return held

    def balance(self) -> Fraction:
        """Return the deposit, what was realised, and what was paid."""
        realised = sum((self.held(symbol).realised for symbol in self.symbols), Fraction(0))
        return self.rules.deposit + realised - sum((one.cost for one in self.log), Fraction(0))

    def gain(self, symbol: str, mark: Fraction | int | None = None) -> Fraction:
        """Return the unrealised result of a position; at its entry where no mark is known."""
        mark = self.marks.get(symbol) if mark is None else mark
        held = self.held(symbol)
        return Fraction(0) if mark is None else held.size * mark - held.cost

    def equity(self) -> Fraction:
        """Return the balance and all that is not realised."""
        return self.balance() + sum((self.gain(symbol) for symbol in self.symbols), Fraction(0))

    def keep(self, symbol: str, mark: Fraction | int | None = None) -> Fraction:
        """Return the maintenance margin of one position."""
        held = self.held(symbol)
        if not held.size:
            return Fraction(0)
        mark = self.marks.get(symbol, held.cost / held.size) if mark is None else mark
        return abs(held.size) * mark / Fraction(2 * self.rules.most)

    def maintenance(self) -> Fraction:
        """Return the maintenance margin of all positions."""
        return cents(sum((self.keep(symbol) for symbol in self.symbols), Fraction(0)))

    def spare(self, symbol: str, mark: Fraction | int | None = None) -> Fraction:
        """Return what a position's backing has beyond its maintenance margin at a mark of it."""
        if symbol in self.rules.isolated:
            backing = self.held(symbol).margin + self.gain(symbol, mark)
            return backing - self.keep(symbol, mark)
        total = self.balance()
        for other in self.symbols:
            own = mark if other == symbol else None
            if other in self.rules.isolated:
                total -= self.held(other).margin
            else:
                total += self.gain(other, own) - self.keep(other, own)
        return total

    def fee_rate(self, maker: bool, time: int) -> Fraction:
        """Return what the last fourteen whole days make a fill cost."""
        today = time // DAY
        volume = sum(
            entry.size * entry.price
            for entry in self.log
            if today - 14 <= entry.time // DAY < today
        )
        rates = (self.rules.maker, self.rules.taker)
        for above, cheap_maker, cheap_taker in self.rules.tiers:
            if volume > above:
                rates = (cheap_maker, cheap_taker)
        return rates[0] if maker else rates[1]
