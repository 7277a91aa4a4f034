"""The report of a result as one HTML page that needs nothing but itself."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tradeagent.quant.curve import Curve
from tradeagent.quant.days import days, rolling
from tradeagent.quant.holding import hold
from tradeagent.quant.luck import deflated
from tradeagent.quant.meanings import MEANINGS
from tradeagent.quant.montecarlo import monte_carlo
from tradeagent.quant.outcomes import outcomes
from tradeagent.research.report import figures, tables
from tradeagent.research.report.candles import embed
from tradeagent.research.result import Origin, Result
from tradeagent.research.wording import figure, percent

TEMPLATES = Path(__file__).parent / "templates"
HEADLINES = (
    *("total_return", "sharpe", "max_drawdown", "psr", "trades", "win_rate", "profit_factor"),
    *("market_change", "exposure", "fees"),
)
"""The figures on top of the page."""


def environment() -> Environment:
    """Return the templates; what is put into them is escaped, and nothing may be missing."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def raw(name: str) -> Markup:
    """Return a style sheet or script of ours as it is."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 - a file of ours


def render(result: Result, *, seed: int = 0) -> str:
    """Return the page; the same result and seed (of the Monte Carlo) give the same bytes."""
    page = environment().get_template("report.html.j2")
    # What is beyond all numbers is not drawn.
    with np.errstate(all="ignore"):
        drawn = {**_equity(result.curve, _market(result)), **_trades(result, seed)}
    return page.render(
        **_head(result),
        **drawn,
        groups=tables.figures(result.metrics),
        costs=tables.costs(result.metrics),
        sides=_sides(result),
        provenance=provenance(result.origin),
        style=raw("style.css"),
        scripts=[raw("table.js"), raw("candles.js")],
        candles=[asdict(one) for one in embed(result.prices, result.trades)],
    )


def save_html(result: Result, path: Path, *, seed: int = 0) -> None:
    """Write the page; a file that is there is replaced when the new one is whole."""
    write(path, render(result, seed=seed))


def write(path: Path, page: str) -> None:
    """Put a page in its place at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(page, encoding="utf-8")
    new.replace(path)


def _market(result: Result) -> Curve | None:
    if not len(result.curve):
        return None
    return hold(result.prices, int(result.curve.time[0]), int(result.curve.time[-1]))


def _head(result: Result) -> dict[str, object]:
    shown = [field for field in HEADLINES if getattr(result.metrics, field) is not None]
    headlines = [(MEANINGS[field], figure(result.metrics, field)) for field in shown]
    found = None if result.trials is None else deflated(result.metrics, result.trials)
    return {
        "title": result.origin.title,
        "origin": result.origin,
        "warnings": result.warnings,
        "checks": result.checks,
        "headlines": headlines,
        "trials": result.trials,
        "deflated": None if found is None else percent(found),
    }


def _equity(curve: Curve, market: Curve | None) -> dict[str, object]:
    found = days(curve)
    windows = rolling(found)
    some = len(curve) > 1
    return {
        "equity": figures.equity(curve, market, log=False) if some else None,
        "equity_log": figures.equity(curve, market, log=True) if some else None,
        "market": market is not None,
        "drawdown": figures.drawdown(curve) if some else None,
        "exposure": figures.exposure(curve) if some else None,
        "daily": figures.daily(found),
        "years": tables.months(found),
        "month_names": tables.MONTHS,
        "span": tables.whole_days(found) if len(found) else "",
        "rolling": figures.rolled(windows) if windows else [],
        "window": windows.window if windows else 0,
    }


def _trades(result: Result, seed: int) -> dict[str, object]:
    closed = outcomes(result.trades)
    start = float(result.curve.equity[0]) if len(result.curve) else 0.0
    drawn = monte_carlo(closed.pnl, start, "bootstrap", seed=seed) if start > 0 else None
    mixed = monte_carlo(closed.pnl, start, "shuffle", seed=seed) if start > 0 else None
    return {
        "distribution": figures.distribution(closed.pnl),
        "chances": [tables.chance(one) for one in (drawn, mixed) if one is not None],
        "percentiles": tables.PERCENTILE_NAMES,
        "band": None if drawn is None else figures.band(drawn),
        "seed": seed,
        "trade_columns": tables.TRADE_COLUMNS,
        "trade_rows": tables.chosen(result.trades),
        "trade_count": len(result.trades),
        "shown": tables.SHOWN,
    }


def _sides(result: Result) -> list[tuple[str, str, str]]:
    return [
        (
            MEANINGS[row].title,
            figure(result.metrics, f"long_{row}"),
            figure(result.metrics, f"short_{row}"),
        )
        for row in tables.SIDE_ROWS
    ]


def provenance(origin: Origin) -> list[tuple[str, str]]:
    """Return what was run on what, one fact a row."""
    rows = [
        (f"Strategy {name}", ", ".join(f"{key} {value}" for key, value in params.items()) or "-")
        for name, params in origin.strategies.items()
    ]
    rows += [
        ("Symbols", ", ".join(origin.symbols)),
        ("Timeframes", ", ".join(origin.timeframes) or "-"),
        ("Range played", f"{origin.start} to {origin.end}"),
        ("Fills made from", origin.fills),
        ("Seed", str(origin.seed)),
    ]
    rows += [(name.capitalize(), text) for name, text in origin.terms.items()]
    rows += [(f"Data {name}", f"sha256 {digest}") for name, digest in origin.data.items()]
    rows += [
        ("Configuration", origin.configuration),
        ("Code", origin.code),
        ("Journal", origin.journal),
        ("Version", origin.version),
    ]
    return rows
