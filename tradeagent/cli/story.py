"""An explanation as lines of text and as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from tradeagent.app import iso
from tradeagent.clock import SECOND
from tradeagent.explain import Explanation, Step
from tradeagent.messages import (
    CancelRequest,
    ExecutionReport,
    Fill,
    Incident,
    MarketData,
    Message,
    OrderRequest,
    OrderUpdate,
    PositionUpdate,
    RiskAlert,
    RiskAssessment,
    RiskOverride,
    RuleVerdict,
    TickerUpdate,
    TradeSignal,
    TradingState,
)

INDENT = " " * 32
DEEDS = {"buy": "bought", "sell": "sold"}
NAMES: dict[type[Message], str] = {
    MarketData: "candle",
    TickerUpdate: "ticker",
    TradeSignal: "signal",
    OrderRequest: "request",
    RiskAssessment: "risk",
    OrderUpdate: "order",
    ExecutionReport: "venue",
    Fill: "fill",
    PositionUpdate: "position",
    CancelRequest: "cancel",
    RiskOverride: "operator",
    TradingState: "state",
    RiskAlert: "alert",
    Incident: "incident",
}
"""What each step is called; others go by their wire names."""


def text(found: Explanation) -> str:
    """Return the story, one step after the other, oldest first."""
    lines = [_title(found), ""]
    for step in found.steps:
        head, *rest = _lines(step)
        mark = ">" if step.seq == found.seq else " "
        row = f"{mark}{step.seq:>9}  {_clock(step.time)}  {_name(step):<9}"
        lines.append(f"{row} {head}")
        lines.extend(INDENT + line for line in rest)
        if step.seq in found.files:
            lines.append(f"{INDENT}from {found.files[step.seq]}")
    lines.extend(f"\nmissing on record: {what}" for what in found.missing)
    return "\n".join(lines) + "\n"


def picture(found: Explanation) -> str:
    """Return the story as a Mermaid flowchart: an arrow leads from each step to what it led to."""
    known = {step.seq for step in found.steps}
    lines = ["flowchart TD"]
    for step in found.steps:
        head = next(_lines(step)).replace('"', "'")
        words = f"{_name(step)} #{step.seq}<br/>{head}"
        lines.append(f'    s{step.seq}["{words}"]')
    for step in found.steps:
        lines.extend(f"    s{seq} --> s{step.seq}" for seq in step.because if seq in known)
    for seq, file in found.files.items():
        lines.append(f'    f{seq}[("{file}")] --> s{seq}')
    lines.append(f"    style s{found.seq} stroke-width:3px")
    return "\n".join(lines) + "\n"


def _title(found: Explanation) -> str:
    step = next((one for one in found.steps if one.seq == found.seq), found.steps[-1])
    if isinstance(step.message, OrderUpdate):
        step = _newest(found, step.message)
    local = datetime.fromtimestamp(step.time // SECOND).astimezone()
    here = "" if local.tzname() == "UTC" else f" ({local:%H:%M:%S %Z})"
    return f"{found.subject} {found.reference}: {next(_lines(step))}, {iso(step.time)}{here}"


def _newest(found: Explanation, update: OrderUpdate) -> Step:
    """Return how an order stands last."""
    return [
        step
        for step in found.steps
        if isinstance(step.message, OrderUpdate) and step.message.order.cloid == update.order.cloid
    ][-1]


def _clock(time: int) -> str:
    return iso(time)[11:23]


def _name(step: Step) -> str:
    return NAMES.get(type(step.message), step.kind.lower())


def _lines(step: Step) -> Iterator[str]:
    """Yield what a step says: its sentence, then details."""
    match step.message:
        case MarketData() as bar:
            yield (
                f"{bar.symbol} {bar.timeframe} open {bar.open:g} high {bar.high:g}"
                f" low {bar.low:g} close {bar.close:g} volume {bar.volume:g}"
            )
        case TickerUpdate() as tick:
            yield f"{tick.symbol} bid {tick.bid:g} ask {tick.ask:g} last {tick.last:g}"
        case TradeSignal() as signal:
            yield from _signal(signal)
        case OrderRequest() as request:
            yield from _request(request)
        case RiskAssessment() as verdict:
            yield from _verdict(verdict)
        case OrderUpdate() as update:
            yield _order(update)
        case ExecutionReport() as report:
            yield f"{report.cloid} is {report.status}" + _why(report.reason)
        case Fill() as fill:
            yield from _fill(fill)
        case PositionUpdate() as held:
            yield from _position(held)
        case message:
            yield _other(message)


def _signal(signal: TradeSignal) -> Iterator[str]:
    prices = "".join(
        f", {name} {price:g}"
        for name, price in (("stop", signal.stop), ("target", signal.target))
        if price is not None
    )
    yield (
        f"{signal.strategy}: {signal.direction} {signal.symbol} at {signal.price:g}, strength"
        f" {signal.strength:g}, confidence {signal.confidence:g}{prices}"
    )
    if signal.rationale:
        yield signal.rationale
    if signal.values:
        yield ", ".join(f"{name} {value:g}" for name, value in signal.values.items())


def _request(request: OrderRequest) -> Iterator[str]:
    size = f"{request.size:f}" if request.size is not None else f"{request.weight:g} of a full size"
    limit = f" {request.limit:f}" if request.limit is not None else ""
    closing = ", reduce-only" if request.reduce_only else ""
    yield f"{request.side} {size} {request.symbol}, {request.type}{limit}{closing}"
    if request.votes:
        total = sum(vote.weight for vote in request.votes)
        votes = ", ".join(f"{vote.strategy} {vote.weight:+g}" for vote in request.votes)
        yield f"target {total:+g} of a full position: {votes}"
    if len(request.shares) > 1:
        yield "for " + ", ".join(f"{one.strategy} {one.part:.4f}" for one in request.shares)
    if request.stop_plan is not None:
        target = request.stop_plan.target
        aim = f", target {target:f}" if target is not None else ""
        yield f"to be protected by a stop at {request.stop_plan.stop:f}{aim}"
    yield f"on a price of {request.price:f} at {iso(request.price_time)}" + _why(request.rationale)


def _verdict(verdict: RiskAssessment) -> Iterator[str]:
    order = verdict.order
    if order is not None:
        yield (
            f"{verdict.verdict}: {order.side} {order.size:f} {order.symbol} until"
            f" {_clock(verdict.expires_at)}, seal {verdict.seal[:12]}"
        )
    else:
        yield f"rejected by {', '.join(verdict.reasons)}"
    if verdict.sizing:
        yield f"size: {verdict.sizing}"
    for rule in verdict.rules:
        yield _rule(rule)


def _rule(rule: RuleVerdict) -> str:
    numbers = "" if rule.value is None else _number(rule.value)
    if rule.limit is not None:
        numbers += f" (limit {_number(rule.limit)})"
    said = "  ".join(part for part in (numbers, rule.text) if part)
    return f"{'passed' if rule.passed else 'FAILED'}  {rule.rule:<13} {said}".rstrip()


def _number(value: Decimal | float) -> str:
    """Write a number in full, without what its arithmetic left behind the sixth digit."""
    return f"{value:.6f}".rstrip("0").rstrip(".") if value != int(value) else f"{int(value)}"


def _order(update: OrderUpdate) -> str:
    order = update.order
    price = order.limit or order.trigger
    at = f" at {price:f}" if price is not None else ""
    done = f", filled {update.filled:f}" if update.filled else ""
    what = f"{order.type} {order.side} {order.size:f} {order.symbol}{at}"
    return f"{order.cloid} {update.status}: {what}{done}" + _why(update.reason)


def _fill(fill: Fill) -> Iterator[str]:
    late = ", while the daemon was down" if fill.while_down else ""
    yield (
        f"{DEEDS[fill.side]} {fill.size:f} {fill.symbol} at {fill.price:f}, fee {fill.fee:f}"
        f" ({fill.liquidity}){late}"
    )
    if fill.closed_pnl:
        yield f"it realised {fill.closed_pnl:+f}, after its fee {fill.closed_pnl - fill.fee:+f}"


def _position(held: PositionUpdate) -> Iterator[str]:
    entry = f" from {held.entry_price:f}" if held.size else ""
    yield (
        f"{held.size:f} {held.symbol}{entry}; so far realised {held.realised_pnl:.4f},"
        f" fees {held.fees:.4f}, funding {held.funding:.4f}"
    )
    for part in held.parts:
        yield (
            f"{part.strategy}: {part.size:f}, realised {part.realised_pnl:.4f},"
            f" fees {part.fees:.4f}, funding {part.funding:.4f}"
        )


def _other(message: Message) -> str:
    match message:
        case RiskOverride():
            what = message.mode or f"{message.rule} lifted for {message.scope}"
            return f"{message.actor}: {what}" + _why(message.reason)
        case TradingState():
            return f"{message.mode} (was {message.previous})" + _why(message.reason)
        case RiskAlert():
            return f"{message.code} {message.severity}" + _why(message.evidence)
        case Incident():
            return f"{message.code} {message.severity}" + _why(message.text)
        case CancelRequest():
            return f"{message.actor} cancels {message.cloid or message.symbol or 'all'}" + _why(
                message.reason
            )
    shown = (f"{name}={value}" for name, value in message)
    return ", ".join(shown)[:200]


def _why(reason: str) -> str:
    return f": {reason}" if reason else ""
