"""The event loop, watched from a thread it cannot hold up; the process ends when it is stuck."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import traceback
from pathlib import Path
from types import FrameType

from tradeagent.agents.base import BaseAgent
from tradeagent.clock import SECOND, monotonic
from tradeagent.log import log

BEAT = 0.2
LAST_WORDS = 2.0
"""Seconds for the last log line; the log may be what is stuck."""
STUCK_EXIT = 75


class LoopWatch:
    """Measures how late the event loop is.

    After `late` seconds `lag` shows it and the culprit is named once; after `dead` seconds the
    process ends with status 75 and its stack, for the process supervisor to start it again. Time in
    which the whole process was held up, as by a suspended machine, is not the loop's.
    """

    def __init__(self, late: float = 2.0, dead: float = 10.0) -> None:
        self._late = late
        self._dead = dead
        self._beat = monotonic()
        self._named = False
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._main = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="loop-watch", daemon=True)
        self.worst = 0.0

    def start(self) -> None:
        """Begin to watch."""
        self._mark()
        self._thread.start()

    def stop(self) -> None:
        """End the watch."""
        self._stop.set()
        if self._timer is not None:
            self._timer.cancel()

    @property
    def lag(self) -> float:
        """Return how many seconds the loop is late."""
        return max(0.0, (monotonic() - self._beat) / SECOND - BEAT)

    def _mark(self) -> None:
        self.worst = max(self.worst, self.lag)
        self._beat = monotonic()
        self._named = False
        self._timer = self._loop.call_later(BEAT, self._mark)

    def _watch(self) -> None:
        looked = monotonic()
        while not self._stop.wait(BEAT):
            now = monotonic()
            if (now - looked) / SECOND > BEAT + self._late:
                self._beat = now
            looked = now
            lag = self.lag
            if lag > self._late and not self._named:
                self._named = True
                log.error("the event loop is {:.1f} s late in {}", lag, self.culprit())
            if lag > self._dead:
                self._end()

    def _end(self) -> None:
        threading.Timer(LAST_WORDS, os._exit, (STUCK_EXIT,)).start()
        culprit, stack = self.culprit(), self.stack()
        log.critical("the event loop is stuck in {}; ending with status {}", culprit, STUCK_EXIT)
        sys.stderr.write(stack)
        sys.stderr.flush()
        os._exit(STUCK_EXIT)

    def _frame(self) -> FrameType | None:
        return sys._current_frames().get(self._main)

    def culprit(self) -> str:
        """Return which agent's code the loop is in, with its line."""
        frame = self._frame()
        while frame is not None:
            agent = frame.f_locals.get("self")
            if isinstance(agent, BaseAgent):
                where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
                return f"{agent.name}.{frame.f_code.co_name} ({where})"
            frame = frame.f_back
        return "no agent"

    def stack(self) -> str:
        """Return where the loop's thread is."""
        frame = self._frame()
        return "".join(traceback.format_stack(frame)) if frame is not None else ""
