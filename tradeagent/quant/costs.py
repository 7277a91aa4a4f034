"""What carrying out an order cost against the price it was decided at."""

from __future__ import annotations

from decimal import Decimal

from tradeagent.messages import Side


def slippage(side: Side, arrival: Decimal, average: Decimal) -> Decimal:
    """Return how much worse than `arrival` an order filled, as a ratio of it; below 0 is better."""
    return (average - arrival) / arrival * (1 if side == "buy" else -1)


def shortfall(
    side: Side, filled: Decimal, arrival: Decimal, average: Decimal, fees: Decimal
) -> Decimal:
    """Return the implementation shortfall of what filled, in quote currency (Perold 1988).

    The paper trade fills at `arrival` for nothing; what was not filled is not in it.
    """
    return (average - arrival) * filled * (1 if side == "buy" else -1) + fees
