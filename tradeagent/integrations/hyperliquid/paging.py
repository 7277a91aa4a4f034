"""Bring together what the venue tells in pages, whichever end of it a page shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from tradeagent.errors import VenueUnavailable
from tradeagent.log import log

T = TypeVar("T")
Span = tuple[int, int | None]
"""First and last moment that is asked for, ms, both within; None for no end."""


async def all_pages(
    ask: Callable[[Span], Awaitable[Sequence[T]]],
    since_ms: int,
    full: int,
    key: Callable[[T], tuple[int, object]],
) -> list[T]:
    """Return everything from `since_ms` on, each once; `key` gives an item's time and what it is.

    Which items a full page leaves out, the later or the earlier, is not documented: so both what is
    before it and what is after it are asked for. The moments at its edges, of which some items may
    be missing, belong to both. Raises VenueUnavailable for a page of what was not asked for, as the
    search would not end.
    """
    found: dict[object, T] = {}
    spans: list[Span] = [(since_ms, None)]
    while spans:
        span = spans.pop()
        page = await ask(span)
        found.update((key(one)[1], one) for one in page)
        if len(page) >= full:
            times = [key(one)[0] for one in page]
            spans += _around(span, min(times), max(times))
    return list(found.values())


def _around(span: Span, first: int, last: int) -> list[Span]:
    """Return what a full page from `first` to `last` may have left out of a span, earliest last.

    Each of them is shorter than the span. Raises VenueUnavailable for a page that reaches beyond.
    """
    start, end = span
    if first < start or (end is not None and last > end):
        raise VenueUnavailable("a page holds what was not asked for")
    if first == last:  # no question tells more of one moment than fits on a page
        log.warning("hyperliquid may have more to tell of the moment {} than fits a page", first)
        first, last = first - 1, last + 1
    spans: list[Span] = []
    if end is None or last <= end:
        spans.append((last, end))
    if start <= first:
        spans.append((start, first))
    return spans
