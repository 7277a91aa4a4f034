"""One run played again: inputs as they stand in the journal, everything derived compared."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from tradeagent.errors import TradeAgentError
from tradeagent.messages import (
    Attendance,
    DataReference,
    Delivery,
    Envelope,
    Message,
    Origin,
    Trace,
    encode_payload,
)
from tradeagent.replay.read import Line
from tradeagent.replay.stage import NotVerifiable, Stage, Stream
from tradeagent.storage.projection import Projection

SHOWN = 20
"""Differences after which a run is not played any further."""
TRACES = 10_000
"""Chains of messages whose length is kept in mind."""


class Difference(NamedTuple):
    """What is not as it was: at which `seq`, what the journal says, and what came now."""

    seq: int
    what: str
    journal: str = ""
    replay: str = ""


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
        self.derived = 0
        self.differences: list[Difference] = []
        self._state_at = state_at
        self._other_code = other_code
        self._traces: OrderedDict[int, Trace] = OrderedDict()
        self._joined = False

    async def play(self, line: Line, following: Line | None) -> Message:
        """Play one row; returns its message. What follows tells whether a handler failed on it.

        Raises NotVerifiable or EnoughSeen when it is no use to go on.
        """
        if len(self.differences) >= SHOWN:
            raise EnoughSeen
        if following is not None and following.type == Attendance.wire:
            self._foresee(following)
        self.bus.skip_unrecorded()
        if self.stage.runtime.streams:
            self._fill_gap(line)
        kind = Message.kinds.get(line.type)
        if line.derived and kind is not None:
            return self._compare(line, kind)
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
        for envelope in list(self.bus.left()):
            self._unexpected(envelope)

    def _join(self) -> None:
        """Let the agents listen: they did so once the BOOT row was written."""
        self._joined = True
        for player in self.stage.players.values():
            player.leave = self.bus.subscribe(player.inlet)

    def _envelope(self, line: Line, message: Message) -> Envelope[Message]:
        origin = Origin.DERIVED if line.derived else Origin.INPUT
        envelope = Envelope(message, line.source, line.epoch, line.cause, None, origin)
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
                self._note_left()
            clock.time = max(clock.time, stream.time)
            stream.play()
            if bus.seq >= line.seq:
                raise NotVerifiable(f"the recorded files hold more than fits before {line.seq}")
            bus.skip_unrecorded()

    def _next(self) -> Stream | None:
        streams = [one for one in self.stage.runtime.streams if one.time is not None]
        return min(streams, key=lambda one: one.time or 0, default=None)

    def _note_left(self) -> None:
        for envelope in list(self.bus.left()):
            self._unexpected(envelope)
            self.bus.take(envelope)

    # -- comparing --------------------------------------------------------------------------------

    def _compare(self, line: Line, kind: type[Message]) -> Message:
        """Compare a derived row with what waits, and hand it over."""
        self.derived += 1
        bus = self.bus
        lane = bus.lane(kind)
        if kind.delivery is not Delivery.URGENT:
            for envelope in list(bus.lane_urgent()):
                self._unexpected(envelope)
                bus.take(envelope)
        first = lane[0] if lane else None
        if first is not None and self._equal(first, line):
            bus.take(first)
            bus.hand_over(first, line.seq, line.ts)
            return first.payload
        found = next((one for one in lane if self._equal(one, line)), None)
        if found is None:
            self._unlike(line, first)
            found = self._envelope(line, line.message)
        else:
            while lane[0] is not found:
                self._unexpected(lane[0])
                bus.take(lane[0])
            bus.take(found)
        bus.hand_over(found, line.seq, line.ts)
        return found.payload

    def _equal(self, envelope: Envelope[Message], line: Line) -> bool:
        """Tell whether a message is that of a row; fields later code added stand by default."""
        payload = envelope.payload
        if (
            envelope.cause != line.cause
            or envelope.source != line.source
            or payload.wire != line.type
            or envelope.trace != line.trace
        ):
            return False
        body = encode_payload(payload)
        return body == line.body or (self._other_code and body == encode_payload(line.message))

    def _unlike(self, line: Line, first: Envelope[Message] | None) -> None:
        journal = _text(line.source, line.type, line.cause, line.body)
        same = (
            first is not None
            and (first.source, first.payload.wire) == (line.source, line.type)
            and first.cause == line.cause
        )
        if first is not None and same:
            self.bus.take(first)
            self._differ(line.seq, "the message differs", journal, _shown(first))
            return
        now = _shown(first) if first is not None else "nothing"
        self._differ(line.seq, "no such message came", journal, now)

    def _unexpected(self, envelope: Envelope[Message]) -> None:
        text = "a message came that is not in the journal"
        self._differ(envelope.cause, text, "nothing", _shown(envelope))

    def _differ(self, seq: int, what: str, journal: str, replay: str) -> None:
        self.differences.append(Difference(seq, what, journal, replay))

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
                self._differ(line.seq, text, "", "")
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
            self._differ(seq, f"{agent} fails", "no failure", repr(error))
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


def _shown(envelope: Envelope[Message]) -> str:
    payload = envelope.payload
    return _text(envelope.source, payload.wire, envelope.cause, encode_payload(payload))


def _text(source: str, wire: str, cause: int, body: bytes) -> str:
    return f"{source} {wire} on {cause}: {body.decode(errors='replace')}"
