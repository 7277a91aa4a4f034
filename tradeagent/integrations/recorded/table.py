"""Columns of a recorded file as plain numbers, converted in bulk."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from tradeagent.integrations.recorded.columns import UNITS

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Raw: TypeAlias = Sequence[object] | Floats | Integers
"""A column as a file gives it: text or Python's values, or numbers already."""

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
TEXTS = frozenset({"trade_id"})

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DATES = 0
"""Stands for the unit of days written as 20220103."""
_DAYS = range(1980_01_01, 2116_01_01)
"""What such days are as numbers; seconds as small would be of August 1970."""
_OLDEST = 315_532_800_000_000_000
"""1980-01-01 (UTC ns); what seems to be earlier is no time."""
_MAGNITUDES = ((10**11, "s"), (10**14, "ms"), (10**17, "us"))
_AT_ONCE = 65_536
"""How many values are looked at together."""


@dataclass(slots=True)
class Faults:
    """What was wrong with the rows of a file; of the malformed, how many for these reasons."""

    gaps: int = 0
    missing: int = 0
    duplicates: int = 0
    """Rows of a time, or an id, that was there before."""
    differing: int = 0
    """Those of them that say something else than the first, which counts."""
    first_differing: int = 0
    """When the first of these is, UTC ns."""
    disordered: int = 0
    malformed: int = 0
    negative: int = 0
    """Rows with a price of 0 or below."""
    crossed: int = 0
    """Bars whose high and low do not hold the rest, quotes whose bid is above the ask."""


@dataclass(slots=True)
class Table:
    """The sound rows of a file, one column for each name of ours; times are UTC ns.

    Columns are arrays of the standard library: one value costs less there than in numpy's, and
    messages are built of one value after another. `np.asarray` shows them to numpy uncopied.
    """

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

    def put(self, name: str, raw: Raw, unit: int) -> None:
        """Convert a raw column and keep it; times count in units of `unit` ns."""
        if name == "time":
            self.integers[name] = times(raw, unit)
        elif name in WORDS:
            self.integers[name] = _words(raw, WORDS[name])
        elif name in WHOLE:
            self.integers[name] = _integers(raw)
        elif name in TEXTS:
            self.texts[name] = ["" if one is None else str(one) for one in raw]
        else:
            self.numbers[name] = _numbers(raw)

    def only(self, chosen: NDArray[np.bool_]) -> Table:
        """Return the rows that are chosen."""
        return self.pick(np.flatnonzero(chosen))

    def pick(self, rows: NDArray[np.intp]) -> Table:
        """Return the rows at these places, in this order."""
        return Table(
            {name: floats(np.asarray(one)[rows]) for name, one in self.numbers.items()},
            {name: integers(np.asarray(one)[rows]) for name, one in self.integers.items()},
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


def floats(values: Floats) -> array[float]:
    """Return numbers as an array of the standard library."""
    made = array("d")
    made.frombytes(np.ascontiguousarray(values, dtype=np.float64).tobytes())
    return made


def integers(values: Integers) -> array[int]:
    """Return whole numbers as an array of the standard library."""
    made = array("q")
    made.frombytes(np.ascontiguousarray(values, dtype=np.int64).tobytes())
    return made


def guess_unit(raw: Raw) -> int | None:
    """Return the ns in the unit these times seem to count, DATES where they are days.

    That is the unit in which the middle one lies after 1980; None where there is no such.
    """
    read = np.asarray(times(raw, 1))
    known = np.sort(read[read >= 0])
    middle = int(known[(len(known) - 1) // 2]) if len(known) else _OLDEST
    if middle in _DAYS:
        return DATES
    unit = UNITS[next((unit for most, unit in _MAGNITUDES if middle < most), "ns")]
    return unit if middle * unit >= _OLDEST else None


def times(raw: Raw, unit: int) -> array[int]:
    """Return times in ns; text that is no number is read as ISO 8601, in UTC unless it says."""
    if unit == DATES:
        days = (int(one) if isinstance(one, float) and one.is_integer() else one for one in raw)
        return array("q", [_moment(str(one).strip()) for one in days])
    if isinstance(raw, np.ndarray) and raw.dtype == np.int64:
        fits = (raw >= 0) & (raw < LATEST // unit)
        return integers(np.where(fits, raw * unit, WRONG))
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
        return _moment(text)
    return time if 0 <= time < LATEST else WRONG


def _moment(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return WRONG
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    time = (aware - _EPOCH) // timedelta(microseconds=1) * 1_000
    return time if 0 <= time < LATEST else WRONG


def _numbers(raw: Raw) -> array[float]:
    if isinstance(raw, np.ndarray):
        return floats(raw.astype(np.float64, copy=False))
    try:
        return array("d", map(_float, raw))
    except (ValueError, TypeError):
        return array("d", [_number(one) for one in raw])


def _number(one: object) -> float:
    try:
        return _float(one)
    except (ValueError, TypeError):
        return math.nan


def _integers(raw: Raw) -> array[int]:
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


def _words(raw: Raw, known: dict[str, int]) -> array[int]:
    spelt = {one: known.get(str(one).strip().lower(), WRONG) for one in set(raw)}
    return array("q", [spelt[one] for one in raw])


def decimals(columns: Iterable[Sequence[float] | Floats], most: int) -> int:
    """Return how many decimals it takes to write every value, at most `most`.

    What differs in the thirteenth digit only is noise: some venues publish 0.8159000000000001.
    """
    needed = 0
    for column in columns:
        values = np.asarray(column, dtype=np.float64)
        for first in range(0, len(values), _AT_ONCE):
            rough = values[first : first + _AT_ONCE]
            while needed < most:
                rough = rough[np.abs(np.round(rough, needed) - rough) > rough * 1e-12]
                if not len(rough):
                    break
                needed += 1
    return needed
