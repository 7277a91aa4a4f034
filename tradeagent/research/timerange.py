"""Ranges of time as people write them: 20220101-20220201, open at either end."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

from tradeagent.errors import CommandError

FORMATS = {8: "%Y%m%d", 13: "%Y%m%dT%H%M", 15: "%Y%m%dT%H%M%S"}
REMEDY = "write one such as 20220101-20220201, 20220101T0930- or -20220201, in UTC"


class TimeRange(NamedTuple):
    """From when (inclusive) until when (exclusive); None for an open end."""

    start: datetime | None = None
    end: datetime | None = None

    def __str__(self) -> str:
        return "-".join("" if one is None else f"{one:%Y%m%dT%H%M%S}" for one in self)


def read_timerange(text: str) -> TimeRange:
    """Return the range that `text` names; raises CommandError with the remedy."""
    if not text:
        return TimeRange()
    first, dash, last = text.partition("-")
    if not dash or not (first or last):
        raise CommandError(f"--timerange: {text!r} is no range; {REMEDY}")
    found = TimeRange(_moment(first, text), _moment(last, text))
    if found.start is not None and found.end is not None and found.start >= found.end:
        raise CommandError(f"--timerange: {text!r} ends before it starts; {REMEDY}")
    return found


def _moment(part: str, text: str) -> datetime | None:
    if not part:
        return None
    form = FORMATS.get(len(part))
    if form is not None and re.fullmatch(r"\d{8}(T\d{4,6})?", part):
        try:
            return datetime.strptime(part, form).replace(tzinfo=UTC)
        except ValueError:
            pass
    raise CommandError(f"--timerange: {part!r} in {text!r} is no date; {REMEDY}")
