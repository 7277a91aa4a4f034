"""What a backtest plays is what it asked for, or one line says what is missing and the remedy."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.research.data.stock import MINUTE, MS, OPEN, bars, imported, stamp
from tradeagent.agents.data import Resampler
from tradeagent.errors import DataError
from tradeagent.integrations.recorded import RecordedFeed
from tradeagent.messages import MarketData, Timeframe
from tradeagent.research.data.catalogue import Catalogue
from tradeagent.research.data.commit import alone
from tradeagent.research.data.playing import candles_of, choose
from tradeagent.research.data.series import Series
from tradeagent.research.data.span import EVER, Span

START = OPEN * MS
DAY = 1440 * MINUTE


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of minutes around a new month of BTC and kPEPE, and quotes of BTC."""
    folder = tmp_path_factory.mktemp("made")
    found = Catalogue(folder / "kept")
    rows = bars(3 * 1440, first=OPEN - 86_400_000)
    imported(found, folder, rows)
    imported(found, folder, rows, symbol="kPEPE")
    imported(found, folder, [(OPEN, 99, 100), (OPEN + 5, 99, 101)], ("time_ms", "bid", "ask"))
    return found.root


@pytest.fixture
def catalogue(made: Path, tmp_path: Path) -> Catalogue:
    """A copy of that for one test."""
    return Catalogue(shutil.copytree(made, tmp_path / "kept"))


def played(catalogue: Catalogue, timeframe: Timeframe, span: Span, warmup: int = 0) -> list[int]:
    """Return when the candles open that are played."""
    feed = RecordedFeed(choose(catalogue, ["BTC"], timeframe, span, warmup).settings)
    return [event.time for _, event in feed.events(0) if isinstance(event, MarketData)]


def test_the_range_is_played_and_the_warm_up_is_there(catalogue: Catalogue) -> None:
    """Only what opens and closes within; what lies before is history, with the months it needs."""
    span = Span(START, START + 2 * 60 * MINUTE)

    assert played(catalogue, "1m", span) == [START + place * MINUTE for place in range(120)]
    bare, warm = (choose(catalogue, ["BTC"], "1m", span, count) for count in (0, 100))
    assert [len(one.settings.files) for one in (bare, warm)] == [1, 2]
    assert warm.warnings == ()
    before = RecordedFeed(warm.settings).history("BTC", "1m", START, 100)
    assert [bar.time for bar in before] == [START + place * MINUTE for place in range(-100, 0)]


def test_longer_candles_are_made_and_kept(catalogue: Catalogue, tmp_path: Path) -> None:
    """They equal the daemon's, are made once, and anew when their source has changed."""
    shorter = RecordedFeed(choose(catalogue, ["BTC"], "1m").settings)
    one_by_one = Resampler("1h")
    wanted = [
        longer
        for _, bar in shorter.events(0)
        if isinstance(bar, MarketData)
        for longer in one_by_one.add(bar)
    ]

    first = choose(catalogue, ["BTC"], "1h").settings
    written = [file.path.stat().st_mtime_ns for file in first.files]
    again = choose(catalogue, ["BTC"], "1h").settings

    assert [bar for _, bar in RecordedFeed(first).events(0)] == wanted
    assert [file.path.stat().st_mtime_ns for file in again.files] == written
    imported(catalogue, tmp_path, bars(120, first=OPEN + 2 * 86_400_000))
    assert len(played(catalogue, "1h", EVER)) == len(wanted) + 2
    assert {one.timeframe for one in catalogue.all_series()} == {None, "1m"}
    assert candles_of(catalogue, "BTC", "1h", Span(START, START + DAY)).time.tolist() == [
        START + hour * 60 * MINUTE for hour in range(24)
    ]


def test_a_catalogue_that_cannot_be_written_to_plays_longer_candles(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are kept among the user's own files, made once, and anew when their source changes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (catalogue.root / ".resampled").symlink_to(tmp_path / "nowhere" / "at" / "all")

    first = choose(catalogue, ["BTC"], "1h").settings
    written = [file.path.stat().st_mtime_ns for file in first.files]
    again = choose(catalogue, ["BTC"], "1h").settings

    assert all(file.path.is_relative_to(tmp_path / "cache") for file in first.files)
    assert len(played(catalogue, "1h", EVER)) == 72
    assert [file.path.stat().st_mtime_ns for file in again.files] == written
    imported(catalogue, tmp_path, bars(120, first=OPEN + 2 * 86_400_000))
    assert len(played(catalogue, "1h", EVER)) == 74


def test_candles_made_of_months_that_are_gone_go(catalogue: Catalogue) -> None:
    """Nothing else than what the source has is played, and no month of before is left."""
    assert len(played(catalogue, "1h", EVER)) == 72
    (december, _) = catalogue.files(Series("bars", "BTC", "1m"))
    december.unlink()

    assert len(played(catalogue, "1h", EVER)) == 48
    assert len(list(catalogue.root.glob(".resampled/**/*.parquet"))) == 1


@pytest.mark.parametrize("damage", ["gone", "broken"])
def test_made_candles_that_are_damaged_are_made_anew(catalogue: Catalogue, damage: str) -> None:
    """A month that is missing among them, or cannot be read, is no hole in what is played."""
    (first, *_) = choose(catalogue, ["BTC"], "1h").settings.files
    if damage == "gone":
        first.path.unlink()
    else:
        first.path.write_bytes(b"PAR1")

    assert len(played(catalogue, "1h", EVER)) == 72


def test_candles_are_made_by_one_at_a_time(catalogue: Catalogue, tmp_path: Path) -> None:
    """While another makes them, those of before stay as they are."""
    choose(catalogue, ["BTC"], "1h")
    before = stamp(Catalogue(catalogue.root / ".resampled"))
    imported(catalogue, tmp_path, bars(120, first=OPEN + 2 * 86_400_000))

    with (
        alone(catalogue.root / ".resampled"),
        pytest.raises(DataError, match="another process writes to it"),
    ):
        choose(catalogue, ["BTC"], "1h")

    assert stamp(Catalogue(catalogue.root / ".resampled")) == before


def test_several_symbols_and_kinds_play_together(catalogue: Catalogue) -> None:
    """Each symbol once, however often it is named; one grid for all that is of a symbol."""
    chosen = choose(catalogue, ["BTC", "kPEPE", "BTC"], "1m").settings
    ticks = choose(catalogue, ["BTC"], None, kinds=("quotes",)).settings
    both = choose(catalogue, ["BTC"], "5m", kinds=("bars", "quotes")).settings

    assert [(file.listed, file.content) for file in chosen.files] == [
        ("BTC", "bars"),
        ("BTC", "bars"),
        ("kPEPE", "bars"),
        ("kPEPE", "bars"),
    ]
    assert len(list(RecordedFeed(ticks).events(0))) == 2
    assert len({file.instrument for file in both.files}) == 1
    assert len(RecordedFeed(both).instruments()) == 1


def test_the_grid_does_not_depend_on_the_range(catalogue: Catalogue, tmp_path: Path) -> None:
    """A month of round prices is played on the steps that the other months show."""
    quiet = [(OPEN + 40 * 86_400_000 + 60_000 * n, 100, 100, 100, 100, 5) for n in range(9)]
    imported(catalogue, tmp_path, quiet)

    grids = {
        RecordedFeed(choose(catalogue, ["BTC"], "1m", span).settings).instruments()[0]
        for span in (EVER, Span(START + 39 * DAY), Span(0, START))
    }

    assert len(grids) == 1


@pytest.mark.parametrize(
    ("symbols", "timeframe", "span", "said"),
    [
        ([], "1m", EVER, "a symbol is empty; name one, such as BTC"),
        (["BTC", " "], "1m", EVER, "a symbol is empty"),
        (
            ["SOL"],
            "1m",
            EVER,
            "no bars of SOL; get it by 'tradeagent data import FILE --symbol SOL'",
        ),
        (["SOL"], "1m", EVER, "'tradeagent data download SOL --timeframe 1m'"),
        (["SOL"], "1m", EVER, "has BTC 1m bars, kPEPE 1m bars, BTC quotes"),
        (["KPEPE"], "1m", EVER, "did you mean kPEPE?"),
        (["BTC"], "1m", Span(START + 9 * DAY), "BTC 1m bars: nothing lies from 2022-01-10 00:00;"),
        (
            ["BTC"],
            "1m",
            Span(0, 9),
            "there are 4,320 rows from 2021-12-31 00:00 to 2022-01-02 23:59",
        ),
        (["BTC"], "1w", Span(START), "BTC 1w bars: nothing lies from 2022-01-01 00:00;"),
    ],
)
def test_what_is_not_there_is_one_line_with_the_remedy(
    catalogue: Catalogue, symbols: list[str], timeframe: Timeframe, span: Span, said: str
) -> None:
    """Missing symbols, a wrong range and an empty name each say what is there and how to get it."""
    with pytest.raises(DataError) as caught:
        choose(catalogue, symbols, timeframe, span)

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_candles_that_are_too_long_are_told(catalogue: Catalogue, tmp_path: Path) -> None:
    """Hours cannot be made into minutes."""
    hours = [(OPEN + 3_600_000 * n, 100, 101, 99, 100, 1) for n in range(9)]
    imported(catalogue, tmp_path, hours, symbol="ETH", timeframe="1h")

    with pytest.raises(DataError, match="ETH: there are candles of 1h, and 5m ones cannot be made"):
        choose(catalogue, ["ETH"], "5m")


def test_too_few_candles_are_told(catalogue: Catalogue, tmp_path: Path) -> None:
    """Five minutes make no hour."""
    imported(catalogue, tmp_path, bars(5), symbol="ETH")

    with pytest.raises(DataError, match="ETH 1m bars: there is not one whole 1h candle in them"):
        choose(catalogue, ["ETH"], "1h")


def test_a_hole_is_no_range(catalogue: Catalogue, tmp_path: Path) -> None:
    """What lies between two stretches of data has nothing to play, and the line says so."""
    imported(catalogue, tmp_path, bars(9), symbol="ETH")
    imported(catalogue, tmp_path, bars(9, first=OPEN + 90 * 86_400_000), symbol="ETH")

    for timeframe in ("1m", "5m"):
        with pytest.raises(DataError, match="ETH 1m bars: nothing lies from"):
            choose(catalogue, ["ETH"], timeframe, Span(START + 9 * DAY, START + 60 * DAY))


def test_a_range_that_is_not_covered_is_warned_of(catalogue: Catalogue) -> None:
    """The words say where the data begin and end."""
    said = choose(catalogue, ["BTC"], "1m", Span(START - 9 * DAY, START + 9 * DAY)).warnings

    assert said == (
        "BTC 1m bars begin at 2021-12-31 00:00, not at 2021-12-23 00:00",
        "BTC 1m bars end at 2022-01-03 00:00, not at 2022-01-10 00:00",
    )


def test_an_empty_catalogue_says_where_it_is(tmp_path: Path) -> None:
    """And that there is nothing yet."""
    with pytest.raises(DataError, match=re.escape(f"{tmp_path} has nothing yet")):
        choose(Catalogue(tmp_path), ["BTC"], "1m")
