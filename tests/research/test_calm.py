"""Trading is reminded only while something is under way, and decides what it always did."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.research.plain import FREE, write_bars
from tests.research.runs import walk
from tradeagent.agents.trading import Trading
from tradeagent.research.backtest import prepare
from tradeagent.research.decisions import Decision, Ear
from tradeagent.research.play import Listening, play, wait_for
from tradeagent.research.spec import Backtest

TERMS: dict[str, object] = {
    **FREE,
    "risk.sizing": "risk_per_trade",
    "risk.risk": "0.002",
    "exchange.slippage_bp": 3,
    "risk.limits.max_position_notional": 700_000,
}


def decided(path: Path, state: Path, entry: str) -> list[Decision]:
    """Return all that three strategies on one account decided over a file."""
    spec = Backtest(
        strategies=("sma_cross", "breakout", "rsi_reversal"),
        symbols=("BTC",),
        timeframes=("1m",),
        data=(f"BTC={path}",),
        params={"sma_cross.fast": 4, "sma_cross.slow": 11, "sma_cross.even_atr": 2},
        settings={**TERMS, "agents.trading.entry": entry, "agents.trading.slices": 3},
    )
    ready, ear = prepare(spec), Ear()
    wait_for(play(ready.plan, state, ready.feed, Listening([ear.subscriber], [])))
    return list(ear.decisions)


@pytest.mark.parametrize("entry", ["market", "limit", "twap"])
def test_asking_every_minute_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    """With stops, trailing, limits and slices: the same decisions as when it looks each minute."""
    closes = [float(one) for one in walk(rows=500, seed=5).close]
    path = write_bars(tmp_path / "BTC.csv", closes, spread=12.0)

    reminded = decided(path, tmp_path / "a", entry)
    monkeypatch.setattr(Trading, "is_calm", lambda _: False)
    restless = decided(path, tmp_path / "b", entry)

    assert reminded == restless
    assert len(reminded) > 100
