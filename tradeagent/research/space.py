"""What an optimiser may choose from: each parameter's range or choices, as people write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from random import Random

from tradeagent.config.tree import scalar
from tradeagent.errors import CommandError

MOST = 100_000
"""Combinations a grid may have."""
Value = int | float | str | bool
Params = dict[str, Value]


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both within; without a `step` any number between."""

    low: float
    high: float
    step: float | None
    whole: bool

    @property
    def count(self) -> int | None:
        """Return how many numbers there are, None where there is no end of them."""
        return None if self.step is None else int((self.high - self.low) / self.step + 1e-9) + 1

    def at(self, index: int) -> Value:
        """Return the number that is so many steps from the lowest."""
        return self.tidy(self.low + index * (self.step or 0))

    def tidy(self, value: Value) -> Value:
        """Return a number as it is written: 0.7 where sums of steps come to 0.7000000000000001."""
        number = float(value)
        if self.whole:
            return round(number)
        return number if self.step is None else round(number, 12)

    def values(self) -> tuple[Value, ...]:
        """Return every number, in order; none where there is no end of them."""
        return tuple(map(self.at, range(self.count or 0)))

    def any(self, chance: Random) -> Value:
        """Return one of them, each as likely."""
        if self.count is None:
            return chance.uniform(self.low, self.high)
        return self.at(chance.randrange(self.count))


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    options: tuple[Value, ...]

    @property
    def count(self) -> int:
        """Return how many there are."""
        return len(self.options)

    def values(self) -> tuple[Value, ...]:
        """Return them."""
        return self.options

    def tidy(self, value: Value) -> Value:
        """Return an option as it is."""
        return value

    def any(self, chance: Random) -> Value:
        """Return one of them, each as likely."""
        return chance.choice(self.options)


@dataclass(frozen=True)
class Space:
    """The dimensions of a search, by parameter."""

    dimensions: dict[str, Range | Choice]

    @property
    def size(self) -> int | None:
        """Return how many combinations there are, None where there is no end of them."""
        counts = [one.count for one in self.dimensions.values()]
        known = [one for one in counts if one is not None]
        return prod(known) if len(known) == len(counts) else None

    def any(self, chance: Random) -> Params:
        """Return one combination, each as likely."""
        return {name: one.any(chance) for name, one in self.dimensions.items()}

    def grid(self) -> Iterator[Params]:
        """Yield every combination, the last parameter changing fastest; raises CommandError."""
        for name, one in self.dimensions.items():
            if one.count is None:
                raise CommandError(f"-p {name}: a grid needs steps: write LOW:HIGH:STEP")
        if (self.size or 0) > MOST:
            raise CommandError(
                f"the grid has {self.size:,} combinations, more than {MOST:,}; take wider steps, "
                "or --sampler tpe"
            )
        return self._grid()

    def _grid(self) -> Iterator[Params]:
        columns = [one.values() for one in self.dimensions.values()]
        for values in product(*columns):
            yield dict(zip(self.dimensions, values, strict=True))


def read_space(params: Mapping[str, object]) -> tuple[Space, dict[str, object]]:
    """Return what varies and what is fixed among parameters.

    `5:30:5` is a range with a step, `5:30` one of whole numbers or any number between, `a,b,c`
    are choices; anything else is fixed. Raises CommandError.
    """
    varied: dict[str, Range | Choice] = {}
    fixed: dict[str, object] = {}
    for name, value in params.items():
        if isinstance(value, str) and ":" in value:
            varied[name] = _range(name, value)
        elif isinstance(value, str) and "," in value:
            varied[name] = Choice(tuple(_plain(one.strip()) for one in value.split(",")))
        else:
            fixed[name] = value
    return Space(varied), fixed


def _range(name: str, text: str) -> Range:
    wrong = CommandError(f"-p {name}={text}: write a range as LOW:HIGH:STEP or LOW:HIGH")
    parts = [_plain(one.strip()) for one in text.split(":")]
    numbers = [one for one in parts if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(numbers) != len(parts) or len(parts) not in (2, 3):
        raise wrong
    whole = all(isinstance(one, int) for one in numbers)
    low, high = numbers[:2]
    step = numbers[2] if len(numbers) == 3 else (1 if whole else None)
    if low > high or (step is not None and step <= 0):
        raise wrong
    return Range(low, high, step, whole)


def _plain(text: str) -> Value:
    found = scalar(text)
    return text if found is None else found


def key_of(params: Mapping[str, object]) -> str:
    """Return what tells one combination from another."""
    return " ".join(f"{name}={params[name]}" for name in sorted(params))
