"""Columns of a recorded file as plain numbers, converted in bulk."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import compress
from statistics import median_low
from typing import cast

from tradeagent.integrations.recorded.columns import UNITS

_float = cast("Callable[[object], float]", float)
_whole = cast("Callable[[object], int]", int)
"""They take any object, and say TypeError or ValueError to those that are no number."""

WRONG = -1
"""Stands for a time, number or word that could not be read; none of ours is negative."""
LATEST = 1 << 62
"""No time (UTC ns) or number is as large; it would be the year 2116."""

WHOLE = frozenset({"level", "last_update_id", "prev_last_update_id"})
WORDS: dict[str, dict[str, int]] = {
    "side": {
        **dict.fromkeys(("buy", "b", "bid", "bids"), 1),
        **dict.fromkeys(("sell", "s", "a", "ask", "asks"), 0),
    },
    "kind": {
        "snapshot": 1,
        **dict.fromkeys(("update", "diff", "delta"), 0),
    },
}
"""Columns of words: the side of a buyer or a bid is 1, a row of a snapshot is 1."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAGNITUDES = ((10**11, "s"), (10**14, "ms"), (10**17, "us"))


@dataclass(slots=True)
class Faults:
    """What was wrong with the rows of a file."""

    gaps: int = 0
    missing: int = 0
    duplicates: int = 0
    disordered: int = 0
    malformed: int = 0


@dataclass(slots=True)
class Table:
    """The sound rows of a file, one column for each name of ours; times are UTC ns."""

    numbers: dict[str, array[float]] = field(default_factory=dict)
    integers: dict[str, array[int]] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    def __len__(self) -> int:
        return len(self.integers.get("time", ()))

    @property
    def time(self) -> array[int]:
        """Return the times, UTC ns."""
        return self.integers["time"]

    def put(self, name: str, raw: Sequence[object], unit: int) -> None:
        """Convert a raw column and keep it; times count in units of `unit` ns."""
        if name == "time":
            self.integers[name] = times(raw, unit)
        elif name in WORDS:
            self.integers[name] = _words(raw, WORDS[name])
        elif name in WHOLE:
            self.integers[name] = _integers(raw)
        elif name == "trade_id":
            self.texts[name] = ["" if one is None else str(one) for one in raw]
        else:
            self.numbers[name] = _numbers(raw)

    def only(self, chosen: Sequence[bool]) -> Table:
        """Return the rows that are chosen."""
        return self.pick(list(compress(range(len(chosen)), chosen)))

    def pick(self, rows: Sequence[int]) -> Table:
        """Return the rows at these places, in this order."""
        return Table(
            {name: array("d", [one[row] for row in rows]) for name, one in self.numbers.items()},
            {name: array("q", [one[row] for row in rows]) for name, one in self.integers.items()},
            {name: [one[row] for row in rows] for name, one in self.texts.items()},
            self.faults,
        )

    def extend(self, more: Table) -> None:
        """Add the rows of another table of the same columns."""
        for name, number in more.numbers.items():
            self.numbers.setdefault(name, array("d")).extend(number)
        for name, integer in more.integers.items():
            self.integers.setdefault(name, array("q")).extend(integer)
        for name, text in more.texts.items():
            self.texts.setdefault(name, []).extend(text)


def guess_unit(raw: Sequence[object]) -> int:
    """Return the ns in the unit these times seem to count: the middle one lies after 1973."""
    known = [one for one in times(raw, 1) if one >= 0]
    middle = median_low(known) if known else 0
    return UNITS[next((unit for most, unit in _MAGNITUDES if middle < most), "ns")]


def times(raw: Sequence[object], unit: int) -> array[int]:
    """Return times in ns; text that is no number is read as ISO 8601, in UTC unless it says."""
    if not any(isinstance(one, float) for one in raw):
        try:
            whole = array("q", map(_whole, raw))
            return array("q", [one * unit for one in whole]) if unit != 1 else whole
        except (ValueError, TypeError, OverflowError):
            pass  # some are not whole numbers: read them one by one
    return array("q", [_time(one, unit) for one in raw])


def _time(one: object, unit: int) -> int:
    text = str(one).strip()
    try:
        time = int(Decimal(text) * unit)
    except (ArithmeticError, ValueError):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return WRONG
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        time = (aware - _EPOCH) // timedelta(microseconds=1) * 1_000
    return time if 0 <= time < LATEST else WRONG


def _numbers(raw: Sequence[object]) -> array[float]:
    try:
        return array("d", map(_float, raw))
    except (ValueError, TypeError):
        return array("d", [_number(one) for one in raw])


def _number(one: object) -> float:
    try:
        return _float(one)
    except (ValueError, TypeError):
        return math.nan


def _integers(raw: Sequence[object]) -> array[int]:
    try:
        return array("q", map(_whole, raw))
    except (ValueError, TypeError, OverflowError):
        return array("q", [_integer(one) for one in raw])


def _integer(one: object) -> int:
    try:
        whole = _whole(one)
    except (ValueError, TypeError, OverflowError):
        return WRONG
    return whole if 0 <= whole < LATEST else WRONG


def _words(raw: Sequence[object], known: dict[str, int]) -> array[int]:
    spelt = {one: known.get(str(one).strip().lower(), WRONG) for one in set(raw)}
    return array("q", [spelt[one] for one in raw])


def decimals(values: Iterable[float], most: int) -> int:
    """Return how many decimals it takes to write every value, at most `most`.

    What differs in the thirteenth digit only is noise: some venues publish 0.8159000000000001.
    """
    needed = 0
    for value in set(values):
        while needed < most and abs(round(value, needed) - value) > value * 1e-12:
            needed += 1
    return needed
