"""When the account is looked at: at each price that could matter, and at no other."""

from __future__ import annotations

from tradeagent.agents.exposure import Exposure
from tradeagent.agents.overrides import Overrides
from tradeagent.agents.standing import Standing
from tradeagent.clock import SECOND
from tradeagent.messages import RiskAlert
from tradeagent.quant.vitals import Vitals, Watch

MOVES = (0.02, 0.002)
"""Parts of a price by which it may have moved before the account is looked at again, if it can."""
CALM = 3600 * SECOND
"""For how long that holds at most, ns."""
OVERDUE = 120 * SECOND
"""After how long without a look at the account time alone is a reason for one, ns."""


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
        self._looked = 0
        self._calm_until = 0

    def disturb(self) -> None:
        """Take nothing for granted any more: something but a mark has changed."""
        self._calm_until = 0

    def is_quiet(self, standing: Standing, now: int) -> bool:
        """Tell whether a mark is where the account was found in order not long ago."""
        return now < self._calm_until and standing.low <= standing.mark <= standing.high

    def is_overdue(self, now: int) -> bool:
        """Tell whether time alone may have changed how the account stands since the last look."""
        exposure = self._exposure
        if now - self._looked < OVERDUE:
            return False
        if exposure.holds and now < self._calm_until:
            return now - exposure.silent_since() > OVERDUE
        return bool(exposure.holds or exposure.claims) or not exposure.stands

    def look(self, now: int, *, rests: bool) -> list[RiskAlert]:
        """Check the account as it stands; each crossing of a limit is told once.

        It `rests` afterwards where nothing is amiss.
        """
        self._looked, self._calm_until = now, 0
        lets, vitals = self._overrides.lets, self._exposure.vitals(now)
        told = self._watch.look(vitals, lambda rule, value, limit: lets(rule, value, limit, now))
        if rests and self._exposure.holds and self._exposure.stands:
            self._rest(now, vitals)
        return told

    def _rest(self, now: int, vitals: Vitals) -> None:
        """Work out how far marks may move until the account must be looked at again."""
        if vitals.blind > 0 or vitals.unprotected or vitals.unknown_orders:
            return
        for move in MOVES:
            if self._watch.is_quiet(self._exposure.vitals(now, move)):
                self._exposure.bracket(move)
                self._calm_until = now + CALM
                return
