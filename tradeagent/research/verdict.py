"""Whether the best of many tries is luck, in figures and in words."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from tradeagent.quant.curve import YEAR
from tradeagent.quant.luck import KNOWN, Trials, best_by_luck, deflated
from tradeagent.quant.overfitting import BLOCKS, overfitting
from tradeagent.research.tries import Try, luck_of, returns_of

SURE = 0.95
"""The deflated Sharpe ratio from which the best is more than luck."""
OVERFIT = 0.2
"""The probability of overfitting above which the choice is not to be believed."""
FEWEST_DAYS = 8
MEASURE = "sharpe"
"""The objective by which `overfitting` chooses."""


class Verdict(BaseModel):
    """What the best of `tries` by `objective` is worth.

    `deflated` is the probability that its Sharpe ratio is more than the best of as many worthless
    tries would have, `overfitting` the probability that the best of one half of the days by Sharpe
    is no better than the median in the other half (None where there are too few days or tries).
    `lucky` is the Sharpe ratio a year to expect of the best by luck (None where it is not known).
    """

    model_config = ConfigDict(frozen=True)

    tries: int
    complete: int
    objective: str = MEASURE
    best: int | None = None
    """The number of the best try."""
    traded: bool = True
    """Whether the best one did."""
    days: int = 0
    sharpe: float | None = None
    lucky: float | None = None
    deflated: float | None = None
    overfitting: float | None = None
    loss: float | None = None
    """The part of all splits of the days in which the best of one half lost in the other."""

    @property
    def survives(self) -> bool:
        """Tell whether nothing speaks for luck; overfitting does where the choice was by Sharpe."""
        sure = self.deflated is not None and self.deflated >= SURE
        ours = self.overfitting if self.objective == MEASURE else None
        return sure and (ours is None or ours <= OVERFIT)

    def told(self) -> tuple[str, ...]:
        """Return it in words."""
        if self.sharpe is None:
            return (f"{self._undefined()}: there is nothing to judge.",)
        head = "The best is more than luck explains" if self.survives else "The best may be luck"
        return (f"{head}: {self._deflated()}", self._overfitted())

    def _undefined(self) -> str:
        if self.best is None:
            return f"None of {self.tries:,} tries ended with a {self.objective}"
        if not self.traded:
            return (
                f"The best of {self.tries:,} tries by {self.objective} never traded (choose by "
                "what trading makes, such as --objective calmar)"
            )
        return (
            f"The best of {self.tries:,} tries by {self.objective} has no Sharpe ratio, which "
            "takes two days that differ"
        )

    def _deflated(self) -> str:
        if self.lucky is None:
            return (
                f"its Sharpe ratio is {self.sharpe:.2f}, but of {self.tries:,} tries fewer than "
                f"{KNOWN} have one to compare it with; what the best would have by luck, and with "
                "it the deflated Sharpe, is not known."
            )
        sure = "is not known" if self.deflated is None else f"is {self.deflated:.1%}"
        return (
            f"its Sharpe ratio is {self.sharpe:.2f}, the best of {self.tries:,} worthless tries "
            f"like these would have {self.lucky:.2f}; the probability that it is above that "
            f"(deflated Sharpe) {sure}, and from {SURE:.0%} on it counts as an edge."
        )

    def _overfitted(self) -> str:
        if self.overfitting is None:
            return (
                f"{self.complete:,} complete tries over {self.days:,} days are too few to say how "
                "likely the choice is overfitted."
            )
        what = f"The probability that the choice is overfitted is {self.overfitting:.0%}"
        if self.objective != MEASURE:
            what = (
                f"The probability that a choice by Sharpe is overfitted is {self.overfitting:.0%} "
                f"(of the choice by {self.objective} it is not known)"
            )
        return (
            f"{what}: over all ways to split the days in halves, so often the best of one half was "
            f"no better than the median in the other, and in {self.loss or 0:.0%} it lost money "
            "there."
        )


def judge(
    tries: Sequence[Try], count: int, best: Try | None, objective: str = MEASURE
) -> tuple[Verdict, Trials]:
    """Return what the best of tries over one range is worth, and how many and varied they were.

    `count` is how many there were in all, those over parts of the range too: they count as well.
    `best` is the best by `objective`.
    """
    tried = luck_of(tries, count)
    complete = [one for one in tries if one.state == "complete"]
    verdict = Verdict(tries=count, complete=len(complete), objective=objective)
    if best is None:
        return verdict, tried
    found = _figures(best, complete, tried)
    return verdict.model_copy(update={"best": best.number, **found}), tried


def _figures(best: Try, complete: Sequence[Try], tried: Trials) -> dict[str, float | None]:
    """Return what is known of the best."""
    metrics = best.metrics
    if metrics.sharpe is None:
        return {"traded": bool(metrics.trades or metrics.open_trades)}
    returns, lucky = returns_of(complete), best_by_luck(tried)
    found: dict[str, float | None] = {
        "days": len(returns),
        "sharpe": metrics.sharpe,
        "lucky": None if lucky is None else lucky * YEAR**0.5,
        "deflated": deflated(metrics, tried),
    }
    blocks = min(BLOCKS, len(returns) // 2 // 2 * 2)
    if len(returns) >= FEWEST_DAYS and len(complete) > 1:
        split = overfitting(returns, blocks)
        found |= {"overfitting": split.probability, "loss": split.loss}
    return found
