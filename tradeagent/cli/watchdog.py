"""`tradeagent watchdog`: cancel entries at the venue when the daemon gives no sign of life."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from tradeagent.cli.options import Files, Profile, State
from tradeagent.cli.places import configuration, secret_source, states
from tradeagent.errors import CommandError, NotSent, OperatorError, VenueUnavailable
from tradeagent.messages import TERMINAL
from tradeagent.storage.directory import WATCHDOG, StateDirectory

if TYPE_CHECKING:
    from pydantic import SecretStr

    from tradeagent.integrations.base import Exchange
    from tradeagent.messages import Order
    from tradeagent.plan import Plan

KEY = "HYPERLIQUID_WATCHDOG_KEY"
SOON, SELDOM = 1.0, 30.0
"""Seconds before the venue is asked again what rests, at first and at most: asking is dear."""
watchdog = typer.Typer(add_completion=False, rich_markup_mode=None)


@watchdog.command()
def start(
    profile: Profile = None,
    config: Files = None,
    state: State = None,
    after: Annotated[
        float, typer.Option("--after", min=1, help="Seconds without a sign of life.")
    ] = 15.0,
    every: Annotated[
        float, typer.Option("--every", min=0.1, help="Seconds between two looks.")
    ] = 1.0,
) -> None:
    """Watch a daemon from a process of its own, with an agent key of its own, until interrupted.

    When the daemon gives no sign of life, trading is stopped by the file KILL, and entries that
    rest at the venue are cancelled, again and again until it is back; stops and targets stay. After
    an orderly stop entries are looked for once more, unless its settings keep them.
    """
    from tradeagent.log import setup
    from tradeagent.plan import make_plan

    plan = make_plan(configuration(profile, config or []))
    place = StateDirectory(state or states() / plan.identity)  # the very folder of `run`
    setup("console", "INFO")
    watch = Watchdog(plan, place, after)
    asyncio.run(watch.run(every))


class Watchdog:
    """Looks at a daemon's heartbeat, and acts at the venue in its place where that stops."""

    def __init__(self, plan: Plan, place: StateDirectory, after: float) -> None:
        """Watch the daemon of `place`; raises OperatorError where it has no venue to act at."""
        from tradeagent.agents.execution import ExecutionSettings
        from tradeagent.integrations.hyperliquid.settings import HyperliquidSettings
        from tradeagent.parts import open_clock

        exchange = plan.exchange
        if not isinstance(exchange, HyperliquidSettings):
            raise CommandError("the exchange of this profile is in the daemon itself: no watchdog")
        if exchange.network == "local" and not exchange.url:
            raise CommandError("the venue of this daemon ends with it; name one by exchange.url")
        self._settings = exchange
        self._clock = open_clock(plan, 0, None)
        self._place = place
        self._after = after
        found = [one.settings for one in plan.agents if isinstance(one.settings, ExecutionSettings)]
        self._keeps = bool(found) and found[0].on_stop == "keep"
        self._struck = False
        self._rested = False
        self._beaten = self._next = 0.0
        self._pause = SOON

    async def run(self, every: float) -> None:
        """Look each `every` seconds of the wall."""
        from tradeagent.clock import WallClock

        wall = WallClock()
        if not self._place.heartbeat.exists():
            raise CommandError(f"{self._place.path}: no daemon has lived here yet; start it first")
        key = self._key()
        while True:
            with suppress(FileNotFoundError):  # as while a fresh start moves it away
                self._beaten = self._place.heartbeat.stat().st_mtime
            now = wall.now() / 1e9
            if now - self._beaten > self._after:
                await self._act(now, key)
            elif self._struck or self._rested:
                self._greet()
            await wall.sleep(every)

    async def _act(self, now: float, key: SecretStr) -> None:
        """Stop trading and cancel entries; after an orderly stop only what it may have left."""
        from tradeagent.log import log

        ended = self._place.has_ended
        if not ended:
            self._tell(now - self._beaten)
        elif self._rested:
            return
        elif self._keeps:
            self._rested = True
            log.info("the daemon has stopped in order; what rests is kept, as its settings say")
            return
        if now < self._next:
            return
        clean = await self._try_sweep(key)
        self._rested = ended and clean
        self._pause = SELDOM if clean else min(2 * self._pause, SELDOM)
        self._next = now + self._pause
        if clean:
            self._pause = SOON

    async def _try_sweep(self, key: SecretStr) -> bool:
        """Cancel entries; tell whether none of them is left."""
        from tradeagent.log import log

        try:
            return await self._sweep(key)
        except* (VenueUnavailable, NotSent, OperatorError) as failed:
            error = failed.exceptions[0]
            log.error("entries cannot be cancelled: {}; it is tried again", error)
        return False

    def _greet(self) -> None:
        from tradeagent.log import log

        if self._struck:
            log.warning("the daemon is back; remove {} to let it trade", self._place.kill)
        self._struck = self._rested = False
        self._next, self._pause = 0.0, SOON

    def _tell(self, silent: float) -> None:
        from tradeagent.log import log

        if self._struck:
            return
        self._struck = True
        log.critical("no sign of life for {:.0f} s: entries are cancelled at the venue", silent)
        try:
            self._place.kill.write_text(f"{WATCHDOG} no sign of life for {silent:.0f} s\n")
        except OSError as error:  # a disk that is full must not keep a cancel in
            log.error("{}: {}", self._place.kill, error.strerror)

    async def _sweep(self, key: SecretStr) -> bool:
        """Cancel every resting entry that bears our mark; tell whether none of them is left."""
        from tradeagent.agents.identity import is_ours

        clean = True
        async with asyncio.TaskGroup() as group:
            exchange = self._exchange(group, key)
            try:
                await exchange.start()
                for order in await exchange.get_open_orders():
                    if is_ours(order.cloid) and not order.reduce_only:
                        clean = await self._cancel(exchange, order) and clean
            finally:
                await exchange.close()
        return clean

    async def _cancel(self, exchange: Exchange, order: Order) -> bool:
        """Cancel an order; one that cannot be now must not keep the others."""
        from tradeagent.log import log

        try:
            report = await exchange.cancel_order(order.symbol, order.cloid)
        except (VenueUnavailable, NotSent) as error:
            log.error("{} {}: {}; it is tried again", order.symbol, order.cloid, error)
            return False
        log.warning("{} {}: {}", order.symbol, order.cloid, report.status)
        return report.status in TERMINAL

    def _key(self) -> SecretStr:
        """Return the watchdog's own key; raises ConfigError without one."""
        from pydantic import SecretStr

        if self._settings.network == "local":
            return SecretStr(f"0x{(self._place.path / 'local.key').read_text().strip()}")
        return SecretStr(secret_source().require(KEY).reveal())

    def _exchange(self, group: asyncio.TaskGroup, key: SecretStr) -> Exchange:
        from tradeagent.integrations.hyperliquid.exchange import HyperliquidExchange
        from tradeagent.integrations.hyperliquid.settings import Credentials
        from tradeagent.integrations.hyperliquid.signing import address_of

        account = self._settings.account or address_of(key)
        return HyperliquidExchange(
            self._settings,
            Credentials(account=account, key=key),
            self._clock,
            lambda work, name: group.create_task(work, name=name),
            self._place.path,
        )
