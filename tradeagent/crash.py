"""Named places at which a test may end the process as a power cut would."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

VARIABLE = "TRADEAGENT_CRASH_AT"
KILLED = 137
"""The exit status of a process that was killed."""


class _Crash:
    """The one place where this process is to end, and how often it is passed before."""

    __slots__ = ("left", "place")

    def __init__(self, wish: str) -> None:
        """Take a wish such as `CP2`, or `CP2:3` for the third time it is reached."""
        self.place, _, times = wish.partition(":")
        self.left = int(times or 1)


_armed = _Crash(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


def halved(body: bytes, place: str) -> bytes | AsyncIterator[bytes]:
    """Return `body`, in two parts with the end of the process between them if `place` is where."""
    return _parts(body, place) if _armed is not None and _armed.place == place else body


async def _parts(body: bytes, place: str) -> AsyncIterator[bytes]:
    middle = len(body) // 2
    yield body[:middle]
    crashpoint(place)
    yield body[middle:]


def crashpoint(place: str) -> None:
    """End the process at once if `place` is where it is to; nothing else is done there."""
    if _armed is not None and _armed.place == place:
        _armed.left -= 1
        if _armed.left == 0:
            os._exit(KILLED)
