"""Operations: I/O beside the message loop, owned, ordered by lane, with results as messages."""

from __future__ import annotations

import asyncio
import types
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

from tradeagent.bus.base import Out, Subscriber
from tradeagent.clock import Clock, SimulatedClock
from tradeagent.log import log
from tradeagent.messages import Envelope, Message

T = TypeVar("T")
Work = Coroutine[Any, Any, Out]


class Operation:
    """One piece of I/O: who started it, and on what cause.

    A slow handler is one, and so is an agent's restart; these hold an `inlet`, which is served
    again when they have ended well.
    """

    __slots__ = ("cancelled", "cause", "inlet", "lane", "number", "owner", "task", "work")

    def __init__(
        self,
        owner: str,
        work: Work,
        lane: str | None = None,
        cause: Envelope[Message] | None = None,
        inlet: Subscriber | None = None,
    ) -> None:
        self.owner = owner
        self.work = work
        self.lane = lane
        self.cause = cause
        self.inlet = inlet
        self.number = 0
        self.cancelled = False
        self.task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """Return what the operation is called in logs."""
        return f"{self.owner}.{getattr(self.work, '__name__', 'work')}"

    @property
    def where(self) -> str:
        """Return the operation's name with the line its own code waits at."""
        frame = getattr(self.work, "cr_frame", None)
        if frame is None:
            return self.name
        return f"{self.name} ({Path(frame.f_code.co_filename).name}:{frame.f_lineno})"


_current: ContextVar[Operation | None] = ContextVar("operation", default=None)


class Operations:
    """Runs operations as tasks of the daemon and tells `ended` how each came out.

    Under a simulated clock an operation runs at once as far as it can, a slow handler as a task of
    its own; what they publish is held until every message is delivered and all that run have ended
    or sleep, and then released in the order of their start. So neither the time real I/O takes nor
    who else is busy or asleep changes anything.
    """

    def __init__(
        self,
        clock: Clock,
        spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]],
        publish: Callable[[str, Message, Envelope[Message] | None], None],
        ended: Callable[[Operation, Exception | None], None],
    ) -> None:
        self.running: dict[int, Operation] = {}
        self._clock = clock
        self._spawn = spawn
        self._publish = publish
        self._ended = ended
        self._started = 0
        self._lanes: dict[tuple[str, str], deque[Operation]] = {}
        self._held: list[tuple[int, str, Message, Envelope[Message] | None]] = []
        if isinstance(clock, SimulatedClock):
            clock.on_idle = self.release
            clock.left = self._held

    def start(self, operation: Operation) -> None:
        """Run an operation now, or after those before it in its lane."""
        if operation.lane is not None:
            key = (operation.owner, operation.lane)
            waiting = self._lanes.get(key)
            if waiting is not None:
                waiting.append(operation)
                return
            self._lanes[key] = deque()
        self._run(operation)

    def _run(self, operation: Operation) -> None:
        self._started += 1
        operation.number = self._started
        self.running[operation.number] = operation
        self._clock.hold()
        if self._clock.simulated and operation.inlet is None:
            self._step(operation)
        else:
            self._launch(operation, operation.work)

    def _launch(self, operation: Operation, work: Awaitable[Out]) -> None:
        operation.task = self._spawn(self._watch(operation, work), operation.name)
        operation.task.add_done_callback(lambda _: self._close(operation))

    def _close(self, operation: Operation) -> None:
        """End what was cancelled before its first step: its task never came to watch it."""
        if operation.number in self.running:
            operation.work.close()
            self._finish(operation, None, None)

    def _step(self, operation: Operation) -> None:
        """Run as far as possible without the event loop; a task takes over where it waits."""
        token = _current.set(operation)
        try:
            waiting = operation.work.send(None)
        except StopIteration as stop:
            self._finish(operation, *_checked(stop.value, None))
        except Exception as error:
            self._finish(operation, None, error)
        else:
            self._launch(operation, _resume(operation.work, waiting))
        finally:
            _current.reset(token)

    async def _watch(self, operation: Operation, work: Awaitable[Out]) -> None:
        _current.set(operation)
        try:
            out, error = await attempt(work)
        except asyncio.CancelledError:
            operation.cancelled = True
            self._finish(operation, None, None)
            raise
        self._finish(operation, *_checked(out, error))

    def _finish(self, operation: Operation, out: Out, error: Exception | None) -> None:
        """Publish what came of an operation; nothing but that follows from a cancelled one."""
        del self.running[operation.number]
        for message in _messages(out):
            self._hold(operation.number, operation.owner, message, operation.cause)
        self._clock.release()
        if not self._clock.simulated:
            self.release()
        if not operation.cancelled:
            self._ended(operation, error)
        elif error is not None:
            log.bind(agent=operation.owner).debug("{}, cancelled: {!r}", operation.name, error)
        self._next_in_lane(operation)

    def _next_in_lane(self, operation: Operation) -> None:
        if operation.lane is None:
            return
        key = (operation.owner, operation.lane)
        waiting = self._lanes[key]
        if waiting:
            self._run(waiting.popleft())
        else:
            del self._lanes[key]

    def holds(self, owner: str, message: Message, cause: Envelope[Message] | None) -> bool:
        """Hold back what an operation says on its way, in a simulation; False if it need not."""
        operation = _current.get()
        if operation is None or not self._clock.simulated:
            return False
        self._hold(operation.number, owner, message, cause)
        return True

    def _hold(
        self, number: int, owner: str, message: Message, cause: Envelope[Message] | None
    ) -> None:
        self._held.append((number, owner, message, cause))

    def release(self) -> bool:
        """Publish what was held, in the order of the operations' start; False if nothing was."""
        if not self._held:
            return False
        held = self._held.copy()
        self._held.clear()
        if len(held) > 1:
            held.sort(key=lambda entry: entry[0])
        for _, owner, message, cause in held:
            self._publish(owner, message, cause)
        return True

    def cancel(self, owner: str) -> list[str]:
        """Cancel every operation of `owner`; returns the names of those that were to go on."""
        mine = [operation for operation in self.running.values() if operation.owner == owner]
        for key in [key for key in self._lanes if key[0] == owner]:
            for waiting in self._lanes[key]:
                waiting.work.close()
            self._lanes[key].clear()
        stuck = [operation.name for operation in mine if not operation.cancelled]
        for operation in mine:
            self.end(operation)
        return stuck

    def end(self, operation: Operation) -> None:
        """Cancel one operation, if it still runs."""
        if operation.task is not None:
            operation.cancelled = True
            operation.task.cancel()


async def attempt(work: Awaitable[T]) -> tuple[T | None, Exception | None]:
    """Wait for code of an agent, which may raise anything; return what it gave, or raised."""
    try:
        return await work, None
    except Exception as error:
        return None, error


def _messages(out: Out) -> Sequence[Message]:
    return () if out is None else (out,) if isinstance(out, Message) else out


def _checked(out: Out, error: Exception | None) -> tuple[Out, Exception | None]:
    """Return how an operation came out, an error if it gave what cannot be published."""
    said = out if isinstance(out, list | tuple) else (out,)
    for one in said if out is not None else ():
        if not isinstance(one, Message):
            return None, TypeError(f"{one!r} is no message and cannot be published")
    return out, error


@types.coroutine
def _resume(work: Work, waiting: Any) -> Generator[Any, Any, Out]:
    """Go on with a coroutine that has run up to its first wait."""
    while True:
        sent, caught = None, None
        try:
            sent = yield waiting
        except BaseException as error:
            caught = error
        try:
            waiting = work.send(sent) if caught is None else work.throw(caught)
        except StopIteration as stop:
            result: Out = stop.value
            return result
