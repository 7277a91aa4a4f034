"""A backtest on what a run was given decides what the run decided, or says what differs and why."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.replay.house import LIVE, plan, record, rehearsed, until
from tests.research.plain import write_bars
from tradeagent.cli.parity import parity as command
from tradeagent.errors import CommandError, StateError
from tradeagent.messages import Fill, RiskOverride, TradeSignal, TradingMode
from tradeagent.research import backtest
from tradeagent.research.decisions import Decision
from tradeagent.research.pairing import pair_up, reason
from tradeagent.research.parity import Parity, parity

SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state of a run over a recorded file, seven hours with stops and locks."""
    folder = tmp_path_factory.mktemp("replayed")
    source, price, closes = random.Random(9), 1000.0, []
    for _ in range(420):
        price = round(price * (1 + source.gauss(0, 0.001)), 1)
        closes.append(price)
    data = write_bars(folder / "btc.csv", closes)
    result = backtest("sma_cross", symbol="BTC", timeframe="1m", data=data, out=folder / "out",
                      params={"fast": 5, "slow": 12})  # fmt: skip
    assert len(result.fills) > 20
    return folder / "out" / "state"


def whole(found: Parity) -> bool:
    """Tell whether every decision came again to the last letter."""
    return all(one.run == one.backtest == one.identical for one in found.counts.values())


def test_a_replay_run_is_traded_again_to_the_letter(replayed: Path) -> None:
    """Of a run on recorded files every decision and fill is identical."""
    found = parity(replayed)

    assert whole(found)
    assert (found.share, found.differences, found.configuration) == (1.0, (), ())
    assert found.counts[Fill.wire].run > 20


def test_a_planted_delay_is_named_timing(replayed: Path) -> None:
    """With orders half a second under way, fills come later, and that is what the report says."""
    found = parity(replayed, {"exchange.order_delay_ms": 500})

    assert found.configuration == ("exchange.order_delay_ms is 500",)
    assert found.counts[TradeSignal.wire].equal == found.counts[TradeSignal.wire].run
    first = found.differences[0]
    assert (first.kind, first.type) == ("timing", Fill.wire)
    assert first.why.startswith("the backtest is 60 s later")
    assert found.kinds["timing"] > found.share


def test_other_fees_are_named_a_fill(replayed: Path) -> None:
    """The same fill at another fee is a difference of the fill, and of the setting changed."""
    found = parity(replayed, {"exchange.taker_fee": "0.001"})

    first = found.differences[0]
    assert (first.kind, first.type, first.why) == ("fill", Fill.wire, "other fee")
    assert found.configuration == ("exchange.taker_fee is 0.001",)


def test_other_limits_are_named_configuration(replayed: Path) -> None:
    """A verdict that a changed limit changes is a difference of the configuration."""
    found = parity(replayed, {"risk.limits.max_order_notional": 50})

    first = found.differences[0]
    assert (first.kind, first.type) == ("configuration", "RISK_ASSESSMENT")


def test_a_generated_market_is_played_from_the_journal(tmp_path: Path) -> None:
    """Of a demo on simulated time, ticks, books and warm-up come from its journal: all is equal."""
    state = record(plan(seed=3), tmp_path / "state", 1.5)
    found = parity(state)

    assert whole(found), found.differences[:3]
    assert found.counts[Fill.wire].run > 0


def test_what_operators_said_is_said_again(tmp_path: Path) -> None:
    """A halt and an order by hand are inputs of the run: its backtest hears them, too."""
    halt = RiskOverride(rule="STATE", mode=TradingMode.HALTED, reason="a look", actor="me")
    resume = RiskOverride(rule="STATE", mode=TradingMode.ACTIVE, reason="looked", actor="me")
    state = rehearsed(plan(seed=3), tmp_path / "state", 1.5, [(20, halt), (40, resume)])
    found = parity(state)

    assert whole(found), found.differences[:3]
    assert found.counts[Fill.wire].run > 0


def test_an_accelerated_run_differs_by_its_lag_alone(tmp_path: Path) -> None:
    """Of a run on a clock that waits for nobody, signals say the same; orders may come later."""
    slower = {**LIVE, "clock__speed": 800.0}  # so that a busy machine does not lag by minutes
    state = record(
        plan(seed=3, **slower), tmp_path / "state", meanwhile=lambda daemon: until(daemon, 150)
    )
    found = parity(state)

    signals = found.counts[TradeSignal.wire]
    assert abs(signals.run - signals.backtest) <= 2 < signals.run  # one may be under way at the end
    told = [one.why for one in found.differences if one.type == TradeSignal.wire]
    assert [why for why in told if "other" in why] == []


def test_files_that_are_not_what_was_played_are_refused(replayed: Path, tmp_path: Path) -> None:
    """A file of the same name with other rows is not the data of the run."""
    other = write_bars(tmp_path / "btc.csv", [100.0, 101.0, 102.0])

    with pytest.raises(CommandError, match=r"btc.csv: is not the file that was played"):
        parity(replayed, data=other.parent)


def test_no_run_is_one_line(tmp_path: Path) -> None:
    """A folder that is not there, or holds nothing, is told with the remedy."""
    with pytest.raises(CommandError, match="no daemon has run here"):
        parity(tmp_path / "nowhere")
    with pytest.raises(StateError, match="no journal is here"):
        parity(tmp_path)


def test_the_command_shows_differences_and_exits_with_1(replayed: Path) -> None:
    """Status 0 and 100 % where all is equal; 1, and the first differences, where not."""
    runner = CliRunner()
    equal = runner.invoke(command, [str(replayed)])
    other = runner.invoke(command, [str(replayed), "--set", "exchange.order_delay_ms=500"])
    as_json = runner.invoke(command, [str(replayed), "--json"])

    assert equal.exit_code == 0, equal.output
    assert "100.00% of all decisions are equal; differences: none" in equal.output
    assert other.exit_code == 1
    assert "timing: the backtest is 60 s later" in other.output
    assert json.loads(as_json.stdout)["differences"] == []


def signal(ts: int, **facts: object) -> Decision:
    """Return a signal of a strategy at `ts` seconds."""
    body = {"strategy": "a", "symbol": "BTC", "time": ts * SECOND, "direction": "long", **facts}
    return Decision(ts * SECOND, "analysis", "TRADE_SIGNAL", json.dumps(body))


def test_decisions_are_paired_by_time_and_then_by_order() -> None:
    """What was decided at the same time is the same decision; else the next one near enough."""
    run = [signal(0), signal(60), signal(3600)]
    other = [signal(60), signal(70), signal(9000)]
    pairs = pair_up(run, other, 100 * SECOND)

    told = [[one and one.ts // SECOND for one in (pair.run, pair.backtest)] for pair in pairs]
    assert told == [[0, 70], [60, 60], [3600, None], [None, 9000]]
    assert [reason(one, 0) for one in pairs] == [
        ("timing", "the backtest is 70 s later"),
        None,
        ("data", "only the run has it"),
        ("data", "only the backtest has it"),
    ]


def test_a_signal_on_other_prices_is_a_difference_of_the_data() -> None:
    """At the same time, another direction or price means that the strategy saw other data."""
    (pair,) = pair_up([signal(0, price=1.0)], [signal(0, price=2.0)], SECOND)

    assert reason(pair, SECOND) == ("data", "other price")
