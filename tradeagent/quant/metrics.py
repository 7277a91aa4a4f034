"""The figures of a run, as they are stored; `meanings` says what each is."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

Ratio = float | None
"""A fraction: 0.01 is 1 %."""
Number = float | None
Money = float | None
"""In quote currency."""
Count = int | None
Seconds = float | None


class Orders(NamedTuple):
    """How many orders were refused, how many came to their end, and how many of these in vain."""

    rejected: int
    orders: int
    unfilled: int


class Metrics(BaseModel):
    """Every figure of a run; None where it is undefined.

    Losses on average, drawdowns, values at risk and costs paid are above 0. `MEANINGS` in
    `quant/meanings.py` has the title, unit and definition of each.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    start_equity: Money = None
    end_equity: Money = None
    profit: Money = None
    open_profit: Money = None
    total_return: Ratio = None
    cagr: Ratio = None
    duration: Seconds = None
    days: Count = None

    max_drawdown: Ratio = None
    max_drawdown_length: Seconds = None
    longest_underwater: Seconds = None
    underwater: Ratio = None
    ulcer: Ratio = None
    volatility: Ratio = None
    var_95: Ratio = None
    cvar_95: Ratio = None
    tail_ratio: Number = None
    skew: Number = None
    kurtosis: Number = None

    sharpe: Number = None
    sortino: Number = None
    calmar: Number = None
    sharpe_freqtrade: Number = None
    psr: Ratio = None
    minimum_track_record: Seconds = None

    trades: Count = None
    open_trades: Count = None
    win_rate: Ratio = None
    profit_factor: Number = None
    expectancy: Money = None
    expectancy_ratio: Number = None
    average_win: Money = None
    average_loss: Money = None
    average_trade: Ratio = None
    best_trade: Money = None
    worst_trade: Money = None
    sqn: Number = None
    kelly: Ratio = None
    win_streak: Count = None
    loss_streak: Count = None
    average_holding: Seconds = None
    longest_holding: Seconds = None
    carried_by: Count = None
    rejected: Count = None
    orders: Count = None
    unfilled: Count = None

    best_day: Ratio = None
    worst_day: Ratio = None
    winning_days: Ratio = None
    rolling_window: Count = None
    rolling_return_low: Ratio = None
    rolling_return_high: Ratio = None
    rolling_sharpe_low: Number = None
    rolling_sharpe_high: Number = None

    exposure: Ratio = None
    average_exposure: Number = None
    highest_exposure: Number = None
    traded: Money = None
    turnover: Number = None
    fees: Money = None
    funding: Money = None
    slippage: Money = None
    breakeven_cost: Ratio = None

    market_change: Ratio = None
    buy_and_hold: Money = None
    excess_return: Ratio = None
    market_drawdown: Ratio = None
    beta: Number = None
    correlation: Number = None

    long_trades: Count = None
    long_profit: Money = None
    long_win_rate: Ratio = None
    long_profit_factor: Number = None
    short_trades: Count = None
    short_profit: Money = None
    short_win_rate: Ratio = None
    short_profit_factor: Number = None
