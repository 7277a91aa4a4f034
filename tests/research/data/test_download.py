"""What is downloaded is what the venue has, asked for once, whatever happens on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integrations.hyperliquid.on_venue import Site
from tests.integrations.hyperliquid.on_venue import on as serving
from tests.research.data.stock import MINUTE, MS, OPEN, bars, imported
from tests.venue.place import ORIGIN
from tradeagent.clock import SECOND, AcceleratedClock, Clock
from tradeagent.errors import DataError, VenueUnavailable
from tradeagent.integrations.base import FundingRate, Page, PastMarket
from tradeagent.integrations.ccxt import CcxtPast
from tradeagent.integrations.hyperliquid.past import HyperliquidPast
from tradeagent.integrations.hyperliquid.settings import LineSettings
from tradeagent.messages import InstrumentUpdate, MarketData, MarketTrade, Timeframe
from tradeagent.research.data.catalogue import Catalogue
from tradeagent.research.data.download import Downloaded, download, missing
from tradeagent.research.data.series import Series
from tradeagent.research.data.span import EVER, Span
from tradeagent.simulation import GeneratedMarket, MarketSettings
from tradeagent.simulation.settings import LISTINGS
from tradeagent.simulation.venue import VenueSettings

MARKET = GeneratedMarket(
    MarketSettings(seed=3, listings=LISTINGS[:1], tick_seconds=60, book_seconds=60)
)
"""One symbol that is quoted each minute; what it has drawn it keeps for the next test."""
BTC = Series("bars", "BTC", "1m")
HOUR = 60 * MINUTE
NIGHT = 1_767_225_600 * SECOND
"""2026-01-01T00:00:00Z, when the venue's clock starts."""


@asynccontextmanager
async def venue(speed: float = 200.0) -> AsyncIterator[tuple[Site, HyperliquidPast]]:
    """Yield a venue on a generated market, and our reader of its past."""
    async with serving(MARKET, speed, VenueSettings()) as site:
        line = LineSettings(network="local", url=site.url, request_timeout=20 * speed)
        source = HyperliquidPast(line, site.clock)
        try:
            await source.open()
            yield site, source
        finally:
            await source.close()


def kept(catalogue: Catalogue, series: Series = BTC) -> list[tuple[float, ...]]:
    """Return the candles of a catalogue as rows."""
    found = catalogue.candles(series)
    columns = (found.time, found.open, found.high, found.low, found.close, found.volume)
    return list(zip(*(column.tolist() for column in columns), strict=True))


async def test_candles_are_those_of_the_venue(tmp_path: Path) -> None:
    """Each is what the venue answers when asked directly; a second download asks nothing."""
    catalogue, span = Catalogue(tmp_path), Span(NIGHT - 25 * HOUR, NIGHT - MINUTE)
    async with venue() as (site, source):
        got = await download(catalogue, source, "BTC", BTC, span)
        again = await download(catalogue, source, "BTC", BTC, span)
        wanted = {"coin": "BTC", "interval": "1m", "startTime": span.start // MS}
        told = await site.info("candleSnapshot", req={**wanted, "endTime": span.end // MS - 1})

    assert (got.new, got.pages, again.new, again.pages) == (25 * 60 - 1, 2, 0, 0)
    assert kept(catalogue) == [
        (one["t"] * MS, *(float(one[name]) for name in ("o", "h", "l", "c", "v"))) for one in told
    ]
    grid = catalogue.card(BTC).instrument
    assert grid is not None
    assert (grid.lot, grid.significant) == (source.instrument("BTC").lot, 5)  # type: ignore[union-attr]


async def test_no_candle_is_taken_before_it_has_closed(tmp_path: Path) -> None:
    """Without an end the last candle is one that has settled, and the next call goes on there."""
    catalogue = Catalogue(tmp_path)
    async with venue() as (site, source):
        await download(catalogue, source, "BTC", BTC, Span(NIGHT - HOUR))
        first = catalogue.extent(BTC).last
        assert first + MINUTE <= site.clock.now()
        await site.later(90)
        got = await download(catalogue, source, "BTC", BTC, Span(NIGHT - HOUR))

    last = catalogue.extent(BTC).last
    assert got.new == (last - first) // MINUTE > 0


async def test_what_the_venue_no_longer_has_is_told(tmp_path: Path) -> None:
    """It keeps 5,000 candles: of a longer range the rest is taken and the note says from when."""
    catalogue = Catalogue(tmp_path)
    async with venue() as (_, source):
        got = await download(catalogue, source, "BTC", BTC, Span(NIGHT - 5_200 * MINUTE, NIGHT))
        with pytest.raises(DataError, match="has nothing of BTC 1m bars from 2022"):
            await download(catalogue, source, "BTC", BTC, Span(OPEN * MS, OPEN * MS + 24 * HOUR))
        with pytest.raises(DataError, match="does not list 'btc'; case matters"):
            await download(catalogue, source, "btc", BTC, EVER)

    assert 4_990 <= got.new <= 5_000
    assert "has no 1m candles before 2025-12-28" in got.note


async def test_funding_is_that_of_the_venue(tmp_path: Path) -> None:
    """Rates come page by page, each hour once."""
    catalogue, series = Catalogue(tmp_path), Series("funding", "BTC")
    span = Span(NIGHT - 520 * HOUR, NIGHT)
    async with venue() as (site, source):
        got = await download(catalogue, source, "BTC", series, span)
        told = await site.info("fundingHistory", coin="BTC", startTime=(NIGHT - 20 * HOUR) // MS)
        with pytest.raises(DataError, match="tells no past trades"):
            await download(catalogue, source, "BTC", Series("trades", "BTC"), span)

    rows = catalogue.columns(series)
    assert (got.new, got.pages) == (520, 2)
    assert rows["time"].tolist() == [NIGHT - hour * HOUR for hour in range(520, 0, -1)]
    assert rows["rate"].tolist()[-20:] == [float(one["fundingRate"]) for one in told[:20]]


async def test_a_venue_that_fails_is_asked_again(tmp_path: Path) -> None:
    """Errors, nonsense and refusals for too many requests delay a download and change nothing."""
    catalogue, sound = Catalogue(tmp_path / "one"), Catalogue(tmp_path / "other")
    span = Span(NIGHT - 25 * HOUR, NIGHT - MINUTE)
    async with venue() as (site, source):
        await download(sound, source, "BTC", BTC, span)
        for name in ("bad_gateway", "garbage"):
            await site.switch(name, type="candleSnapshot", n=1)
        got = await download(catalogue, source, "BTC", BTC, span)

    assert got.pages == 2
    assert kept(catalogue) == kept(sound)


async def test_ccxt_tells_what_our_adapter_tells(tmp_path: Path) -> None:
    """Another client of the same venue brings the same candles and rates."""
    ours, theirs = Catalogue(tmp_path / "ours"), Catalogue(tmp_path / "theirs")
    funding = Series("funding", "BTC")
    span = Span(NIGHT - 20 * HOUR, NIGHT - HOUR)
    async with venue(speed=1.0) as (site, source):
        other = CcxtPast("hyperliquid", site.clock, site.url)
        other._client.enableRateLimit = False  # the venue is ours: it may be asked at once
        try:
            await other.open()
            for series in (BTC, funding):
                await download(ours, source, "BTC", series, span)
                got = await download(theirs, other, "BTC/USDC:USDC", series, span)
                again = await download(theirs, other, "BTC/USDC:USDC", series, span)
                assert (got.new > 0, again.new, again.pages) == (True, 0, 0)
            with pytest.raises(DataError, match="does not list 'BTC/USDT'; did you mean"):
                await download(theirs, other, "BTC/USDT", BTC, span)
            with pytest.raises(DataError, match="has no 7m candles") as caught:
                await other.candles("BTC/USDC:USDC", "7m", *span)  # type: ignore[arg-type]
            assert "1m, 3m" in str(caught.value)
        finally:
            await other.close()

    assert kept(theirs) == kept(ours)
    assert theirs.columns(funding)["rate"].tolist() == ours.columns(funding)["rate"].tolist()


async def test_an_exchange_without_an_answer_is_no_fault_of_ours() -> None:
    """ccxt's errors of the line are those that may be asked again; an unknown name is one line."""
    clock: Clock = AcceleratedClock(ORIGIN, 1.0)
    source = CcxtPast("hyperliquid", clock, "http://127.0.0.1:9")
    try:
        with pytest.raises(VenueUnavailable, match=r"^hyperliquid POST "):
            await source.open()
    finally:
        await source.close()
    with pytest.raises(DataError, match="knows no 'binanse'; did you mean 'binance'"):
        CcxtPast("binanse", clock)


@dataclass
class Tape:
    """A source in memory that tells a page at a time, and fails where it is told to."""

    have: Sequence[int]
    """When the candles open that there are, and the trades happen, in minutes."""
    fails: dict[int, BaseException] = field(default_factory=dict)
    """What is raised instead of the page of this number."""
    asked: list[Span] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    name: str = "tape"

    def now(self) -> int:
        return 100_000 * MINUTE

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def earliest(self, timeframe: Timeframe) -> int:
        return 0

    def instrument(self, symbol: str) -> InstrumentUpdate | None:
        return None

    def _next(self, start: int, end: int) -> tuple[list[int], int]:
        self.asked.append(Span(start, end))
        if (error := self.fails.pop(len(self.asked), None)) is not None:
            raise error
        upto = min(end, start + 10 * MINUTE)
        return [one * MINUTE for one in self.have if start <= one * MINUTE < upto], upto

    async def candles(
        self, symbol: str, timeframe: Timeframe, start: int, end: int
    ) -> Page[MarketData]:
        times, upto = self._next(start, end)
        cells = {"open": 1.0, "high": 2.0, "low": 1.0, "close": 2.0, "volume": 1.0}
        made = [MarketData(symbol="X", timeframe="1m", time=time, **cells) for time in times]
        return Page(made, upto)

    async def funding(self, symbol: str, start: int, end: int) -> Page[FundingRate]:
        times, upto = self._next(start, end)
        return Page([FundingRate(time, 0.1) for time in times], upto)

    async def trades(self, symbol: str, start: int, end: int) -> Page[MarketTrade]:
        times, upto = self._next(start, end)
        made = [
            MarketTrade(symbol="X", time=time, price=1, size=1, side="buy", trade_id=str(time))
            for time in times
        ]
        return Page(made, upto)


async def fetched(catalogue: Catalogue, tape: Tape, kind: str, span: Span) -> Downloaded:
    """Download a kind of data from a tape."""
    source: PastMarket = tape
    series = Series("bars", "X", "1m") if kind == "bars" else Series(kind, "X")  # type: ignore[arg-type]
    return await download(catalogue, source, "X", series, span)


@pytest.mark.parametrize(("kind", "cut"), [("bars", 1), ("bars", 4), ("funding", 3), ("trades", 2)])
async def test_an_interrupted_download_goes_on_where_it_was(
    tmp_path: Path, kind: str, cut: int
) -> None:
    """The pages before are kept, none of them is asked for again, and in the end all is there."""
    have = [minute for minute in range(45) if minute % 7]
    tape = Tape(have, {cut: asyncio.CancelledError()})
    catalogue, span = Catalogue(tmp_path), Span(0, 45 * MINUTE)

    with suppress(asyncio.CancelledError):
        await fetched(catalogue, tape, kind, span)
    before = len(tape.asked)
    await fetched(catalogue, tape, kind, span)

    (series,) = catalogue.all_series()
    assert before == cut
    assert [one.start // MINUTE for one in tape.asked] == sorted(
        [0, 10, 20, 30, 40, (cut - 1) * 10]
    )
    assert catalogue.columns(series)["time"].tolist() == [one * MINUTE for one in have]
    tape.asked.clear()
    await fetched(catalogue, tape, kind, span)
    assert tape.asked == []


async def test_only_holes_are_asked_for(tmp_path: Path) -> None:
    """Candles that a file brought are not downloaded again; the holes between them are, once."""
    catalogue = Catalogue(tmp_path / "kept")
    rows = bars(30, first=0)
    imported(catalogue, tmp_path, [*rows[5:10], *rows[12:20]], symbol="X", time_unit="ms")
    tape = Tape(range(30))

    got = await fetched(catalogue, tape, "bars", Span(0, 25 * MINUTE))

    holes = [(0, 5), (10, 12), (20, 25)]
    assert tape.asked == [Span(a * MINUTE, b * MINUTE) for a, b in holes]
    assert got.new == 12
    found = catalogue.candles(Series("bars", "X", "1m"))
    assert found.time.tolist() == [one * MINUTE for one in range(25)]
    assert missing(catalogue, Series("bars", "X", "1m"), "tape", Span(0, 30 * MINUTE)) == [
        Span(25 * MINUTE, 30 * MINUTE)
    ]


async def test_a_broken_month_can_be_downloaded_again(tmp_path: Path) -> None:
    """As the line says: without it and the card, what it held is asked for, and nothing else."""
    catalogue, day = Catalogue(tmp_path), 86_400 * SECOND
    tape = Tape([31 * 1440 - 5, 31 * 1440 + 5])
    span = Span(31 * day - 10 * MINUTE, 31 * day + 10 * MINUTE)
    await fetched(catalogue, tape, "bars", span)
    (series,) = catalogue.all_series()
    broken = catalogue.files(series)[1]
    broken.write_bytes(b"PAR1")

    with pytest.raises(DataError, match=r"02.parquet: is not whole .* and the series.json of X"):
        catalogue.extent(series)
    broken.unlink()
    (tmp_path / series.folder / "series.json").unlink()
    await fetched(catalogue, tape, "bars", span)

    assert catalogue.extent(series).rows == 2


async def test_it_gives_up_after_six_tries(tmp_path: Path) -> None:
    """Pauses double; the line says that what came is kept."""
    tape = Tape(range(30), {number: VenueUnavailable("away") for number in range(2, 8)})

    with pytest.raises(DataError, match="tape does not answer: away; what came is kept"):
        await fetched(Catalogue(tmp_path), tape, "bars", Span(0, 30 * MINUTE))

    assert tape.slept == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert Catalogue(tmp_path).extent(Series("bars", "X", "1m")).rows == 10


async def test_a_source_without_anything_leaves_no_series(tmp_path: Path) -> None:
    """And what was asked in vain is not asked again."""
    tape = Tape([])

    await fetched(Catalogue(tmp_path), tape, "bars", Span(0, 30 * MINUTE))
    got = await fetched(Catalogue(tmp_path), tape, "bars", Span(0, 30 * MINUTE))

    assert (got.new, got.pages, len(tape.asked)) == (0, 0, 3)
    assert Catalogue(tmp_path).all_series() == []
