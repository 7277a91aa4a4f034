"""The control socket: JSON-RPC 2.0, one request a line, for the owner of the state directory."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tradeagent.agents.compliance import AUDIT
from tradeagent.agents.execution import RECONCILE
from tradeagent.agents.legs import PROTECTIVE
from tradeagent.agents.overrides import objection
from tradeagent.agents.states import kept
from tradeagent.api import views
from tradeagent.api.kill import stop_trading, told_to_stop
from tradeagent.api.readiness import lag, obstacles
from tradeagent.app import Daemon
from tradeagent.clock import SECOND
from tradeagent.errors import CommandError, JournalError, OperatorError
from tradeagent.log import log
from tradeagent.messages import (
    CancelRequest,
    Message,
    RiskOverride,
    StrategyState,
    TaskRequest,
    TradingMode,
)

LONGEST = 64 * 1024
ORDERING = frozenset({"data", "trading", "risk", "execution", "monitor", "compliance"})
"""Agents that signal nothing, so that there is nothing to pause."""
MOST = 10_000
"""Working orders looked through for those a cancel means."""


class Params(BaseModel):
    """What a method takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Nothing(Params):
    """No parameters."""


class Listing(Params):
    """How many rows, and whether of open orders only."""

    limit: int = Field(default=50, ge=1, le=10_000)
    open_only: bool = False


class Reason(Params):
    """Why, and who says so."""

    reason: str = Field(min_length=3, max_length=500)
    actor: str = Field(default="operator", min_length=1, max_length=80)


class Halt(Reason):
    """Why, and whether only a restart with `--unlock` ends it."""

    lock: bool = False


class Cancel(Reason):
    """What to cancel: one order, a symbol's, a strategy's, or all."""

    cloid: str | None = None
    symbol: str | None = None
    strategy: str | None = None
    protective: bool = False


class Actor(Params):
    """Who asks."""

    actor: str = "operator"


class Word(Reason):
    """What a strategy may do from now on."""

    strategy: str
    mode: Literal["active", "paused", "closed"]


class Override(Reason):
    """Which rule to lift, where (a symbol, a strategy, or `*`), and for how many minutes.

    With `limit` the rule's limit is replaced, in the unit of its setting.
    """

    rule: str = Field(min_length=1)
    scope: str = Field(default="*", min_length=1)
    limit: Decimal | None = Field(default=None, allow_inf_nan=False)
    minutes: float = Field(gt=0, le=7 * 24 * 60)


Method = Callable[[Any], object]


class Control:
    """Answers the methods of the control socket."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self.methods: dict[str, tuple[type[Params], Method]] = {
            "status": (Nothing, self._status),
            "agents": (Nothing, self._agents),
            "strategies": (Nothing, lambda _: views.strategies(daemon.records)),
            "orders": (
                Listing,
                lambda p: views.orders(daemon.records, open_only=p.open_only, limit=p.limit),
            ),
            "positions": (Nothing, lambda _: views.positions(daemon.records)),
            "trades": (Listing, lambda p: views.trades(daemon.records, p.limit)),
            "halt": (Halt, self._halt),
            "resume": (Reason, lambda p: self._go(TradingMode.ACTIVE, p)),
            "flatten": (Reason, lambda p: self._go(TradingMode.FLATTENING, p)),
            "cancel": (Cancel, self._cancel),
            "override": (Override, self._override),
            "audit": (Actor, self._audit),
            "strategy": (Word, self._direct),
            "reconcile": (Actor, self._reconcile),
        }

    async def answer(self, line: bytes) -> bytes:
        """Return the JSON-RPC answer to one request line."""
        request: Any = None
        try:
            request = json.loads(line)
            kind, method = self.methods[request["method"]]
            params = kind.model_validate(request.get("params") or {})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return _error(request, *_reproach(error, self.methods))
        try:
            result = method(params)
            note = await self._settled()
        except OperatorError as error:
            return _error(request, -32000, str(error))
        return _reply(request, {"result": _plain(result), **note})

    async def _settled(self) -> dict[str, str]:
        """Wait until what was done is on record; what cannot be stored has still been done."""
        try:
            await self._daemon.store.journal.committed(self._daemon.bus.seq)
        except JournalError as error:
            return {"warning": f"done, but not on record: {error}"}
        return {}

    def _publish(self, message: Message) -> None:
        self._daemon.bus.publish(message, "operator")

    def _status(self, _: Nothing) -> views.StatusView:
        daemon, tally = self._daemon, self._daemon.tally
        account, reasons = tally.account, obstacles(daemon)
        return views.StatusView(
            profile=daemon.plan.settings.profile,
            pid=os.getpid(),
            mode=tally.mode.value,
            reason=tally.mode_reason,
            time=daemon.clock.now(),
            equity="" if account is None else f"{account.equity:.2f}",
            balance="" if account is None else f"{account.balance:.2f}",
            signals=tally.signals,
            approvals=tally.approvals,
            rejections=dict(tally.rejections),
            fills=tally.fills,
            lag_seconds=round(lag(daemon), 3),
            ready=not reasons,
            not_ready_because=tuple(reasons),
        )

    def _agents(self, _: Nothing) -> list[views.AgentView]:
        found = []
        for name, life in self._daemon.supervisor.lives.items():
            hand, status = life.inlet.hand, self._daemon.tally.agents.get(name)
            found.append(
                views.AgentView(
                    agent=name,
                    state=life.agent.state.value,
                    waiting=len(life.inlet.inbox),
                    last_seq=hand.seq if hand is not None else 0,
                    restarts=len(life.restarts),
                    errors=life.errors.total(),
                    reason=status.reason if status is not None else "",
                )
            )
        return found

    def _go(self, mode: TradingMode, why: Reason) -> dict[str, str]:
        if "risk" not in self._daemon.supervisor.lives:
            raise CommandError("this process has no Risk agent; ask the one that trades")
        if mode is TradingMode.ACTIVE:
            self._refuse_to_resume()
        self._publish(RiskOverride(rule="STATE", mode=mode, reason=why.reason, actor=why.actor))
        reached = self._daemon.tally.mode
        log.bind(agent="operator").warning("{} asked for {}: {}", why.actor, mode, why.reason)
        flattens = mode is TradingMode.FLATTENING  # which ends HALTED at once where all is flat
        if reached is not mode and (reached is TradingMode.LOCKED or not flattens):
            remedy = "; " + kept(reached, mode) if reached is TradingMode.LOCKED else ""
            reason = self._daemon.tally.mode_reason
            raise CommandError(f"trading stays {reached}: {reason}{remedy}")
        return {"mode": reached.value}

    def _refuse_to_resume(self) -> None:
        daemon = self._daemon
        if failure := daemon.store.journal.failure:
            raise CommandError(f"trading stays {daemon.tally.mode}: {failure}")
        if reason := told_to_stop(daemon):
            raise CommandError(
                f"trading stays {daemon.tally.mode}: {reason}; remove {daemon.directory.kill}"
            )

    def _halt(self, why: Halt) -> dict[str, str]:
        """Stop trading at once; it waits for no agent."""
        mode = TradingMode.LOCKED if why.lock else TradingMode.HALTED
        stop_trading(self._daemon, why.reason, why.actor, mode)
        return self._go(mode, why)

    def _cancel(self, wish: Cancel) -> dict[str, str]:
        self._publish(
            CancelRequest(
                cloid=wish.cloid,
                symbol=wish.symbol,
                strategy=wish.strategy,
                keep_protective=not wish.protective,
                reason=wish.reason,
                actor=wish.actor,
            )
        )
        if (wish.cloid or wish.symbol or wish.strategy) and not self._means(wish):
            raise CommandError(
                "no working order is meant; 'tradeagent orders --open' lists them, and stops and "
                "targets are meant with --protective only"
            )
        return {"asked": "cancels were sent for what matched"}

    def _means(self, wish: Cancel) -> bool:
        """Tell whether a working order is meant; a cancel is sent before this is asked."""
        return any(
            wish.cloid in (None, order.cloid)
            and wish.symbol in (None, order.symbol)
            and wish.strategy in (None, order.strategy)
            and (wish.cloid or wish.protective or order.type not in PROTECTIVE)
            for order in views.orders(self._daemon.records, open_only=True, limit=MOST)
        )

    def _direct(self, word: Word) -> dict[str, str]:
        if "trading" not in self._daemon.supervisor.lives:
            raise CommandError("this process has no Trading agent; ask the one that trades")
        held = (part for held in self._daemon.records.positions() for part in held.parts)
        known = {*(one.name for one in self._daemon.plan.strategies), *(p.strategy for p in held)}
        known.update(name for name in self._daemon.supervisor.lives if name not in ORDERING)
        if word.strategy not in known:
            names = ", ".join(sorted(known))
            raise CommandError(f"no strategy or analyst is called {word.strategy}; known: {names}")
        self._publish(
            StrategyState(
                strategy=word.strategy, mode=word.mode, reason=word.reason, actor=word.actor
            )
        )
        log.bind(agent="operator").warning(
            "{} wants {} to be {}: {}", word.actor, word.strategy, word.mode, word.reason
        )
        return {"strategy": word.strategy, "mode": word.mode}

    def _override(self, wish: Override) -> dict[str, str]:
        until = self._daemon.clock.now() + int(wish.minutes * 60 * SECOND)
        change = RiskOverride(
            rule=wish.rule,
            scope=wish.scope,
            limit=wish.limit,
            reason=wish.reason,
            actor=wish.actor,
            valid_until=until,
        )
        if wrong := objection(change):
            raise CommandError(wrong)
        plans = self._daemon.plan.strategies
        scopes = {"*", *(one.name for one in plans)}.union(*(one.symbols for one in plans))
        if wish.scope not in scopes:
            known = ", ".join(sorted(scopes))
            raise CommandError(f"nothing is called {wish.scope}; scopes: {known}")
        self._publish(change)
        return {"rule": wish.rule, "scope": wish.scope, "minutes": f"{wish.minutes:g}"}

    def _reconcile(self, who: Actor) -> dict[str, str]:
        if "execution" not in self._daemon.supervisor.lives:
            raise CommandError("this process has no Execution agent; ask the one that trades")
        name = f"reconcile-{self._daemon.clock.now()}"
        self._publish(TaskRequest(task_id=name, task=RECONCILE, actor=who.actor))
        return {"asked": "the venue is compared with our books; what differs comes as incidents"}

    def _audit(self, who: Actor) -> dict[str, object]:
        """Return what Compliance counted since the UTC day began, or since its start."""
        if not self._daemon.plan.runs("compliance"):
            raise CommandError("this process has no Compliance agent; ask the one that trades")
        before = self._daemon.tally.audit
        name = f"audit-{self._daemon.clock.now()}"
        self._publish(TaskRequest(task_id=name, task=AUDIT, actor=who.actor))
        report = self._daemon.tally.audit
        if report is None or report is before:
            raise CommandError("Compliance has not answered; 'tradeagent agents' tells why")
        return report.model_dump(mode="json")


def _reproach(error: Exception, methods: dict[str, tuple[type[Params], Method]]) -> tuple[int, str]:
    if isinstance(error, ValidationError):
        mistakes = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
        )
        return -32602, mistakes
    if isinstance(error, KeyError):
        return -32601, f"unknown method {error}; known: {', '.join(methods)}"
    return -32700, f"not a JSON-RPC request: {error}"


def _plain(result: object) -> object:
    if isinstance(result, BaseModel):
        return result.model_dump(mode="json")
    if isinstance(result, list | tuple):
        return [_plain(one) for one in result]
    return result


def _reply(request: Any, body: dict[str, object]) -> bytes:
    number = request.get("id") if isinstance(request, dict) else None
    return json.dumps({"jsonrpc": "2.0", "id": number, **body}).encode() + b"\n"


def _error(request: Any, code: int, text: str) -> bytes:
    return _reply(request, {"error": {"code": code, "message": text}})


@asynccontextmanager
async def serve(daemon: Daemon) -> AsyncIterator[None]:
    """Listen on the state directory's socket, mode 0600, while the daemon runs."""
    control, path = Control(daemon), daemon.directory.control
    path.unlink(missing_ok=True)

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.LimitOverrunError, ValueError):
            while line := await reader.readline():
                writer.write(await control.answer(line))
                await writer.drain()
        writer.close()

    before = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(client, path=str(path), limit=LONGEST)
    finally:
        os.umask(before)
    async with server:
        yield
    path.unlink(missing_ok=True)
