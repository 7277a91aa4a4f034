"""Running totals over all symbols, so that the price of a check does not grow with their number."""

from __future__ import annotations

from decimal import Decimal

from tradeagent.agents.standing import Standing, Worst
from tradeagent.messages import ZERO


class Totals:
    """The worst cases of all symbols and of each group, brought up to date when asked for."""

    def __init__(self) -> None:
        self._moved: dict[str, Standing] = {}
        self._total = Worst()
        self._groups: dict[str, Decimal] = {}
        self._unpriced: dict[str, None] = {}

    def moved(self, symbol: str, standing: Standing) -> None:
        """Note that the mark, the position or the orders of a symbol changed."""
        standing.moved()
        standing.at_stake = True
        self._moved[symbol] = standing

    def others(self, symbol: str, own: Standing) -> Worst:
        """Return the worst case of every other symbol."""
        if self._moved and (len(self._moved) > 1 or symbol not in self._moved):
            self._settle(own)
        return self._total.less(own.worst_case)

    def group_others(self, own: Standing) -> Decimal:
        """Return the worst-case gross value of the other symbols of its group; after `others`."""
        if not own.group:
            return ZERO
        return self._groups.get(own.group, ZERO) - own.worst_case.gross

    def unpriced(self, symbol: str) -> str:
        """Return another symbol in which orders work that nothing tells the worth of, or nothing.

        Ask after `others`.
        """
        return next((name for name in self._unpriced if name != symbol), "")

    def _settle(self, own: Standing) -> None:
        """Bring the totals up to date with all that moved but `own`, which is asked without."""
        moved, self._moved = self._moved, {}
        for symbol, standing in moved.items():
            if standing is own:
                self._moved[symbol] = own
                continue
            before, after = standing.worst_case, standing.reckon()
            self._total = self._total.changed(before, after)
            if standing.group:
                known = self._groups.get(standing.group, ZERO)
                self._groups[standing.group] = known + after.gross - before.gross
            if standing.worst and not standing.price:
                self._unpriced[symbol] = None
            elif self._unpriced:
                self._unpriced.pop(symbol, None)
