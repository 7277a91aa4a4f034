"""A round trip of one strategy in one symbol, from flat to flat."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from tradeagent.messages import ZERO


@dataclass(frozen=True, slots=True)
class Trade:
    """A position that was opened and, unless it still stands, closed again.

    `size` is the most that was held, in base units; prices are averages over all entries and all
    exits; times are UTC ns. `fees` and `funding` above 0 were paid, and `pnl` is what is left after
    both. One that still stands has no exit; its `pnl` is at the last mark.
    """

    symbol: str
    strategy: str
    side: Literal["long", "short"]
    size: Decimal
    entry_time: int
    entry_price: Decimal
    exit_time: int | None
    exit_price: Decimal | None
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    pnl: Decimal = ZERO

    @property
    def is_open(self) -> bool:
        """Tell whether the position still stands."""
        return self.exit_time is None
