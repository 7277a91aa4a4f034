"""What a run needs to be played again: its settings, its agents, its files; nothing else."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tradeagent.agents.base import BaseAgent
from tradeagent.agents.risk import Risk
from tradeagent.agents.trading import Trading
from tradeagent.app import agent_makers, simulated_key
from tradeagent.bus.base import Handler, Out, Subscriber, Unsubscribe
from tradeagent.config.load import recall
from tradeagent.errors import OperatorError, TradeAgentError
from tradeagent.integrations.base import LiveFeed, VenueEvent
from tradeagent.messages import (
    ZERO,
    AccountUpdate,
    Boot,
    DataReference,
    Envelope,
    ExecutionReport,
    FundingPayment,
    InstrumentUpdate,
    Message,
    Order,
    OrderStatus,
    Origin,
    PositionUpdate,
    Submission,
    VenueStatement,
)
from tradeagent.parts import open_clock, open_feed, recording
from tradeagent.plan import Plan, make_plan
from tradeagent.replay.bus import ReplayBus, ReplayClock, ReplayHost
from tradeagent.storage.base import Past, Settled
from tradeagent.storage.directory import StateDirectory
from tradeagent.supervisor.life import bound
from tradeagent.supervisor.operations import attempt

E = TypeVar("E")


class NotVerifiable(TradeAgentError):
    """A run that cannot be played again, and why."""


class Stumbled(TradeAgentError):
    """What a replayed handler raises where the journal says that it failed."""


class MuteVenue:
    """An exchange that knows nothing and is never traded on: its words are in the journal."""

    remote = False

    def __init__(self, clock: ReplayClock) -> None:
        self._clock = clock

    async def start(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    def subscribe(self, deliver: Callable[[VenueEvent], None]) -> Unsubscribe:  # noqa: ARG002
        """Deliver nothing."""
        return lambda: None

    async def get_market_data(self) -> Sequence[InstrumentUpdate]:
        """Return nothing."""
        return ()

    def prepare(self, order: Order) -> Submission | None:  # noqa: ARG002
        """Prepare nothing."""
        return None

    async def place_order(
        self,
        order: Order,
        submission: Submission | None = None,  # noqa: ARG002
    ) -> ExecutionReport:
        """Place nothing."""
        return self._nothing(order.symbol, order.cloid)

    async def cancel_order(self, symbol: str, cloid: str) -> ExecutionReport:
        """Cancel nothing."""
        return self._nothing(symbol, cloid)

    async def modify_order(
        self,
        cloid: str,  # noqa: ARG002
        order: Order,
        submission: Submission | None = None,  # noqa: ARG002
    ) -> ExecutionReport:
        """Replace nothing."""
        return self._nothing(order.symbol, order.cloid)

    async def schedule_cancel(self, time: int | None) -> bool:  # noqa: ARG002
        """Schedule nothing."""
        return False

    async def get_order_status(self, symbol: str, cloid: str) -> ExecutionReport | None:
        """Know nothing for certain."""
        return self._nothing(symbol, cloid)

    async def get_open_orders(self) -> Sequence[Order]:
        """Return nothing."""
        return ()

    async def get_fills(self, since: int) -> Sequence[ExecutionReport]:  # noqa: ARG002
        """Return nothing."""
        return ()

    async def get_funding(self, since: int) -> Sequence[FundingPayment]:  # noqa: ARG002
        """Return nothing."""
        return ()

    async def get_account_info(self) -> AccountUpdate:
        """Return an empty account."""
        return AccountUpdate(balance=ZERO, equity=ZERO, time=self._clock.time)

    async def get_positions(self) -> Sequence[PositionUpdate]:
        """Return nothing."""
        return ()

    async def get_statement(self) -> VenueStatement:
        """Return the statement of an empty account."""
        account = await self.get_account_info()
        return VenueStatement(asked=account.time, time=account.time, account=account)

    def _nothing(self, symbol: str, cloid: str) -> ExecutionReport:
        return ExecutionReport(
            cloid=cloid, symbol=symbol, status=OrderStatus.UNKNOWN, time=self._clock.time
        )


class Stream:
    """What Data plays of recorded files: the rows the journal only refers to."""

    def __init__(self, events: Iterator[tuple[int, E]], deliver: Callable[[E], None]) -> None:
        self._events = events
        self._deliver: Callable[[Any], None] = deliver
        self._next: tuple[int, Any] | None = next(events, None)

    @property
    def time(self) -> int | None:
        """Return the time of the next event, UTC ns; None at the end."""
        return None if self._next is None else self._next[0]

    def play(self) -> None:
        """Deliver the next event."""
        assert self._next is not None
        event, self._next = self._next[1], next(self._events, None)
        self._deliver(event)


class ReplayRuntime:
    """The ground replayed agents stand on: nothing they start or say by themselves goes out."""

    def __init__(
        self, bus: ReplayBus, clock: ReplayClock, *, exact: bool, speed: float, referred: bool
    ) -> None:
        """Play recorded events where the journal only refers to them (`referred`)."""
        self.exact = exact
        self.speed = speed
        self._referred = referred
        self.streams: list[Stream] = []
        self.feeds: set[str] = set()
        """The agents that play a feed."""
        self.owed: dict[str, list[Message]] = {}
        """What agents that only ever answer say before they are up."""
        self._bus = bus
        self._clock = clock

    def publish(
        self,
        agent: str,
        message: Message,
        cause: Envelope[Message] | None = None,  # noqa: ARG002
        origin: Origin = Origin.INPUT,
    ) -> None:
        """Hand over a row of a recorded file; all else that is published stands in the journal."""
        if agent in self.owed:
            self.owed[agent].append(message)
        if origin is Origin.RECORDED:
            envelope = Envelope(message, agent, self._bus.epoch, origin=origin)
            self._bus.hand_over(envelope, self._bus.seq + 1, self._clock.time)

    def start(
        self,
        agent: str,  # noqa: ARG002
        work: Coroutine[Any, Any, Out],
        lane: str | None,  # noqa: ARG002
        cause: Envelope[Message] | None,  # noqa: ARG002
    ) -> None:
        """Leave an operation alone: what came of it stands in the journal."""
        work.close()

    def attend(self, agent: str, work: Coroutine[Any, Any, None]) -> None:  # noqa: ARG002
        """Leave it alone: what it publishes stands in the journal."""
        work.close()

    def committed(self, seq: int) -> Awaitable[None]:  # noqa: ARG002
        """Return what is done."""
        return Settled()

    def time(self) -> int:
        """Return the time of the row in hand, UTC ns."""
        return self._clock.time

    async def sleep(self, seconds: float) -> None:
        """Return at once."""

    def remind(
        self,
        agent: str,
        method: str,
        seconds: float,
        unless: Callable[[], bool] | None = None,
    ) -> None:
        """Remind nobody: a timer that fired stands in the journal."""

    def play(
        self,
        agent: str,
        events: Iterator[tuple[int, E]],
        deliver: Callable[[E], None],
    ) -> None:
        """Keep recorded events for when the journal leaves room; live ones stand in it."""
        self.feeds.add(agent)
        if self._referred:
            self.streams.append(Stream(events, deliver))


class Player:
    """One agent of a run: made, restored, and brought up when the journal says so."""

    def __init__(self, build: Callable[[], BaseAgent[Any]], cap: int) -> None:
        self.build = build
        self.agent = build()
        agent = self.agent
        self.inlet = Subscriber(agent.name, *bound(agent), cap=cap, essential=agent.essential)
        self.inlet.up = self.inlet.idle = False
        self.present = False
        """Whether it takes messages, by the record."""
        self.down = 0
        """The row it went down at last, 0 if it never did."""
        self.retried = self.feigned = 0
        """The message it failed on last, and the last it was made to fail on against its nature."""
        self._doom = 0
        """The message it must fail on next, 0 for none."""
        self.answers = isinstance(agent, Risk | Trading)
        """Whether it only ever answers, but for what it has to say before it is up."""
        self.early: list[tuple[int, Message]] = []
        """What it said, by the record, since it went down."""
        self.leave: Unsubscribe | None = None
        """Ends the delivery of messages to it; None before it listens and when it is gone."""

    @property
    def busy_with(self) -> int:
        """Return the `seq` of the message a slow handler works on, 0 when none does."""
        hand = self.inlet.hand
        return hand.seq if hand is not None and self.inlet.working else 0

    def renew(self, runtime: ReplayRuntime, past: Past) -> None:
        """Put a fresh agent in the place of the old one."""
        self.agent = self.build()
        self.inlet.rebind(*bound(self.agent))
        self.inlet.hand = None
        self.agent.attach(runtime, self.inlet)
        self.agent.restore(past)
        if self._doom:
            self.stumble(self._doom)

    async def come_up(self) -> None:
        """Prepare and take messages; raises NotVerifiable for an agent that cannot."""
        _, error = await attempt(self.agent.setup())
        if error is not None:
            raise NotVerifiable(f"{self.agent.name} cannot be set up again: {error!r}") from error
        self.inlet.up = self.present = True

    def stumble(self, seq: int) -> None:
        """Fail on the message `seq`, as it did, by itself or because it must."""
        self._doom = seq
        handlers = {kind: self._guarded(one) for kind, one in self.inlet.handlers.items()}
        self.inlet.rebind(handlers, self.inlet.slow)
        self.inlet.rebound = False

    def _guarded(self, handler: Handler) -> Handler:
        def handle(payload: Message) -> Out:
            said = handler(payload)
            hand = self.inlet.hand
            if hand is not None and hand.seq == self._doom and _sayable(said):
                self.feigned = hand.seq
                raise Stumbled
            return said

        return handle

    def lie_down(self, seq: int, *, waiting: bool) -> None:
        """Let messages wait from row `seq` on, the one in hand in front if it is `waiting`."""
        inlet = self.inlet
        if waiting and inlet.hand is not None:
            inlet.inbox.put_back(inlet.hand)
        inlet.up = inlet.idle = inlet.working = self.present = False
        self.down = seq
        self._doom = 0


def _sayable(said: object) -> bool:
    """Tell whether what a handler returned can be published; if not, it fails by itself."""
    if said is None or isinstance(said, Message):
        return True
    return isinstance(said, Iterable) and all(isinstance(one, Message) for one in said)


@dataclass
class Stage:
    """One run, ready to be played again."""

    boot: Boot
    clock: ReplayClock
    host: ReplayHost
    bus: ReplayBus
    runtime: ReplayRuntime
    players: dict[str, Player]
    files: dict[tuple[str, str], str]
    """The digest of each recorded file, by name and symbol."""
    since: int
    """The row whose state the run began with."""

    def check_file(self, told: DataReference) -> None:
        """Raise NotVerifiable for a recorded file that is not what it was."""
        found = self.files.get((told.name, told.symbol))
        if found != told.sha256:
            raise NotVerifiable(
                f"{told.name} is not the file that was played: sha256 {(found or 'none')[:12]}, "
                f"not {told.sha256[:12]}"
            )


def set_stage(directory: StateDirectory, boot: Boot, past: Past, data: Path | None) -> Stage:
    """Build the agents of the run that began with `boot` on the state `past`.

    `data` is where recorded files are looked for first. Raises NotVerifiable.
    """
    try:
        plan, cap = _plan(directory, boot, data)
        recorded = recording(plan)
        first = open_clock(plan, past.ts, recorded)
        feed = open_feed(plan, first, recorded)
        exact = boot.clock == "simulated"
        key = simulated_key(plan) if exact else directory.kept_seal_key()
    except OperatorError as error:
        raise NotVerifiable(str(error).splitlines()[0]) from error
    clock, host = ReplayClock(), ReplayHost(heals=not exact)
    bus = ReplayBus(clock, host, boot.epoch)
    ended = first.now() if exact else past.ts
    makers = agent_makers(plan, MuteVenue(clock), key, feed, lambda: (past.ts or ended) + 1)
    speed = plan.settings.clock.speed if boot.clock == "accelerated" else 1.0
    speed = float("inf") if exact else speed
    played = None if isinstance(feed, LiveFeed) else feed
    referred = exact and played is not None and played.recorded
    runtime = ReplayRuntime(bus, clock, exact=exact, speed=speed, referred=referred)
    players = {player.agent.name: player for player in (Player(make, cap) for make in makers)}
    for player in players.values():
        if player.answers:
            runtime.owed[player.agent.name] = []
        player.agent.attach(runtime, player.inlet)
        player.agent.restore(past)
    files = {(one.name, one.symbol): one.sha256 for one in played.references()} if played else {}
    return Stage(boot, clock, host, bus, runtime, players, files, past.seq)


def _plan(directory: StateDirectory, boot: Boot, data: Path | None) -> tuple[Plan, int]:
    record, folder, cap = directory.settings(boot.configuration)
    settings = json.loads(record)
    for feed in settings.get("feeds", ()):
        for file in feed.get("files", ()):
            file["path"] = str(_found(Path(file["path"]), Path(folder), data))
    place = f"{directory.path}/settings"
    return make_plan(recall(settings, place), boot.seed, boot.agents), cap


def _found(path: Path, folder: Path, data: Path | None) -> Path:
    """Return where a recorded file is now: in `data`, else where it was."""
    if data is not None and (data / path.name).exists():
        return data / path.name
    return folder / path
