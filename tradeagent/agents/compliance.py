"""The Compliance agent: what may be traded and when, and an audit of what was."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from tradeagent.agents.base import AgentSettings, BaseAgent, every, on
from tradeagent.agents.pace import DAY, HOUR, Window
from tradeagent.clock import SECOND
from tradeagent.messages import (
    ZERO,
    AccountUpdate,
    AuditReport,
    Fill,
    Message,
    Restriction,
    RiskAlert,
    RiskAssessment,
    RiskOverride,
    Severity,
    TaskRequest,
    TaskResult,
    TradingHours,
)
from tradeagent.quant.rules.pace import forbidden
from tradeagent.storage.base import Past

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
AUDIT = "audit"
"""The task that asks for a report at once."""
BREACHES_KEPT = 100


def _minutes(text: str) -> int:
    """Return the minute of the day of HH:MM; 24:00 is its end. Raises ValueError."""
    hours, colon, minutes = text.partition(":")
    if not (colon and len(hours) == len(minutes) == 2 and (hours + minutes).isdecimal()):
        raise ValueError(f"{text!r} is no time of day such as 09:30")
    minute = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or minute > 1440:
        raise ValueError(f"{text!r} is no time of day")
    return minute


def _span(text: str) -> tuple[int, int]:
    opens, dash, closes = text.partition("-")
    first, last = _minutes(opens.strip()), _minutes(closes.strip()) if dash else -1
    if first >= last:
        raise ValueError(f"{text!r} must be such as 09:30-16:00, and end after it begins")
    return first, last


def _checked(text: str) -> str:
    _span(text)
    return text


Span = Annotated[str, AfterValidator(_checked)]


class ComplianceSettings(AgentSettings):
    """What new risk may be taken; exits are never restricted.

    Risk holds entries to the last restrictions it was given, whether this agent still runs or not:
    to lift them, empty the settings, do not switch the agent off.
    """

    restricted: tuple[str, ...] = Field(
        default=(), description="Symbols that nothing new may be opened in."
    )
    allowed: tuple[str, ...] = Field(
        default=(), description="The only symbols that may be opened; empty allows all."
    )
    hours: dict[Weekday, tuple[Span, ...]] = Field(
        default={},
        description="When entries are allowed, UTC, by day: {mon: [09:30-16:00]}; a day that is "
        "not named is closed, and empty is always open.",
    )
    max_orders_per_hour: int | None = Field(
        default=None, ge=1, description="The most entries within an hour; null for any number."
    )
    max_notional_per_day: Decimal | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="What the entries of one UTC day may be worth, in quote currency; null for "
        "any value.",
    )

    def restriction(self) -> Restriction:
        """Return these settings as what everybody is told."""
        hours = [
            TradingHours(weekday=DAYS.index(day), opens=opens, closes=closes)
            for day, spans in self.hours.items()
            for opens, closes in map(_span, spans)
        ]
        return Restriction(
            restricted=self.restricted,
            allowed=self.allowed,
            hours=tuple(sorted(hours, key=lambda one: (one.weekday, one.opens))),
            max_orders_per_hour=self.max_orders_per_hour,
            max_notional_per_day=self.max_notional_per_day,
        )


class Compliance(BaseAgent[ComplianceSettings]):
    """Tell Risk what is allowed, and count from the messages alone whether that held.

    Orders do not pass through here: Risk enforces the restrictions in its rule COMPLIANCE, so this
    agent can delay nothing, and its failure loosens nothing.
    """

    def __init__(self, settings: ComplianceSettings, name: str = "compliance") -> None:
        super().__init__(settings, name)
        self.restriction = settings.restriction()
        self._told = Restriction()
        # An approval is seen here a moment after it was given, so the hour is a second shorter.
        self._hour = Window(HOUR - SECOND)
        self._since = 0
        self._start()

    def _start(self) -> None:
        self._entries = self._exits = self._fills = self._rejected = self._overrides = 0
        self._notional = self._traded = self._fees = ZERO
        self._refusals: Counter[str] = Counter()
        self._breaches: list[str] = []

    def restore(self, past: Past) -> None:
        """Take up what everybody was told last."""
        self._told = past.restriction or Restriction()

    async def setup(self) -> None:
        """Tell what is allowed, where that is news."""
        if self.restriction != self._told:
            self.publish(self.restriction)

    @on(Restriction)
    def told(self, restriction: Restriction) -> None:
        """Note what is in force."""
        self._told = restriction

    @on(AccountUpdate)
    def begun(self, _account: AccountUpdate) -> None:
        """Begin the day with the first account, which stands at the start of every run."""
        self._since = self._since or self.now()

    @on(RiskAssessment)
    def judged(self, verdict: RiskAssessment) -> list[Message]:
        """Count a verdict, and look whether an approval keeps to the restrictions."""
        due = self._turn()
        order = verdict.order
        if order is None:
            self._rejected += 1
            self._refusals.update(verdict.reasons)
            return due
        if order.reduce_only:
            self._exits += 1
            return due
        worth = next((rule.value for rule in verdict.rules if rule.rule == "MAX_NOTIONAL"), None)
        self._entries += 1
        self._notional += worth if isinstance(worth, Decimal) else ZERO
        self._hour.add(self.now())
        words = self._breach(order.symbol)
        if not words:
            return due
        text = f"{order.cloid} was approved although {words}"
        self._breaches = [*self._breaches, text][-BREACHES_KEPT:]
        alert = RiskAlert(
            code="COMPLIANCE_BREACH",
            severity=Severity.CRITICAL,
            symbol=order.symbol,
            evidence=text,
        )
        return [*due, alert]

    def _breach(self, symbol: str) -> str:
        limits, now = self._told, self.now()
        if words := forbidden(limits, symbol, now):
            return words
        orders, most = self._hour.count(now), limits.max_orders_per_hour
        if most is not None and orders > most:
            return f"it was entry {orders} within an hour, at most {most}"
        worth, highest = self._notional, limits.max_notional_per_day
        if highest is not None and worth > highest:
            return f"the day's entries are worth {worth}, at most {highest}"
        return ""

    @on(Fill)
    def filled(self, fill: Fill) -> list[Message]:
        """Count a fill."""
        due = self._turn()
        self._fills += 1
        self._traded += fill.size * fill.price
        self._fees += fill.fee
        return due

    @on(RiskOverride)
    def overridden(self, _change: RiskOverride) -> None:
        """Count an operator's word."""
        self._overrides += 1

    @on(TaskRequest)
    def asked(self, task: TaskRequest) -> list[Message]:
        """Report at once when asked for an audit; the day's own report is still to come."""
        if task.task != AUDIT:
            return []
        report = self._report(f"asked for by {task.actor}")
        results = {name: str(value) for name, value in report.model_dump(mode="json").items()}
        done = TaskResult(task_id=task.task_id, outcome="succeeded", results=results)
        return [report, done]

    @every(3600, when="day_is_over")
    def look(self) -> list[Message]:
        """Report when a UTC day is over."""
        return self._turn()

    def day_is_over(self) -> bool:
        """Tell whether a day that was begun has ended."""
        return not self._since or self.runtime.time() // DAY != self._since // DAY

    def _turn(self) -> list[Message]:
        """Return the report of the day that is over, if one is."""
        now = self.now()
        if not self._since:
            self._since = now
        if now // DAY == self._since // DAY:
            return []
        report = self._report("the UTC day is over")
        self._start()
        self._since = now // DAY * DAY
        return [report]

    def _report(self, reason: str) -> AuditReport:
        return AuditReport(
            since=self._since or self.now(),
            until=self.now(),
            entries=self._entries,
            exits=self._exits,
            notional=self._notional,
            fills=self._fills,
            traded=self._traded,
            fees=self._fees,
            rejected=self._rejected,
            refusals=dict(sorted(self._refusals.items())),
            overrides=self._overrides,
            breaches=tuple(self._breaches),
            reason=reason,
        )
