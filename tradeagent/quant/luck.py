"""How likely a Sharpe ratio is luck.

D. H. Bailey and M. Lopez de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15(2),
2012, and "The Deflated Sharpe Ratio", Journal of Portfolio Management 40(5), 2014. A Sharpe ratio
here is that of one period, not annualised; kurtosis is raw, 3 for a normal distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, e, isfinite, sqrt
from statistics import NormalDist, pstdev
from typing import NamedTuple

from tradeagent.quant.curve import YEAR
from tradeagent.quant.metrics import Metrics

EULER = 0.5772156649015329
"""The Euler-Mascheroni constant."""
KNOWN = 8
"""Ratios it takes, or those of all tries where they are fewer, to say how far apart they are."""
_NORMAL = NormalDist()


class Shape(NamedTuple):
    """The third and fourth standardised moment of a period's returns."""

    skew: float = 0.0
    kurtosis: float = 3.0

    def spread(self, sharpe: float) -> float:
        """Return the variance of an estimated Sharpe ratio, times the periods less one."""
        return 1 - self.skew * sharpe + (self.kurtosis - 1) / 4 * sharpe * sharpe


NORMAL = Shape()


@dataclass(frozen=True, slots=True)
class Trials:
    """How often an optimiser tried, and how far apart the Sharpe ratios of the tries were.

    `spread` is their standard deviation, of the ratio of a day, not annualised; None where too few
    of the ratios are known.
    """

    count: int
    spread: float | None


def trials(sharpes: Sequence[float]) -> Trials:
    """Return what the Sharpe ratios of all tries, of a day each, come to.

    A try whose ratio is not finite counts as a try and adds nothing to the spread. Where fewer
    than eight of more tries are known, the spread is not.
    """
    known = [one for one in sharpes if isfinite(one)]
    if len(known) < min(KNOWN, len(sharpes)):
        return Trials(len(sharpes), None)
    return Trials(len(sharpes), pstdev(known) if known else 0.0)


def probabilistic_sharpe(
    sharpe: float, periods: int, shape: Shape = NORMAL, against: float = 0.0
) -> float | None:
    """Return the probability that the true Sharpe ratio is above `against`.

    None for fewer than two periods, and where the moments leave no spread to judge by.
    """
    spread = shape.spread(sharpe)
    if periods < 2 or spread <= 0:
        return None
    return _NORMAL.cdf((sharpe - against) * sqrt(periods - 1) / sqrt(spread))


def best_by_luck(tried: Trials) -> float | None:
    """Return the highest Sharpe ratio to expect of tries that are worth nothing; 0 for one try.

    None where it is not known how far apart they were.
    """
    if tried.count < 2:
        return 0.0
    if tried.spread is None:
        return None
    high = _NORMAL.inv_cdf(1 - 1 / tried.count)
    higher = _NORMAL.inv_cdf(1 - 1 / (tried.count * e))
    return tried.spread * ((1 - EULER) * high + EULER * higher)


def deflated_sharpe(
    sharpe: float, periods: int, tried: Trials, shape: Shape = NORMAL
) -> float | None:
    """Return the probability that a Sharpe ratio is more than the best of so many by luck.

    None where either is not known.
    """
    lucky = best_by_luck(tried)
    return None if lucky is None else probabilistic_sharpe(sharpe, periods, shape, lucky)


def minimum_track_record(
    sharpe: float, shape: Shape = NORMAL, against: float = 0.0, confidence: float = 0.95
) -> int | None:
    """Return how many periods it takes to be that sure that the true ratio is above `against`.

    None where the ratio itself is not above it: no time would do.
    """
    if sharpe <= against:
        return None
    far = _NORMAL.inv_cdf(confidence) / (sharpe - against)
    needed = far * far * max(shape.spread(sharpe), 0.0)
    return ceil(1 + needed) if isfinite(needed) else None


def deflated(metrics: Metrics, tried: Trials) -> float | None:
    """Return the deflated Sharpe ratio of a run that was chosen out of many tries."""
    sharpe, days, skew, kurtosis = metrics.sharpe, metrics.days, metrics.skew, metrics.kurtosis
    if sharpe is None or days is None or skew is None or kurtosis is None:
        return None
    return deflated_sharpe(sharpe / sqrt(YEAR), days, tried, Shape(skew, kurtosis))
