"""Figures are written with their units and no more digits than they deserve."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeagent.quant.meanings import Unit
from tradeagent.research.wording import basis_points, length, money, number, percent, value


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (percent(0.1234567), "12.35 %"),
        (percent(-0.000627), "-0.0627 %"),
        (percent(-1e-9), "0.00 %"),
        (percent(12.5), "1,250 %"),
        (percent(1e9), "1.00e+11 %"),
        (money(1234.5), "1,234.50"),
        (money(-1_234_567.8), "-1,234,568"),
        (money(-1e-9), "0.00"),
        (money(-0.0123), "-0.0123"),
        (number(1.005), "1.00"),
        (number(0.0123), "0.0123"),
        (number(-2.5e-7), "-2.50e-07"),
        (basis_points(-0.00045), "-4.50 bp"),
        (basis_points(-1e-9), "0.00 bp"),
        (length(0.25), "0.25 s"),
        (length(90), "1 min 30 s"),
        (length(3_600), "1 h"),
        (length(100_000), "1 d 3 h"),
        (length(400 * 86_400), "400 d"),
        (value(None, Unit.MONEY), "-"),
        (value(12_345, Unit.COUNT), "12,345"),
    ],
)
def test_an_amount_is_written_as_a_reader_expects(written: str, wanted: str) -> None:
    """The unit is beside it, thousands are set apart, nothing has a sign."""
    assert written == wanted


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_amount_can_be_written(amount: float) -> None:
    """Shortly, whatever it is."""
    for unit in Unit:
        if unit is not Unit.COUNT and (unit is not Unit.SECONDS or 0 <= amount < 1e12):
            assert 0 < len(value(amount, unit)) < 25
