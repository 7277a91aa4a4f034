"""The durable journal: written by a thread of its own, or by a simulated run in passing."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from tradeagent.errors import Fenced, JournalError
from tradeagent.messages import Envelope, Message, Origin
from tradeagent.storage.base import Head, Settled
from tradeagent.storage.scribe import Scribe

GROUP = 4096
"""Rows after which a transaction takes no further settled batch."""
LINGER = 0.02
"""Seconds a row may wait for company when nobody waits for it."""

FAULT = "the journal's thread ended by a fault of the program"
UNWRITABLE = "the journal cannot be written ({}): put that right and restart"

WRITING = (sqlite3.Error, OSError, ValueError, Fenced)
"""What writing may raise: the disk's and the database's faults, what cannot be encoded, and that
another process has taken over.
"""
Failed = Callable[[JournalError], None]
DONE = Settled()
RECORDED = Origin.RECORDED


class SqlJournal:
    """A journal in a database; `append` only queues, a thread encodes, chains and commits.

    What lies between two calls of `settle` is committed in one transaction.

    `committed` waits for the disk, and `failed` is called on the loop when the journal can be
    written no more; it stays so until a restart. All methods are called on the loop's thread.
    """

    def __init__(
        self,
        scribe: Scribe,
        loop: asyncio.AbstractEventLoop | None = None,
        failed: Failed | None = None,
    ) -> None:
        self._scribe = scribe
        self._loop = loop
        self._failed = failed
        self._failure: JournalError | None = None
        self._open: list[Envelope[Message]] = []
        self._queue: deque[list[Envelope[Message]]] = deque()
        self._appended = self._written = 0
        self._last = self._durable = scribe.head.seq
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._asleep = False
        self._closing: str | None = None
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> int:
        """Return how many rows wait to be written."""
        return 0 if self._failure else self._appended - self._written

    @property
    def failure(self) -> str:
        """Return why the journal can be written no more, or nothing."""
        return str(self._failure or "")

    def append(self, envelope: Envelope[Message]) -> None:
        """Queue a dispatched message; one from a recorded file leaves no row."""
        if envelope.origin is RECORDED:
            return
        self._last = envelope.seq
        self._appended += 1
        self._open.append(envelope)

    def settle(self) -> None:
        """Queue what was appended since the last time, to be committed together."""
        if not self._open:
            return
        self._queue.append(self._open)
        self._open = []
        if self._asleep:
            self._wake.set()

    def committed(self, seq: int) -> Awaitable[None]:
        """Return what is done when all rows up to `seq` are durable; see `Journal.committed`."""
        if min(seq, self._last) <= self._durable:
            return DONE
        if self._failure is not None:
            return Settled(self._failure)
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        waiter = self._loop.create_future()
        self._waiters.append((min(seq, self._last), waiter))
        self._wake.set()
        return waiter

    def head(self) -> Head:
        """Return the last durable row's place and hash."""
        return self._scribe.head

    def close(self, *, clean: bool = True) -> None:
        """Write what is queued and end the thread; raises JournalError if that failed."""
        if self._closing is None:
            self.settle()
            self._closing = "clean" if clean else "abandoned"
            self._wake.set()
            self._thread.join()
            if self._failure is not None:
                raise self._failure
            self._failure = JournalError("the journal is closed")
            self._queue = deque(maxlen=0)

    def _run(self) -> None:
        failure: JournalError | None = JournalError(FAULT)
        try:
            while self._rest():
                self._write()
            self._scribe.close(clean=self._closing == "clean")
            failure = None
        except WRITING as error:
            failure = _failure_of(error)
        finally:
            if failure is not None:
                self._failure = failure
                self._queue = deque(maxlen=0)
                self._scribe.abandon()
                self._tell(self._fail)

    def _rest(self) -> bool:
        """Wait until something is to be written; returns False when all is and the end has come."""
        wake = self._wake
        while not self._queue:
            if self._closing:
                return False
            self._scribe.tidy()
            wake.clear()
            self._asleep = True
            self._release_soon()  # for who asked just before the last commit was noted
            if not self._queue and not self._closing:
                wake.wait()
            self._asleep = False
        wake.clear()
        if not (self._waiters or self._closing or self.backlog >= GROUP):
            wake.wait(LINGER)
        return True

    def _write(self) -> None:
        group: list[Envelope[Message]] = []
        while self._queue and len(group) < GROUP:
            group.extend(self._queue.popleft())
        self._scribe.write(group)
        self._written += len(group)
        self._durable = self._scribe.head.seq
        self._release_soon()

    def _release_soon(self) -> None:
        if self._waiters:
            self._tell(self._release)

    def _tell(self, call: Callable[[], None]) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # a loop that is closed has nobody left to tell
                self._loop.call_soon_threadsafe(call)

    def _release(self) -> None:
        waiting = []
        for seq, waiter in self._waiters:
            if seq > self._durable:
                waiting.append((seq, waiter))
            elif not waiter.done():
                waiter.set_result(None)
        self._waiters = waiting

    def _fail(self) -> None:
        assert self._failure is not None
        self._release()
        waiters, self._waiters = self._waiters, []
        for _, waiter in waiters:
            if not waiter.done():
                waiter.set_exception(self._failure)
        if self._failed is not None:
            self._failed(self._failure)


class PassingJournal:
    """A journal in a database that a simulated run writes in passing, a group at a time.

    Nobody waits for it, and a thread beside the run would only fight it for the interpreter. What
    cannot be written ends the run.
    """

    def __init__(self, scribe: Scribe) -> None:
        self._scribe = scribe
        self._rows: list[Envelope[Message]] = []
        self._closed = False
        self.failure = ""

    @property
    def backlog(self) -> int:
        """Return how many rows wait to be written."""
        return len(self._rows)

    def append(self, envelope: Envelope[Message]) -> None:
        """Keep a dispatched message; one from a recorded file leaves no row."""
        if envelope.origin is not RECORDED:
            self._rows.append(envelope)

    def settle(self) -> None:
        """Write what was appended, once it is enough; raises JournalError."""
        if len(self._rows) >= GROUP:
            self._write()

    def committed(self, seq: int) -> Awaitable[None]:  # noqa: ARG002
        """Return what is done: simulated time waits for no disk."""
        return DONE

    def head(self) -> Head:
        """Return the last durable row's place and hash."""
        return self._scribe.head

    def close(self, *, clean: bool = True) -> None:
        """Write what is left; raises JournalError."""
        if self._closed:
            return
        self._closed = True
        if self.failure:
            raise JournalError(self.failure)
        try:
            self._write()
            self._scribe.close(clean=clean)
        except WRITING as error:
            raise self._failed(error) from error

    def _write(self) -> None:
        rows, self._rows = self._rows, []
        if not rows:
            return
        try:
            self._scribe.write(rows)
        except WRITING as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> JournalError:
        failure = _failure_of(error)
        self.failure = str(failure)
        self._scribe.abandon()
        return failure


def _failure_of(error: Exception) -> JournalError:
    return error if isinstance(error, Fenced) else JournalError(UNWRITABLE.format(error))
