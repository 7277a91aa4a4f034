"""What every agent is: tagged handlers that return messages, timers, operations and a life."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeAlias, cast

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypeVar

from tradeagent.bus.base import Subscriber
from tradeagent.messages import AgentState, Envelope, Heartbeat, Message, Origin, Timer
from tradeagent.storage.base import Past

Out: TypeAlias = Message | Sequence[Message] | None


class AgentSettings(BaseModel):
    """What an operator may set of an agent; subclasses add fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


E = TypeVar("E")
M = TypeVar("M", bound=Message)
A = TypeVar("A", bound="BaseAgent[Any]")
S = TypeVar("S", bound=AgentSettings, default=AgentSettings)
R = TypeVar(
    "R",
    bound="Message | Sequence[Message] | Coroutine[Any, Any, Message | Sequence[Message] | None] | None",  # noqa: E501
)


def on(kind: type[M]) -> Callable[[Callable[[A, M], R]], Callable[[A, M], R]]:
    """Tag a method as the handler of `kind`; what it returns is published."""

    def tag(handler: Callable[[A, M], R]) -> Callable[[A, M], R]:
        handler.__on__ = kind  # type: ignore[attr-defined]
        return handler

    return tag


class Beat(NamedTuple):
    """How often a timer fires, in seconds of the clock, and the method that tells whether it must.

    Without one it always fires; a beat that is left out costs no message.
    """

    seconds: float
    when: str = ""


def every(seconds: float, when: str = "") -> Callable[[Callable[[A], R]], Callable[[A], R]]:
    """Tag a method to run each `seconds` of the clock; what it returns is published.

    `when` names a method that tells at each beat whether there is anything to do.
    """

    def tag(method: Callable[[A], R]) -> Callable[[A], R]:
        method.__every__ = Beat(float(seconds), when)  # type: ignore[attr-defined]
        return method

    return tag


class Runtime(Protocol):
    """What carries an agent; the supervisor in a daemon."""

    @property
    def exact(self) -> bool:
        """Tell whether time waits for every message, so that nothing is conflated."""
        ...

    @property
    def speed(self) -> float:
        """Return how many times faster than the wall's the clock runs."""
        ...

    def publish(
        self,
        agent: str,
        message: Message,
        cause: Envelope[Message] | None = None,
        origin: Origin = Origin.INPUT,
    ) -> None:
        """Send a message on behalf of an agent."""
        ...

    def start(
        self,
        agent: str,
        work: Coroutine[Any, Any, Out],
        lane: str | None,
        cause: Envelope[Message] | None,
    ) -> None:
        """Run an operation; its result is published as an input."""
        ...

    def attend(self, agent: str, work: Coroutine[Any, Any, None]) -> None:
        """Run an operation that goes on until the daemon stops."""
        ...

    def committed(self, seq: int) -> Awaitable[None]:
        """Return what resolves when the journal holds everything up to `seq`."""
        ...

    def time(self) -> int:
        """Return the clock's time, UTC ns."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of the clock; for operations."""
        ...

    def remind(
        self, agent: str, method: str, seconds: float, unless: Callable[[], bool] | None = None
    ) -> None:
        """Fire a timer once, in `seconds` of the clock; one that is to come stays as it is."""
        ...

    def play(
        self, agent: str, events: Iterator[tuple[int, E]], deliver: Callable[[E], None]
    ) -> None:
        """Hand each (time in UTC ns, event) to `deliver` at its time, as long as the agent runs."""
        ...


class BaseAgent(Generic[S]):
    """A part of the daemon that thinks in messages, one at a time.

    A handler is a method tagged with `@on(Message)` and returns what it publishes. A `def` handler
    decides at once; an `async def` handler may wait and holds the agent's inbox meanwhile. An agent
    reads no clock, file, environment or random number: only messages, `now` and what `restore`
    gives it.
    """

    handles: dict[type[Message], str] = {}
    """The handler of each class of messages it hears, by name; one agent may leave some out."""
    timers: ClassVar[dict[str, Beat]] = {}
    settings_type: ClassVar[type[AgentSettings]] = AgentSettings
    essential: ClassVar[bool] = False
    """Whether the order path needs this agent: its inbox never drops, its failure halts."""
    borrowed: ClassVar[frozenset[str]] = frozenset()
    """Attributes that were handed in and outlive the agent; their memory is not its own."""

    def __init__(self, settings: S | None = None, name: str = "") -> None:
        self.settings: S = settings if settings is not None else cast(S, self.settings_type())
        self.name = name or type(self).__name__.lower()
        self.state = AgentState.NEW
        self._runtime: Runtime | None = None
        self._inlet: Subscriber | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.handles, cls.timers = _tags(cls)
        for base in getattr(cls, "__orig_bases__", ()):
            for argument in getattr(base, "__args__", ()):
                if isinstance(argument, type) and issubclass(argument, AgentSettings):
                    cls.settings_type = argument

    def attach(self, runtime: Runtime, inlet: Subscriber | None = None) -> None:
        """Enter a daemon; done once, before `restore`."""
        self._runtime = runtime
        self._inlet = inlet

    def restore(self, past: Past) -> None:
        """Take up what the journal knows, before the first message; nothing by default."""

    async def setup(self) -> None:
        """Prepare before the first message; may wait.

        A replay runs it again with nothing to hear it: it changes the agent's own state by nothing
        but what `restore` and the settings gave.
        """

    async def teardown(self) -> None:
        """Let go after the last message; may wait."""

    @property
    def hand(self) -> Envelope[Message] | None:
        """Return the message in hand."""
        return self._inlet.hand if self._inlet is not None else None

    def now(self) -> int:
        """Return the time of the message in hand, UTC ns: the only clock a handler has."""
        inlet = self._inlet
        hand = inlet.hand if inlet is not None else None
        return hand.ts if hand is not None else self.runtime.time()

    def publish(self, message: Message) -> None:
        """Send progress from inside a long `async def` handler; others return messages."""
        self.runtime.publish(self.name, message, self.hand)

    def start(self, work: Coroutine[Any, Any, Out], lane: str | None = None) -> None:
        """Start an operation: I/O beside the inbox, whose result is published.

        Operations of one `lane` (a symbol, say) run one after the other in the order of their
        start.
        """
        self.runtime.start(self.name, work, lane, self.hand)

    def attend(self, work: Coroutine[Any, Any, None]) -> None:
        """Start an operation that goes on until the daemon stops; it publishes as it goes."""
        self.runtime.attend(self.name, work)

    def remind(self, method: str, seconds: float, unless: Callable[[], bool] | None = None) -> None:
        """Run a method once, in `seconds` of the clock, as a timer does.

        A reminder of it that is to come already stays as it is. It comes to nothing where `unless`
        then says that there is nothing to do. An agent that is made anew has none.
        """
        if self._runtime is not None:
            self._runtime.remind(self.name, method, seconds, unless)

    def committed(self) -> Awaitable[None]:
        """Return what resolves when the message in hand is durable."""
        hand = self.hand
        return self.runtime.committed(hand.seq if hand is not None else 0)

    def fire(self, timer: Timer) -> Out:
        """Run the method a timer names."""
        if timer.method == "heartbeat":
            self.publish(self.heartbeat())  # an input: it tells of more than messages
            return None
        out: Out = getattr(self, timer.method)()
        return out

    def heartbeat(self) -> Heartbeat:
        """Return a sign of life; that it was asked for by the message loop is the point."""
        inlet = self._inlet
        return Heartbeat(
            agent=self.name,
            state=self.state,
            waiting=len(inlet.inbox) if inlet is not None else 0,
            last_seq=inlet.hand.seq if inlet is not None and inlet.hand is not None else 0,
        )

    @property
    def runtime(self) -> Runtime:
        """Return what carries the agent; raises RuntimeError before `attach`."""
        if self._runtime is None:
            raise RuntimeError(f"{self.name} is not attached to a daemon")
        return self._runtime


def _tags(cls: type[BaseAgent[Any]]) -> tuple[dict[type[Message], str], dict[str, Beat]]:
    """Collect and check the tagged methods of a class; raises TypeError for a wrong one."""
    handles: dict[type[Message], str] = {}
    timers: dict[str, Beat] = {}
    kinds: dict[str, type[Message]] = {}
    seen: dict[str, object] = {}
    for base in reversed(cls.__mro__):
        for name, member in vars(base).items():
            kind = getattr(member, "__on__", None)
            if kind is not None:
                _check_handler(cls, name, member, kind, handles, kinds)
                handles[kind] = name
                kinds[name] = kind
            if name in kinds and name in seen:
                _check_override(cls, name, member, seen[name])
            if name in kinds:
                seen[name] = member
            if (beat := getattr(member, "__every__", None)) is not None:
                if beat.seconds <= 0:
                    raise TypeError(f"{cls.__name__}.{name}: @every({beat.seconds}) is not above 0")
                if beat.when and not callable(getattr(cls, beat.when, None)):
                    raise TypeError(f"{cls.__name__}.{name}: there is no method {beat.when}")
                if inspect.iscoroutinefunction(member):
                    where = f"{cls.__name__}.{name}"
                    raise TypeError(f"{where}: a timer is a def method; `start` what has to wait")
                timers[name] = beat
            elif name in timers and not callable(member):
                raise TypeError(f"{cls.__name__}.{name} is a timer and cannot be {member!r}")
    return handles, timers


def _check_handler(
    cls: type,
    name: str,
    handler: Callable[..., object],
    kind: object,
    handles: dict[type[Message], str],
    kinds: dict[str, type[Message]],
) -> None:
    where = f"{cls.__name__}.{name}"
    if not (isinstance(kind, type) and issubclass(kind, Message)):
        raise TypeError(f"{where}: @on({kind!r}) is not a message class")
    if handles.get(kind, name) != name:
        raise TypeError(f"{where} and {handles[kind]} both handle {kind.__name__}")
    if kinds.get(name, kind) is not kind:
        raise TypeError(f"{where} handles {kinds[name].__name__} and cannot be re-tagged")
    parameters = list(inspect.signature(handler).parameters.values())
    if len(parameters) != 2:
        raise TypeError(f"{where} must take the message and nothing else")
    said = parameters[1].annotation
    if isinstance(said, str):
        said = getattr(handler, "__globals__", {}).get(said, said)
    if said not in (kind, inspect.Parameter.empty) and said != kind.__name__:
        shown = getattr(said, "__name__", said)
        raise TypeError(f"{where}: @on({kind.__name__}) but the parameter is a {shown}")


def _check_override(cls: type, name: str, member: object, parent: object) -> None:
    where = f"{cls.__name__}.{name}"
    if not callable(member):
        raise TypeError(f"{where} is a handler and cannot be {member!r}")
    if inspect.iscoroutinefunction(member) != inspect.iscoroutinefunction(parent):
        was = "async def" if inspect.iscoroutinefunction(parent) else "def"
        raise TypeError(f"{where} must stay {was}, as in its parent")
