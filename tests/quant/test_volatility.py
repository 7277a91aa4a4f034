"""Realised volatility is the standard deviation of log returns, whatever came before."""

from __future__ import annotations

from math import log, sqrt
from statistics import stdev

from hypothesis import given
from hypothesis import strategies as st

from tradeagent.quant.volatility import YEAR, Volatility

MINUTE = 60 * 1_000_000_000


@given(st.lists(st.floats(50, 150), min_size=12, max_size=60))
def test_it_is_the_standard_deviation_of_the_last_returns(closes: list[float]) -> None:
    """The running sums give what the definition gives over the last ten returns, annualised."""
    found = Volatility(10)
    for close in closes:
        found.update(close, MINUTE)
    returns = [log(b / a) for a, b in zip(closes[-11:], closes[-10:], strict=False)]
    expected = stdev(returns) * sqrt(YEAR / MINUTE)

    if found.annual is None:
        assert expected < 1e-4
    else:
        assert abs(found.annual - expected) <= 1e-6 * expected + 1e-4


def test_only_the_shortest_candles_count() -> None:
    """Longer candles are passed over; shorter ones start the window anew."""
    found = Volatility(10)
    for close in range(100, 112):
        found.update(close, 5 * MINUTE)
        found.update(50, 60 * MINUTE)
    assert found.seen == 10
    assert found.annual is not None

    found.update(100, MINUTE)
    assert (found.seen, found.annual, found.length) == (0, None, MINUTE)


def test_too_few_returns_and_a_flat_market_have_none() -> None:
    """None is returned rather than a number nobody may rest on."""
    found = Volatility(10)
    for close in range(100, 110):
        found.update(close, MINUTE)
    assert found.annual is None

    for _ in range(20):
        found.update(100, MINUTE)
    assert found.annual is None
