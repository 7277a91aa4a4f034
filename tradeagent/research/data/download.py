"""Download the past of a market into the catalogue, and only what is not there yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np

from tradeagent.errors import DataError, VenueUnavailable
from tradeagent.integrations.base import FundingRate, Page, PastMarket
from tradeagent.integrations.recorded import InstrumentSpec
from tradeagent.integrations.recorded.read import Watch, unwatched
from tradeagent.messages import InstrumentUpdate, MarketData, MarketTrade, candle_open
from tradeagent.quant.curve import Times
from tradeagent.research.data.catalogue import Catalogue
from tradeagent.research.data.series import Asked, Card, Columns, Series
from tradeagent.research.data.span import Span, date

TRIES = 6
FIRST_PAUSE = 1.0
"""Seconds before a question without an answer is asked again; it doubles each time."""
FIELDS = ("open", "high", "low", "close", "volume")
Rows = Sequence[MarketData] | Sequence[FundingRate] | Sequence[MarketTrade]


class Downloaded(NamedTuple):
    """What came of a download."""

    series: Series
    new: int
    pages: int
    note: str = ""
    """What the source does not have, in words."""


async def download(
    catalogue: Catalogue,
    source: PastMarket,
    symbol: str,
    series: Series,
    span: Span,
    watch: Watch = unwatched,
) -> Downloaded:
    """Add what a source tells of `symbol` in a range to `series`, a page at a time.

    Each page is kept as it comes: stopped anywhere, the same call goes on from there. A question
    without an answer is asked again, ever later, six times. Raises DataError.
    """
    grid = source.instrument(symbol)
    start, end, earliest = span.start, min(span.end, source.now()), 0
    if series.timeframe:
        earliest = source.earliest(series.timeframe)
        start = candle_open(series.timeframe, max(start, earliest) + series.length - 1)
        end = candle_open(series.timeframe, end)
    note = ""
    if 0 < span.start < earliest:
        note = f"{source.name} has no {series.timeframe} candles before {date(start)}"
    if start >= end:
        raise DataError(
            f"{source.name} has nothing of {series} {span}"
            + (f": {note}" if note else "; it is not over yet")
        )
    new = pages = 0
    for hole in missing(catalogue, series, source.name, Span(start, end)):
        at = hole.start
        while at < hole.end:
            page = await _asked(source, symbol, series, Span(at, hole.end))
            new += _keep(catalogue, source.name, series, Span(at, page.upto), page.rows, grid)
            pages += 1
            at = page.upto
            watch((at - start) / (end - start))
    watch(1.0)
    return Downloaded(series, new, pages, note)


def missing(catalogue: Catalogue, series: Series, source: str, span: Span) -> list[Span]:
    """Return the parts of a range of which there are no candles and that were not asked for."""
    known = [
        Span(one.start, one.end) for one in catalogue.card(series).asked if one.source == source
    ]
    if series.length and len(time := cast("Times", catalogue.columns(series, span)["time"])):
        breaks = np.flatnonzero(np.diff(time) != series.length)
        firsts = time[np.concatenate(([0], breaks + 1))].tolist()
        ends = (time[np.concatenate((breaks, [len(time) - 1]))] + series.length).tolist()
        known += [Span(first, end) for first, end in zip(firsts, ends, strict=True)]
    holes, at = [], span.start
    for one in sorted(known):
        if one.start > at:
            holes.append(Span(at, min(one.start, span.end)))
        at = max(at, one.end)
        if at >= span.end:
            break
    if at < span.end:
        holes.append(Span(at, span.end))
    return [hole for hole in holes if hole.start < hole.end]


async def _asked(
    source: PastMarket, symbol: str, series: Series, span: Span
) -> Page[MarketData] | Page[FundingRate] | Page[MarketTrade]:
    """Return a page, asked for again after each failure; raises DataError after the last."""
    pause = FIRST_PAUSE
    for left in reversed(range(TRIES)):
        try:
            return await _page(source, symbol, series, span)
        except VenueUnavailable as error:
            if not left:
                raise DataError(
                    f"{source.name} does not answer: {error}; what came is kept, the same command "
                    "goes on from there"
                ) from error
        await source.sleep(pause)
        pause *= 2
    raise AssertionError("the last try returns or raises")


async def _page(
    source: PastMarket, symbol: str, series: Series, span: Span
) -> Page[MarketData] | Page[FundingRate] | Page[MarketTrade]:
    if series.kind == "funding":
        return await source.funding(symbol, *span)
    if series.kind == "trades":
        return await source.trades(symbol, *span)
    assert series.timeframe is not None
    return await source.candles(symbol, series.timeframe, *span)


def _keep(
    catalogue: Catalogue,
    source: str,
    series: Series,
    span: Span,
    rows: Rows,
    grid: InstrumentUpdate | None,
) -> int:
    """Keep a page and that it was asked for; returns how many rows were new."""
    asked = Asked(source=source, start=span.start, end=span.end)
    columns = _columns(series, rows)

    def told(card: Card) -> Card:
        listed = {} if grid is None else {"instrument": _spec(grid)}
        return card.with_asked(asked).with_seen(columns).model_copy(update=listed)

    return catalogue.keep(series, columns, told, prefer="catalogue").new


def _columns(series: Series, rows: Rows) -> Columns:
    found: Columns = {"time": np.array([row.time for row in rows], dtype=np.int64)}
    if series.kind == "bars":
        bars = cast("Sequence[MarketData]", rows)
        for name in FIELDS:
            found[name] = np.array([getattr(bar, name) for bar in bars], dtype=np.float64)
    elif series.kind == "funding":
        rates = cast("Sequence[FundingRate]", rows)
        found["rate"] = np.array([one.rate for one in rates], dtype=np.float64)
    else:
        trades = cast("Sequence[MarketTrade]", rows)
        found["price"] = np.array([one.price for one in trades], dtype=np.float64)
        found["size"] = np.array([one.size for one in trades], dtype=np.float64)
        found["side"] = np.array([one.side for one in trades], dtype=object)
        found["trade_id"] = np.array([one.trade_id for one in trades], dtype=object)
    return found


def _spec(grid: InstrumentUpdate) -> InstrumentSpec:
    return InstrumentSpec(
        tick=grid.tick,
        lot=grid.lot,
        min_notional=grid.min_notional,
        significant=grid.significant,
        max_leverage=grid.max_leverage,
    )
