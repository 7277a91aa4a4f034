"""What the market does while the daemon is away happens to what it left at the exchange."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from tests.e2e.daemon import Process, books, run
from tests.e2e.unlucky import MARKET
from tradeagent.clock import SECOND, WallClock
from tradeagent.messages import ExecutionReport, Order, TickerUpdate
from tradeagent.simulation.ledger import Ledger
from tradeagent.simulation.market import GeneratedMarket
from tradeagent.simulation.settings import MarketSettings

pytestmark = pytest.mark.timeout(180)
ROOT = Path(__file__).parents[2]
PROFILE = {
    "clock": {"mode": "wall"},
    "feeds": [{"type": "generated", **MARKET}],
    "watchlist": ["BTC"],
    "strategies": {
        **dict.fromkeys(("sma_cross", "rsi_reversal", "breakout")),
        "unlucky": {"type": "tests.e2e.unlucky:Unlucky"},
    },
    "risk": {"limits": {"min_stop_distance_ratio": 0.00001}},
}


def reached(stop: Order, after: int) -> int:
    """Return when the market reaches a stop, UTC ns."""
    assert stop.trigger is not None
    for when, event in GeneratedMarket(MarketSettings.model_validate(MARKET)).events(after):
        if isinstance(event, TickerUpdate) and event.mark is not None:
            far = event.mark - float(stop.trigger)
            if far <= 0 if stop.side == "sell" else far >= 0:
                return when
    raise AssertionError("a generated market never ends")


def resting(state: Path) -> list[Order]:
    """Return what rests at the exchange of a daemon that is gone."""
    ledger = Ledger(state / "exchange.db")
    orders = [one.order for one in ledger.open_orders()]
    ledger.close()
    return orders


def last_fill(state: Path) -> ExecutionReport:
    """Return the last fill in the exchange's own books."""
    ledger = Ledger(state / "exchange.db")
    fill = ledger.fills(0)[-1]
    ledger.close()
    return fill


@pytest.fixture
def begin(tmp_path: Path) -> Callable[[], Process]:
    """Start a daemon in real time, again and again from one state."""
    profile = tmp_path / "wall.yaml"
    profile.write_text(yaml.safe_dump(PROFILE), encoding="utf-8")
    return lambda: Process(tmp_path / "state", "-c", str(profile), PYTHONPATH=str(ROOT))


def test_a_stop_that_was_reached_while_away_fills_at_its_time(begin: Callable[[], Process]) -> None:
    """The fill carries the market's time and says that it was missed; so does its explanation."""
    daemon = begin()
    daemon.until_said("execution  fill ")
    with suppress(subprocess.TimeoutExpired):
        daemon.process.wait(1)
    daemon.kill()
    (stop,) = resting(daemon.state)
    clock = WallClock()
    when = reached(stop, clock.now())
    asyncio.run(clock.sleep_until(when + SECOND))

    again = begin()
    again.until_said("execution  fill ")
    assert again.interrupt() == 0

    where = ("--state", str(again.state))
    fill = last_fill(again.state)
    assert (fill.cloid, fill.time) == (stop.cloid, when)
    assert fill.execution is not None
    assert fill.execution.while_down
    told = run("explain", f"{fill.cloid}:{fill.execution.tid}", *where).stdout
    assert "while the daemon was down" in told
    venue, ours = books(again.state)
    assert venue == ours
    assert run("replay", "--verify", *where).returncode == 0
