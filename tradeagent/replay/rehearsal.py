"""One run played again: inputs as they stand in the journal, everything derived compared."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from tradeagent.errors import TradeAgentError
from tradeagent.messages import (
    Attendance,
    DataReference,
    Delivery,
    Envelope,
    Fill,
    Heartbeat,
    MarketData,
    Message,
    OrderUpdate,
    PositionUpdate,
    Timer,
    Trace,
)
from tradeagent.replay.judge import Difference, Judge
from tradeagent.replay.read import Line
from tradeagent.replay.roll import Roll
from tradeagent.replay.stage import Stage, Stream
from tradeagent.replay.turns import Turns
from tradeagent.storage.projection import Projection

TRACES = 10_000
"""Chains of messages whose length is kept in mind."""
EXECUTED = (OrderUpdate, Fill, PositionUpdate)
"""What Execution makes of the venue's words, and nobody else says."""


class EnoughSeen(TradeAgentError):
    """A run that differs so much that it is not played any further."""


class Rehearsal:
    """Feeds one run's inputs to fresh agents and compares what they derive."""

    def __init__(
        self, stage: Stage, state_at: Callable[[int], Projection], *, other_code: bool
    ) -> None:
        """Begin before the BOOT row; `state_at` gives the state an agent was restored to later.

        `other_code` tells that the run was recorded by another version.
        """
        self.stage = stage
        self.bus = stage.bus
        self.inputs = 0
        exact = stage.runtime.exact
        self._judge = Judge(stage.bus, exact=exact, other_code=other_code)
        self._roll = Roll(stage, self._judge, state_at)
        feeds = stage.runtime.feeds if not stage.boot.agents else ()  # others may play it, too
        self._turns = Turns(feeds, exact=exact)
        self._traces: OrderedDict[int, Trace] = OrderedDict()
        self._joined = False
        self._time = 0

    async def play(self, line: Line, following: Line | None) -> Message:
        """Play one row; returns its message. What follows tells whether a handler failed on it.

        Raises NotVerifiable or EnoughSeen when it is no use to go on.
        """
        if self._judge.tired:
            raise EnoughSeen
        if following is not None and following.type == Attendance.wire:
            self._roll.foresee(following)
        self.bus.skip_unrecorded()
        if self.stage.runtime.streams:
            self._fill_gap(line)
        if line.ts < self._time:
            self._judge.differ(line.seq, "it is older than what comes before it", "", "")
        self._time = line.ts
        kind = Message.kinds.get(line.type)
        if line.derived and kind is not None:
            envelope = self._judge.compare(line, kind)
            if kind.delivery is not Delivery.URGENT:
                self._turns.passed(envelope.seq)
            self.bus.hand_over(envelope, line.seq, envelope.ts)
            self._turns.handed(line.seq, kind)
            return envelope.payload
        return await self._receive(line)

    async def _receive(self, line: Line) -> Message:
        """Play an input."""
        message = line.message
        self.inputs += 1
        if isinstance(message, Timer | Attendance) and line.epoch != self.bus.epoch:  # never sent
            self._judge.other_epoch(line)
        if isinstance(message, Attendance):
            await self._attend(message, line)
            return message
        if isinstance(message, DataReference):
            self.stage.check_file(message)
        if self.stage.host.raised:
            self._roll.look_at_failures()
        self._check_turn(line, message)
        self.bus.hand_over(self._envelope(line, message), line.seq, line.ts)
        self._turns.handed(line.seq, type(message))
        if not self._joined:
            self._join()
        return message

    def finish(self) -> None:
        """Note what was derived now and is not in the journal, and what nobody accounts for."""
        self._judge.note_left()
        for name, player in self.stage.players.items():
            for seq, _ in player.early:
                self._judge.unasked(seq, name)

    @property
    def derived(self) -> int:
        """Return how many derived messages were compared."""
        return self._judge.compared

    @property
    def differences(self) -> list[Difference]:
        """Return what is not as it was, in the order of the journal."""
        return sorted(self._judge.differences, key=lambda one: one.seq)

    @property
    def trusted(self) -> list[Difference]:
        """Return what is taken on trust."""
        return self._judge.trusted

    def _join(self) -> None:
        """Let the agents listen: they did so once the BOOT row was written."""
        self._joined = True
        for player in self.stage.players.values():
            player.leave = self.bus.subscribe(player.inlet)

    def _envelope(self, line: Line, message: Message) -> Envelope[Message]:
        envelope = Envelope(message, line.source, line.epoch, line.cause)
        if line.trace != line.seq:
            envelope.chain = self._trace(line.trace)
            envelope.chain.count += 1
        return envelope

    def _trace(self, first: int) -> Trace:
        trace = self._traces.pop(first, None) or Trace(first)
        self._traces[first] = trace
        if len(self._traces) > TRACES:
            self._traces.popitem(last=False)
        return trace

    # -- recorded files ---------------------------------------------------------------------------

    def _fill_gap(self, line: Line) -> None:
        """Play the rows of recorded files that came before a row of the journal."""
        bus, clock = self.bus, self.stage.clock
        while (stream := self._next()) is not None and stream.time is not None:
            room = bus.seq + 1 < line.seq
            if stream.time > line.ts or (stream.time == line.ts and not room):
                return
            self._begin_turn()
            clock.time = max(clock.time, stream.time)
            before = bus.seq
            stream.play()
            if bus.seq > before:
                self._turns.handed(bus.seq, MarketData)
            if bus.seq >= line.seq:
                text = "more rows of recorded files come before this entry than then"
                self._judge.differ(line.seq, text, "", "")
                raise EnoughSeen
            bus.skip_unrecorded()

    def _next(self) -> Stream | None:
        streams = [one for one in self.stage.runtime.streams if one.time is not None]
        return min(streams, key=lambda one: one.time or 0, default=None)

    # -- order ------------------------------------------------------------------------------------

    def _check_turn(self, line: Line, message: Message) -> None:
        """Note an input that cannot be one, or not here: before what was derived earlier."""
        kind = type(message)
        self._check_speaker(line, message)
        bus, urgent = self.bus, kind.delivery is Delivery.URGENT
        if not urgent:
            self._judge.note(bus.urgent)
        lane = bus.lane(kind)
        by = lane[0].seq if lane else bus.seq
        if not self._turns.may_wait(line, kind, by, urgent=urgent):
            self._begin_turn()

    def _begin_turn(self) -> None:
        """Begin a drain: nothing waits then."""
        self._judge.note_left()
        self._turns.begin(self.bus.seq + 1)

    def _check_speaker(self, line: Line, message: Message) -> None:
        """Note an input from who only ever answers, but for what it has to say at its start."""
        kind, player = type(message), self.stage.players.get(line.source)
        if player is not None and player.answers:
            if not player.present and kind is not Heartbeat:
                player.early.append((line.seq, message))  # to be looked at once it is up
            elif kind is not Heartbeat:
                self._judge.unasked(line.seq, line.source)
        elif kind in EXECUTED and "execution" in self.stage.players:
            self._judge.differ(line.seq, f"nobody but execution says {line.type}", "", "")

    async def _attend(self, told: Attendance, line: Line) -> None:
        if told.state == "up" and not self._turns.interrupted(line.seq):
            self._begin_turn()
        self.stage.clock.time = line.ts
        self.bus.seq = line.seq
        await self._roll.note(told, line)
