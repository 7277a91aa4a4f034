"""The roll: who takes messages, who lets them wait and who is gone, as ATTENDANCE rows say."""

from __future__ import annotations

from collections.abc import Callable

from tradeagent.messages import Attendance
from tradeagent.replay.judge import Judge
from tradeagent.replay.read import Line
from tradeagent.replay.stage import NotVerifiable, Player, Stage
from tradeagent.storage.projection import Projection


class Roll:
    """Follows the agents of a run, and refutes what cannot have become of them.

    Why an agent failed is not on record, so a failure that does not come again is taken on trust,
    and said; but it costs the agent nothing more than the supervisor makes of it. Under a simulated
    clock no agent fails: that ends the run.
    """

    def __init__(self, stage: Stage, judge: Judge, state_at: Callable[[int], Projection]) -> None:
        """Restore agents that were made anew to what `state_at` gives for a row."""
        self._stage = stage
        self._judge = judge
        self._state_at = state_at

    def foresee(self, following: Line) -> None:
        """Let an agent fail on what it is handed next, if it says so in the row that follows."""
        told = following.message
        if not isinstance(told, Attendance) or not told.failed or self._stage.runtime.exact:
            return
        player = self._stage.players.get(told.agent)
        if player is not None:
            player.stumble(told.failed)
            self._stage.bus.routes.forget()

    async def note(self, told: Attendance, line: Line) -> None:
        """Do what a row says, as far as it can be true; raises NotVerifiable."""
        player = self._stage.players.get(told.agent)
        if player is None:
            raise NotVerifiable(f"{told.agent} takes part in the journal, but not now")
        if told.state == "down":
            self._down(player, told, line)
        elif told.state == "gone":
            self._gone(player, line)
        elif told.restored is None:
            self._go_on(player, line)
        else:
            await self._up(player, told.restored, line)

    def look_at_failures(self) -> None:
        """Note who raised now and did not then."""
        raised, self._stage.host.raised = self._stage.host.raised, {}
        for agent, (seq, error) in raised.items():
            self._judge.differ(seq, f"{agent} fails", "no failure", repr(error))
            inlet = self._stage.players[agent].inlet
            inlet.up = True
            self._stage.bus.resume(inlet)

    def _down(self, player: Player, told: Attendance, line: Line) -> None:
        name = told.agent
        if self._stage.runtime.exact or not player.present:
            self._refute(line, f"{name} cannot go down here")
            return
        busy = player.busy_with
        fell = self._stage.host.raised.get(name, (busy, None))[0]
        if told.failed and told.failed != fell:
            self._refute(line, f"{name} does not fail on {told.failed}")
            return
        self._stage.host.raised.pop(name, None)
        waiting = self._failed(player, told.failed, line) if told.failed else busy
        if told.waiting != waiting:
            text = f"{waiting or 'no message'} waits for {name}, not {told.waiting or 'none'}"
            self._refute(line, text)
        player.lie_down(line.seq, waiting=bool(waiting))

    def _failed(self, player: Player, seq: int, line: Line) -> int:
        """Return which message waits after a failure: the one failed on, but for the second time.

        A message that is put aside must be one that cannot be handled now, either.
        """
        name, feigned = player.agent.name, player.feigned == seq
        if player.retried == seq:
            if feigned:
                self._refute(line, f"{name} does not fail on {seq}, so that is not put aside")
            return 0
        player.retried = seq
        if feigned:
            self._judge.trust(line.seq, f"{name} failed on {seq} and does not now")
        return seq

    def _gone(self, player: Player, line: Line) -> None:
        if player.present or player.leave is None or not player.down:
            self._refute(line, f"{player.agent.name} cannot be given up here")
            return
        player.leave()
        player.leave = None

    def _go_on(self, player: Player, line: Line) -> None:
        if not player.present or not player.inlet.working:
            self._refute(line, f"{player.agent.name} is not busy, so nothing waits for it")
            return
        self._stage.bus.serve_again(player.inlet, line.seq, line.ts)

    async def _up(self, player: Player, restored: int, line: Line) -> None:
        name = player.agent.name
        if player.present or player.leave is None:
            self._refute(line, f"{name} cannot be made anew here")
            return
        first = player.down or self._stage.since
        if not first <= restored < line.seq:
            self._refute(line, f"{name} cannot have taken up the journal as it was at {restored}")
            restored = max(first, min(restored, line.seq - 1))
        if player.down:
            past = self._state_at(restored).past(line.epoch, clean=self._stage.boot.clean)
            player.renew(self._stage.runtime, past)
        owed = self._stage.runtime.owed.get(name, [])
        owed.clear()
        await player.come_up()
        for seq, message in player.early:
            if message in owed:
                owed.remove(message)
            else:
                self._judge.unasked(seq, name)
        player.early.clear()
        self._stage.bus.serve_again(player.inlet, line.seq, line.ts)

    def _refute(self, line: Line, what: str) -> None:
        self._judge.differ(line.seq, what, line.body.decode(errors="replace"), "")
