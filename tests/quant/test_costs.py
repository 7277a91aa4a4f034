"""What an order cost is what the paper trade would have brought more."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tradeagent.quant.costs import shortfall, slippage

PRICES = st.decimals(1, 100_000, places=2)


def test_paying_more_and_getting_less_both_cost() -> None:
    """A buy above and a sell below the price of the decision slip by the same."""
    assert slippage("buy", Decimal(100), Decimal(101)) == Decimal("0.01")
    assert slippage("sell", Decimal(100), Decimal(99)) == Decimal("0.01")
    assert shortfall("buy", Decimal(2), Decimal(100), Decimal(101), Decimal(3)) == 5
    assert shortfall("sell", Decimal(2), Decimal(100), Decimal(101), Decimal(3)) == 1


@given(filled=PRICES, arrival=PRICES, average=PRICES, later=PRICES, fees=PRICES)
def test_paper_and_real_trade_differ_by_the_shortfall(
    filled: Decimal, arrival: Decimal, average: Decimal, later: Decimal, fees: Decimal
) -> None:
    """At any later price, the trade for nothing at `arrival` is ahead by exactly that."""
    for side, sign in (("buy", 1), ("sell", -1)):
        paper = (later - arrival) * filled * sign
        real = (later - average) * filled * sign - fees
        assert paper - real == shortfall(side, filled, arrival, average, fees)  # type: ignore[arg-type]
