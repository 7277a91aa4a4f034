"""One agent's life: how it is made, where its messages wait, and how it has fared."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from tradeagent.agents.base import BaseAgent, Runtime
from tradeagent.bus.base import Handler, SlowHandler, Subscriber, Unsubscribe
from tradeagent.clock import SECOND, monotonic
from tradeagent.log import log
from tradeagent.messages import Attendance, Envelope, Message, Timer
from tradeagent.supervisor.operations import attempt
from tradeagent.supervisor.patience import Patience

Agent = BaseAgent[Any]


class Life:
    """One agent, how to make it again, and how it has fared."""

    def __init__(self, build: Callable[[], Agent], cap: int) -> None:
        self._build = build
        self.agent = build()
        self.inlet = Subscriber(
            self.agent.name, *bound(self.agent), cap=cap, essential=self.agent.essential
        )
        self.inlet.up = self.inlet.idle = False  # what comes before `restore` waits for it
        self.leave: Unsubscribe | None = None
        """Ends the delivery of messages to it; there from `Supervisor.add` on."""
        self.errors: Counter[str] = Counter()
        self.restarts: deque[int] = deque()
        """When it was restarted lately, in monotonic ns."""
        self.restart: asyncio.Task[None] | None = None
        """The pause before its next restart, while there is one."""
        self.begun = False
        """Whether it has prepared and must be torn down."""
        self.heard = monotonic()
        self.silent = False
        self.mark: Callable[[Message], None] = _unheard
        """Puts on record when it takes messages; there from `Supervisor.add` on."""
        self._retried = 0
        self._failed = self._waiting = 0
        """Since it lay down last: the message it failed on, and the one put back in front."""

    @property
    def name(self) -> str:
        """Return the agent's name."""
        return self.inlet.name

    @property
    def essential(self) -> bool:
        """Tell whether the order path needs it."""
        return self.inlet.essential

    @property
    def pausing(self) -> bool:
        """Tell whether its restart is under way already."""
        return self.restart is not None and not self.restart.done()

    def lie_down(self) -> None:
        """Take no more messages; they wait, and so does one whose slow handler is cut off."""
        inlet = self.inlet
        if inlet.working and inlet.hand is not None:
            self._put_back(inlet.hand)
        if inlet.up or self._waiting:
            self._tell_down()
        inlet.up = inlet.idle = inlet.working = False

    def _put_back(self, envelope: Envelope[Message]) -> None:
        self.inlet.inbox.put_back(envelope)
        self._waiting = envelope.seq

    def _tell_down(self) -> None:
        waiting, self._waiting = self._waiting, 0
        failed, self._failed = self._failed, 0
        self.mark(Attendance(agent=self.name, state="down", waiting=waiting, failed=failed))

    def stand_up(self) -> None:
        """Take messages again, from the next `Bus.resume` on."""
        self.inlet.up = True
        self.heard = monotonic()
        self.silent = False

    def retry(self, envelope: Envelope[Message]) -> bool:
        """Lie down and put the message that failed back for one more try; False if it had it."""
        self.inlet.working = False
        self._failed = envelope.seq
        again = self._retried != envelope.seq
        if again:
            self._retried = envelope.seq
            self._put_back(envelope)
        self.lie_down()
        return again

    def depart(self) -> None:
        """Listen no more, for good."""
        if self.leave is not None:
            self.leave()
        self.mark(Attendance(agent=self.name, state="gone"))

    def spend(self, patience: Patience) -> float | None:
        """Take one restart from the budget: the pause before it in seconds, None when none is left.

        `restarts` then holds those of the last `window`.
        """
        now = monotonic()
        while self.restarts and now - self.restarts[0] > patience.window * SECOND:
            self.restarts.popleft()
        spent = len(self.restarts)
        if spent >= patience.restarts:
            return None
        self.restarts.append(now)
        return patience.backoff[min(spent, len(patience.backoff) - 1)]

    def renew(self, runtime: Runtime) -> None:
        """Put a fresh agent in the place of the old one, with nothing in hand."""
        self.agent = self._build()
        self.inlet.rebind(*bound(self.agent))
        self.inlet.hand = None
        self.agent.attach(runtime, self.inlet)

    async def prepare(self, seconds: float) -> None:
        """Let the agent prepare; raises TimeoutError after `seconds`."""
        self.begun = True
        try:
            async with asyncio.timeout(seconds) as limit:
                await self.agent.setup()
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TimeoutError(f"setup did not end within {seconds:.0f} s") from error

    async def let_go(self, seconds: float) -> None:
        """Tear the agent down, once; one that fails to, or takes over `seconds`, is left behind."""
        if not self.begun:
            return
        self.begun = False
        try:
            async with asyncio.timeout(seconds):
                _, error = await attempt(self.agent.teardown())
        except TimeoutError:
            error = TimeoutError(f"it took over {seconds} s")
        if error is not None:
            log.bind(agent=self.name).opt(exception=error).warning("teardown failed: {!r}", error)


def _unheard(_: Message) -> None:
    """Tell nobody."""


def bound(agent: Agent) -> tuple[dict[type[Message], Handler], dict[type[Message], SlowHandler]]:
    """Return an agent's handlers, those that decide at once apart from the slow ones."""
    quick: dict[type[Message], Any] = {Timer: agent.fire}
    slow: dict[type[Message], Any] = {}
    for kind, method in agent.handles.items():
        handler = getattr(agent, method)
        (slow if asyncio.iscoroutinefunction(handler) else quick)[kind] = handler
    return quick, slow
