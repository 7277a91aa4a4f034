"""What an agent class may look like is checked when it is made."""

from __future__ import annotations

import pytest

from tradeagent.agents.base import BaseAgent, every, on
from tradeagent.messages import RiskAlert, Severity, TickerUpdate, TradeSignal


class Watcher(BaseAgent):
    """Says that it saw a ticker."""

    @on(TickerUpdate)
    def watch(self, tick: TickerUpdate) -> RiskAlert | None:
        """Warn about everything."""
        return RiskAlert(code=tick.symbol, severity=Severity.WARNING)


def test_a_tagged_method_stays_a_plain_method() -> None:
    """A handler can be called and compared without a bus."""
    tick = TickerUpdate(symbol="BTC", time=1, bid=1, ask=2, last=1)

    assert Watcher().watch(tick) == RiskAlert(code="BTC", severity=Severity.WARNING)
    assert Watcher.handles == {TickerUpdate: "watch"}


def test_something_that_is_no_message_cannot_be_handled() -> None:
    """`@on` takes message classes only."""
    with pytest.raises(TypeError, match=r"Bad.watch: @on\(<class 'int'>\) is not a message class"):

        class Bad(BaseAgent):
            """Handles a number."""

            @on(int)  # type: ignore[type-var]
            def watch(self, number: int) -> None:
                """Do nothing."""


def test_two_handlers_of_one_message_are_refused() -> None:
    """The error names both methods."""
    with pytest.raises(TypeError, match="second and first both handle TickerUpdate"):

        class Bad(BaseAgent):
            """Handles tickers twice."""

            @on(TickerUpdate)
            def first(self, tick: TickerUpdate) -> None:
                """Do nothing."""

            @on(TickerUpdate)
            def second(self, tick: TickerUpdate) -> None:
                """Do nothing."""


def test_an_annotation_unlike_the_decorator_is_refused() -> None:
    """What the decorator says and what the parameter says must agree."""
    with pytest.raises(TypeError, match=r"@on\(TickerUpdate\) but the parameter is a TradeSignal"):

        class Bad(BaseAgent):
            """Says two things."""

            @on(TickerUpdate)  # type: ignore[arg-type]
            def watch(self, tick: TradeSignal) -> None:
                """Do nothing."""


def test_an_override_needs_no_second_tag() -> None:
    """The table holds method names, so a subclass's method is called."""

    class Quiet(Watcher):
        """Says nothing."""

        def watch(self, tick: TickerUpdate) -> RiskAlert | None:
            """Keep quiet."""
            return None

    assert Quiet.handles == {TickerUpdate: "watch"}
    assert getattr(Quiet(), Quiet.handles[TickerUpdate])(None) is None


def test_an_override_cannot_change_what_a_handler_is() -> None:
    """Re-tagging, turning async and setting to None are refused at import."""
    with pytest.raises(TypeError, match="cannot be re-tagged"):

        class Retagged(Watcher):
            """Handles another message."""

            @on(TradeSignal)  # type: ignore[arg-type]
            def watch(self, tick: TradeSignal) -> None:  # type: ignore[override]
                """Do nothing."""

    with pytest.raises(TypeError, match="must stay def"):

        class Slow(Watcher):
            """Waits."""

            async def watch(self, tick: TickerUpdate) -> None:  # type: ignore[override]
                """Do nothing."""

    with pytest.raises(TypeError, match="is a handler and cannot be None"):

        class Gone(Watcher):
            """Has no handler."""

            watch = None  # type: ignore[assignment]


def test_a_handler_takes_the_message_and_nothing_else() -> None:
    """Another number of parameters is refused."""
    with pytest.raises(TypeError, match="must take the message"):

        class Bad(BaseAgent):
            """Takes too much."""

            @on(TickerUpdate)  # type: ignore[arg-type]
            def watch(self, tick: TickerUpdate, more: int) -> None:
                """Do nothing."""


def test_a_timer_does_not_wait() -> None:
    """An `async def` timer is refused with the remedy, not at its first minute."""
    with pytest.raises(TypeError, match="a timer is a def method; `start` what has to wait"):

        class Bad(BaseAgent):
            """Waits."""

            @every(60)
            async def again(self) -> None:
                """Do nothing."""


def test_a_timer_must_move_forward() -> None:
    """A period of nothing is refused."""
    with pytest.raises(TypeError, match="is not above 0"):

        class Bad(BaseAgent):
            """Never waits."""

            @every(0)
            def again(self) -> None:
                """Do nothing."""
