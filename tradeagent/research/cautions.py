"""What the reader of a result must know before believing it, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tradeagent.quant.curve import YEAR
from tradeagent.quant.luck import Trials, best_by_luck, deflated
from tradeagent.quant.metrics import Metrics
from tradeagent.research.result import Origin
from tradeagent.research.wording import counted, length, money, number, percent

SURE = 0.95
"""The probability from which a Sharpe ratio is no longer called luck."""
FEW_TRADES = 30
SHORT_DAYS = 90
THIN = 0.0002
"""A break-even cost, as a ratio of a fill's value, that a spread alone can eat."""
CARRIED = 0.05
"""The part of the trades that may not carry all of the profit."""
UNDER_WATER = 0.5
"""The part of a run that one drawdown may last."""
DEEP = 0.5
"""A drawdown after which few would still be trading."""
REFUSED = 0.1
"""The part of the orders that may be refused before the result is one of the rules."""
UNFILLED, FEW_UNFILLED = 0.1, 3
"""The part of the orders, and the number of them, that may come to nothing."""


class Case(NamedTuple):
    """What a warning is derived from."""

    metrics: Metrics
    origin: Origin
    trials: Trials | None


class Caution(NamedTuple):
    """One warning: its name, when it is given, and how it is put."""

    name: str
    when: str
    say: Callable[[Case], str | None]


def cautions(metrics: Metrics, origin: Origin, trials: Trials | None = None) -> tuple[str, ...]:
    """Return every warning that a result deserves, the gravest first."""
    case = Case(metrics, origin, trials)
    said = (caution.say(case) for caution in CAUTIONS)
    return tuple(one for one in said if one is not None)


def _ruin(case: Case) -> str | None:
    end = case.metrics.end_equity
    if end is None or end > 0:
        return None
    return f"The account was lost: it ended with {money(end)}."


def _no_trades(case: Case) -> str | None:
    if case.metrics.trades or case.metrics.open_trades:
        return None
    return "Nothing was traded: there is no result to judge."


def _chosen(case: Case) -> str | None:
    if case.trials is None or case.trials.count < 2:
        return None
    count, found = case.trials.count, deflated(case.metrics, case.trials)
    best = best_by_luck(case.trials)
    if best is None:
        return (
            f"It is the best of {count:,} tries, and too few of them have a Sharpe ratio to tell "
            "skill from that choice."
        )
    if found is None:
        return f"It is the best of {count:,} tries, and too short to tell skill from that choice."
    said = (
        f"It was chosen out of {count:,} tries, of which the best would have a Sharpe of "
        f"{number(best * YEAR**0.5)} by luck alone; the deflated Sharpe is {percent(found)}"
    )
    return f"{said}: this result may well be luck." if found < SURE else f"{said}."


def _lucky(case: Case) -> str | None:
    psr, needed = case.metrics.psr, case.metrics.minimum_track_record
    if psr is None or psr >= SURE:
        return None
    said = f"The probability that the true Sharpe is above 0 is {percent(psr)}"
    if needed is None:
        return f"{said}: there is no sign of an edge."
    return f"{said}: this may be luck; at this rate it takes {length(needed)} to be 95 % sure."


def _short(case: Case) -> str | None:
    span, days = case.metrics.duration, case.metrics.days
    if span is None or days is None or span >= SHORT_DAYS * 86_400:
        return None
    if days < 2:
        return "It covers less than two days: ratios that rest on daily returns are undefined."
    return (
        f"It covers {length(span)} of {_markets(case.origin)}: figures a year are extrapolated, "
        "and other times may differ."
    )


def _markets(origin: Origin) -> str:
    count = len(origin.symbols)
    return "one market" if count == 1 else f"{count} markets"


def _few(case: Case) -> str | None:
    trades = case.metrics.trades
    if not trades or trades >= FEW_TRADES:
        return None
    return f"{_are(trades, 'closed trade')} too few for their statistics to mean much."


def _carried(case: Case) -> str | None:
    by, trades = case.metrics.carried_by, case.metrics.trades
    if by is None or not trades or by > max(1.0, CARRIED * trades):
        return None
    best = "the best one" if by == 1 else f"the {by} best"
    return f"Without {best} of {trades:,} trades there would be no profit."


def _thin(case: Case) -> str | None:
    left = case.metrics.breakeven_cost
    if left is None or left >= THIN:
        return None
    return (
        f"A further cost of {left * 10_000:.2g} basis points a fill would take the whole profit; "
        "a wider spread or a slower fill can be more."
    )


def _free(case: Case) -> str | None:
    traded = case.metrics.traded
    if not traded or case.metrics.fees != 0:
        return None
    return "No fees were charged: no venue is that cheap for long."


def _still_open(case: Case) -> str | None:
    count, profit = case.metrics.open_trades, case.metrics.open_profit
    if not count or profit is None:
        return None
    return f"{_are(count, 'position')} still open: {money(profit)} of the profit is at the mark."


def _deep(case: Case) -> str | None:
    depth = case.metrics.max_drawdown
    if depth is None or not DEEP <= depth < 1:
        return None
    return f"At its worst {percent(depth)} of the account was gone; few would have traded on."


def _under_water(case: Case) -> str | None:
    longest, span = case.metrics.longest_underwater, case.metrics.duration
    if not longest or not span or longest < UNDER_WATER * span:
        return None
    return f"It was below a former peak for {length(longest)} on end, of {length(span)} in all."


def _worse_than_holding(case: Case) -> str | None:
    excess, market = case.metrics.excess_return, case.metrics.market_change
    if excess is None or market is None or excess >= 0 or market <= 0:
        return None
    return f"Buying and holding made more: {percent(market)}."


def _refused(case: Case) -> str | None:
    refused = case.metrics.rejected
    asked = (refused or 0) + (case.metrics.orders or 0)
    if not refused or refused <= REFUSED * asked:
        return None
    orders = counted(asked, "order")
    return f"Rules or the venue refused {refused:,} of {orders}: the limits shape this result."


def _unfilled(case: Case) -> str | None:
    unfilled, orders = case.metrics.unfilled, case.metrics.orders
    if not unfilled or not orders or unfilled < max(FEW_UNFILLED, UNFILLED * orders):
        return None
    return (
        f"Of {counted(orders, 'order')} {unfilled:,} to enter ended without any fill: the trades "
        "are those of the orders that the market came to."
    )


def _bars(case: Case) -> str | None:
    if case.origin.fills != "bars" or not case.metrics.traded:
        return None
    return (
        "Fills are assumed at the prices of candles: what happened inside a candle, and what was "
        "there to be traded, is not known."
    )


def _are(count: int, name: str) -> str:
    return f"{counted(count, name)} {'is' if count == 1 else 'are'}"


CAUTIONS = (
    Caution("Account lost", "equity ended at 0 or below", _ruin),
    Caution("Nothing traded", "there is no trade, closed or open", _no_trades),
    Caution("Chosen out of many", "an optimiser tried more than one", _chosen),
    Caution("Perhaps luck", "the probabilistic Sharpe is below 95 %", _lucky),
    Caution("Short sample", "the run is shorter than 90 days", _short),
    Caution("Few trades", "fewer than 30 trades were closed", _few),
    Caution("Few trades carry it", "at most 5 % of the trades (or one) make all of it", _carried),
    Caution("Thin margin", "the break-even cost is below 2 basis points of a fill", _thin),
    Caution("No fees", "something was traded and no fee was paid", _free),
    Caution("Open positions", "a position stands at the end", _still_open),
    Caution("Deep drawdown", "half of the equity or more was gone", _deep),
    Caution("Long under water", "half of the run or more lies below one peak", _under_water),
    Caution("Worse than holding", "the market rose, and rose by more", _worse_than_holding),
    Caution("Many refusals", "more than one in ten orders was refused", _refused),
    Caution("Unfilled orders", "one in ten orders, three at least, was never filled", _unfilled),
    Caution("Fills from candles", "fills are made from candles, not from quotes or books", _bars),
)
"""Every warning in the order of the report; `docs/reports.md` has a row for each."""
