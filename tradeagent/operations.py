"""Operations: I/O beside the message loop, owned, ordered by lane, with results as messages."""

from __future__ import annotations

import asyncio
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar
from typing import Any

from tradeagent.bus.base import Out
from tradeagent.clock import Clock, SimulatedClock, monotonic
from tradeagent.messages import Envelope, Message

Work = Coroutine[Any, Any, Out]
Spawn = Callable[[Work, str], "asyncio.Task[None]"]


class Operation:
    """One piece of I/O: who started it, on what cause, and since when it runs."""

    __slots__ = ("cause", "done", "lane", "number", "owner", "since", "task", "work")

    def __init__(
        self,
        owner: str,
        work: Work,
        lane: str | None,
        cause: Envelope[Message] | None,
        done: Callable[[Exception | None], None] | None,
    ) -> None:
        self.owner = owner
        self.work = work
        self.lane = lane
        self.cause = cause
        self.done = done
        self.number = 0
        self.since = 0
        self.task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """Return what the operation is called in logs."""
        return f"{self.owner}.{getattr(self.work, '__name__', 'work')}"


_current: ContextVar[Operation | None] = ContextVar("operation", default=None)


class Operations:
    """Runs operations as tasks of the daemon.

    Under a simulated clock an operation runs at once as far as it can, a slow handler as a task of
    its own; what they publish is held until all that run have finished or sleep, and then released
    in the order of their start, so that the time real I/O takes changes nothing.
    """

    def __init__(
        self,
        clock: Clock,
        spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]],
        publish: Callable[[str, Message, Envelope[Message] | None], None],
        failed: Callable[[Operation, Exception], None],
    ) -> None:
        self.running: dict[int, Operation] = {}
        self._clock = clock
        self._spawn = spawn
        self._publish = publish
        self._failed = failed
        self._started = 0
        self._lanes: dict[tuple[str, str], deque[Operation]] = {}
        self._held: list[tuple[int, str, Message, Envelope[Message] | None]] = []
        if isinstance(clock, SimulatedClock):
            clock.on_idle = self.release

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
        operation.since = monotonic()
        self.running[operation.number] = operation
        self._clock.hold()
        if self._clock.simulated and operation.done is None:
            self._step(operation)
        else:
            operation.task = self._spawn(self._watch(operation, operation.work), operation.name)

    def _step(self, operation: Operation) -> None:
        """Run as far as possible without the event loop; a task takes over where it waits."""
        token = _current.set(operation)
        try:
            waiting = operation.work.send(None)
        except StopIteration as stop:
            self._finish(operation, stop.value, None)
        except Exception as error:
            self._finish(operation, None, error)
        else:
            rest = _resume(operation.work, waiting)
            operation.task = self._spawn(self._watch(operation, rest), operation.name)
        finally:
            _current.reset(token)

    async def _watch(self, operation: Operation, work: Any) -> None:
        _current.set(operation)
        try:
            out = await work
        except asyncio.CancelledError:
            self._finish(operation, None, None)
            raise
        except Exception as error:
            self._finish(operation, None, error)
        else:
            self._finish(operation, out, None)

    def _finish(self, operation: Operation, out: Out, error: Exception | None) -> None:
        del self.running[operation.number]
        for message in () if out is None else (out,) if isinstance(out, Message) else out:
            self._hold(operation.number, operation.owner, message, operation.cause)
        self._clock.release()
        if not self._clock.simulated or not self.running:
            self.release()
        if error is not None:
            self._failed(operation, error)
        if operation.done is not None:
            operation.done(error)
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
        held, self._held = self._held, []
        if len(held) > 1:
            held.sort(key=lambda entry: entry[0])
        for _, owner, message, cause in held:
            self._publish(owner, message, cause)
        return True

    def cancel(self, owner: str) -> list[str]:
        """Cancel every operation of `owner`; returns their names."""
        mine = [operation for operation in self.running.values() if operation.owner == owner]
        for key in [key for key in self._lanes if key[0] == owner]:
            for waiting in self._lanes[key]:
                waiting.work.close()
            self._lanes[key].clear()
        for operation in mine:
            if operation.task is not None:
                operation.task.cancel()
        return [operation.name for operation in mine]


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
