"""A run as its state folder kept it: settings, market data, operators' words and decisions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tradeagent.app import Daemon
from tradeagent.errors import CommandError, StateError
from tradeagent.integrations.base import MarketEvent
from tradeagent.messages import (
    Backfill,
    Boot,
    CancelRequest,
    DataReference,
    DataStatus,
    Fill,
    History,
    InstrumentUpdate,
    MarketData,
    MarketTrade,
    Message,
    OrderBookUpdate,
    OrderRequest,
    Release,
    RiskOverride,
    StrategyState,
    TickerUpdate,
    Timeframe,
    TradingState,
)
from tradeagent.messages.market import TIMEFRAMES
from tradeagent.replay import Reader
from tradeagent.replay.read import Line
from tradeagent.research.decisions import WIRES, Decision
from tradeagent.research.play import Call
from tradeagent.storage.directory import StateDirectory

PRICES = (MarketData, TickerUpdate, OrderBookUpdate, MarketTrade)
SPOKEN = (RiskOverride, CancelRequest, StrategyState, Release, TradingState, OrderRequest)
"""What operators say, and what a start says for them."""
NOTED = frozenset(
    kind.wire
    for kind in (*PRICES, *SPOKEN, Boot, DataReference, History, Backfill, InstrumentUpdate)
)


@dataclass
class PastRun:
    """What a journal tells of a run, up to where its configuration changed; times are UTC ns.

    `spoken` are messages that came from operators, with who said them.
    """

    path: Path
    boots: list[Boot] = field(default_factory=list)
    began: int = 0
    ended: int = 0
    events: list[tuple[int, MarketEvent]] = field(default_factory=list)
    instruments: dict[str, InstrumentUpdate] = field(default_factory=dict)
    history: dict[tuple[str, str], tuple[MarketData, ...]] = field(default_factory=dict)
    begun: dict[tuple[str, str], tuple[MarketData, ...]] = field(default_factory=dict)
    """What its first start warmed up on, and of which longer candles had begun by then."""
    spoken: list[tuple[int, str, Message]] = field(default_factory=list)
    references: list[DataReference] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def boot(self) -> Boot:
        """Return how it started."""
        return self.boots[0]

    @property
    def fills(self) -> int:
        """Return how many fills it had."""
        return sum(one.type == Fill.wire for one in self.decisions)

    def settings(self) -> tuple[dict[str, Any], Path]:
        """Return its settings and the folder that relative paths begin in; raises StateError."""
        record, folder, _ = StateDirectory(self.path).settings(self.boot.configuration)
        found: dict[str, Any] = json.loads(record)
        return found, Path(folder)

    def calls(self) -> list[Call]:
        """Return how operators' words are said again at their moments."""
        return [(ts, _saying(message, source)) for ts, source, message in self.spoken]


def _saying(message: Message, source: str) -> Callable[[Daemon], None]:
    return lambda daemon: daemon.bus.publish(message, source)


def read_run(place: Path) -> PastRun:
    """Read the journal of a run, given its state folder or the folder of a backtest's result.

    Raises CommandError or StateError where there is none that can be read from its beginning.
    """
    path = place / "state" if (place / "state").is_dir() else place
    if not path.is_dir():
        raise CommandError(f"{place}: no daemon has run here; name a run's state folder")
    run = PastRun(path)
    with Reader(StateDirectory(path).journal) as reader:
        if reader.start.entries:
            raise StateError(
                f"{path}: the first {reader.start.entries} entries are in an archive that is not "
                "here; put its segments back"
            )
        for line in reader.lines():
            if not _take(run, line):
                break
    if not run.boots:
        raise StateError(f"{path}: the journal is empty; nothing has run here")
    run.ended = max(run.ended, run.began)
    return run


def read_decisions(state: Path) -> list[Decision]:
    """Return what the journal of a state folder has of decisions, expired signals too."""
    with Reader(StateDirectory(state).journal) as reader:
        return [_decision(line) for line in reader.lines() if line.type in WIRES]


def _decision(line: Line) -> Decision:
    body = line.body if isinstance(line.body, str) else line.body.decode()
    return Decision(line.ts, line.source, line.type, body)


def _take(run: PastRun, line: Line) -> bool:
    """Take a row; returns False where another configuration begins."""
    if line.type == Boot.wire:
        boot = line.message
        assert isinstance(boot, Boot)
        if run.boots and boot.configuration != run.boot.configuration:
            run.notes.append(
                f"at entry {line.seq} it was started with other settings: what follows is not "
                "compared"
            )
            return False
        run.began = run.began or line.ts
        run.boots.append(boot)
    run.ended = line.ts
    if line.type in WIRES:
        run.decisions.append(_decision(line))
    if line.type in NOTED and not line.derived:
        _note(run, line, line.message)
    return True


def _note(run: PastRun, line: Line, message: Message) -> None:
    """Keep an input that a backtest has to be given again."""
    match message:
        case InstrumentUpdate():
            run.instruments.setdefault(message.symbol, message)
        case MarketData() | TickerUpdate() | OrderBookUpdate() | MarketTrade():
            run.events.append((line.ts, message))
        case History() | Backfill():
            kept = run.history if isinstance(message, History) else run.begun
            kept.setdefault((message.symbol, message.timeframe), message.bars)
        case DataReference():
            run.references.append(message)
        case Boot():
            pass
        case _:
            run.spoken.append((line.ts, line.source, message))


class JournaledFeed:
    """The market data that a run's agents were given, played again at the moments they got it."""

    name = "journaled"
    recorded = False
    remembers = True

    def __init__(self, run: PastRun) -> None:
        self._run = run
        self._asked: set[tuple[str, str]] = set()
        self._streamed: dict[str, set[Timeframe]] = {}
        for _, event in run.events:
            if isinstance(event, MarketData):
                self._streamed.setdefault(event.symbol, set()).add(event.timeframe)

    def instruments(self) -> Sequence[InstrumentUpdate]:
        """Return what the venue listed then."""
        return list(self._run.instruments.values())

    def timeframes(self, symbol: str) -> Sequence[Timeframe]:
        """Return the timeframes of the candles that came from outside, shortest first."""
        return sorted(self._streamed.get(symbol, ()), key=TIMEFRAMES.__getitem__)

    def shortest(self, symbol: str) -> Timeframe | None:
        """Return the shortest of them, None when there are no candles of `symbol`."""
        return next(iter(self.timeframes(symbol)), None)

    def history(self, symbol: str, timeframe: str, before: int, count: int) -> Sequence[MarketData]:  # noqa: ARG002
        """Return the candles that the run was given when it asked: first for what had begun."""
        key = (symbol, timeframe)
        if key in self._run.begun and key not in self._asked:
            self._asked.add(key)
            return self._run.begun[key]
        return self._run.history.get(key, ())

    def events(self, start: int) -> Iterator[tuple[int, MarketEvent]]:
        """Yield (time in UTC ns, event) from `start` on, each when it was heard.

        The first is what the venue listed, just after the start: so the clock begins there, too.
        """
        if self._run.began + 1 >= start and self._run.instruments:
            yield self._run.began + 1, next(iter(self._run.instruments.values()))
        for ts, event in self._run.events:
            if ts >= start:
                yield ts, event

    def status(self) -> Sequence[DataStatus]:
        """Return nothing: the run has told how whole its data was."""
        return ()

    def references(self) -> Sequence[DataReference]:
        """Return nothing: no file is read."""
        return ()
