"""Runs stand side by side, and what makes them hard to compare is said."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.research.runs import result_of, walk
from tests.research.test_report import Page
from tradeagent.cli import command
from tradeagent.errors import DataError
from tradeagent.research.comparison import compare, table
from tradeagent.research.folder import save
from tradeagent.research.report.comparing import render


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return two saved results, of different data and code."""
    place = tmp_path_factory.mktemp("runs")
    save(result_of(walk(rows=3_000)), place / "one")
    other = result_of(walk(rows=3_000, seed=3), data={"x": "12"}, code="34", strategies={"<b>": {}})
    save(other, place / "two")
    return place / "one", place / "two"


def test_figures_stand_side_by_side_with_the_better_marked(runs: tuple[Path, Path]) -> None:
    """The star stands where the figure is better, whichever way that is."""
    found = compare(runs)
    one, two = (run.summary.metrics for run in found.runs)
    lines = {line.field: line for _, group in table(found) for line in group}

    assert one.total_return is not None
    assert two.total_return is not None
    assert one.max_drawdown is not None
    assert two.max_drawdown is not None
    assert lines["total_return"].best == {int(two.total_return > one.total_return)}
    assert lines["max_drawdown"].best == {int(two.max_drawdown < one.max_drawdown)}
    assert lines["trades"].best == frozenset()
    assert lines["rejected"].texts == ("3", "3")
    assert "slippage" not in lines


def test_what_differs_is_told(runs: tuple[Path, Path]) -> None:
    """Other data and other code, but not the same range."""
    assert compare(runs).notes == (
        "Not the same data as one: two.",
        "Not the same code as one: two.",
    )
    assert compare([runs[0], runs[0]]).notes == ()


def test_other_costs_and_another_balance_are_told(tmp_path: Path) -> None:
    """Each term that differs has a note, and money has no star where the balances differ."""
    one = result_of(walk(rows=300), terms={"balance": "10000", "slippage": "2 bp"})
    two = result_of(walk(rows=300), terms={"balance": "5000", "slippage": "0 bp", "halts": "none"})
    poorer = two.metrics.model_copy(update={"start_equity": 5_000.0, "profit": -1.0, "fees": 0.0})
    save(one, tmp_path / "one")
    save(replace(two, metrics=poorer.model_copy(update={"total_return": 9.0})), tmp_path / "two")
    found = compare([tmp_path / "one", tmp_path / "two"])
    best = {line.field: line.best for _, group in table(found) for line in group}

    assert found.notes == (
        "Not the same balance as one (10000): two (5000).",
        "Not the same slippage as one (2 bp): two (0 bp).",
    )
    assert best["profit"] == best["fees"] == frozenset()
    assert best["total_return"] == {1}


def test_runs_of_one_name_are_told_apart(runs: tuple[Path, Path], tmp_path: Path) -> None:
    """By their whole path; a summary may be named instead of its folder."""
    save(result_of(walk(rows=50)), tmp_path / "one")
    found = compare([runs[0] / "summary.json", tmp_path / "one", runs[1]])

    assert [run.name for run in found.runs] == [str(runs[0]), str(tmp_path / "one"), "two"]


def test_the_page_has_the_curves_over_one_another(runs: tuple[Path, Path]) -> None:
    """One line each, all figures, no outside address, and names stay text."""
    text = render(compare(runs))
    found = Page(text)

    assert found.wrong == []
    assert "//" not in text
    assert "<b>" not in text
    assert 'class="c1" d="M' in text
    assert 'class="c2" d="M' in text
    assert "Not the same data" in text


def test_the_command_prints_a_table_json_and_a_page(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    """Each of them whole; the JSON has the summaries."""
    runner = CliRunner()
    places = [str(one) for one in runs]
    shown = runner.invoke(command("compare"), [*places, "--html", str(tmp_path / "a" / "b.html")])
    as_json = runner.invoke(command("compare"), [*places, "--json"])
    many = runner.invoke(command("compare"), places * 4)

    assert shown.exit_code == as_json.exit_code == many.exit_code == 0
    assert "Sharpe" in shown.output
    assert "* is the better one" in shown.output
    assert (tmp_path / "a" / "b.html").read_text().startswith("<!doctype html>")
    found = json.loads(as_json.output)
    assert [one["name"] for one in found["runs"]] == ["one", "two"]
    assert found["runs"][0]["summary"]["metrics"]["trades"] == 100
    assert "…" not in many.output


def test_a_folder_that_is_no_result_is_one_line(tmp_path: Path) -> None:
    """It names the folder and the remedy."""
    with pytest.raises(DataError, match="name the folder that"):
        compare([tmp_path])


def test_help_imports_nothing_heavy() -> None:
    """`compare --help` answers without numpy, pandas or templates."""
    code = (
        "import sys; from tradeagent.cli import command\n"
        "try: command('compare')(['--help'])\n"
        "except SystemExit: pass\n"
        "print([one for one in ('numpy', 'pandas', 'jinja2', 'duckdb') if one in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
