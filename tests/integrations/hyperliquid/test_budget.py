"""What the venue allows is never exceeded, and cancels always have room."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integrations.hyperliquid.clocks import SetClock
from tradeagent.clock import MILLISECOND, SECOND
from tradeagent.errors import OrderRefused, VenueUnavailable
from tradeagent.integrations.hyperliquid.answers import UserRateLimit
from tradeagent.integrations.hyperliquid.breaker import Breaker
from tradeagent.integrations.hyperliquid.budget import Actions, Weights
from tradeagent.integrations.hyperliquid.timing import VenueTime


@given(st.lists(st.tuples(st.sampled_from([1, 2, 20, 60]), st.floats(0, 5)), max_size=200))
async def test_no_minute_weighs_more_than_the_share(asked: list[tuple[int, float]]) -> None:
    """Whatever is asked when, no sixty seconds hold more than this line's part of the limit."""
    clock = SetClock()
    weights = Weights(clock, 0.25)
    spent: list[tuple[int, int]] = []
    for weight, pause in asked:
        clock.time += int(pause * SECOND)
        await weights.wait(weight, 600.0)
        spent.append((clock.time, weight))
        minute = [w for at, w in spent if at > clock.time - 60 * SECOND + MILLISECOND]
        assert sum(minute) <= 300


async def test_questions_leave_room_for_actions() -> None:
    """Questions use up their part alone; entries have more, and cancels pass all limits."""
    clock = SetClock()
    weights = Weights(clock, 0.5)
    for _ in range(24):
        await weights.wait(20, 0.0)

    with pytest.raises(VenueUnavailable, match="no room to ask"):
        await weights.wait(20, 5.0)
    for _ in range(120):
        weights.spend(1)
    with pytest.raises(OrderRefused, match="VENUE_BUDGET"):
        weights.spend(1)
    weights.charge(1)
    assert weights.used == 601


async def test_a_429_stops_questions_and_entries_for_a_while() -> None:
    """After the venue said that it was too much, nothing but cancels is sent for ten seconds."""
    clock = SetClock()
    weights = Weights(clock, 1.0)
    weights.push_back()

    with pytest.raises(OrderRefused):
        weights.spend(1)
    await weights.wait(2, 60.0)
    assert clock.time >= SECOND * 1_750_000_010
    weights.spend(1)


def test_entries_stop_at_the_reserve() -> None:
    """The last 500 actions are for cancels and exits; before the venue has told, nothing stops."""
    actions = Actions(500)
    actions.enter()
    actions.learn(
        UserRateLimit.model_validate(
            {"cumVlm": "0.0", "nRequestsUsed": 9499, "nRequestsCap": 10000, "nRequestsSurplus": 0}
        )
    )
    actions.enter()
    actions.charge()

    with pytest.raises(OrderRefused, match="VENUE_BUDGET: 9500 of 10000 actions are used"):
        actions.enter()


def test_the_breaker_lets_one_try_pass_in_each_pause() -> None:
    """Five failures open it; one attempt per pause may pass, and its success closes it."""
    clock = SetClock()
    breaker = Breaker(clock, 5, 5.0)
    for _ in range(5):
        assert breaker.passes()
        breaker.failed()

    assert not breaker.passes()
    clock.time += 6 * SECOND
    assert breaker.passes()
    assert not breaker.passes()
    breaker.failed()
    clock.time += 4 * SECOND
    assert not breaker.passes()
    clock.time += 2 * SECOND
    assert breaker.passes()
    breaker.worked()
    assert breaker.passes()
    assert not breaker.is_open


def test_a_node_that_lags_does_not_turn_the_venues_time_back() -> None:
    """Of the sightings of two minutes the latest time counts; then a new one is believed."""
    clock = SetClock()
    time = VenueTime(clock)
    ms = clock.now() // 1_000_000
    time.sight(ms)
    time.sight(ms - 30_000)

    assert time.skew == 0
    clock.time += 130 * SECOND
    time.sight(ms + 100_000)
    assert time.skew == 30
