"""What an optimiser may choose from: each parameter's range or choices, as people write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

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

    def values(self) -> tuple[Value, ...]:
        """Return every number, in order; raises CommandError where there is no step."""
        if self.step is None:
            raise CommandError("a grid needs steps: write LOW:HIGH:STEP")
        count = int((self.high - self.low) / self.step + 1e-9) + 1
        found = (self.low + index * self.step for index in range(count))
        return tuple(round(one) if self.whole else round(one, 12) for one in found)


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    options: tuple[Value, ...]

    def values(self) -> tuple[Value, ...]:
        """Return them."""
        return self.options


@dataclass(frozen=True)
class Space:
    """The dimensions of a search, by parameter."""

    dimensions: dict[str, Range | Choice]

    def grid(self) -> Iterator[Params]:
        """Yield every combination, the last parameter changing fastest; raises CommandError."""
        count = 1
        columns = []
        for name, dimension in self.dimensions.items():
            try:
                columns.append(dimension.values())
            except CommandError as error:
                raise CommandError(f"-p {name}: {error}") from error
            count *= len(columns[-1])
        if count > MOST:
            raise CommandError(
                f"the grid has {count:,} combinations, more than {MOST:,}; take wider steps, or "
                "--sampler tpe"
            )
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
