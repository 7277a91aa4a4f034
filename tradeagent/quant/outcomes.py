"""What the closed trades of a run came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tradeagent.quant.curve import YEAR, Floats
from tradeagent.quant.trades import Trade

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Closed trades as columns, in the order they closed; profits are after costs, times in s."""

    pnl: Floats
    value: Floats
    """Size times entry price."""
    holding: Floats
    long: Flags

    def __len__(self) -> int:
        return len(self.pnl)

    def of(self, side: Literal["long", "short"]) -> Outcomes:
        """Return those of one side."""
        rows = self.long if side == "long" else ~self.long
        return Outcomes(self.pnl[rows], self.value[rows], self.holding[rows], self.long[rows])


def outcomes(trades: Sequence[Trade]) -> Outcomes:
    """Return the closed ones of `trades` as columns."""
    closed = [(one.exit_time, one) for one in trades if one.exit_time is not None]
    closed.sort(key=lambda pair: pair[0])
    rows = [
        (
            float(one.pnl),
            float(one.size) * float(one.entry_price),
            (ended - one.entry_time) / 1e9,
            one.side == "long",
        )
        for ended, one in closed
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return Outcomes(table[:, 0], table[:, 1], table[:, 2], table[:, 3] > 0)


def quality(found: Outcomes) -> dict[str, float | None]:
    """Return win rate, profit factor and the other ratios of profits to losses."""
    pnl = found.pnl
    if not len(pnl):
        return dict.fromkeys(("win_rate", "profit_factor", "expectancy", "expectancy_ratio"))
    won, lost = pnl[pnl > 0], pnl[pnl < 0]
    gross, loss = float(won.sum()), -float(lost.sum())
    rate = len(won) / len(pnl)
    average_win = gross / len(won) if len(won) else None
    average_loss = loss / len(lost) if len(lost) else None
    return {
        "win_rate": rate,
        "profit_factor": gross / loss if loss > 0 else None,
        "expectancy": float(pnl.mean()),
        "expectancy_ratio": (1 + (average_win or 0.0) / average_loss) * rate - 1
        if average_loss
        else None,
        "average_win": average_win,
        "average_loss": average_loss,
        "kelly": rate - (1 - rate) * average_loss / average_win
        if average_win and average_loss
        else None,
        "sqn": _sqn(pnl),
    }


def _sqn(pnl: Floats) -> float | None:
    spread = _deviation(pnl, ddof=1)
    return None if spread is None else sqrt(len(pnl)) * float(pnl.mean()) / spread


def _deviation(pnl: Floats, ddof: int) -> float | None:
    """Return the standard deviation, None where it is nothing but rounding."""
    if len(pnl) < 2:
        return None
    spread = float(pnl.std(ddof=ddof))
    return spread if spread > 1e-12 * float(np.abs(pnl).max()) else None


def extremes(found: Outcomes) -> dict[str, float | int | None]:
    """Return best and worst, streaks, holding times, and how few trades the profit rests on."""
    pnl = found.pnl
    if not len(pnl):
        return {}
    value = found.value > 0
    return {
        "average_trade": float((pnl[value] / found.value[value]).mean()) if value.any() else None,
        "best_trade": float(pnl.max()),
        "worst_trade": float(pnl.min()),
        "win_streak": streak(pnl > 0),
        "loss_streak": streak(pnl < 0),
        "average_holding": float(found.holding.mean()),
        "longest_holding": float(found.holding.max()),
        "carried_by": carried_by(pnl),
    }


def streak(marks: Flags) -> int:
    """Return the most marks in a row."""
    counted = np.cumsum(marks)
    before = np.maximum.accumulate(np.where(marks, 0, counted))
    return int((counted - before).max(initial=0))


def carried_by(pnl: Floats) -> int | None:
    """Return how many of the best trades make up all the profit; None where there is none."""
    total = float(pnl.sum())
    if total <= 0:
        return None
    best = np.cumsum(np.sort(pnl)[::-1])
    return int(np.searchsorted(best, total * (1 - 1e-12))) + 1


def sharpe_freqtrade(found: Outcomes, start: float, days: float) -> float | None:
    """Return freqtrade's Sharpe ratio, None where it prints -100 or divides by nothing."""
    spread = _deviation(found.pnl, ddof=0)
    if spread is None or start <= 0:
        return None
    mean = float(found.pnl.sum()) / max(1, int(days))
    return mean / spread * sqrt(YEAR)


def sides(found: Outcomes) -> dict[str, float | int | None]:
    """Return the split by long and short."""
    result: dict[str, float | int | None] = {}
    for side in ("long", "short"):
        part = found.of(side)
        ratios = quality(part)
        result[f"{side}_trades"] = len(part)
        result[f"{side}_profit"] = float(part.pnl.sum())
        result[f"{side}_win_rate"] = ratios["win_rate"]
        result[f"{side}_profit_factor"] = ratios["profit_factor"]
    return result
