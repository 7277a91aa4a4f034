"""An event loop that is stuck ends its process, with the agent and the line that hold it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from tradeagent.agents.base import BaseAgent, on
from tradeagent.messages import Sentiment, TickerUpdate, TradeSignal

DEAD = 0.8
DAEMON = f"""
import asyncio, sys
from tests.harness import tick
from tests.supervisor import test_loop
from tests.supervisor.house import Counting, House, mood, signal
from tradeagent.log import setup
from tradeagent.supervisor import Patience

async def main():
    patience = Patience(late=0.2, dead={DEAD})
    setup("json")
    async with House(Counting, getattr(test_loop, sys.argv[1]), patience=patience) as house:
        print("up", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        house.tell(tick(1), mood(), signal())
        await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main())
"""


def spin() -> None:
    """Never end, some way down from the agent."""
    while True:
        pass


class Deciding(BaseAgent):
    """Spins in a handler that decides at once."""

    @on(TickerUpdate)
    def watch(self, tick: TickerUpdate) -> None:
        """Spin."""
        spin()


class Asking(BaseAgent):
    """Spins in a slow handler."""

    @on(Sentiment)
    async def watch(self, sentiment: Sentiment) -> None:
        """Spin."""
        spin()


class Working(BaseAgent):
    """Spins in an operation."""

    @on(TradeSignal)
    def begin(self, signal: TradeSignal) -> None:
        """Start to spin."""
        self.start(self.watch())

    async def watch(self) -> None:
        """Spin."""
        spin()


class Hasty(BaseAgent):
    """Does nothing wrong."""


def daemon(agent: type[BaseAgent]) -> subprocess.Popen[str]:
    """Return a process with a supervisor that is up and waits for a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", DAEMON, agent.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


@pytest.mark.parametrize("agent", [Deciding, Asking, Working])
def test_an_endless_loop_ends_the_process_and_names_its_place(agent: type[BaseAgent]) -> None:
    """The process ends with status 75; the last lines name the agent and show the stack."""
    process = daemon(agent)
    began = time.monotonic()

    _, said = process.communicate("go\n", timeout=20)

    assert process.returncode == 75
    assert DEAD < time.monotonic() - began < DEAD + 5
    spinning = agent.watch.__code__.co_firstlineno  # type: ignore[attr-defined]
    at = range(spinning, spinning + 5)
    late, stuck = (line for line in said.splitlines() if "the event loop is" in line)
    for line in (late, stuck):
        assert f"{agent.__name__.lower()}.watch (test_loop.py:" in line
        assert int(line.split("test_loop.py:")[1].split(")")[0]) in at
    assert "s late in" in late
    assert "stuck in" in stuck
    assert "in spin\n" in said


def test_a_suspended_process_goes_on() -> None:
    """Time in which the whole process stood still is not held against its event loop."""
    process = daemon(Hasty)

    process.send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    while time.monotonic() - stopped < 2 * DEAD:
        pass
    process.send_signal(signal.SIGCONT)
    _, said = process.communicate("go\nend\n", timeout=20)

    assert process.returncode == 0, said
    assert "late" not in said
