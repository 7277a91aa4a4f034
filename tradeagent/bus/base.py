"""The bus contract: who listens, how messages are handed over, and who is told when it fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Protocol

from tradeagent.bus.inbox import Inbox
from tradeagent.messages import Envelope, Message, Origin

Out = Message | Sequence[Message] | None
Handler = Callable[[Any], Out]
SlowHandler = Callable[[Any], Awaitable[Out]]
Unsubscribe = Callable[[], None]


class Subscriber:
    """One listener: its handlers by exact message class, its inbox, and the message in hand.

    `handlers` run inside the delivery; `slow` ones are operations that hold the inbox meanwhile.
    `essential` listeners never lose a lossless message. An `observer` decides nothing, so what only
    observers receive need not be recorded. `Message` as a key means every class.
    """

    __slots__ = (
        "essential",
        "hand",
        "handlers",
        "idle",
        "inbox",
        "name",
        "observer",
        "rebound",
        "restored",
        "slow",
        "up",
        "working",
    )

    def __init__(
        self,
        name: str,
        handlers: Mapping[type[Message], Handler],
        slow: Mapping[type[Message], SlowHandler] | None = None,
        cap: int = 10_000,
        essential: bool = False,
        observer: bool = False,
    ) -> None:
        self.name = name
        self.handlers = dict(handlers)
        self.slow = dict(slow or {})
        self.inbox = Inbox(cap, essential)
        self.essential = essential
        self.observer = observer
        self.hand: Envelope[Message] | None = None
        self.up = True
        self.working = False
        self.idle = True
        self.rebound = False
        self.restored: int | None = None
        """The `seq` its agent was restored at, from when it was made until it takes messages."""

    def rebind(
        self, handlers: Mapping[type[Message], Handler], slow: Mapping[type[Message], SlowHandler]
    ) -> None:
        """Put other handlers in place; they are used from the next `Bus.resume` on."""
        self.handlers = dict(handlers)
        self.slow = dict(slow)
        self.rebound = True

    def settle(self) -> None:
        """Work out whether the next message may be handed over at once."""
        self.idle = self.up and not self.working and not self.inbox


class Recorder(Protocol):
    """What keeps every message that was dispatched; the journal in a daemon."""

    def append(self, envelope: Envelope[Message]) -> None:
        """Take a message that is being dispatched."""
        ...

    def settle(self) -> None:
        """Take what was appended so far for whole: inputs with all that followed at once."""
        ...


class Host(Protocol):
    """Who is told of what a bus cannot settle by itself; the supervisor in a daemon."""

    def failed(self, subscriber: Subscriber, envelope: Envelope[Message], error: Exception) -> None:
        """Take note that a handler raised; the subscriber may be put down."""
        ...

    def overflowed(self, subscriber: Subscriber, envelope: Envelope[Message]) -> None:
        """Take note that an inbox is at its cap."""
        ...

    def ran_away(self, envelope: Envelope[Message]) -> None:
        """Take note that a chain of messages was cut because it did not end."""
        ...

    def operate(
        self, subscriber: Subscriber, envelope: Envelope[Message], work: Coroutine[Any, Any, Out]
    ) -> None:
        """Run a slow handler; call `Bus.resume` when it has ended."""
        ...


class Bus(Protocol):
    """Carries messages to whoever listens, in one order for all."""

    seq: int

    @property
    def connected(self) -> bool:
        """Tell whether the transport is there."""
        ...

    @property
    def quiet(self) -> bool:
        """Tell whether nothing waits to be delivered."""
        ...

    @property
    def outgoing(self) -> int:
        """Return how many messages have not left the process yet."""
        ...

    async def agree(self, key: str, value: str) -> str:
        """Return the value that the first process on the bus gave for `key`."""
        ...

    async def start(self) -> None:
        """Connect; raises BusUnavailable."""
        ...

    def publish(
        self,
        payload: Message,
        source: str,
        cause: Envelope[Message] | None = None,
        origin: Origin = Origin.INPUT,
    ) -> None:
        """Send a message; inside a handler it waits its turn."""
        ...

    def post(self, envelope: Envelope[Message]) -> None:
        """Send a message whose envelope is made already."""
        ...

    def remember(self, wire_ids: Iterable[str]) -> None:
        """Take messages with these wire ids for handled, as after a restart from a journal."""
        ...

    def subscribe(self, subscriber: Subscriber) -> Unsubscribe:
        """Deliver to `subscriber` from now on; returns what ends that."""
        ...

    def mark(self, payload: Message, source: str) -> None:
        """Put a message on record here and now, ahead of what waits; nobody receives it."""
        ...

    def resume(self, subscriber: Subscriber) -> None:
        """Serve a subscriber that was working or down; from when on is put on record."""
        ...

    async def close(self) -> None:
        """Disconnect after what was sent has left."""
        ...
