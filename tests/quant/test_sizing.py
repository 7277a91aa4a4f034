"""Sizes are the arithmetic they say they are."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeagent.quant.sizing import (
    capped_kelly,
    fixed_fraction,
    fixed_quantity,
    plain,
    risk_per_trade,
    volatility_target,
)

D = Decimal
MONEY = st.decimals("1", "1000000", places=2)
PRICES = st.decimals("0.01", "100000", places=2)
RATIOS = st.decimals("0.001", "1", places=3)


def test_risk_per_trade_explains_itself() -> None:
    """The explanation is the arithmetic with its numbers."""
    sizing = risk_per_trade(D(10_000), D("0.01"), D(3000), D(2850))

    assert sizing.quantity == D(100) / D(150)
    assert sizing.explanation == "equity 10000 x 1% risk / stop distance 150 = 0.6667"


def test_fixed_quantity_is_what_it_says() -> None:
    """The quantity comes back as given, with its words; none, or less, is refused."""
    assert fixed_quantity(D("0.25")) == (D("0.25"), "quantity 0.25")
    with pytest.raises(ValueError, match="quantity must be above 0"):
        fixed_quantity(D(0))


def test_fixed_fraction_explains_itself() -> None:
    """A tenth of equity at the price, in numbers and words."""
    sizing = fixed_fraction(D("12345.67"), D("0.1"), D(50_000))

    assert sizing.quantity == D("1234.567") / D(50_000)
    assert sizing.explanation == "equity 12345.67 x 10% / price 50000 = 0.02469"


def test_volatility_target_explains_itself() -> None:
    """Half the volatility wanted is half the equity held, and the cap is named when it binds."""
    free = volatility_target(D(10_000), D("0.2"), D("0.4"), D(100), cap=D(1))
    held = volatility_target(D(10_000), D("0.2"), D("0.1"), D(100), cap=D(1))

    assert free.quantity == 50
    assert free.explanation == (
        "target 20% / volatility 40% = 0.5; equity 10000 x 0.5 / price 100 = 50"
    )
    assert held.quantity == 100
    assert held.explanation == (
        "target 20% / volatility 10% = 2, held to 1; equity 10000 x 1 / price 100 = 100"
    )


def test_kelly_is_capped_on_both_sides() -> None:
    """Kelly bets W - (1 - W) / R up to the cap, and nothing at a losing edge."""
    good = capped_kelly(D(1000), D("0.6"), D(2), cap=D(1), price=D(10))
    capped = capped_kelly(D(1000), D("0.6"), D(2), cap=D("0.25"), price=D(10))
    losing = capped_kelly(D(1000), D("0.3"), D(1), cap=D("0.25"), price=D(10))

    assert good.quantity == D(40)
    assert good.explanation == ("Kelly 60% - 40% / 2 = 0.4; equity 1000 x 0.4 / price 10 = 40")
    assert capped.quantity == D(25)
    assert losing.quantity == 0
    assert "held to 0" in losing.explanation


@given(MONEY, RATIOS, PRICES, PRICES)
def test_a_stop_costs_the_risk_and_no_more(
    equity: Decimal, risk: Decimal, price: Decimal, stop: Decimal
) -> None:
    """Quantity times stop distance is the risked part of equity, on either side of the price."""
    if price == stop:
        with pytest.raises(ValueError, match="stop distance"):
            risk_per_trade(equity, risk, price, stop)
    else:
        lost = risk_per_trade(equity, risk, price, stop).quantity * abs(price - stop)
        assert abs(lost - equity * risk) < D("1e-15")


@given(MONEY, RATIOS, st.decimals("0.01", "10", places=2), PRICES, RATIOS)
def test_weighted_sizes_stay_below_the_cap(
    equity: Decimal, ratio: Decimal, payoff: Decimal, price: Decimal, cap: Decimal
) -> None:
    """Neither volatility target nor Kelly ever puts more than the cap into a position."""
    for sizing in (
        volatility_target(equity, ratio, payoff, price, cap),
        capped_kelly(equity, ratio, payoff, cap, price),
    ):
        assert 0 <= sizing.quantity * price <= equity * cap + D("1e-15")


def test_no_equity_buys_nothing() -> None:
    """An account below zero gets size zero, never a negative one."""
    assert fixed_fraction(D(-5), D("0.1"), D(10)).quantity == 0
    assert risk_per_trade(D(-5), D("0.1"), D(10), D(9)).quantity == 0


@pytest.mark.parametrize("bad", [D(0), D(-1), D("NaN"), D("Infinity")])
def test_senseless_prices_are_refused(bad: Decimal) -> None:
    """A price or volatility that is no positive number raises and names itself."""
    with pytest.raises(ValueError, match="price"):
        fixed_fraction(D(1), D("0.1"), bad)
    with pytest.raises(ValueError, match="volatility"):
        volatility_target(D(1), D("0.1"), bad, D(1), D(1))
    with pytest.raises(ValueError, match="payoff"):
        capped_kelly(D(1), D("0.1"), bad, D(1), D(1))
    with pytest.raises(ValueError, match="win_rate"):
        capped_kelly(D(1), D("1.1"), D(1), D(1), D(1))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0", "0"),
        ("1E+4", "10000"),
        ("1234567.891", "1234567.89"),
        ("0.000012345", "0.00001234"),
        ("-0.5", "-0.5"),
        ("100", "100"),
    ],
)
def test_numbers_are_written_plainly(number: str, text: str) -> None:
    """No exponent, no noise of 28 digits, and small numbers keep four."""
    assert plain(D(number)) == text
