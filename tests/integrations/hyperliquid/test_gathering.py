"""Who asks the same at once shares an answer, and nobody gets one that is older than its question.

Where this side has no room to ask, nothing is held against the venue.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.integrations.hyperliquid.orders import ONE, TWO, fast, known, state, told
from tests.integrations.hyperliquid.scripted import Trader, basic, fill, trading
from tests.integrations.hyperliquid.test_streams import NOW, say_fills
from tradeagent.clock import SECOND
from tradeagent.integrations.hyperliquid.budget import NoRoom
from tradeagent.integrations.hyperliquid.gathering import Gathering
from tradeagent.messages import OrderStatus

S = OrderStatus


class Line:
    """A line that is ready, and answers, when a test says so."""

    def __init__(self) -> None:
        self.gathering = Gathering()
        self.ready, self.back = asyncio.Event(), asyncio.Event()
        self.sent = 0

    async def ask(self) -> int:
        """Ask the one question; returns which sending answers it."""
        return await self.gathering.ask("?", self._ready, self._send)

    async def _ready(self) -> None:
        await self.ready.wait()

    async def _send(self) -> int:
        self.sent += 1
        number = self.sent
        await self.back.wait()
        return number


async def turned() -> None:
    """Let everything run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_waits_together_shares_an_answer() -> None:
    """Three ask before it is sent: one sending answers them all."""
    line = Line()
    asking = [asyncio.ensure_future(line.ask()) for _ in range(3)]
    await turned()
    line.ready.set()
    line.back.set()

    assert await asyncio.gather(*asking) == [1, 1, 1]


async def test_who_asks_after_the_sending_gets_an_answer_of_its_own() -> None:
    """What it asks about may have happened since the other was sent."""
    line = Line()
    line.ready.set()
    first = asyncio.ensure_future(line.ask())
    await turned()
    assert line.sent == 1
    second = asyncio.ensure_future(line.ask())
    await turned()
    line.back.set()

    assert await asyncio.gather(first, second) == [1, 2]


@pytest.mark.parametrize("sent", [False, True])
async def test_who_leaves_takes_nobody_along(sent: bool) -> None:
    """Where the one that asks for all is cancelled, before or after the sending, another asks."""
    line = Line()
    asking = [asyncio.ensure_future(line.ask()) for _ in range(3)]
    await turned()
    if sent:
        line.ready.set()
        await turned()
    asking[0].cancel()
    await turned()
    line.ready.set()
    line.back.set()

    assert all(number > sent for number in await asyncio.gather(*asking[1:]))
    assert asking[0].cancelled()


async def test_all_learn_why_there_is_no_answer() -> None:
    """No room is no room for everybody who waited for it, and the next may try again."""
    gathering = Gathering()

    async def full() -> None:
        await turned()
        raise NoRoom("full")

    async def answer() -> int:
        return 1

    asking = [gathering.ask("?", full, answer) for _ in range(2)]
    found = await asyncio.gather(*asking, return_exceptions=True)

    assert [type(one) for one in found] == [NoRoom, NoRoom]
    assert await gathering.ask("?", turned, answer) == 1


async def test_ten_proofs_ask_as_one() -> None:
    """What ten orders without an answer need of the account is asked for once, not ten times."""
    async with trading() as trader:
        since = trader.venue.now() // 300_000 * 300_000 * 1_000_000 + SECOND

        async def look(number: int) -> None:
            await trader.exchange.get_account_info()
            await trader.exchange.get_fills(since + number * SECOND)
            await trader.exchange.get_open_orders()

        trader.venue.questions.clear()
        await asyncio.gather(*(look(number) for number in range(10)))
        asked = Counter(one["type"] for one in trader.venue.questions)

    assert asked == {"clearinghouseState": 1, "userFillsByTime": 1, "frontendOpenOrders": 1}


async def test_each_is_told_only_what_it_asked_for() -> None:
    """Though fills of some minutes before are in the answer they are not told."""
    async with trading() as trader:
        now = trader.venue.now() // 300_000 * 300_000 + 100_000
        fills = [fill(1, time=now - 1, cloid=ONE), fill(2, time=now, cloid=ONE)]
        trader.venue.info["userFillsByTime"] = lambda _: fills
        reports = await trader.exchange.get_fills(now * 1_000_000)

    assert [one.execution.tid for one in reports if one.execution] == ["2"]


def spend(trader: Trader) -> None:
    """Use up all the room there is for questions."""
    weights = trader.exchange._rest.weights
    while weights.used < weights.limit:
        weights.charge(20)


async def test_no_room_is_no_failure_of_the_venue() -> None:
    """However often there is no room to ask, the breaker stays closed and the line stands."""
    async with trading(clock=fast(100.0), mids_within=900.0, read_patience=0.1) as trader:
        spend(trader)
        for _ in range(10):
            with pytest.raises(NoRoom):
                await trader.exchange.get_open_orders()
        assert not trader.exchange._rest.reads.is_open
        assert trader.exchange._rest.reads.passes()
        assert state(trader) == "up"


async def test_what_a_stream_leaves_open_waits_for_room() -> None:
    """An order's end that needs a question, and a fill without a name: told when there is room."""
    patient = {"mids_within": 900.0, "pong_within": 900.0, "read_patience": 0.1}
    async with trading(clock=fast(100.0), **patient) as trader:
        trader.venue.info["orderStatus"] = lambda _: known(TWO, "open", oid=6)
        trader.venue.info["userFillsByTime"] = lambda _: [fill(3, oid=7, cloid=ONE, sz="0.02")]
        spend(trader)
        ended = {"order": basic(ONE, oid=7, sz="0.0"), "status": "filled", "statusTimestamp": NOW}
        await say_fills(trader, fill(1, oid=6))
        await trader.venue.say("orderUpdates", [ended])
        await trader.until(lambda _: len(told(trader)) == 3)
        states = state(trader)

    assert {(TWO, S.PARTIAL, "1"), (ONE, S.FILLED, "3"), (ONE, S.FILLED, None)} == {*told(trader)}
    assert states == "up"


async def test_a_wait_for_room_does_not_make_the_venue_late() -> None:
    """The venue's time is read where its answer arrives, however long the question waited."""

    async def measured(trader: Trader) -> float:
        await trader.exchange._venue.time()
        return abs(trader.exchange.time.skew)

    async with trading(clock=fast(100.0), mids_within=900.0, pong_within=900.0) as trader:
        trader.exchange.time._ahead = None
        spend(trader)
        trader.exchange._rest._settings = trader.exchange._rest._settings.model_copy(
            update={"read_patience": 90.0}
        )
        before = trader.venue.now()
        skew = await measured(trader)
        waited = trader.venue.now() - before

    assert waited > 30_000
    assert skew < 10
