"""The report is one page that needs nothing else and says all there is."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console

from tests.research.runs import MINUTE, result_of, walk
from tradeagent.quant.curve import Curve
from tradeagent.quant.luck import Trials
from tradeagent.quant.meanings import MEANINGS
from tradeagent.quant.metrics import Metrics
from tradeagent.quant.performance import measure
from tradeagent.research.report import terminal
from tradeagent.research.report.page import render, save_html
from tradeagent.research.report.tables import SHOWN, chosen, months
from tradeagent.research.result import Result
from tradeagent.research.wording import figure

VOID = {"meta", "link", "input", "br"}


class Page(HTMLParser):
    """A page as text and tags; unbalanced tags are kept in `wrong`."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a tag."""
        self.attributes += attrs
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Pass over a tag that closes itself."""

    def handle_endtag(self, tag: str) -> None:
        """Close a tag."""
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        """Keep words that are shown."""
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)


@pytest.fixture(scope="module")
def result() -> Result:
    """Return ten days of two symbols."""
    terms = {"taker fee": "4.5 bp"}
    found = result_of(walk(rows=14_400), walk("ETH", rows=14_400, seed=2), terms=terms)
    return replace(found, checks=("look-ahead: 8 cuts, no decision of 7 changed",))


@pytest.fixture(scope="module")
def page(result: Result) -> str:
    """Return its page."""
    return render(result)


def test_it_names_no_outside_address(page: str) -> None:
    """No scheme, no double slash, nothing that a browser would fetch."""
    assert "http:" not in page
    assert "https:" not in page
    assert "//" not in page
    assert "@import" not in page
    assert "url(" not in page
    assert "default-src 'none'" in page
    fetched = [(name, value) for name, value in Page(page).attributes if name in ("src", "href")]
    assert all(value == "data:," or (value or "").startswith("#") for _, value in fetched)


def test_it_is_well_formed(page: str) -> None:
    """Tags are balanced, ids are unique, links lead somewhere, and each drawing is XML."""
    found = Page(page)

    assert found.wrong == found.open == []
    assert len(found.ids) == len(set(found.ids))
    for target in re.findall(r'href="#([\w-]+)"', page):
        assert target in found.ids
    drawings = re.findall(r'<svg class="chart".*?</svg>', page, re.S)
    assert len(drawings) >= 9
    for drawing in drawings:
        parsed = ElementTree.fromstring(drawing)
        assert parsed.find("title") is not None
        assert "nan" not in drawing
        assert "inf" not in drawing


def test_it_says_every_figure_with_its_definition(page: str, result: Result) -> None:
    """And every warning, on top, and all of the provenance."""
    words = " ".join(" ".join(Page(page).words).split())

    for field, meaning in MEANINGS.items():
        assert f"{meaning.title} {figure(result.metrics, field)} {meaning.definition}" in words
    for warning in result.warnings:
        assert warning in words
        assert words.index(warning) < words.index("Equity and drawdown")
    for fact in (
        *result.checks,
        "Taker fee 4.5 bp",
        result.origin.journal,
        result.origin.code,
        "fast 10, slow 30",
        "ab" * 32,
    ):
        assert fact in words


def test_a_run_is_told_in_the_same_bytes(page: str, result: Result, tmp_path: Path) -> None:
    """Nothing in it depends on when or where it was made."""
    save_html(result, tmp_path / "new" / "report.html")

    assert (tmp_path / "new" / "report.html").read_text(encoding="utf-8") == page
    assert [one.name for one in (tmp_path / "new").iterdir()] == ["report.html"]


def test_what_users_write_stays_text() -> None:
    """Names, parameters, warnings and symbols cannot become markup."""
    evil = '</script><img src=x onerror="alert(1)">'
    found = result_of(
        walk(evil, rows=300),
        strategies={evil: {"fast": evil}},
        data={evil: "00"},
    )
    text = render(replace(found, warnings=(evil,)))

    assert "<img" not in text
    assert Page(text).wrong == []
    assert text.count("</script>") == text.count("<script")


@pytest.mark.parametrize(
    "rows",
    [1, 2, 40, 1_441],
    ids=["one candle", "two candles", "one trade", "a day and a minute"],
)
def test_short_runs_are_reported(rows: int) -> None:
    """What cannot be drawn is said in words."""
    found = Page(render(result_of(walk(rows=rows))))

    assert found.wrong == []


def test_an_empty_result_is_reported() -> None:
    """No row, no trade, no price."""
    empty = np.empty(0)
    nothing = Curve(np.empty(0, np.int64), empty, empty)
    bare = replace(
        result_of(walk(rows=40)),
        metrics=measure(nothing, []),
        curve=nothing,
        trades=(),
        prices={},
    )
    words = " ".join(Page(render(bare)).words)

    assert "There is no equity curve." in words
    assert "Nothing was traded." in words
    assert "Trades on candles" not in words


@pytest.mark.parametrize("equity", [[100, 50, 0, -20, 30], [0, 0, 0], [1e-300, 1e300, 5], [7, 7]])
def test_odd_equity_is_reported(equity: list[float]) -> None:
    """Ruin, debt, nothing, the absurd and the flat are drawn without a warning or a crash."""
    base = result_of(walk(rows=40))
    values = np.array(equity, np.float64)
    time_ = base.curve.time[0] + 40_000 * MINUTE * np.arange(len(values), dtype=np.int64)
    curve = Curve(time_, values, np.abs(values))
    text = render(replace(base, curve=curve, metrics=measure(curve, base.trades)))

    drawings = "".join(re.findall(r'<svg class="chart".*?</svg>', text, re.S))

    assert Page(text).wrong == []
    assert not re.search(r"nan|inf(?!i)", drawings)
    assert ('class="log"' in text) == (min(equity) > 0)


def test_a_choice_out_of_many_shows_its_deflated_sharpe(result: Result) -> None:
    """On the page and in the terminal."""
    tried = replace(result, trials=Trials(150, 0.2))
    words = " ".join(Page(render(tried)).words)
    console = Console(width=100, record=True, file=StringIO())
    terminal.show(tried.summary, console)

    assert "Deflated Sharpe" in words
    assert "Deflated Sharpe (150 tries)" in console.export_text()


def test_months_are_those_of_the_calendar() -> None:
    """Their returns multiply to that of the year, whose ends lie in the right months."""
    found = result_of(walk(rows=24 * 500, length=60 * MINUTE))
    from tradeagent.quant.days import days

    years = months(days(found.curve))
    first = [one for one in years[0].months if one is not None]
    grown = np.prod([1 + float(one.text) / 100 for one in first]) - 1

    assert [year.name for year in years] == ["2022", "2023"]
    assert len(first) == 12
    assert sum(one is not None for one in years[1].months) == 5
    assert float(years[0].whole.text) / 100 == pytest.approx(grown, abs=2e-3)


def test_many_trades_are_shown_by_their_extremes() -> None:
    """First, last, best and worst, each once, in order; the page says how many there are."""
    found = result_of(walk(rows=30 * 1_000))
    rows = chosen(found.trades)
    ranked = sorted(one.pnl for one in found.trades)
    shown = [found.trades[int(row.cells[0]) - 1].pnl for row in rows]

    assert len(rows) <= 4 * SHOWN < len(found.trades) == 1_000
    assert [row.sort[0] for row in rows] == sorted({row.sort[0] for row in rows})
    assert set(ranked[:SHOWN]) | set(ranked[-SHOWN:]) <= set(shown)
    assert rows[0].cells[0] == "1"
    assert rows[-1].cells[0] == "1000"
    assert "of 1,000 trades: the first, last, best and worst 50" in render(found)


def test_a_month_of_minutes_is_quick_and_small_and_half_a_million_work() -> None:
    """44,640 candles within 1.5 s and 3 MB; 500,000 within 5 s and 6 MB."""
    month, year = result_of(walk(rows=44_640)), result_of(walk(rows=500_000))
    began = time.perf_counter()
    small = render(month)
    took = time.perf_counter() - began
    large = render(year)
    took_large = time.perf_counter() - began - took

    assert took < 1.5
    assert len(small) < 3_000_000
    assert took_large < 5
    assert len(large) < 6_000_000


@pytest.mark.parametrize("width", [60, 100, 200])
def test_the_terminal_summary_fits_and_reads_without_colour(result: Result, width: int) -> None:
    """At most 100 columns, with each warning whole and figures beside their names."""
    console = Console(width=width, record=True, file=StringIO())
    terminal.show(result.summary, console)
    text = console.export_text()

    assert max(map(len, text.splitlines())) <= min(width, 100)
    flat = " ".join(text.split())
    for word in ("sma_cross on BTC, ETH 1m", "Before you believe it"):
        assert word in flat
    if width >= 100:
        found = re.search(r"Total return +(\S+ %)", text)
        assert found is not None
        assert found[1] == figure(result.metrics, "total_return")
        assert f"Checked: {result.checks[0]}" in flat
        for warning in result.warnings:
            assert " ".join(re.findall(r"\S+", warning)) in flat


def test_a_summary_without_warnings_says_so() -> None:
    """Silence would look like approval."""
    base = result_of(walk(rows=40)).summary
    quiet = base.model_copy(update={"warnings": (), "metrics": Metrics()})
    console = Console(width=100, record=True, file=StringIO())
    terminal.show(quiet, console)

    assert "No known warning applies" in console.export_text()
