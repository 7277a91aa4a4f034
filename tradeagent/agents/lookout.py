"""When the account is looked at: at each price that could matter, and at no other."""

from __future__ import annotations

from tradeagent.agents.exposure import Exposure
from tradeagent.agents.overrides import Overrides
from tradeagent.agents.standing import Standing
from tradeagent.clock import SECOND
from tradeagent.messages import RiskAlert
from tradeagent.quant.vitals import Watch

MOVES = (0.02, 0.002)
"""Parts of a price by which it may have moved before the account is looked at again, if it can."""
FOREVER, NEVER = 1e9, 1 << 62
"""Seconds, and a time (ns), that do not come."""
QUIET = frozenset({"blind"})
"""What may count while the account rests: a price ends it."""
CALM = 3600 * SECOND
"""For how long that holds at most, ns."""


class Lookout:
    """Looks at the account with every check, and works out how long none of them can change.

    While no mark has left its band, and nothing else has happened, a look would find what the last
    one found: the account in order.
    """

    def __init__(self, exposure: Exposure, overrides: Overrides, watch: Watch) -> None:
        """Look with the checks of `watch`, as far as no override lifts them."""
        self._exposure = exposure
        self._overrides = overrides
        self._watch = watch
        self._calm_until = 0
        self._due = 0

    def disturb(self) -> None:
        """Take nothing for granted any more: something but a mark has changed."""
        self._calm_until = self._due = 0

    def is_quiet(self, standing: Standing, now: int) -> bool:
        """Tell whether a mark is where the account was found in order not long ago."""
        return now < self._calm_until and standing.low <= standing.mark <= standing.high

    def is_overdue(self, now: int) -> bool:
        """Tell whether time alone may have changed how the account stands since the last look."""
        return now >= self._due

    def look(self, now: int, *, rests: bool) -> list[RiskAlert]:
        """Check the account as it stands; each crossing of a limit is told once.

        It `rests` afterwards where nothing is amiss.
        """
        self._calm_until = 0
        exposure = self._exposure
        lets, vitals = self._overrides.lets, exposure.vitals(now)
        told = self._watch.look(vitals, lambda rule, value, limit: lets(rule, value, limit, now))
        counting = exposure.counting()
        left = self._watch.time_left(vitals, counting)
        self._due = now + int(left * SECOND) + 1 if left < FOREVER else NEVER
        if (lapse := exposure.claims.lapse) is not None:
            self._due = min(self._due, lapse + 1)
        if rests and exposure.holds and exposure.stands and counting <= QUIET:
            self._rest(now)
        return told

    def _rest(self, now: int) -> None:
        """Work out how far marks may move until the account must be looked at again."""
        for move in MOVES:
            if self._watch.is_quiet(self._exposure.vitals(now, move)):
                self._exposure.bracket(move)
                alone = self._exposure.held == 1  # a price of it tells that it is not silent
                self._calm_until = now + CALM if alone else min(now + CALM, self._due)
                return
