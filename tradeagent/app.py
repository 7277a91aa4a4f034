"""The composition root: the only place that opens stores, buses, exchanges and feeds."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr

import tradeagent
from tradeagent.agents.analysis import Analysis
from tradeagent.agents.base import BaseAgent
from tradeagent.agents.data import Data, DataSettings
from tradeagent.agents.execution import Execution, ExecutionSettings
from tradeagent.agents.gate import RiskSettings
from tradeagent.agents.risk import Risk
from tradeagent.agents.tickets import TradingSettings
from tradeagent.agents.trading import Trading
from tradeagent.bus import open_bus
from tradeagent.bus.base import Bus, Handler, Subscriber
from tradeagent.bus.options import BusOptions, nobody
from tradeagent.clock import NEVER, AcceleratedClock, Clock, SimulatedClock
from tradeagent.errors import (
    BusUnavailable,
    CommandError,
    ConfigError,
    Fenced,
    JournalError,
    LockedError,
    OperatorError,
    StateError,
)
from tradeagent.integrations.base import Exchange, LiveFeed, MarketFeed
from tradeagent.log import log
from tradeagent.messages import (
    ZERO,
    AccountUpdate,
    Boot,
    MarketData,
    MarketTrade,
    Message,
    OrderBookUpdate,
    TickerUpdate,
)
from tradeagent.opening import Spoken, Unlock, counted_crashes, opening
from tradeagent.parts import (
    Market,
    connected,
    housed,
    open_clock,
    open_exchange,
    open_feed,
    recording,
)
from tradeagent.plan import AgentPlan, Plan, unclaimed
from tradeagent.simulation.exchange import SimulatedExchange
from tradeagent.storage.base import Past
from tradeagent.storage.directory import StateDirectory
from tradeagent.storage.memory import MemoryStore
from tradeagent.storage.sql import SqlStore
from tradeagent.supervisor import Supervisor
from tradeagent.tally import Summary, Tally
from tradeagent.voices import SPOKEN_BY, frees

CROWDED = 10_000
"""Messages that have not left yet, above which simulated time waits."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SERVICES = (
    "tradeagent.api.control:serve",
    "tradeagent.api.kill:serve",
    "tradeagent.api.health:serve",
)
"""What answers operators while the daemon runs; each is started by import string."""


def iso(nanoseconds: int) -> str:
    """Write a time in UTC ns as ISO-8601."""
    moment = EPOCH + timedelta(microseconds=nanoseconds // 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Daemon:
    """One run: its parts, opened by `open_daemon`."""

    plan: Plan
    directory: StateDirectory
    store: SqlStore | MemoryStore
    clock: Clock
    bus: Bus
    supervisor: Supervisor
    exchange: Exchange | None
    feed: MarketFeed | LiveFeed
    past: Past
    tally: Tally
    started: int = 0

    async def run(self, duration: int | None = None) -> Summary:
        """Run for `duration` (ns of the clock), or until stopped; returns what it came to.

        Raises LockedError once another daemon has taken over the state.
        """
        try:
            return await self._run(duration)
        except Fenced as error:
            raise LockedError(f"{self.directory.path}: {error}, so this one has ended") from error

    async def _run(self, duration: int | None) -> Summary:
        inside = None if self.exchange is None or self.exchange.remote else self.exchange
        before = await inside.get_account_info() if inside is not None else None
        after: AccountUpdate | None = None
        self.started = self.clock.now()
        until = NEVER if duration is None else self.started + duration
        clean, ended = False, self.directory.has_ended
        if self.clock.simulated:
            self.directory.simulating.touch(mode=0o600)
        else:
            self.directory.live()
        try:
            await self.supervisor.run(until)
            clean = True
        except BusUnavailable as error:
            raise StateError(str(error)) from error
        except OperatorError:
            if ended and not self.tally.orders:  # the start was refused: all is as it was
                self.directory.rest()
            raise
        finally:
            if inside is not None:
                after = await inside.get_account_info()
                await inside.close()
            self.store.close(clean=clean)
            self.directory.simulating.unlink(missing_ok=True)
        self.directory.end()
        # Of an account that is elsewhere it is known what was told of it first and last.
        told, none = self.tally, AccountUpdate(balance=ZERO, equity=ZERO, time=self.started)
        return self._summary(before or told.opening or none, after or told.account or none)

    @property
    def records(self) -> SqlStore:
        """Return what can be read of the run meanwhile; raises StateError where none is kept."""
        if not isinstance(self.store, SqlStore):
            raise StateError("the journal of this run is not kept")
        return self.store

    def stop(self) -> None:
        """Ask for an orderly stop."""
        self.supervisor.stop()

    def _summary(self, before: AccountUpdate, after: AccountUpdate) -> Summary:
        tally, head = self.tally, self.store.journal.head()
        return Summary(
            bars=tally.bars,
            ticks=tally.ticks,
            signals=tally.signals,
            requests=tally.requests,
            approvals=tally.approvals,
            rejections=dict(sorted(tally.rejections.items())),
            orders=tally.orders,
            fills=tally.fills,
            fees=tally.fees,
            funding=tally.funding,
            realised_pnl=after.balance - before.balance + tally.fees + tally.funding,
            unrealised_pnl=after.unrealised_pnl,
            start_equity=before.equity,
            end_equity=after.equity,
            journal_entries=head.entries,
            journal_hash=head.hash,
            state_hash="" if self.store.lean else self.store.past().digest,
            seed=self.plan.seed,
            started=iso(self.started),
            ended=iso(self.clock.now()),
        )


@asynccontextmanager
async def open_daemon(
    plan: Plan,
    state: Path,
    serve: Sequence[str] = SERVICES,
    unlock: Unlock | None = None,
    key: SecretStr | None = None,
    feed: MarketFeed | None = None,
    keep: bool = True,
) -> AsyncIterator[Daemon]:
    """Open every part of a run in `state` and close what is open afterwards.

    With `unlock` it may leave LOCKED; `key` signs what a real exchange is asked; `feed` is played
    in place of the plan's. A simulated run from an empty state need not `keep` its journal, which
    is then chained in memory. Raises an OperatorError with one line for what is not usable.
    """
    settings = plan.settings
    if unlock is not None and not plan.runs("risk"):
        raise CommandError("--unlock: this process has no Risk agent; unlock the one that trades")
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(StateDirectory(state))
        directory.claim(plan.identity)
        crashes = stack.enter_context(counted_crashes(plan, directory))
        recorded = feed or recording(plan)
        _furnish(plan, directory)
        daemons: list[Daemon] = []

        def journal_failed(error: JournalError) -> None:
            for daemon in daemons:
                daemon.supervisor.journal_failed(error)

        waits = settings.clock.mode != "simulated"
        store: SqlStore | MemoryStore = MemoryStore()
        if keep or waits or not settings.store.fresh:
            lean = not waits and not serve
            store = SqlStore.open(
                directory.journal, waits=waits, lean=lean, on_failure=journal_failed
            )
        stack.callback(store.close, clean=False)
        past = store.past()
        _refuse_unclaimed(plan, past, directory)
        clock = open_clock(plan, past.ts, recorded)
        plan, own_key = await stack.enter_async_context(housed(plan, directory, clock))
        opened = connected(plan, open_feed(plan, clock, recorded))
        market = Market(clock, await stack.enter_async_context(opened))
        most = settings.supervisor.safe_mode_after
        words = opening(past, crashes, most, unlock, clock.now()) if plan.runs("risk") else ()
        daemon = _assemble(plan, directory, store, market, own_key or key)
        daemon.supervisor.prepare = partial(_join, daemon, words)
        daemons.append(daemon)
        for service in serve:
            module, _, name = service.partition(":")
            await stack.enter_async_context(getattr(import_module(module), name)(daemon))
        yield daemon


def _furnish(plan: Plan, directory: StateDirectory) -> None:
    """Empty the folder where that is wanted, and keep the settings of this run in it."""
    if plan.settings.store.fresh:
        directory.fresh()
    directory.keep_settings(plan.digest, plan.record, plan.settings.bus.inbox_cap)
    if directory.simulating.exists():
        raise StateError(
            f"{directory.path}: a run at --speed max was cut off here, so its journal and its "
            "exchange may differ; use another --state, or remove this folder"
        )


def _refuse_unclaimed(plan: Plan, past: Past, directory: StateDirectory) -> None:
    held = unclaimed(plan, past.positions)
    if held and plan.removed == "refuse":
        raise ConfigError(
            f"{directory.path}: {', '.join(held)} and is configured no more; configure it again, "
            "or say with agents.trading.removed whether to adopt or to close such positions"
        )


def _assemble(
    plan: Plan,
    directory: StateDirectory,
    store: SqlStore | MemoryStore,
    market: Market,
    key: SecretStr | None,
) -> Daemon:
    """Make bus, exchange and agents and connect them, receivers of prices in order."""
    settings, past = plan.settings, store.past()
    clock, feed = market
    supervisor = Supervisor(clock, store.past, store.journal.committed)
    options = _bus_options(plan, directory, store, supervisor)
    bus = open_bus(options, clock, supervisor, store.journal, past.epoch, past.seq)
    bus.remember(store.arrived())
    supervisor.connect(bus)
    supervisor.observe(lambda: store.journal.backlog)
    exchange: Exchange | None = None
    if plan.runs("execution"):
        exchange = open_exchange(plan, market, directory, supervisor.spawn, key)
        if exchange.remote:
            supervisor.disconnect = exchange.close
    if isinstance(exchange, SimulatedExchange):
        bus.subscribe(Subscriber("exchange", _prices(exchange), observer=True))
    tally = Tally()
    if past.trading_state is not None:
        tally.mode, tally.mode_reason = past.trading_state.mode, past.trading_state.reason
    bus.subscribe(tally.subscriber())
    bus.publish(_boot(plan, past), "boot")
    seal = simulated_key(plan) if clock.simulated else directory.seal_key()
    for make in agent_makers(plan, exchange, seal, feed, lambda: _resume_at(clock, store)):
        supervisor.add(make, settings.bus.inbox_cap)
    return Daemon(plan, directory, store, clock, bus, supervisor, exchange, feed, past, tally)


def agent_makers(
    plan: Plan,
    exchange: Exchange | None,
    key: bytes,
    feed: MarketFeed | LiveFeed,
    start: Callable[[], int],
) -> list[Callable[[], BaseAgent[Any]]]:
    """Return how each agent is made, anew at each of its restarts, in the order of receiving.

    `key` seals approvals; Data plays `feed` from `start` (UTC ns) on.
    """
    makers = _makers(plan, exchange, key)
    makers["data"] = lambda one: Data(
        cast(DataSettings, one.settings), feed, start(), plan.needed(), one.name
    )
    return [
        partial(makers.get(one.name, lambda one: one.kind(one.settings, one.name)), one)
        for one in plan.agents
    ]


def _makers(
    plan: Plan, exchange: Exchange | None, key: bytes
) -> dict[str, Callable[[AgentPlan], BaseAgent[Any]]]:
    """Return how each built-in agent but Data is made."""
    weights = {one.name: one.weight for one in plan.strategies}
    mandates = {one.name: one.mandate() for one in plan.strategies}
    account = plan.identity
    return {
        "execution": lambda one: Execution(
            cast(ExecutionSettings, one.settings), cast(Exchange, exchange), account, key, one.name
        ),
        "risk": lambda one: Risk(cast(RiskSettings, one.settings), key, one.name, weights),
        "trading": lambda one: Trading(
            cast(TradingSettings, one.settings), mandates, account, one.name
        ),
        "analysis": lambda one: Analysis(
            one.settings, [made for each in plan.strategies for made in each.make()], one.name
        ),
    }


def _prices(exchange: SimulatedExchange) -> dict[type[Message], Handler]:
    """Return how the simulated exchange learns prices."""
    kinds: tuple[type[Message], ...] = (MarketData, TickerUpdate, OrderBookUpdate, MarketTrade)
    return dict.fromkeys(kinds, exchange.on_market)


def _bus_options(
    plan: Plan, directory: StateDirectory, store: SqlStore | MemoryStore, supervisor: Supervisor
) -> BusOptions:
    """Return how this process stands on the bus; only it may speak for what it alone runs."""
    settings = plan.settings.bus
    group = "-".join(sorted(one.name for one in plan.agents))[:60]
    owned = [kind for name, kinds in SPOKEN_BY.items() if plan.runs(name) for kind in kinds]
    return BusOptions(
        url=settings.url,
        namespace=settings.namespace,
        group=group,
        identity=f"{group[:40]}-{directory.node()}",
        refused=frozenset(owned),
        private=frees if plan.runs("risk") else nobody,
        committed=store.journal.committed,
        spawn=supervisor.spawn,
    )


async def _join(daemon: Daemon, words: Sequence[Spoken]) -> None:
    """Align with the processes already on the bus, and say what this run begins with.

    Simulated time is kept from running ahead.
    """
    bus, clock = daemon.bus, daemon.clock
    if isinstance(clock, AcceleratedClock):
        clock.align(await bus.agree("clock", clock.anchor))
    elif isinstance(clock, SimulatedClock):
        clock.crowded = lambda: bus.outgoing > CROWDED
    log.bind(agent="app").info("running from {} in {}", iso(clock.now()), daemon.directory.path)
    for message, source in words:
        bus.publish(message, source)


def _resume_at(clock: Clock, store: SqlStore | MemoryStore) -> int:
    """Return from when on a feed is played: after what was played last, UTC ns.

    A live feed may have been behind its clock; a simulated one never is, and leaves no rows.
    """
    played = None if clock.simulated else store.played()
    return (played or store.past().ts or clock.now()) + 1


def simulated_key(plan: Plan) -> bytes:
    """Return the key of approvals under a simulated clock: the seed's, so that runs repeat."""
    return hashlib.sha256(f"seal|{plan.seed}".encode()).digest()


def _boot(plan: Plan, past: Past) -> Boot:
    return Boot(
        version=tradeagent.__version__,
        profile=plan.settings.profile,
        epoch=past.epoch,
        clock=plan.settings.clock.mode,
        seed=plan.seed,
        configuration=plan.digest,
        code=code_digest(),
        state=past.digest,
        agents=plan.only,
        clean=past.clean,
    )


@cache
def code_digest() -> str:
    """Return a digest over our own source files as they were when it was first asked for."""
    root = Path(tradeagent.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
