"""Trading is reminded only while something is under way; at other times it has no work."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from pathlib import Path
from random import Random

import pytest

from tests.research.plain import FREE, START
from tests.research.runs import walk
from tradeagent.agents.trading import Trading
from tradeagent.messages import Message
from tradeagent.research.backtest import prepare
from tradeagent.research.play import Listening, play, wait_for
from tradeagent.research.spec import Backtest

TERMS: dict[str, object] = {
    **FREE,
    "risk.sizing": "risk_per_trade",
    "risk.risk": "0.0005",
    "agents.execution.max_notional_per_minute": 10**7,
    "exchange.slippage_bp": 3,
    "exchange.slippage_cap": "0.0008",
    "agents.trading.slices": 3,
}
"""Orders of many lots, some of which the venue refuses because the price has jumped."""


def write_jumps(path: Path, seed: int = 5) -> Path:
    """Write candles of a walk with minutes left out and opens away from the last close."""
    source, minute, before = Random(seed), 0, 46_000.0
    lines = ["timestamp_ms,open,high,low,close,volume"]
    for close in map(float, walk(rows=500, seed=seed).close):
        minute += source.choice((1, 1, 1, 1, 1, 1, 1, 4, 9))
        jump = source.gauss(0, 8e-4) if source.random() < 0.4 else 0.0
        opened = round(before * (1 + jump) * 2) / 2
        high, low = max(opened, close) + 12, min(opened, close) - 12
        time = START // 1_000_000 + minute * 60_000
        lines.append(f"{time},{opened},{high},{low},{close},10.001")
        before = close
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def play_jumps(folder: Path, entry: str) -> None:
    """Let three strategies trade on one account."""
    spec = Backtest(
        strategies=("sma_cross", "breakout", "rsi_reversal"),
        symbols=("BTC",),
        timeframes=("1m",),
        data=(f"BTC={write_jumps(folder / 'BTC.csv')}",),
        params={"sma_cross.fast": 4, "sma_cross.slow": 11, "sma_cross.even_atr": 2},
        settings={**TERMS, "agents.trading.entry": entry},
    )
    ready = prepare(spec)
    wait_for(play(ready.plan, folder / "state", ready.feed, Listening([], [])))


def known(trading: Trading) -> list[dict[str, object]]:
    """Return all that Trading knows of each symbol."""
    return [
        {name: deepcopy(getattr(desk, name)) for name in desk.__slots__} for desk in trading.desks
    ]


@pytest.mark.parametrize("entry", ["market", "limit", "twap", "iceberg"])
def test_a_look_while_it_is_calm_asks_for_nothing_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    """With stops, limits, slices and refusals: what Trading looks for is there only in a stir."""
    is_calm, look_again = Trading.is_calm, Trading.look_again
    looks: Counter[tuple[bool, bool]] = Counter()

    def look(trading: Trading) -> list[Message]:
        calm, before = is_calm(trading), known(trading)
        said = look_again(trading)
        looks[calm, bool(said)] += 1
        assert not calm or (said, known(trading)) == ([], before)
        return said

    monkeypatch.setattr(Trading, "look_again", look)
    monkeypatch.setattr(Trading, "is_calm", lambda _: False)  # it looks each minute
    play_jumps(tmp_path, entry)

    assert looks[True, False] > 100
    assert looks[False, True] > 0
