"""Nonces and limits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tradeagent.simulation.venue.limits import (
    MINUTE,
    Patience,
    Rolling,
    ceiling,
    exchange_weight,
    exhausted,
    info_weight,
    surcharge,
)
from tradeagent.simulation.venue.nonces import AHEAD, BEHIND, KEPT, nonce_refusal

NOW = 1_800_000_000_000


def test_a_nonce_is_used_once() -> None:
    """The second use is told as a duplicate, in the venue's words."""
    assert nonce_refusal([], NOW, NOW) is None
    assert nonce_refusal([NOW], NOW, NOW) == f"Invalid nonce: duplicate nonce {NOW}"


def test_a_nonce_may_come_late_but_not_below_the_hundred_highest() -> None:
    """Below a full set is too low; with room left, an older nonce is fine."""
    used = list(range(NOW, NOW + KEPT))
    low = f"Invalid nonce: nonce too low {NOW - 1} < {NOW}"
    assert nonce_refusal(used, NOW - 1, NOW) == low
    assert nonce_refusal(used[1:], NOW - 1, NOW) is None
    assert nonce_refusal(used, NOW + KEPT, NOW) is None


def test_a_nonce_lies_within_two_days_back_and_one_ahead() -> None:
    """Both ends of the window are outside it."""
    assert nonce_refusal([], NOW - BEHIND, NOW) is not None
    assert nonce_refusal([], NOW - BEHIND + 1, NOW) is None
    assert nonce_refusal([], NOW + AHEAD - 1, NOW) is None
    assert nonce_refusal([], NOW + AHEAD, NOW) is not None


def test_weights_are_those_of_the_protocol() -> None:
    """Forty orders more weigh one more; long answers cost more than short ones."""
    assert [exchange_weight(n) for n in (1, 39, 40, 79, 80)] == [1, 1, 2, 2, 3]
    weighed = [info_weight(kind) for kind in ("l2Book", "userRole", "userFills")]
    assert weighed == [2, 60, 20]
    assert surcharge("userFills", [{}] * 45) == 2
    assert surcharge("candleSnapshot", [{}] * 5000) == 83
    assert surcharge("meta", {}) == surcharge("openOrders", [{}] * 500) == 0


@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 60)), max_size=60))
def test_no_minute_holds_more_than_the_limit(steps: list[tuple[int, int]]) -> None:
    """Whatever comes when, what was let through in any minute is within the limit."""
    rolling, now, passed = Rolling(100), 0, []
    for pause, weight in steps:
        now += pause
        recent = sum(w for t, w in passed if t > now - MINUTE)
        allowed = rolling.take("ip", weight, now)
        assert allowed == (recent + weight <= 100)
        if allowed:
            passed.append((now, weight))


def test_an_exhausted_account_acts_every_ten_seconds() -> None:
    """What is refused neither counts nor puts the next turn off."""
    patience = Patience()
    assert patience.lets_pass("a", NOW)
    assert not patience.lets_pass("a", NOW + 5_000)
    assert not patience.lets_pass("a", NOW + 9_999)
    assert patience.lets_pass("b", NOW + 9_999)
    assert patience.lets_pass("a", NOW + 10_000)


def test_cancels_have_a_ceiling_of_their_own() -> None:
    """Twice the limit for small accounts, a hundred thousand more for large ones."""
    assert ceiling(10_000, cancel=False) == 10_000
    assert ceiling(10_000, cancel=True) == 20_000
    assert ceiling(500_000, cancel=True) == 600_000


def test_an_exhausted_account_is_told_in_the_venues_words() -> None:
    """The text is the one clients match."""
    assert exhausted(97460, 97456, "87457.46") == (
        "Too many cumulative requests sent (97460 > 97456) for cumulative volume traded "
        "$87457.46. Place taker orders to free up 1 request per USDC traded."
    )
