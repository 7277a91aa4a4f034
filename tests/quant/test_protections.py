"""Protections lock what went wrong, for as long as they say, whenever they are counted again."""

from __future__ import annotations

from decimal import Decimal
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeagent.clock import SECOND
from tradeagent.quant.protections import Protections, ProtectionSettings, Trip

START = 1_700_000_000 * SECOND


def trip(second: int, pnl: int, *, symbol: str = "BTC", by: str = "a", stop: bool = False) -> Trip:
    return Trip(by, symbol, START + second * SECOND, Decimal(pnl), stop)


def guard(**settings: object) -> Protections:
    return Protections(
        ProtectionSettings.model_validate(
            {"stop_guard_stops": None, "max_losses_in_a_row": None, **settings}
        )
    )


@pytest.mark.parametrize(("last", "locked"), [(99, True), (100, False), (101, False)])
def test_the_stop_guard_counts_stops_within_its_window(last: int, locked: bool) -> None:
    """Three stops in under 100 s lock their symbol; the first falls out after exactly 100 s."""
    protections = guard(stop_guard_stops=3, stop_guard_window_s=100, stop_guard_lock_s=50)
    protections.closed(trip(0, -1, stop=True))
    protections.closed(trip(1, 5, stop=True))
    assert protections.closed(trip(2, -1)) == []
    assert protections.closed(trip(3, -1, symbol="ETH", stop=True)) == []

    found = protections.closed(trip(last, -1, stop=True))

    assert [(one.code, one.scope) for one in found] == [("STOP_GUARD", "BTC")] * locked
    if locked:
        (lock,) = found
        assert lock.until == START + (last + 50) * SECOND
        assert "3 stops" in lock.text
        assert protections.locked("BTC", ("a",), lock.until - 1) == lock
        assert protections.locked("ETH", ("a",), lock.until - 1) is None
        assert protections.locked("BTC", ("a",), lock.until) is None


def test_the_stop_guard_may_lock_all() -> None:
    """With scope all, stops of any symbol lock every symbol."""
    protections = guard(stop_guard_stops=2, stop_guard_scope="all")
    protections.closed(trip(0, -1, stop=True))

    (lock,) = protections.closed(trip(1, -1, symbol="ETH", stop=True))

    assert lock.scope == "*"
    assert protections.locked("SOL", ("z",), START + 2 * SECOND) == lock


def test_a_symbol_rests_after_a_close_and_longer_after_a_loss() -> None:
    """The longer of both cooldowns counts after a loss, the other after a win."""
    protections = guard(cooldown_after_close_s=10, cooldown_after_loss_s=60)

    (won,) = protections.closed(trip(0, 5))
    (lost,) = protections.closed(trip(1, -5))

    assert (won.scope, won.until) == ("BTC", START + 10 * SECOND)
    assert lost.until == START + 61 * SECOND
    assert protections.closed(trip(2, 5)) == []
    assert protections.locked("BTC", (), START + 30 * SECOND) == lost


def test_losses_in_a_row_pause_their_strategy_alone() -> None:
    """Two losses are borne, the third pauses, and each further one again; a win ends the row."""
    protections = guard(max_losses_in_a_row=3, losses_pause_s=10)
    for second in (0, 1):
        assert protections.closed(trip(second, -1, symbol="ETH")) == []
    assert protections.closed(trip(2, -1, by="b")) == []

    (lock,) = protections.closed(trip(3, -1))
    assert (lock.code, lock.scope) == ("LOSSES_IN_A_ROW", "a")
    assert protections.locked("SOL", ("b", "a"), START + 4 * SECOND) == lock
    assert protections.locked("SOL", ("b",), START + 4 * SECOND) is None

    (again,) = protections.closed(trip(20, -1))
    assert again.until == START + 30 * SECOND
    assert protections.closed(trip(40, 1)) == []
    assert protections.closed(trip(41, -1)) == []


TRIPS = st.lists(
    st.tuples(
        st.integers(0, 50),
        st.sampled_from([-3, -1, 2]),
        st.sampled_from(["BTC", "ETH"]),
        st.sampled_from("ab"),
        st.booleans(),
    ),
    max_size=30,
)


@given(TRIPS, st.integers(0, 30), st.sampled_from(["symbol", "all"]))
def test_a_restart_forgets_no_count_and_no_lock(
    steps: list[tuple[int, int, str, str, bool]], restart: int, scope: str
) -> None:
    """Wherever the run is cut, what is restored from trips and locks goes on as if it were not."""
    settings = {
        "stop_guard_stops": 2,
        "stop_guard_window_s": 60,
        "stop_guard_scope": scope,
        "max_losses_in_a_row": 2,
        "cooldown_after_loss_s": 5,
    }
    whole, cut = guard(**settings), guard(**settings)
    time, clock, done = 0, count(), []
    for wait, pnl, symbol, by, stop in steps:
        time += wait + 1
        one = trip(time, pnl, symbol=symbol, by=by, stop=stop)
        if next(clock) == restart:
            kept, cut = cut, guard(**settings)
            cut.restore(reversed(done), kept.locks.values())
        assert whole.closed(one) == cut.closed(one)
        done.append(one)
        for name in ("BTC", "ETH", "SOL"):
            now = one.time
            assert whole.locked(name, ("a",), now) == cut.locked(name, ("a",), now)
