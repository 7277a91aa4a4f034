"""One run as its operator sees it: logs or a live table while it lasts, a summary at the end."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from tradeagent.agents.gate import RiskSettings
from tradeagent.app import Daemon, open_daemon
from tradeagent.bus.base import Subscriber
from tradeagent.cli.narrate import GRAVE, TOLD, sentence
from tradeagent.clock import SECOND, monotonic
from tradeagent.errors import CommandError
from tradeagent.integrations.hyperliquid.settings import HyperliquidSettings
from tradeagent.log import log, setup
from tradeagent.messages import AccountUpdate, DataStatus, Message
from tradeagent.opening import Unlock
from tradeagent.plan import Plan
from tradeagent.tally import Summary


async def run_session(
    plan: Plan,
    state: Path,
    length: int | None,
    summary: Path | None,
    unlock: Unlock | None = None,
    key: SecretStr | None = None,
) -> None:
    """Run one daemon to its end, show it, and write its summary."""
    settings = plan.settings
    simulated = settings.clock.mode == "simulated"
    live = sys.stdout.isatty() and settings.log.style == "auto" and not simulated
    style = "console" if settings.log.style == "auto" else settings.log.style
    setup(style, "WARNING" if live else settings.log.level)
    if summary is not None:
        _expect(summary)
    sys.stderr.write(banner(plan))
    async with open_daemon(plan, state, unlock=unlock, key=key) as daemon:
        _on_interrupt(daemon.stop)
        with _frozen():
            if live:
                from tradeagent.cli.screen import shown

                with shown(daemon):
                    result = await daemon.run(length)
            else:
                _narrate(daemon, GRAVE if simulated else TOLD)
                result = await daemon.run(length)
    _report(result, summary)


@contextmanager
def _frozen() -> Iterator[None]:
    """Keep what was loaded out of every collection: none need walk through it.

    What stays frozen is not freed at the end of the process either, of which DuckDB complains.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def banner(plan: Plan) -> str:
    """Return what an operator must not overlook: that real money is traded, whose, and how much."""
    exchange = plan.exchange
    if not isinstance(exchange, HyperliquidSettings) or exchange.network != "mainnet":
        return ""
    limits = next(
        one.settings.limits for one in plan.agents if isinstance(one.settings, RiskSettings)
    )
    line = "=" * 72
    return (
        f"{line}\nREAL MONEY on Hyperliquid, account {exchange.account}\n"
        f"an order is worth {limits.max_order_notional} at most, a position "
        f"{limits.max_position_notional}, a day may lose {limits.max_daily_loss_ratio:.1%}\n"
        "'tradeagent halt --reason TEXT' stops it, or a file named KILL in the state folder\n"
        f"{line}\n"
    )


def _expect(path: Path) -> None:
    """Refuse before the run, not after it, a path that no summary can be written to."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"--summary: {path}: {error.strerror}; name another file") from error
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise CommandError(f"--summary: {path}: cannot be written; name another file")


def _narrate(daemon: Daemon, kinds: tuple[type[Message], ...]) -> None:
    told: dict[str, object] = {}

    def tell(message: Message) -> None:
        """Log what a message says to an operator, if it does."""
        text, news = sentence(message, daemon.tally), _news(message)
        if news is not None:
            known, told[news[0]] = told.get(news[0]), news[1]
            text = "" if news[1] == known else text
        if text:
            hand = teller.hand
            source = hand.source if hand is not None else "-"
            log.bind(agent=source, trace=hand.trace if hand is not None else 0).info("{}", text)

    teller = Subscriber("narrator", dict.fromkeys(kinds, tell), observer=True)
    daemon.bus.subscribe(teller)


def _news(message: Message) -> tuple[str, object] | None:
    """Return what must differ from the last time for what comes on schedule to be told."""
    if isinstance(message, DataStatus):
        return message.name, message.model_copy(update={"rows": 0, "last_time": 0})
    if isinstance(message, AccountUpdate):
        return message.wire, message.balance
    return None


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
    change = result.end_equity - result.start_equity
    refused = ", ".join(f"{rule} {count}" for rule, count in result.rejections.items()) or "none"
    sys.stdout.write(
        f"{result.started} to {result.ended}: {result.bars} bars, {result.ticks} ticks, "
        f"{result.signals} signals, {result.approvals} approvals, rejections: {refused}; "
        f"{result.orders} orders, {result.fills} fills, fees {result.fees:.2f}; equity "
        f"{result.start_equity:.2f} -> {result.end_equity:.2f} ({change:+.2f}); "
        f"journal {result.journal_entries} entries {result.journal_hash[:16]}\n"
    )
    if path is None:
        return
    try:
        path.write_text(result.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--summary: {path}: {error.strerror}; name another file") from error
