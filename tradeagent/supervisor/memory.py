"""Memory: the agent that holds most is named and made anew when the process holds too much."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from tradeagent.messages import Severity
from tradeagent.supervisor.alarms import Alarms
from tradeagent.supervisor.life import Life
from tradeagent.supervisor.restarts import Restarts

MEGABYTE = 1 << 20
MOST = 1 << 30
GROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
PART = 10
"""An agent that holds less than one part in so many is not to blame."""
SAMPLE = 1_000
NOT_OWN = frozenset({"_runtime", "_inlet"})


class MemoryWatch:
    """Names the agent that holds most once the process holds over `limit` bytes, and restarts it.

    It speaks up again for each quarter more, and from the start once memory has fallen below the
    limit. Memory that no agent holds is told of; restarting anybody would not give it back.
    """

    def __init__(
        self, lives: Mapping[str, Life], alarms: Alarms, restarts: Restarts, limit: int
    ) -> None:
        self._lives = lives
        self._alarms = alarms
        self._restarts = restarts
        self._limit = limit
        self._mark = limit

    def look(self) -> None:
        """Compare what the process holds with what was last told of."""
        held = resident_bytes()
        if held <= self._limit:
            self._mark = self._limit
        elif held > self._mark:
            self._mark = held + held // 4
            self._judge(held)

    def _judge(self, held: int) -> None:
        weights = {life.name: _own(life) for life in self._lives.values() if life.inlet.up}
        heaviest = max(weights, key=lambda name: weights[name], default="")
        text = f"{held // MEGABYTE} MB are in use, over {self._limit // MEGABYTE} MB; "
        if not heaviest or weights[heaviest] < held // PART:
            self._alarms.incident("MEMORY", Severity.WARNING, "", text + "no agent holds much")
            return
        life = self._lives[heaviest]
        text += f"{heaviest} holds about {weights[heaviest] // MEGABYTE} MB"
        if life.essential:
            self._alarms.halt(text, heaviest, "MEMORY")
        else:
            self._alarms.incident("MEMORY", Severity.WARNING, heaviest, text)
        self._restarts.put_down(life, text)


def _own(life: Life) -> int:
    not_own = NOT_OWN | life.agent.borrowed
    return weigh({key: value for key, value in vars(life.agent).items() if key not in not_own})


def resident_bytes() -> int:
    """Return the memory the process holds, or 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def affordable_bytes() -> int:
    """Return half of what the machine or the container has, 1 GB at most."""
    found = [2 * MOST]
    with suppress(OSError, ValueError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(OSError, ValueError):
        found.append(int(GROUP_LIMIT.read_text(encoding="ascii")))
    return min(found) // 2


def weigh(root: object, most: int = 20_000) -> int:
    """Return about how many bytes `root` holds, looking at up to `most` objects.

    Of a large container the first SAMPLE items stand for all.
    """
    seen: set[int] = set()
    waiting: deque[tuple[object, float]] = deque([(root, 1.0)])
    total = 0.0
    while waiting and len(seen) < most:
        thing, times = waiting.popleft()
        if id(thing) in seen or isinstance(thing, type):
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing) * times
        count, parts = _parts(thing)
        times *= max(1.0, count / SAMPLE)
        waiting.extend((part, times) for part in parts)
    return int(total)


def _parts(thing: object) -> tuple[int, Sequence[object]]:
    """Return how many parts a thing has, and the first of them."""
    if isinstance(thing, dict):
        pairs = list(islice(thing.items(), SAMPLE))
        return len(thing), [part for pair in pairs for part in pair]
    if isinstance(thing, list | tuple | set | frozenset | deque):
        return len(thing), list(islice(thing, SAMPLE))
    if type(thing).__module__.split(".")[0] in ("builtins", "asyncio"):
        return 0, ()
    slots = getattr(type(thing), "__slots__", ())
    return 1, [getattr(thing, "__dict__", None), *(getattr(thing, slot, None) for slot in slots)]
