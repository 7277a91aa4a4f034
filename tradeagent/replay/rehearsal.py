"""One run played again: inputs as they stand in the journal, everything derived compared."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from tradeagent.errors import TradeAgentError
from tradeagent.messages import (
    Attendance,
    DataReference,
    Envelope,
    Message,
    Trace,
)
from tradeagent.replay.judge import Difference, Judge
from tradeagent.replay.read import Line
from tradeagent.replay.stage import NotVerifiable, Stage, Stream
from tradeagent.storage.projection import Projection

TRACES = 10_000
"""Chains of messages whose length is kept in mind."""


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
        self._judge = Judge(stage.bus, other_code=other_code)
        self._state_at = state_at
        self._traces: OrderedDict[int, Trace] = OrderedDict()
        self._joined = False

    async def play(self, line: Line, following: Line | None) -> Message:
        """Play one row; returns its message. What follows tells whether a handler failed on it.

        Raises NotVerifiable or EnoughSeen when it is no use to go on.
        """
        if self._judge.tired:
            raise EnoughSeen
        if following is not None and following.type == Attendance.wire:
            self._foresee(following)
        self.bus.skip_unrecorded()
        if self.stage.runtime.streams:
            self._fill_gap(line)
        kind = Message.kinds.get(line.type)
        if line.derived and kind is not None:
            envelope = self._judge.compare(line, kind)
            self.bus.hand_over(envelope, line.seq, line.ts)
            return envelope.payload
        message = line.message
        self.inputs += 1
        if isinstance(message, Attendance):
            await self._attend(message, line)
            return message
        if isinstance(message, DataReference):
            self.stage.check_file(message)
        if self.stage.host.raised:
            self._look_at_failures()
        self.bus.hand_over(self._envelope(line, message), line.seq, line.ts)
        if not self._joined:
            self._join()
        return message

    def finish(self) -> None:
        """Note what was derived now and is not in the journal."""
        self._judge.note_left()

    @property
    def derived(self) -> int:
        """Return how many derived messages were compared."""
        return self._judge.compared

    @property
    def differences(self) -> list[Difference]:
        """Return what is not as it was."""
        return self._judge.differences

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
            if not bus.idle:
                self._judge.note_left()
            clock.time = max(clock.time, stream.time)
            stream.play()
            if bus.seq >= line.seq:
                text = "more rows of recorded files come before this entry than then"
                self._judge.differ(line.seq, text, "", "")
                raise EnoughSeen
            bus.skip_unrecorded()

    def _next(self) -> Stream | None:
        streams = [one for one in self.stage.runtime.streams if one.time is not None]
        return min(streams, key=lambda one: one.time or 0, default=None)

    # -- agents that come and go ------------------------------------------------------------------

    async def _attend(self, told: Attendance, line: Line) -> None:
        player = self.stage.players.get(told.agent)
        self.stage.clock.time = line.ts
        self.bus.seq = line.seq
        if player is None:
            raise NotVerifiable(f"{told.agent} takes part in the journal, but not now")
        self.stage.host.raised.pop(told.agent, None)
        if told.state == "gone":
            if player.leave is not None:
                player.leave()
        elif told.state == "down":
            if not player.lie_down(told.waiting):
                text = f"{told.agent} fails on {told.waiting}, which it does not hold now"
                self._judge.differ(line.seq, text, "", "")
        else:
            if told.restored is not None:
                if not player.fresh:
                    past = self._state_at(told.restored).past(
                        line.epoch, clean=self.stage.boot.clean
                    )
                    player.renew(self.stage.runtime, past)
                await player.come_up()
            self.bus.serve_again(player.inlet, line.seq, line.ts)

    def _look_at_failures(self) -> None:
        """Note who raised now and did not then."""
        raised, self.stage.host.raised = self.stage.host.raised, {}
        for agent, (seq, error) in raised.items():
            self._judge.differ(seq, f"{agent} fails", "no failure", repr(error))
            inlet = self.stage.players[agent].inlet
            inlet.up = True
            self.bus.resume(inlet)

    def _foresee(self, following: Line) -> None:
        told = following.message
        if isinstance(told, Attendance) and told.failed:
            player = self.stage.players.get(told.agent)
            if player is not None:
                player.stumble(told.failed)
                self.bus.routes.forget()
