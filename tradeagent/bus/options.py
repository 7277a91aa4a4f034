"""Where a bus is and how this process stands to the others on it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from tradeagent.errors import ConfigError
from tradeagent.messages import Message

Spawn = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"]
Committed = Callable[[int], Awaitable[None]]

_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def nobody(_: Message) -> bool:
    """Keep no message from those outside."""
    return False


@dataclass(frozen=True, slots=True)
class BusOptions:
    """What chooses a bus and its connection; `memory://` needs nothing but `url`.

    `identity` names this process; no two that live at one time may share it. Processes of one
    `group` share the shards of its streams between them; each group receives everything. Classes
    in `refused` may be made by this process alone, and so may each message that `private` tells
    of: from outside they are forged. `shards` must be
    the same in all processes of a namespace. With `committed`, what leaves waits for the journal.
    `spawn` starts a task that somebody owns. Raises ConfigError.
    """

    url: str = "memory://"
    namespace: str = "tradeagent"
    group: str = "main"
    identity: str = "main"
    refused: frozenset[type[Message]] = frozenset()
    private: Callable[[Message], bool] = nobody
    shards: int = 4
    committed: Committed | None = None
    spawn: Spawn | None = None

    def __post_init__(self) -> None:
        """Check the names: they become parts of keys and of JSON."""
        mistakes = [
            f"bus.{key}: {value!r} must be 1 to 64 letters, digits, dots, dashes or underscores"
            for key, value in (
                ("namespace", self.namespace),
                ("group", self.group),
                ("identity", self.identity),
            )
            if not _WORD.fullmatch(value)
        ]
        if self.shards < 1:
            mistakes.append(f"bus.shards: {self.shards} must be 1 or more")
        if mistakes:
            raise ConfigError(*mistakes)
