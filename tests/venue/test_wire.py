"""Values on the wire."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeagent.simulation.venue.base import Malformed
from tradeagent.simulation.venue.wire import (
    address,
    cloid,
    decimal_text,
    plain_decimal,
    vault_address,
)

DECIMALS = st.decimals(min_value=-(10**12), max_value=10**12, places=8)
LOWER = "0x1563915e194d8cfba1943570603f7606a3115508"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("60510", "60510.0"),
        ("0.50", "0.5"),
        ("-0.0", "0.0"),
        ("1E+2", "100.0"),
        ("1E-8", "0.00000001"),
    ],
)
def test_a_decimal_is_shown_with_one_decimal_at_least_and_no_exponent(
    value: str, shown: str
) -> None:
    """Answers read "60510.0", never "60510" nor "6.051E4"."""
    assert decimal_text(Decimal(value)) == shown


@given(DECIMALS)
def test_a_decimal_keeps_its_value_on_the_wire(value: Decimal) -> None:
    """What is shown is the number, and its signed form is that number again."""
    assert Decimal(decimal_text(value)) == value
    assert Decimal(plain_decimal(decimal_text(value))) == value
    assert "." not in plain_decimal(decimal_text(value.to_integral_value()))


@pytest.mark.parametrize("text", ["", "1e5", "+1", ".5", "5.", "1 ", "nan", "٣", "1" * 21, 1, None])
def test_what_is_no_plain_decimal_is_malformed(text: object) -> None:
    """Exponents, signs, missing digits and JSON numbers are refused."""
    with pytest.raises(Malformed):
        plain_decimal(text)


def test_addresses_are_compared_in_lower_case() -> None:
    """A checksummed address is the same address, and a vault may come without its 0x."""
    checksummed = "0x1563915e194D8CfBA1943570603F7606A3115508"
    assert address(checksummed) == LOWER
    assert vault_address(checksummed[2:]) == vault_address(LOWER) == LOWER
    for wrong in (LOWER[:-1], LOWER[2:], LOWER + "0", None):
        with pytest.raises(Malformed):
            address(wrong)


def test_a_client_order_id_is_sixteen_bytes() -> None:
    """Its hex is read in any case; any other length is refused."""
    assert cloid("0x" + "AB" * 16) == "0x" + "ab" * 16
    for wrong in ("0x" + "ab" * 15, "ab" * 16, 7):
        with pytest.raises(Malformed):
            cloid(wrong)
