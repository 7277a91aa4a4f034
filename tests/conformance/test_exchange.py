"""Every exchange keeps the claims of `tests.conformance.exchange`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from tests.conformance.exchange import ExchangeClaims
from tests.conformance.stage import BTC, Shown, Stage
from tests.conformance.venue import Venue
from tests.integrations.hyperliquid.scripted import KEY, SIGNER, Tasks, middle
from tradeagent.clock import SECOND, AcceleratedClock
from tradeagent.integrations.hyperliquid import Credentials, HyperliquidSettings
from tradeagent.integrations.hyperliquid.exchange import HyperliquidExchange
from tradeagent.simulation import ExchangeSettings, Ledger, SimulatedExchange
from tradeagent.simulation.venue import Floor, VenueSettings
from tradeagent.simulation.venue.intake import Rules
from tradeagent.simulation.venue.serving import Ports, serve_venue

START = 1_800_000_000 * SECOND
SPEED = 5.0


class InProcess(Venue):
    """The simulated exchange on a clock of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._time = START
        settings = ExchangeSettings(leverage=20)
        self.exchange = SimulatedExchange(settings, [BTC], Ledger(None), lambda: self._time)
        self.exchange.subscribe(self.hear)

    async def show(self, shown: Shown) -> None:
        """Show it a second later."""
        self._time += SECOND
        for event in shown.events(self._time):
            self.exchange.on_market(event)


class OverTheWire(Venue):
    """Our adapter on a venue that serves a staged market over the loopback."""

    def __init__(self, stage: Stage, exchange: HyperliquidExchange) -> None:
        super().__init__()
        self.exchange = exchange
        self._hyperliquid = exchange
        self._stage = stage
        exchange.subscribe(self.hear)

    async def show(self, shown: Shown) -> None:
        """Show it, and return when the venue's prices have come back."""
        self._stage.shown = shown
        wanted = (shown.bid + shown.ask) / 2
        async with asyncio.timeout(10):
            while self._stage.played is not shown or self._mid() != wanted:
                await asyncio.sleep(0.002)

    def _mid(self) -> float | None:
        mid = middle(self._hyperliquid, BTC.symbol)
        return None if mid is None else float(mid)


class TestSimulated(ExchangeClaims):
    """The simulated exchange, in process."""

    @pytest.fixture
    async def venue(self) -> AsyncIterator[Venue]:
        venue = InProcess()
        await venue.exchange.start()
        await venue.show(Shown())
        yield venue
        await venue.exchange.close()


class TestHyperliquid(ExchangeClaims):
    """The adapter to Hyperliquid, on our own venue."""

    @pytest.fixture
    async def venue(self) -> AsyncIterator[Venue]:
        stage, clock, tasks = Stage(), AcceleratedClock(START, SPEED), Tasks()
        floor = Floor(VenueSettings(), stage, clock, None)
        async with serve_venue(floor, clock, Rules(limited=False), Ports(), 1) as (url, _):
            settings = HyperliquidSettings(
                network="local", url=url, weight_share=1.0, request_timeout=50.0, ack_within=50.0
            )
            credentials = Credentials(account=SIGNER, key=SecretStr(KEY))
            exchange = HyperliquidExchange(settings, credentials, clock, tasks.spawn)
            try:
                await exchange.start()
                yield OverTheWire(stage, exchange)
            finally:
                await exchange.close()
                await tasks.end()
