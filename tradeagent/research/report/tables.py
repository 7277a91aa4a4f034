"""The tables of a report, ready to be printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tradeagent.quant.curve import DAY
from tradeagent.quant.days import Days
from tradeagent.quant.meanings import GROUPS, Meaning
from tradeagent.quant.metrics import Metrics
from tradeagent.quant.montecarlo import PERCENTILES, MonteCarlo
from tradeagent.quant.trades import Trade
from tradeagent.research import moments
from tradeagent.research.wording import NOTHING, basis_points, figure, length, money, percent

SHOWN = 50
"""Trades shown of each kind: first, last, best and worst."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Cell:
    """A month's return: its text, and how strong its colour is, from -1 to 1."""

    text: str
    strength: float


@dataclass(frozen=True, slots=True)
class Year:
    """The returns of a year by month, and of the whole."""

    name: str
    months: tuple[Cell | None, ...]
    whole: Cell


def months(found: Days) -> list[Year]:
    """Return the returns by calendar month in UTC; the first and last may be parts of one."""
    if not len(found):
        return []
    day = (found.ends - 1).astype("datetime64[ns]")
    month = day.astype("datetime64[M]").astype(np.int64)
    last = np.flatnonzero(np.append(np.diff(month) != 0, True))
    ends = found.equity[last + 1]
    starts = np.concatenate((found.equity[:1], ends[:-1]))
    by = {
        int(month[row]): (float(start), float(end))
        for row, start, end in zip(last, starts, ends, strict=True)
    }
    most = max(abs(_grown(*one)) for one in by.values()) or 1.0
    return [_year(year, by, most) for year in sorted({one // 12 for one in by})]


def _grown(start: float, end: float) -> float:
    return end / start - 1 if start > 0 else 0.0


def _year(year: int, by: dict[int, tuple[float, float]], most: float) -> Year:
    found = [by.get(year * 12 + place) for place in range(12)]
    known = [one for one in found if one is not None]
    return Year(
        str(1970 + year),
        tuple(None if one is None else _cell(_grown(*one), most) for one in found),
        _cell(_grown(known[0][0], known[-1][1]), most),
    )


def _cell(grown: float, most: float) -> Cell:
    return Cell(f"{grown * 100:+.2f}", max(-1.0, min(1.0, grown / most)))


@dataclass(frozen=True, slots=True)
class Row:
    """One trade as it is printed; `sort` has what each cell is sorted by."""

    cells: tuple[str, ...]
    sort: tuple[str | float, ...]
    won: bool


TRADE_COLUMNS = (
    *("#", "Symbol", "Side", "Size", "Entry (UTC)", "Entry price", "Exit (UTC)", "Exit price"),
    *("Held", "Fees", "Funding", "Profit", "Profit %"),
)


def chosen(trades: Sequence[Trade]) -> list[Row]:
    """Return the first, the last, the best and the worst trades in the order of their entry."""
    places = range(len(trades))
    if len(trades) > 4 * SHOWN:
        ranked = sorted(places, key=lambda place: trades[place].pnl)
        kept = {*places[:SHOWN], *places[-SHOWN:], *ranked[:SHOWN], *ranked[-SHOWN:]}
        return [_trade(place, trades[place]) for place in sorted(kept)]
    return [_trade(place, trades[place]) for place in places]


def _trade(place: int, one: Trade) -> Row:
    held = None if one.exit_time is None else (one.exit_time - one.entry_time) / 1e9
    value = float(one.size) * float(one.entry_price)
    part = float(one.pnl) / value if value else 0.0
    cells = (
        f"{place + 1}",
        one.symbol,
        one.side,
        f"{one.size:f}",
        moments.minute(one.entry_time),
        f"{one.entry_price:f}",
        "open" if one.exit_time is None else moments.minute(one.exit_time),
        NOTHING if one.exit_price is None else f"{one.exit_price:f}",
        NOTHING if held is None else length(held),
        money(float(one.fees)),
        money(float(one.funding)),
        money(float(one.pnl)),
        percent(part),
    )
    sort = (
        *(place, one.symbol, one.side, float(one.size), one.entry_time / 1e9),
        *(float(one.entry_price), (one.exit_time or 0) / 1e9, float(one.exit_price or 0)),
        *(held or 0.0, float(one.fees), float(one.funding), float(one.pnl), part),
    )
    return Row(cells, sort, one.pnl > 0)


@dataclass(frozen=True, slots=True)
class Named:
    """A figure with its meaning."""

    field: str
    meaning: Meaning
    text: str


def figures(metrics: Metrics) -> list[tuple[str, list[Named]]]:
    """Return every figure by its group."""
    return [
        (
            heading,
            [Named(field, meaning, figure(metrics, field)) for field, meaning in group.items()],
        )
        for heading, group in GROUPS.items()
    ]


def costs(metrics: Metrics) -> list[tuple[str, str, str]]:
    """Return the way from the profit before costs to what is left: name, money, part of traded."""
    fees, funding, slippage = metrics.fees or 0.0, metrics.funding or 0.0, metrics.slippage
    profit, traded = metrics.profit or 0.0, metrics.traded or 0.0
    rows = [("Profit before fees and funding", profit + fees + funding)]
    rows += [("Fees", -fees), ("Funding", -funding), ("Profit", profit)]
    if slippage is not None:
        rows.append(("Slippage, in the prices of the fills", -slippage))
    return [
        (name, money(amount), basis_points(amount / traded) if traded else NOTHING)
        for name, amount in rows
    ]


@dataclass(frozen=True, slots=True)
class Chance:
    """What the runs of one method came to, by percentile."""

    title: str
    end: tuple[str, ...]
    drawdown: tuple[str, ...]
    said: str


def chance(found: MonteCarlo) -> Chance:
    """Return a Monte Carlo of trades in words and numbers."""
    if found.method == "shuffle":
        title = "The same trades in another order"
        said = f"{percent(found.deeper)} of the orders had a deeper drawdown than the one that came"
    else:
        title = "As many trades, drawn anew from them"
        said = f"{percent(found.loss)} of the runs ended with a loss"
    return Chance(
        title,
        tuple(money(one) for one in found.end),
        tuple(percent(one) for one in found.drawdown),
        f"{said}, of {found.runs:,} runs; closed trade to closed trade, the drawdown was "
        f"{percent(found.observed)}.",
    )


PERCENTILE_NAMES = tuple(f"{one} %" for one in PERCENTILES)
SIDE_ROWS = ("trades", "profit", "win_rate", "profit_factor")


def whole_days(found: Days) -> str:
    """Return the first and the last day in words."""
    first, last = int(found.ends[0]) - DAY, int(found.ends[-1]) - DAY
    return f"{moments.day(first)} to {moments.day(last)}"
