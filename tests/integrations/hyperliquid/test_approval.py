"""An agent's approval that ends is told in time, and an ended one is refused with the remedy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integrations.hyperliquid.on_venue import ORIGIN, exchanging
from tests.integrations.hyperliquid.orders import fast, state
from tests.integrations.hyperliquid.scripted import SIGNER, ScriptedVenue, trading
from tradeagent.clock import MILLISECOND
from tradeagent.errors import OperatorError
from tradeagent.log import log
from tradeagent.messages import VenueStatus

DAY = 86_400_000


@pytest.fixture
def warned() -> Iterator[list[str]]:
    """Yield the warnings that are logged."""
    said: list[str] = []
    number = log.add(said.append, level="WARNING", format="{message}")
    yield said
    log.remove(number)


def approved(venue: ScriptedVenue, *left: int | None) -> None:
    """Let the venue tell approvals of our agent that hold for so many ms more, and of another."""
    now = venue.now()
    ends = [None if one is None else now + one for one in left]
    agents = [{"name": "bot", "address": SIGNER, "validUntil": until} for until in ends]
    other = {"name": "other", "address": "0x" + "cc" * 20, "validUntil": now - DAY}
    venue.info["extraAgents"] = lambda _: [other, *agents]


async def test_an_approval_that_has_ended_is_refused_at_the_start() -> None:
    """With the key it is about, the date, and what to do."""
    with pytest.raises(OperatorError, match=r"HYPERLIQUID_PRIVATE_KEY: .* ended on 20.*approve an"):
        async with trading(script=lambda venue: approved(venue, -1)):
            pass


@pytest.mark.parametrize(
    ("left", "told"),
    [((6 * DAY,), True), ((8 * DAY,), False), ((None,), False), ((), False), ((1, None), False)],
)
async def test_the_last_week_of_an_approval_is_told(
    left: tuple[int | None, ...], told: bool, warned: list[str]
) -> None:
    """With its date; an approval without an end, or one that is not told, is nothing to warn of."""
    async with trading(script=lambda venue: approved(venue, *left)):
        pass

    assert [f"the approval of agent {SIGNER} ends on 20" in one for one in warned] == [True] * told


async def test_an_approval_that_ends_meanwhile_degrades_the_venue() -> None:
    """It is known from the start, so nobody need be asked; a new approval ends the trouble."""
    patient = dict.fromkeys(("mids_within", "pong_within", "request_timeout"), 1e6)
    async with trading(
        clock=fast(500.0),
        script=lambda venue: approved(venue, 300_000),
        measure_every=60.0,
        **patient,
    ) as trader:
        await trader.until(lambda _: state(trader) == "degraded")
        (told,) = [
            one for one in trader.told if isinstance(one, VenueStatus) and one.state == "degraded"
        ]
        approved(trader.venue, 90 * DAY)
        await trader.exchange._approval.look()
        await trader.until(lambda _: state(trader) == "up")

    assert "approve another at" in told.reason


async def test_an_approval_that_is_listed_no_more_has_ended() -> None:
    """Whether the venue drops what has ended, or somebody took it back: nothing new is opened."""
    async with trading(script=lambda venue: approved(venue, 90 * DAY)) as trader:
        approved(trader.venue)
        await trader.exchange._approval.look()
        assert state(trader) == "up"
        for _ in range(2):
            await trader.exchange._approval.look()
            assert state(trader) == "degraded"


async def test_a_venue_that_does_not_tell_of_approvals_keeps_nobody_from_trading() -> None:
    """What it says of the key's role is enough."""
    async with trading(script=lambda venue: venue.info.pop("extraAgents")) as trader:
        assert state(trader) == "up"


async def test_our_venue_tells_until_when_an_agent_may_sign(warned: list[str]) -> None:
    """A named agent with three days left is warned of on the venue of our own, too."""
    until = ORIGIN // MILLISECOND + 3 * DAY
    async with exchanging(name=f"bot valid_until {until}"):
        pass

    assert len(warned) == 1
