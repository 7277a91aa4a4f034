"""How the catalogue shows in a terminal, and as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from tradeagent.errors import DataError
from tradeagent.research.data.catalogue import Catalogue, Extent
from tradeagent.research.data.download import Downloaded
from tradeagent.research.data.ingest import Intake
from tradeagent.research.data.quality import MEANING, Finding, of_rows
from tradeagent.research.data.series import PRICES, Columns, Series
from tradeagent.research.data.span import EVER, Span, date
from tradeagent.research.wording import counted

Row = Mapping[str, object]
WIDTH = 200
"""Of a table where it does not go to a terminal."""


def tell_intakes(done: Sequence[tuple[str, Intake]], *, as_json: bool) -> None:
    """Print what came of each file."""
    if as_json:
        _dump([_intake(name, one) for name, one in done])
        return
    for name, one in done:
        put_aside = f", {one.merge.differing:,} differ" if one.merge.differing else ""
        rows, first, last = counted(one.rows, "row"), date(one.first), date(one.last)
        sys.stdout.write(
            f"{name}: {rows} of {one.series}, {first} to {last}: "
            f"{one.merge.new:,} new, {one.merge.same:,} there already{put_aside}\n"
        )
    _findings([(name, finding) for name, one in done for finding in one.findings])


def _intake(name: str, one: Intake) -> Row:
    return {
        "file": name,
        **_named(one.series),
        "rows": one.rows,
        "new": one.merge.new,
        "same": one.merge.same,
        "differing": one.merge.differing,
        "first": date(one.first),
        "last": date(one.last),
        "findings": [_finding(finding) for finding in one.findings],
    }


def tell_series(catalogue: Catalogue, *, as_json: bool) -> None:
    """Print every series and how much of it there is; raises DataError for those that are broken.

    The others are printed first.
    """
    rows: list[Row] = []
    broken: list[str] = []
    for series in catalogue.all_series():
        try:
            rows.append(_listed(series, catalogue.extent(series)))
        except DataError as error:
            broken.append(str(error))
    if as_json:
        _dump(rows)
    elif rows:
        _print(rows)
    elif not broken:
        sys.stdout.write(
            f"{catalogue.root} has nothing yet; add to it by 'tradeagent data import FILE' or "
            "'tradeagent data download SYMBOL'\n"
        )
    if broken:
        raise DataError("\n".join(broken))


def _listed(series: Series, extent: Extent) -> Row:
    length = series.length
    missing = (extent.last - extent.first) // length + 1 - extent.rows if length else None
    return {
        **_named(series),
        "rows": extent.rows,
        "first": date(extent.first),
        "last": date(extent.last),
        "missing": missing,
        "MB": round(extent.size / 1e6, 2),
    }


def tell_one(
    catalogue: Catalogue, series: Series, span: Span, count: int, *, as_json: bool
) -> None:
    """Print one series: rows, statistics, findings, and where it came from."""
    rows = catalogue.columns(series, span)
    shown, figures = _first_rows(rows, count), _statistics(series, rows)
    findings, card = of_rows(series, rows), catalogue.card(series)
    left_out = {one.name: one.faults for one in card.taken if one.faults}
    grid = card.instrument or card.seen
    if as_json:
        found = {**_named(series), "statistics": figures, "first_rows": shown}
        grid_told = None if grid is None else grid.model_dump(mode="json")
        sources = [one.model_dump(mode="json") for one in card.taken]
        asked = [one.model_dump(mode="json") for one in card.asked]
        told = [_finding(one) for one in findings]
        _dump({**found, "grid": grid_told, "files": sources, "asked": asked, "findings": told})
        return
    sys.stdout.write(f"{series}{'' if span == EVER else f' {span}'}\n\n")
    if shown:
        _print(shown)
        sys.stdout.write("\n")
    for name, value in figures.items():
        sys.stdout.write(f"{name:<22} {_cell(value)}\n")
    if grid is not None:
        who = "as the source told it" if card.instrument else "as the data show it"
        sys.stdout.write(f"{'grid':<22} tick {grid.tick:f}, lot {grid.lot:f} ({who})\n")
    for file, faults in left_out.items():
        counts = ", ".join(f"{code} {count:,}" for code, count in faults.items())
        sys.stdout.write(f"{'put right at import':<22} {file}: {counts}\n")
    sys.stdout.write("\n")
    tell_findings([(series, one) for one in findings], 1, as_json=False)


def _first_rows(rows: Columns, count: int) -> list[dict[str, object]]:
    cells = {name: column[:count].tolist() for name, column in rows.items()}
    every = [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]
    return [{**row, "time": date(int(row["time"]))} for row in every]


def _statistics(series: Series, rows: Columns) -> dict[str, object]:
    time = rows["time"]
    if not len(time):
        return {"rows": 0}
    first, last = int(time[0]), int(time[-1])
    found: dict[str, object] = {"rows": len(time), "first": date(first), "last": date(last)}
    for name, column in rows.items():
        if name in PRICES or name in ("volume", "size", "rate"):
            low, mean, high = float(np.min(column)), float(np.mean(column)), float(np.max(column))
            found[name] = f"{low:g} to {high:g}, mean {mean:g}"
    if "volume" in rows:
        found["volume, sum"] = float(np.sum(rows["volume"]))
    if series.kind == "bars" and len(time) > 2 and bool((rows["close"] > 0).all()):
        returns = np.diff(np.log(rows["close"].astype(np.float64)))
        found["change"] = f"{float(rows['close'][-1] / rows['open'][0]) - 1:+.2%}"
        found["return, deviation"] = f"{float(np.std(returns, ddof=1)):.4%} a candle"
    return found


def tell_findings(found: Sequence[tuple[Series, Finding]], checked: int, *, as_json: bool) -> None:
    """Print what was found in each series."""
    if as_json:
        _dump([{**_named(series), **_finding(one)} for series, one in found])
        return
    if not found:
        sys.stdout.write(f"nothing is wrong with {checked:,} series\n")
    _findings([(str(series), one) for series, one in found])


def tell_downloads(catalogue: Catalogue, done: Sequence[Downloaded], *, as_json: bool) -> None:
    """Print what came of each download."""
    if as_json:
        _dump([{**_downloaded(catalogue, one)} for one in done])
        return
    found: list[tuple[str, Finding]] = []
    for one in done:
        rows, first, last, _ = catalogue.extent(one.series)
        pages = f"in {counted(one.pages, 'page')}" if one.pages else "all is there already"
        there = f"{counted(rows, 'row')} from {date(first)} to {date(last)}" if rows else "no rows"
        sys.stdout.write(f"{one.series}: {one.new:,} new, {pages}; now {there}\n")
        if one.note:
            sys.stdout.write(f"  {one.note}\n")
        findings = of_rows(one.series, catalogue.columns(one.series))
        found += [(str(one.series), finding) for finding in findings]
    _findings(found)


def _downloaded(catalogue: Catalogue, one: Downloaded) -> Row:
    listed = _listed(one.series, catalogue.extent(one.series))
    return {**listed, "new": one.new, "pages": one.pages, "note": one.note}


def _named(series: Series) -> dict[str, object]:
    return {"symbol": series.symbol, "kind": series.kind, "timeframe": series.timeframe}


def _finding(one: Finding) -> dict[str, object]:
    first = None if one.first is None else date(one.first)
    return {"finding": one.code, "count": one.count, "first": first, "text": one.text}


def _findings(found: Sequence[tuple[str, Finding]]) -> None:
    if not found:
        return
    _print([{"in": name, **_finding(one)} for name, one in found])
    for code in dict.fromkeys(one.code for _, one in found):
        sys.stdout.write(f"  {code}: {MEANING[code]}\n")


def _print(rows: Sequence[Row]) -> None:
    table = Table(box=None)
    for name, value in rows[0].items():
        table.add_column(name, justify="right" if isinstance(value, int | float) else "left")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.10g}" if isinstance(value, float) else str(value)


def _dump(found: object) -> None:
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
