"""Whether the best of many tries is luck, in figures and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import BaseModel, ConfigDict

from tradeagent.quant.curve import YEAR
from tradeagent.quant.luck import Trials, best_by_luck, deflated
from tradeagent.quant.overfitting import BLOCKS, overfitting
from tradeagent.research.tries import Try, luck_of, returns_of

SURE = 0.95
"""The deflated Sharpe ratio from which the best is more than luck."""
OVERFIT = 0.2
"""The probability of overfitting above which the choice is not to be believed."""
FEWEST_DAYS = 8


class Verdict(BaseModel):
    """What the best of `tries` is worth.

    `deflated` is the probability that its Sharpe ratio is more than the best of as many worthless
    tries would have, `overfitting` the probability that the best of one half of the days is no
    better than the median in the other half (None where there are too few days or tries). `lucky`
    is the Sharpe ratio a year to expect of the best by luck.
    """

    model_config = ConfigDict(frozen=True)

    tries: int
    complete: int
    days: int = 0
    sharpe: float | None = None
    lucky: float = 0.0
    deflated: float | None = None
    overfitting: float | None = None
    loss: float | None = None
    """The part of all splits of the days in which the best of one half lost in the other."""

    @property
    def survives(self) -> bool:
        """Tell whether nothing speaks for luck."""
        sure = self.deflated is not None and self.deflated >= SURE
        return sure and (self.overfitting is None or self.overfitting <= OVERFIT)

    def told(self) -> tuple[str, ...]:
        """Return it in words."""
        if self.sharpe is None:
            return (f"None of {self.tries:,} tries has a Sharpe ratio: there is nothing to judge.",)
        head = "The best is more than luck explains" if self.survives else "The best may be luck"
        said = [f"{head}: {self._deflated()}"]
        if self.overfitting is not None:
            said.append(
                f"The probability that the choice is overfitted is {self.overfitting:.0%}: over "
                "all ways to split the days in halves, so often the best of one half was no better "
                f"than the median in the other, and in {self.loss or 0:.0%} it lost money there."
            )
        else:
            said.append(
                f"{self.complete:,} complete tries over {self.days:,} days are too few to say how "
                "likely the choice is overfitted."
            )
        return tuple(said)

    def _deflated(self) -> str:
        sure = "is not known" if self.deflated is None else f"is {self.deflated:.1%}"
        return (
            f"its Sharpe ratio is {self.sharpe:.2f}, the best of {self.tries:,} worthless tries "
            f"like these would have {self.lucky:.2f}; the probability that it is above that "
            f"(deflated Sharpe) {sure}, and from {SURE:.0%} on it counts as an edge."
        )


def judge(tries: Sequence[Try], count: int, best: Try | None) -> tuple[Verdict, Trials]:
    """Return what the best of tries over one range is worth, and how many and varied they were.

    `count` is how many there were in all, those over parts of the range too: they count as well.
    """
    tried = replace(luck_of(tries), count=count)
    complete = [one for one in tries if one.state == "complete"]
    verdict = Verdict(tries=count, complete=len(complete))
    if best is None or best.metrics.sharpe is None:
        return verdict, tried
    returns = returns_of(complete)
    found: dict[str, float | int | None] = {
        "days": len(returns),
        "sharpe": best.metrics.sharpe,
        "lucky": best_by_luck(tried) * YEAR**0.5,
        "deflated": deflated(best.metrics, tried),
    }
    blocks = min(BLOCKS, len(returns) // 2 // 2 * 2)
    if len(returns) >= FEWEST_DAYS and len(complete) > 1:
        split = overfitting(returns, blocks)
        found |= {"overfitting": split.probability, "loss": split.loss}
    return verdict.model_copy(update=found), tried
