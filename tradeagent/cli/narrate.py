"""What happens, in one sentence each."""

from __future__ import annotations

from tradeagent.messages import (
    AccountUpdate,
    AgentStatus,
    AuditReport,
    DataStatus,
    Fill,
    Incident,
    Message,
    OrderUpdate,
    RiskAlert,
    RiskAssessment,
    TradeSignal,
    TradingState,
)
from tradeagent.messages.orders import OrderStatus
from tradeagent.tally import Tally

TOLD: tuple[type[Message], ...] = (
    TradeSignal,
    RiskAssessment,
    OrderUpdate,
    Fill,
    AccountUpdate,
    TradingState,
    RiskAlert,
    Incident,
    AuditReport,
    DataStatus,
    AgentStatus,
)
"""What an operator is told of."""
GRAVE: tuple[type[Message], ...] = (TradingState, Incident, DataStatus)
"""What is told even of a run that goes as fast as it can."""
NOTED = (OrderStatus.REJECTED, OrderStatus.CANCELED, OrderStatus.UNKNOWN, OrderStatus.NOT_PLACED)


def sentence(message: Message, tally: Tally) -> str:
    """Return what to tell of `message`, nothing for what is not worth telling."""
    match message:
        case TradeSignal():
            return (
                f"signal {message.direction} {message.symbol} by {message.strategy}"
                f" at {message.price:g}: {message.rationale}"
            )
        case RiskAssessment():
            return _verdict(message)
        case OrderUpdate():
            return _order(message)
        case Fill():
            return (
                f"fill {message.side} {message.size:f} {message.symbol} at {message.price:f},"
                f" fee {message.fee:f} ({message.strategy})"
            )
        case AccountUpdate():
            pnl = message.equity - tally.day_open
            return f"equity {message.equity:.2f}, P&L of the day {pnl:+.2f}"
        case TradingState():
            return f"trading is {message.mode} (was {message.previous}): {message.reason}"
        case RiskAlert():
            return f"alert {message.code} {message.severity}: {message.evidence}"
        case Incident():
            return f"incident {message.code} {message.severity}: {message.text}"
        case AuditReport():
            return _audit(message)
        case DataStatus() if message.gaps or message.malformed or message.disordered:
            return (
                f"data {message.name} {message.symbol}: rows {message.rows}, gaps {message.gaps},"
                f" missing {message.missing}, duplicates {message.duplicates},"
                f" out of order {message.disordered}, malformed {message.malformed}"
            )
        case AgentStatus():
            return f"agent {message.agent} is {message.state}: {message.reason}"
    return ""


def _verdict(verdict: RiskAssessment) -> str:
    if verdict.approved and verdict.order is not None:
        order = verdict.order
        kind = "" if order.type == "market" else f"{order.type} "
        return (
            f"{verdict.verdict} {kind}{order.side} {order.size:f} {order.symbol} for"
            f" {verdict.strategy}: {verdict.sizing}"
        )
    failed = [rule for rule in verdict.rules if not rule.passed]
    why = "; ".join(f"{rule.rule} {rule.text}" for rule in failed)
    return f"rejected {verdict.symbol} for {verdict.strategy}: {why}"


def _audit(report: AuditReport) -> str:
    return (
        f"audit: {report.entries} entries worth {report.notional:.2f}, {report.exits} exits,"
        f" {report.rejected} refused, {report.fills} fills worth {report.traded:.2f},"
        f" {report.overrides} overrides, {len(report.breaches)} breaches ({report.reason})"
    )


def _order(update: OrderUpdate) -> str:
    if update.status not in NOTED:
        return ""
    order = update.order
    return f"order {order.type} {order.side} {order.symbol} {update.status}: {update.reason}"
