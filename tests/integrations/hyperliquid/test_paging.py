"""What the venue tells in pages is told whole, whichever end of it a page shows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integrations.hyperliquid.orders import ONE, TWO, fast
from tests.integrations.hyperliquid.scripted import Answer, fill, trading
from tradeagent.clock import NEVER
from tradeagent.errors import VenueUnavailable
from tradeagent.integrations.hyperliquid.paging import Span, all_pages


def paged(items: list[dict[str, object]], full: int, *, newest: bool) -> Answer:
    """Return a script that tells at most `full` of what was asked for: the newest, or the oldest.

    It tells the newest first then, as the oldest first else.
    """

    def answer(asked: dict[str, Any]) -> list[dict[str, object]]:
        start, end = asked["startTime"], asked.get("endTime", NEVER)
        within = [one for one in items if start <= int(str(one["time"])) <= end]
        return within[::-1][:full] if newest else within[:full]

    return answer


def follows(number: int, time: int) -> dict[str, object]:
    """Return a fill that starts where the one before it has ended."""
    start = f"{number // 100}.{number % 100:02}"
    return fill(number, time=time, oid=number, cloid=ONE, startPosition=start)


@pytest.mark.parametrize("newest", [False, True], ids=["oldest", "newest"])
async def test_fills_are_paged_whichever_the_venue_tells_first(newest: bool) -> None:
    """Each fill once, in their order, though a page begins and ends amid a millisecond."""
    fills = [follows(each, 1_000 + each // 7) for each in range(5_000)]
    async with trading(weight_share=1.0) as trader:
        trader.venue.info["userFillsByTime"] = paged(fills, 2_000, newest=newest)
        reports = await trader.exchange.get_fills(1_001 * 1_000_000)

    tids = [one.execution.tid for one in reports if one.execution]
    assert tids == [str(each) for each in range(7, 5_000)]


@pytest.mark.parametrize("newest", [False, True], ids=["oldest", "newest"])
async def test_a_burst_at_the_edge_of_a_page_is_told_whole(newest: bool) -> None:
    """Of 200 fills in one millisecond the first page holds some; the next has them all."""
    times = [*range(1_900), *[1_900] * 200, *range(1_901, 3_101)]
    fills = [follows(each, time) for each, time in enumerate(times)]
    async with trading(weight_share=1.0) as trader:
        trader.venue.info["userFillsByTime"] = paged(fills, 2_000, newest=newest)
        reports = await trader.exchange.get_fills(0)

    assert [one.execution.tid for one in reports if one.execution] == [
        str(each) for each in range(3_300)
    ]


@pytest.mark.parametrize("newest", [False, True], ids=["oldest", "newest"])
@given(data=st.data())
@settings(max_examples=80, deadline=None)
async def test_no_page_hides_anything(newest: bool, data: st.DataObject) -> None:
    """Whatever falls together: all is found where no millisecond holds more than a page."""
    full = data.draw(st.integers(2, 6))
    sizes = data.draw(st.lists(st.integers(0, full), max_size=12))
    times = [1_000 + moment for moment, size in enumerate(sizes) for _ in range(size)]
    items: list[dict[str, object]] = [{"time": time, "id": i} for i, time in enumerate(times)]
    script = paged(items, full, newest=newest)

    async def ask(span: Span) -> list[dict[str, Any]]:
        start, end = span
        told: list[dict[str, Any]] = script(
            {"startTime": start} if end is None else {"startTime": start, "endTime": end}
        )
        return told

    found = await all_pages(ask, 1_000, full, lambda one: (one["time"], one["id"]))

    assert sorted(one["id"] for one in found) == list(range(len(times)))


async def test_a_page_of_what_was_not_asked_for_ends_the_search() -> None:
    """A venue that takes no end of the span would be asked for ever; so it is no answer."""
    fills = [fill(each, time=1_000 + each, oid=each, cloid=ONE) for each in range(3_000)]
    async with trading(weight_share=1.0) as trader:
        trader.venue.info["userFillsByTime"] = lambda _: fills[1_000:]
        with pytest.raises(VenueUnavailable, match="not asked for"):
            await trader.exchange.get_fills(0)


@pytest.mark.parametrize("newest", [False, True], ids=["oldest", "newest"])
async def test_payments_are_paged_whichever_the_venue_tells_first(newest: bool) -> None:
    """Each payment once, oldest first; a page holds 500 of them."""

    def paid(number: int) -> dict[str, object]:
        delta = {"type": "funding", "coin": f"C{number % 3}", "usdc": "-1.5", "szi": "1.0"}
        time = 1_000 + number // 3
        return {"time": time, "hash": "0x0", "delta": {**delta, "fundingRate": "0.1"}}

    async with trading(weight_share=1.0) as trader:
        payments = [paid(number) for number in range(1_300)]
        trader.venue.info["userFunding"] = paged(payments, 500, newest=newest)
        told = await trader.exchange.get_funding(0)

    assert [one.time for one in told] == [(1_000 + n // 3) * 1_000_000 for n in range(1_300)]
    assert len({one.tid for one in told}) == 1_300


async def test_a_long_history_waits_for_room_in_the_limit() -> None:
    """Ten thousand fills weigh more than a minute allows: the rest of them is worth waiting for."""
    patient = dict.fromkeys(("mids_within", "request_timeout", "ack_within", "pong_within"), 900.0)
    fills = [fill(tid, time=1_700_000_000_000 + tid, cloid=ONE) for tid in range(9_000)]
    async with trading(clock=fast(300.0), **patient) as trader:
        trader.venue.info["userFillsByTime"] = paged(fills, 2_000, newest=False)
        told = await trader.exchange.get_fills(0)

    assert len(told) == 9_000


async def test_a_moment_with_a_full_page_is_left_behind() -> None:
    """Where one millisecond fills a page, asking goes on around it instead of for ever."""
    fills = [fill(each, time=1_000, oid=each, cloid=ONE) for each in range(2_000)]
    fills.append(fill(9_999, time=1_001, oid=9_999, cloid=TWO))
    async with trading() as trader:
        trader.venue.info["userFillsByTime"] = paged(fills, 2_000, newest=False)
        reports = await trader.exchange.get_fills(0)

    assert len(reports) == 2_001
