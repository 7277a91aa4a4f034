"""Why: the chain from market data to profit behind an order, a fill, a signal or a rejection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, SerializeAsAny

from tradeagent.errors import CommandError
from tradeagent.messages import (
    ExecutionReport,
    Fill,
    Incident,
    MarketData,
    Message,
    Order,
    OrderRequest,
    OrderUpdate,
    PositionUpdate,
    RiskAlert,
    RiskAssessment,
    RiskOverride,
    TickerUpdate,
    TradeSignal,
)
from tradeagent.storage.base import Entry
from tradeagent.storage.evidence import Evidence
from tradeagent.storage.names import SHORTEST, Found
from tradeagent.storage.records import SqlRecords

Subject = Literal["fill", "order", "signal", "rejection", "message"]
SUBJECTS: dict[type[Message], Subject] = {
    Fill: "fill",
    OrderUpdate: "order",
    TradeSignal: "signal",
    RiskAssessment: "rejection",
}
ORIGINS: frozenset[type[Message]] = frozenset({TradeSignal, RiskOverride, RiskAlert, Incident})
"""What an order can begin with."""
SHOWN = 5
"""Choices that are named where a reference means several."""
OUTCOME = ("order", "fill")
"""Subjects whose explanation must reach from a cause to an order."""


class Step(BaseModel):
    """One message of the story and the rows (`because`) it rests on; `time` is in UTC ns.

    A candle of a recorded file has no row; `Explanation.files` names the file.
    """

    model_config = ConfigDict(frozen=True)

    seq: int
    time: int
    source: str
    kind: str
    because: tuple[int, ...]
    message: SerializeAsAny[Message]


class Explanation(BaseModel):
    """A decision with everything it rests on, oldest first.

    `files` say where the market data that led to a row stands when that is in a recorded file, by
    the row. `missing` names what the journal should hold and does not.
    """

    model_config = ConfigDict(frozen=True)

    reference: str
    subject: Subject
    seq: int
    steps: tuple[Step, ...]
    files: dict[int, str] = {}
    missing: tuple[str, ...] = ()


def explain(records: SqlRecords, reference: str) -> Explanation:
    """Return the story behind `reference`: what `Names.find` knows, or `last`, `last:order`,
    `last:signal`, `last:rejection`.

    Raises CommandError when it names nothing, or more than one thing.
    """
    evidence = Evidence(records)
    try:
        return _Story(evidence, reference).told()
    finally:
        evidence.close()


def _resolve(evidence: Evidence, reference: str) -> Found:
    """Return what a reference names; raises CommandError."""
    if reference == "last" or reference.startswith("last:"):
        what = reference.partition(":")[2] or "fill"
        if what not in ("fill", "order", "signal", "rejection"):
            raise CommandError(f"last:{what} names nothing; fill, order, signal or rejection")
        last = evidence.last(what)
        if last is None:
            raise CommandError(f"there is no {what} yet")
        return last
    named = {one.intent or one.seq: one for one in evidence.find(reference)}
    if not named:
        raise CommandError(
            f"nothing on record is called {reference!r}; 'tradeagent orders' and 'tradeagent "
            f"trades' list ids, of which the first {SHORTEST} characters after the part all share "
            "do, and 'last' is the last fill"
        )
    if len(named) > 1:
        choices = [one.name for one in named.values()]
        more = " or more" if len(choices) > SHOWN else ""
        raise CommandError(f"{reference!r} may mean {', '.join(choices[:SHOWN])}{more}; name one")
    return next(iter(named.values()))


class _Story:
    """Gathers the rows of one explanation."""

    def __init__(self, evidence: Evidence, reference: str) -> None:
        self._evidence = evidence
        self._reference = reference
        self._steps: dict[int, Step] = {}
        self._files: dict[int, str] = {}
        self._intents: set[str] = set()

    def told(self) -> Explanation:
        """Return the whole story."""
        found = _resolve(self._evidence, self._reference)
        if found.intent is not None:
            subject, seq = self._about_intent(found.intent)
        else:
            assert found.seq is not None
            subject, seq = self._about_row(found.seq)
        return Explanation(
            reference=self._reference,
            subject=subject,
            seq=seq,
            steps=tuple(self._steps[seq] for seq in sorted(self._steps)),
            files=self._files,
            missing=tuple(self._missing(subject, seq)),
        )

    def _about_intent(self, intent: str) -> tuple[Subject, int]:
        self._decision(intent)
        orders = [one for one in self._steps.values() if isinstance(one.message, OrderUpdate)]
        mine = [one.seq for one in orders if _order(one).intent_id == intent]
        if mine:
            return "order", mine[0]
        judged = [one.seq for one in self._steps.values() if one.kind == RiskAssessment.wire]
        return "rejection", judged[-1] if judged else max(self._steps)

    def _about_row(self, seq: int) -> tuple[Subject, int]:
        entry = self._evidence.entry(seq)
        assert entry is not None
        message = entry.message
        subject = SUBJECTS.get(type(message), "message")
        match message:
            case Fill() | OrderRequest():
                self._decision(message.intent_id)
            case OrderUpdate():
                self._decision(message.order.intent_id)
            case RiskAssessment():
                self._decision(message.intent_id)
                subject = "order" if message.approved else "rejection"
            case TradeSignal():
                self._signal(entry)
                for said in self._evidence.followed(seq, after=seq):
                    if isinstance(request := said.message, OrderRequest):
                        self._decision(request.intent_id)
        if seq not in self._steps:
            self._caused(entry)
        return subject, seq

    def _decision(self, intent: str) -> None:
        """Tell an intent whole: why it was asked for, how it was judged, what became of it."""
        if intent in self._intents:
            return
        self._intents.add(intent)
        for entry in self._evidence.decision(intent):
            message = entry.message
            if isinstance(message, OrderRequest):
                self._requested(entry, message)
            else:
                self._caused(entry)
        for cloid in self._evidence.cloids(intent):
            self._lived(cloid)

    def _requested(self, entry: Entry, request: OrderRequest) -> None:
        signals = []
        for vote in request.votes:
            signal = self._evidence.signal(
                vote.strategy, request.symbol, vote.time, before=entry.seq
            )
            if signal is not None:
                self._signal(signal)
                signals.append(signal.seq)
        self._caused(entry, signals)
        for found in self._evidence.find(request.follows):
            if found.intent is not None:
                self._decision(found.intent)
                self._rest(entry.seq, self._last_word(request.follows, before=entry.seq))
        if request.replaces is not None:
            self._moved(entry, request)

    def _moved(self, entry: Entry, request: OrderRequest) -> None:
        """Tell the stop another takes the place of as it last stood, and what both protect."""
        before = [one for one in self._evidence.life(request.replaces or "") if one.seq < entry.seq]
        if before:
            self._add(before[-1], ())
            self._rest(entry.seq, before[-1].seq)
        self._protects(entry, request.group)

    def _lived(self, cloid: str) -> None:
        """Tell an order's life; one that follows from a fill leads back to that fill's order."""
        life = self._evidence.life(cloid)
        for entry in life:
            message = entry.message
            self._caused(entry)
            if isinstance(message, Fill):
                self._settled(entry, message)
                report = self._steps.get(entry.cause)
                if report is not None and not report.because:
                    self._rest(report.seq, life[0].seq)
            elif entry is life[0] and isinstance(message, OrderUpdate) and message.order.group:
                self._protects(entry, message.order.group)

    def _settled(self, entry: Entry, fill: Fill) -> None:
        """Tell what a fill led to: the position, and the orders that protect it."""
        for said in self._evidence.followed(entry.cause, after=entry.seq):
            if _settles(said.message, fill):
                self._add(said, (entry.seq,))

    def _protects(self, entry: Entry, group: str | None) -> None:
        """Tell the fill that a stop or target protects, and how it came about."""
        for before in self._evidence.find(group or ""):
            if before.seq is None or before.seq >= entry.seq:
                continue
            filled = self._evidence.entry(before.seq)
            if filled is not None and isinstance(filled.message, Fill):
                self._decision(filled.message.intent_id)
                self._rest(entry.seq, filled.seq)

    def _signal(self, entry: Entry) -> None:
        message = entry.message
        assert isinstance(message, TradeSignal)
        self._caused(entry)
        first = next(iter(self._evidence.causes(entry)), entry)
        if first.cause:  # it is in no row, so it was read from a file
            file = self._evidence.file(message.symbol, before=entry.seq)
            if file is not None:
                self._files[first.seq] = f"{file.name} (sha256 {file.sha256[:12]})"

    def _caused(self, entry: Entry, also: Iterable[int] = ()) -> None:
        """Tell a message and all it follows from."""
        for cause in self._evidence.causes(entry):
            self._add(cause, (cause.cause,))
            if isinstance(before := cause.message, OrderUpdate):
                self._decision(before.order.intent_id)
        self._add(entry, (entry.cause, *also))

    def _add(self, entry: Entry, because: Iterable[int]) -> None:
        known = self._steps.get(entry.seq)
        rests = dict.fromkeys(known.because if known is not None else ())
        rests.update(dict.fromkeys(seq for seq in because if seq))
        self._steps[entry.seq] = Step(
            seq=entry.seq,
            time=entry.ts,
            source=entry.source,
            kind=entry.type,
            because=tuple(rests),
            message=entry.message,
        )

    def _last_word(self, cloid: str, *, before: int) -> int:
        """Return the last row before another that tells of an order."""
        orders = (one for one in self._steps.values() if isinstance(one.message, OrderUpdate))
        return max(
            (one.seq for one in orders if _order(one).cloid == cloid and one.seq < before),
            default=0,
        )

    def _rest(self, seq: int, on: int) -> None:
        """Note that a step also rests on another."""
        step = self._steps[seq]
        because = tuple(dict.fromkeys((*step.because, on)))
        self._steps[seq] = step.model_copy(update={"because": because})

    def _missing(self, subject: Subject, seq: int) -> Sequence[str]:
        """Return which links of the chain are not on record."""
        told = {type(step.message) for step in self._steps.values()}
        if subject == "message":
            return ()
        missing = []
        imposed = subject in OUTCOME and self._imposed(seq)
        if subject in OUTCOME and OrderRequest not in told and not imposed:
            missing.append("the request")
        if subject in (*OUTCOME, "rejection") and RiskAssessment not in told and not imposed:
            missing.append("Risk's verdict")
        if subject in OUTCOME and OrderUpdate not in told:
            missing.append("the order")
        if subject == "fill" and PositionUpdate not in told:
            missing.append("the position after it")
        if not told & ORIGINS and not imposed:
            missing.append("the signal or the operator's word that led to it")
        missing.extend(
            f"the market data of the signal in row {seq}"
            for seq, step in self._steps.items()
            if isinstance(step.message, TradeSignal) and not self._has_market(step)
        )
        return missing

    def _imposed(self, seq: int) -> bool:
        """Tell whether the venue made the order in question itself, as in a liquidation: nobody
        here asked for it."""
        message = self._steps[seq].message
        cloid = message.order.cloid if isinstance(message, OrderUpdate) else None
        if isinstance(message, Fill):
            cloid = message.cloid
        told = (step.message for step in self._steps.values())
        reports = (one for one in told if isinstance(one, ExecutionReport))
        return any(one.order is not None and one.order.cloid == cloid for one in reports)

    def _has_market(self, step: Step) -> bool:
        if step.seq in self._files:
            return True
        told = (self._steps.get(seq) for seq in step.because)
        return any(
            one is not None and isinstance(one.message, MarketData | TickerUpdate) for one in told
        )


def _order(step: Step) -> Order:
    assert isinstance(step.message, OrderUpdate)
    return step.message.order


def _settles(message: Message, fill: Fill) -> bool:
    """Tell whether a message is the position after a fill, or an order that protects it."""
    if isinstance(message, OrderUpdate):
        return message.order.group == f"{fill.cloid}:{fill.tid}"
    return isinstance(message, PositionUpdate) and message.symbol == fill.symbol
