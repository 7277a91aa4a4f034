"""What each figure of a run says: its title, its unit and its definition, in one table."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Unit(StrEnum):
    """What a figure counts."""

    RATIO = "ratio"
    """A fraction; 0.01 is printed as 1 %."""
    NUMBER = "number"
    MONEY = "quote currency"
    COUNT = "count"
    SECONDS = "seconds"


class Better(StrEnum):
    """Which of two values of a figure a trader would rather have."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = ""


class Meaning(NamedTuple):
    """What a figure says, and which way is better."""

    title: str
    unit: Unit
    definition: str
    better: Better = Better.NEITHER


_R, _N, _M, _C, _S = Unit.RATIO, Unit.NUMBER, Unit.MONEY, Unit.COUNT, Unit.SECONDS
_UP, _DOWN = Better.HIGHER, Better.LOWER

GROUPS: dict[str, dict[str, Meaning]] = {
    "Result": {
        "start_equity": Meaning("Start equity", _M, "Equity before the first trade."),
        "end_equity": Meaning(
            "End equity", _M, "Balance and open profit at the marks of the last moment.", _UP
        ),
        "profit": Meaning("Profit", _M, "End equity less start equity.", _UP),
        "open_profit": Meaning("Open profit", _M, "The part of it in positions that still stand."),
        "total_return": Meaning("Total return", _R, "Profit over start equity.", _UP),
        "cagr": Meaning("CAGR", _R, "(end / start) ^ (365 / days) - 1, days with fractions.", _UP),
        "duration": Meaning("Length", _S, "From the first moment to the last."),
        "days": Meaning(
            "Days",
            _C,
            "UTC days with a return. A day ends at midnight UTC; the first and the last "
            "may be parts of a day, and a day without trades counts with its return of 0.",
        ),
    },
    "Risk": {
        "max_drawdown": Meaning(
            "Max drawdown",
            _R,
            "The highest 1 - equity / highest equity so far, with open positions at their marks.",
            _DOWN,
        ),
        "max_drawdown_length": Meaning(
            "Max drawdown length",
            _S,
            "From the peak before the max drawdown until it was reached again, or the end.",
            _DOWN,
        ),
        "longest_underwater": Meaning(
            "Longest under water",
            _S,
            "The longest time from one peak until it was reached again, or the end.",
            _DOWN,
        ),
        "underwater": Meaning(
            "Time under water", _R, "The part of the time below a former peak.", _DOWN
        ),
        "ulcer": Meaning(
            "Ulcer index",
            _R,
            "The root of the mean squared drawdown at the ends of the days; divided by the "
            "number of days, where quantstats divides by one less.",
            _DOWN,
        ),
        "volatility": Meaning(
            "Volatility", _R, "std(daily returns, ddof 1) * sqrt(365), a year.", _DOWN
        ),
        "var_95": Meaning(
            "Value at risk 95 %",
            _R,
            "The loss that 5 % of the days exceed: the 5 % quantile of daily returns, "
            "interpolated, with its sign turned (not the one of a normal distribution).",
            _DOWN,
        ),
        "cvar_95": Meaning(
            "Expected shortfall 95 %",
            _R,
            "The mean loss of the worst days, those up to rank (days - 1) * 5 %, rounded down.",
            _DOWN,
        ),
        "tail_ratio": Meaning(
            "Tail ratio",
            _N,
            "|95 % quantile| / |5 % quantile| of daily returns, interpolated.",
            _UP,
        ),
        "skew": Meaning("Skewness", _N, "Third standardised moment of daily returns.", _UP),
        "kurtosis": Meaning(
            "Kurtosis", _N, "Fourth standardised moment of daily returns; 3 is normal."
        ),
    },
    "Ratios and luck": {
        "sharpe": Meaning(
            "Sharpe",
            _N,
            "mean(daily returns) / std(daily returns, ddof 1) * sqrt(365), risk-free rate 0.",
            _UP,
        ),
        "sortino": Meaning(
            "Sortino",
            _N,
            "mean(daily returns) / sqrt(sum(min(return, 0)^2) / days) * sqrt(365); "
            "undefined without a losing day.",
            _UP,
        ),
        "calmar": Meaning("Calmar", _N, "CAGR / max drawdown.", _UP),
        "sharpe_freqtrade": Meaning(
            "sharpe_freqtrade",
            _N,
            "The Sharpe ratio as freqtrade prints it: (sum of trade profits / start equity / "
            "whole days) / std(trade profit / start equity, ddof 0) * sqrt(365). It mixes days "
            "with trades; for comparison only, and undefined where freqtrade prints -100.",
        ),
        "psr": Meaning(
            "Probabilistic Sharpe",
            _R,
            "The probability that the true Sharpe is above 0: Phi(S * sqrt(days - 1) / "
            "sqrt(1 - skew * S + (kurtosis - 1) / 4 * S^2)), S the Sharpe of a day (Bailey "
            "and Lopez de Prado 2012).",
            _UP,
        ),
        "minimum_track_record": Meaning(
            "Minimum track record",
            _S,
            "How long such returns must go on for a probabilistic Sharpe of 95 %; "
            "undefined for a Sharpe of 0 or less.",
            _DOWN,
        ),
    },
    "Trades": {
        "trades": Meaning("Trades", _C, "Round trips that were closed."),
        "open_trades": Meaning("Open trades", _C, "Positions that still stand."),
        "win_rate": Meaning(
            "Win rate", _R, "Trades with a profit after costs, of those closed.", _UP
        ),
        "profit_factor": Meaning(
            "Profit factor",
            _N,
            "Sum of the profits over the sum of the losses, in money after costs; "
            "undefined without a loss.",
            _UP,
        ),
        "expectancy": Meaning(
            "Expectancy",
            _M,
            "Win rate * average win - loss rate * average loss: what a trade makes.",
            _UP,
        ),
        "expectancy_ratio": Meaning(
            "Expectancy ratio",
            _N,
            "(1 + average win / average loss) * win rate - 1; undefined without a loss.",
            _UP,
        ),
        "average_win": Meaning("Average win", _M, "Of trades with a profit.", _UP),
        "average_loss": Meaning("Average loss", _M, "Of trades with a loss.", _DOWN),
        "average_trade": Meaning(
            "Average trade", _R, "Mean of profit over size times entry price.", _UP
        ),
        "best_trade": Meaning("Best trade", _M, "The highest profit of a trade.", _UP),
        "worst_trade": Meaning(
            "Worst trade", _M, "The lowest profit of a trade, a loss below 0.", _UP
        ),
        "sqn": Meaning("SQN", _N, "sqrt(trades) * mean(profit) / std(profit, ddof 1).", _UP),
        "kelly": Meaning(
            "Kelly", _R, "Win rate - (1 - win rate) / (average win / average loss).", _UP
        ),
        "win_streak": Meaning("Longest win streak", _C, "Winning trades in a row."),
        "loss_streak": Meaning("Longest loss streak", _C, "Losing trades in a row."),
        "average_holding": Meaning("Average holding", _S, "Mean time from entry to exit."),
        "longest_holding": Meaning("Longest holding", _S, "Longest time from entry to exit."),
        "carried_by": Meaning(
            "Carried by",
            _C,
            "The fewest of the best trades without which the closed trades make no profit; "
            "undefined where they make none.",
            _UP,
        ),
        "rejected": Meaning("Rejected signals", _C, "Orders that a rule or the venue refused."),
        "orders": Meaning(
            "Orders",
            _C,
            "Orders that were filled or cancelled in the end, stops and targets left out.",
        ),
        "unfilled": Meaning(
            "Unfilled orders", _C, "Those of them to enter that ended without any fill."
        ),
    },
    "Days and rolling figures": {
        "best_day": Meaning("Best day", _R, "The highest daily return.", _UP),
        "worst_day": Meaning("Worst day", _R, "The lowest daily return.", _UP),
        "winning_days": Meaning(
            "Winning days", _R, "Days with a return above 0, of all days.", _UP
        ),
        "rolling_window": Meaning(
            "Rolling window", _C, "Days of the rolling figures: 30, or half the run."
        ),
        "rolling_return_low": Meaning(
            "Lowest rolling return", _R, "Of any window of that many days.", _UP
        ),
        "rolling_return_high": Meaning(
            "Highest rolling return", _R, "Of any window of that many days.", _UP
        ),
        "rolling_sharpe_low": Meaning(
            "Lowest rolling Sharpe", _N, "Of any window where it is defined.", _UP
        ),
        "rolling_sharpe_high": Meaning(
            "Highest rolling Sharpe", _N, "Of any window where it is defined.", _UP
        ),
    },
    "Exposure and costs": {
        "exposure": Meaning("Exposure", _R, "The part of the time that a position was held."),
        "average_exposure": Meaning(
            "Average leverage", _N, "Gross value of the positions over equity, over time."
        ),
        "highest_exposure": Meaning(
            "Highest leverage", _N, "The highest gross value over equity.", _DOWN
        ),
        "traded": Meaning("Traded value", _M, "Size times price of every fill, in and out."),
        "turnover": Meaning("Turnover", _N, "Traded value over the average equity over time."),
        "fees": Meaning("Fees", _M, "Paid to the venue; below 0 received.", _DOWN),
        "funding": Meaning("Funding", _M, "Paid on positions; below 0 received.", _DOWN),
        "slippage": Meaning(
            "Slippage",
            _M,
            "What the fills cost against the prices decided on; undefined where that is not known.",
            _DOWN,
        ),
        "breakeven_cost": Meaning(
            "Break-even cost",
            _R,
            "Profit over traded value: the further cost a fill could bear before nothing "
            "is left; undefined without a profit.",
            _UP,
        ),
    },
    "Market": {
        "market_change": Meaning(
            "Market change", _R, "Last price over first price less 1, of several symbols the mean."
        ),
        "buy_and_hold": Meaning(
            "Buy and hold",
            _M,
            "The profit of start equity put into the symbols in equal parts and left "
            "there, free of costs.",
        ),
        "excess_return": Meaning("Excess return", _R, "Total return less market change.", _UP),
        "market_drawdown": Meaning(
            "Market drawdown", _R, "The max drawdown of buying and holding."
        ),
        "beta": Meaning(
            "Beta", _N, "Covariance of daily returns with the market's, over its variance."
        ),
        "correlation": Meaning("Correlation", _N, "Of daily returns with the market's."),
    },
    "Long and short": {
        "long_trades": Meaning("Long trades", _C, "Closed."),
        "long_profit": Meaning("Long profit", _M, "Of closed trades.", _UP),
        "long_win_rate": Meaning("Long win rate", _R, "Of closed trades.", _UP),
        "long_profit_factor": Meaning("Long profit factor", _N, "As profit factor.", _UP),
        "short_trades": Meaning("Short trades", _C, "Closed."),
        "short_profit": Meaning("Short profit", _M, "Of closed trades.", _UP),
        "short_win_rate": Meaning("Short win rate", _R, "Of closed trades.", _UP),
        "short_profit_factor": Meaning("Short profit factor", _N, "As profit factor.", _UP),
    },
}
"""The meaning of each figure by its field, under the heading of its group, in order of print."""
MEANINGS: dict[str, Meaning] = {
    field: meaning for group in GROUPS.values() for field, meaning in group.items()
}
"""The same without the headings."""
