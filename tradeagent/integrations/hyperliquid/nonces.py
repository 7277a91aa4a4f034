"""Give each action of a signer a number that was never used, whatever the clock does."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from tradeagent.clock import MILLISECOND, Clock
from tradeagent.errors import StateError, VenueUnavailable
from tradeagent.integrations.hyperliquid.timing import VenueTime
from tradeagent.log import log

BLOCK = 1_000
"""How many numbers one write to the file covers: a second's, so that one a second is enough."""
FURTHEST = 60_000
"""How far ahead of the venue's time a number may be, ms."""
WIDTH = 20


class Nonces:
    """Counts up with the clock's milliseconds; what a file says was perhaps used never comes again.

    A clock that runs ahead of the venue's time does not count: cancels and exits need numbers then,
    too, and those it gave would bar all that come after it is set right.

    The file tells a number that no nonce given so far exceeds, durably. Where it cannot be written
    any more numbers are given all the same, as a full disk must not keep a cancel in.
    """

    def __init__(self, clock: Clock, venue_time: VenueTime, path: Path | None) -> None:
        self._clock = clock
        self._venue_time = venue_time
        self._guard = threading.Lock()
        self._path = path
        self._file = -1
        self._last = self._mark = 0
        self._warned = False
        self.first = 0
        """No nonce below it was given by this run."""

    def open(self) -> None:
        """Take up where an earlier run may have ended; raises StateError."""
        if self._path is not None and self._file < 0:
            self._file = _open(self._path)
            self._last = self._mark = max(self._last, _read(self._file, self._path))
            self.first = self._last + 1

    def next(self) -> int:
        """Return the next nonce; raises VenueUnavailable when it would poison those to come."""
        with self._guard:
            venue = self._venue_time.now() // MILLISECOND
            nonce = max(self._last + 1, min(self._clock.now() // MILLISECOND, venue))
            if nonce > venue + FURTHEST:
                raise VenueUnavailable(
                    "NONCE: an earlier run has used numbers more than a minute ahead of the "
                    "venue's time; give another agent's key"
                )
            if nonce > self._mark:
                self._cover(nonce + BLOCK)
            self._last = nonce
            return nonce

    def _cover(self, mark: int) -> None:
        if self._path is not None:
            try:
                os.pwrite(self._file, b"%0*d\n" % (WIDTH, mark), 0)
                os.fsync(self._file)
            except OSError as error:
                if not self._warned:
                    log.error("{}: cannot be written: {}", self._path, error.strerror)
                self._warned = True
        self._mark = mark

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StateError(f"{path}: cannot be opened: {error.strerror}") from None


def _read(file: int, path: Path) -> int:
    text = os.pread(file, WIDTH + 1, 0).strip()
    if text and not text.isdigit():
        os.close(file)
        raise StateError(f"{path}: holds no number; move it away once a minute has passed")
    return int(text or b"0")
