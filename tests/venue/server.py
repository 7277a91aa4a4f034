"""A venue as a process of its own, and what listens to it from threads."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

from eth_account import Account
from eth_account.signers.local import LocalAccount

ENOUGH = 30.0
LEFT: list[threading.Thread] = []
"""Threads of the SDK, which look up to ten seconds later whether their socket is closed."""
Message = dict[str, object]


class Venue:
    """`tradeagent exchange` on free ports of the loopback."""

    def __init__(self, log: Path, *arguments: str) -> None:
        """Start it and wait for the line that says where it is; what else it says is in `log`."""
        self.log = log
        with log.open("a", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tradeagent", "exchange", "--port", "0", *arguments],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "PYTHONWARNINGS": "error"},
            )
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], ENOUGH)
        line = self.process.stdout.readline() if ready else ""
        assert line, log.read_text(encoding="utf-8")
        where = json.loads(line)
        self.url, self.ws, self.admin = where["url"], where["ws"], where["admin"]

    def __enter__(self) -> Venue:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; returns its exit status."""
        self.process.send_signal(number)
        status = self.process.wait(ENOUGH)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def switch(self, name: str, **more: object) -> Message:
        """Switch a fault on, or do something to the venue; returns what it says."""
        return _ask(self.admin, {"switch": name, **more})

    def clear(self) -> None:
        """Switch every fault off."""
        with urlopen(Request(self.admin, method="DELETE"), timeout=ENOUGH):
            pass

    def info(self, kind: str, **more: object) -> object:
        """Return the answer to a query."""
        return _ask(f"{self.url}/info", {"type": kind, **more})


def _ask(url: str, body: Message) -> Message:
    request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=ENOUGH) as answer:
        found: Message = json.loads(answer.read())
        return found


def wallet(number: int) -> LocalAccount:
    """Return a key of our own; equal numbers give equal keys."""
    made: LocalAccount = Account.from_key((0xD00D0000 + number).to_bytes(32, "big"))
    return made


class Heard:
    """Messages that threads bring, waited for without sleeping."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._changed = threading.Condition()

    def __call__(self, message: Message) -> None:
        """Take in a message."""
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def until(self, fits: Callable[[Message], object], seconds: float = ENOUGH) -> Message:
        """Return the first message that fits, waiting for it if need be."""

        def found() -> Message | None:
            return next((one for one in self.messages if fits(one)), None)

        with self._changed:
            assert self._changed.wait_for(found, seconds), self.messages[-5:]
            message = found()
        assert message is not None
        return message
