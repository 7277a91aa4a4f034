"""One run as its operator sees it: logs or a live table while it lasts, a summary at the end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from tradeagent.app import Daemon, open_daemon
from tradeagent.bus.base import Subscriber
from tradeagent.cli.narrate import TOLD, sentence
from tradeagent.clock import SECOND, monotonic
from tradeagent.log import log, setup
from tradeagent.messages import Message
from tradeagent.plan import Plan
from tradeagent.tally import Summary


async def run_session(plan: Plan, state: Path, length: int | None, summary: Path | None) -> None:
    """Run one daemon to its end, show it, and write its summary."""
    settings = plan.settings
    terminal = sys.stdout.isatty() and settings.log.style == "auto"
    style = "console" if settings.log.style == "auto" else settings.log.style
    setup(style, "WARNING" if terminal else settings.log.level)
    async with open_daemon(plan, state) as daemon:
        _on_interrupt(daemon.stop)
        if terminal and not daemon.clock.simulated:
            from tradeagent.cli.screen import shown

            with shown(daemon):
                result = await daemon.run(length)
        else:
            if not daemon.clock.simulated:
                _narrate(daemon)
            result = await daemon.run(length)
    _report(result, summary)


def _narrate(daemon: Daemon) -> None:
    def tell(message: Message) -> None:
        text = sentence(message, daemon.tally)
        if text:
            hand = teller.hand
            source = hand.source if hand is not None else "-"
            log.bind(agent=source, trace=hand.trace if hand is not None else 0).info("{}", text)

    teller = Subscriber("narrator", dict.fromkeys(TOLD, tell), observer=True)
    daemon.bus.subscribe(teller)


def _on_interrupt(stop: Callable[[], None]) -> None:
    """Let the first SIGINT or SIGTERM stop in order, and a later one end the process at once.

    One press may arrive twice, from the terminal and from a parent; it counts once.
    """
    asked: list[int] = []

    def handle() -> None:
        if asked:
            if monotonic() - asked[0] > SECOND:
                os._exit(130)
            return
        asked.append(monotonic())
        sys.stderr.write("\nstopping; once more ends at once\n")
        stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, handle)


def _report(result: Summary, path: Path | None) -> None:
    text = result.model_dump_json(indent=2)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    change = result.end_equity - result.start_equity
    refused = ", ".join(f"{rule} {count}" for rule, count in result.rejections.items()) or "none"
    sys.stdout.write(
        f"{result.started} to {result.ended}: {result.bars} bars, {result.ticks} ticks, "
        f"{result.signals} signals, {result.approvals} approvals, rejections: {refused}; "
        f"{result.orders} orders, {result.fills} fills, fees {result.fees:.2f}; equity "
        f"{result.start_equity:.2f} -> {result.end_equity:.2f} ({change:+.2f}); "
        f"journal {result.journal_entries} entries {result.journal_hash[:16]}\n"
    )
