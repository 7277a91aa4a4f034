"""Which decision of one run is which of another, and what makes the two differ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

from tradeagent.messages import (
    Fill,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    RiskAssessment,
    TradeSignal,
)
from tradeagent.research.decisions import Decision

Cause = Literal["data", "timing", "fill"]
SIGNAL = ("direction", "price", "strength", "confidence", "stop", "target", "trail", "values")
REQUEST = ("side", "size", "weight", "type", "limit", "trigger", "tif", "price", "stop_plan")
ORDER = ("side", "size", "type", "limit", "trigger", "tif", "reduce_only")
FILL = ("side", "size", "price", "fee", "liquidity")
"""What of a decision must be equal for two to be the same: ids and times of the clock need not."""
Facts = dict[str, Any]


class Pair(NamedTuple):
    """A decision of a run and the same one of its backtest; one of them may be missing."""

    run: Decision | None
    backtest: Decision | None
    symbol: str

    @property
    def ts(self) -> int:
        """Return when it was taken first, UTC ns."""
        return min(one.ts for one in (self.run, self.backtest) if one is not None)

    @property
    def type(self) -> str:
        """Return the message's name."""
        one = self.run or self.backtest
        assert one is not None
        return one.type

    @property
    def identical(self) -> bool:
        """Tell whether both are the same to the last letter, but for seals, which are secret."""
        if self.run is None or self.backtest is None or self.run.ts != self.backtest.ts:
            return False
        return self.run.body == self.backtest.body or _unsealed(self.run) == _unsealed(
            self.backtest
        )


def _unsealed(decision: Decision) -> Facts:
    found: Facts = json.loads(decision.body)
    found.pop("seal", None)
    return found


def pair_up(run: Iterable[Decision], backtest: Iterable[Decision], window: int) -> list[Pair]:
    """Return every decision of both, paired where they are the same one, oldest first.

    Only decisions of one type, symbol, strategy and side are paired: first those at the same time,
    then in their order those at most `window` ns apart. Of orders only the first state counts.
    """
    mine, theirs = _buckets(run), _buckets(backtest)
    pairs = [
        pair
        for key in {**mine, **theirs}
        for pair in _matched(mine.get(key, []), theirs.get(key, []), window, key[1])
    ]
    return sorted(pairs, key=lambda one: one.ts)


Key = tuple[str, str, str, str]


def _buckets(decisions: Iterable[Decision]) -> dict[Key, list[Decision]]:
    found: dict[Key, list[Decision]] = {}
    for one in decisions:
        facts = json.loads(one.body)
        if one.type == OrderUpdate.wire and facts["status"] != OrderStatus.PREPARED:
            continue
        found.setdefault(_key(one, facts), []).append(one)
    return found


def _key(decision: Decision, facts: Facts) -> Key:
    """Return what two decisions have in common if they are the same one."""
    kind, order = decision.type, facts.get("order") or {}
    side = facts.get("side") or order.get("side") or ""
    role = facts.get("type") or order.get("type") or ""
    if kind == TradeSignal.wire:
        side, role = "", facts.get("timeframe", "")
    elif kind == RiskAssessment.wire:
        side = role = ""
    symbol = facts.get("symbol") or order.get("symbol") or ""
    return kind, symbol, facts.get("strategy", ""), f"{side} {role}"


def _matched(
    run: Sequence[Decision], backtest: Sequence[Decision], window: int, symbol: str
) -> list[Pair]:
    left, right = _by_time(run), _by_time(backtest)
    pairs, rest, others = list[Pair](), list[Decision](), list[Decision]()
    for ts in {**left, **right}:
        one, other = left.get(ts, []), right.get(ts, [])
        common = min(len(one), len(other))
        pairs += [Pair(a, b, symbol) for a, b in zip(one, other, strict=False)]
        rest += one[common:]
        others += other[common:]
    return pairs + _nearby(sorted(rest), sorted(others), window, symbol)


def _by_time(decisions: Sequence[Decision]) -> dict[int, list[Decision]]:
    """Return decisions by when they were taken: signals by the price they rest on."""
    found: dict[int, list[Decision]] = {}
    for one in decisions:
        ts = json.loads(one.body)["time"] if one.type == TradeSignal.wire else one.ts
        found.setdefault(ts, []).append(one)
    return found


def _nearby(
    run: Sequence[Decision], backtest: Sequence[Decision], window: int, symbol: str
) -> list[Pair]:
    """Pair what is near in time, in order; what has nothing near stays alone."""
    pairs, at, to = list[Pair](), 0, 0
    while at < len(run) and to < len(backtest):
        one, other = run[at], backtest[to]
        if abs(one.ts - other.ts) <= window:
            pairs.append(Pair(one, other, symbol))
            at, to = at + 1, to + 1
        elif one.ts < other.ts:
            pairs.append(Pair(one, None, symbol))
            at += 1
        else:
            pairs.append(Pair(None, other, symbol))
            to += 1
    pairs += [Pair(one, None, symbol) for one in run[at:]]
    return pairs + [Pair(None, other, symbol) for other in backtest[to:]]


# -- what differs ---------------------------------------------------------------------------------


def reason(pair: Pair, slack: int) -> tuple[Cause | None, str] | None:
    """Return what kind of difference there is and why, None where there is none.

    Times may differ by `slack` ns. The kind is None where the decision itself does not tell it.
    """
    if pair.identical:
        return None
    kind = pair.type
    if pair.run is None or pair.backtest is None:
        where = "the run" if pair.backtest is None else "the backtest"
        cause: Cause | None = "data" if kind == TradeSignal.wire else None
        return cause, f"only {where} has it"
    changed = _changed(pair.run, pair.backtest)
    apart = abs(pair.run.ts - pair.backtest.ts)
    if kind == Fill.wire:
        apart = abs(_time(pair.run) - _time(pair.backtest))
    moved = kind == Fill.wire and "price" in changed and apart > 0
    if apart > slack or moved:
        later = "later" if pair.backtest.ts >= pair.run.ts else "earlier"
        also = f"; other {', '.join(changed)}" if changed else ""
        return "timing", f"the backtest is {apart / 1e9:g} s {later}{also}"
    if not changed:
        return None
    causes: dict[str, Cause] = {TradeSignal.wire: "data", Fill.wire: "fill"}
    return causes.get(kind), f"other {', '.join(changed)}"


def _time(decision: Decision) -> int:
    return int(json.loads(decision.body)["time"])


def _changed(run: Decision, backtest: Decision) -> list[str]:
    one, other = _facts(run), _facts(backtest)
    return [name for name in one if one[name] != other.get(name)]


def _facts(decision: Decision) -> Facts:
    """Return what makes a decision the one it is."""
    found = json.loads(decision.body)
    match decision.type:
        case TradeSignal.wire:
            return {name: found.get(name) for name in SIGNAL}
        case OrderRequest.wire:
            return {name: found.get(name) for name in REQUEST}
        case RiskAssessment.wire:
            order = found.get("order") or {}
            return {
                "verdict": found["verdict"],
                "reasons": found["reasons"],
                **{name: order.get(name) for name in ORDER},
            }
        case OrderUpdate.wire:
            return {name: found["order"].get(name) for name in ORDER}
        case _:
            return {name: found.get(name) for name in FILL}
