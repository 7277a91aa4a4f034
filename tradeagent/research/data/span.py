"""A range of time: from a moment on, up to and not including another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tradeagent.clock import NEVER
from tradeagent.errors import CommandError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Span(NamedTuple):
    """From `start` up to, not including, `end`, both UTC ns."""

    start: int = 0
    end: int = NEVER

    def __str__(self) -> str:
        if self == EVER:
            return "all time"
        first = date(self.start) if self.start else ""
        last = date(self.end) if self.end != NEVER else ""
        return " ".join(
            word for word in (first and f"from {first}", last and f"up to {last}") if word
        )

    @property
    def first(self) -> datetime | None:
        """Return the start as a date, None where there is none."""
        return moment(self.start) if self.start else None

    @property
    def last(self) -> datetime | None:
        """Return the end as a date, None where there is none."""
        return moment(self.end) if self.end != NEVER else None


EVER = Span()


def parse_span(text: str, option: str = "--timerange") -> Span:
    """Return the range that `20220101-20220201` names; either side may be left out.

    A side is a date or `20220101T1200`, UTC; the end itself is not within. Raises CommandError.
    """
    first, dash, last = text.partition("-")
    try:
        start = 0 if not first.strip() else nanoseconds(_read(first))
        end = NEVER if not last.strip() else nanoseconds(_read(last))
    except ValueError as error:
        raise CommandError(_wrong(option, text)) from error
    if not dash or start < 0:
        raise CommandError(_wrong(option, text))
    if start >= end:
        raise CommandError(f"{option}: {text} ends before it starts; the end is not within")
    return Span(start, end)


def moment(time: int) -> datetime:
    """Return a time (UTC ns) as a date, to the microsecond."""
    return EPOCH + timedelta(microseconds=time // 1_000)


def nanoseconds(when: datetime) -> int:
    """Return a date as UTC ns."""
    return (when - EPOCH) // timedelta(microseconds=1) * 1_000


def date(time: int) -> str:
    """Return a time (UTC ns) as people write it, as short as it can be told."""
    when = moment(time)
    if when.microsecond:
        return f"{when:%Y-%m-%d %H:%M:%S.%f}".rstrip("0")
    if when.second:
        return f"{when:%Y-%m-%d %H:%M:%S}"
    return f"{when:%Y-%m-%d %H:%M}"


def _read(text: str) -> datetime:
    found = datetime.fromisoformat(text.strip())
    return found.replace(tzinfo=found.tzinfo or UTC)


def _wrong(option: str, text: str) -> str:
    return f"{option}: {text!r} is no range; write one such as 20220101-20220201 or 20220101-"
