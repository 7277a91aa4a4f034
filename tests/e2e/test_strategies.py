"""Strategies as things of their own: paused, closed, and gone from the configuration."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.daemon import Process, run


def held(state: Path, strategy: str) -> dict[str, float]:
    """Return what a strategy holds by symbol."""
    rows = json.loads(run("strategies", "--json", "--state", str(state)).stdout)
    return {one["symbol"]: float(one["size"]) for one in rows if one["strategy"] == strategy}


def test_a_strategy_is_closed_paused_and_taken_up_again(tmp_path: Path) -> None:
    """`strategies close` leaves it flat and out, also after a restart, until it is resumed."""
    state = tmp_path / "state"
    daemon = Process(state, "--speed", "3000", "--seed", "3")

    def ask(verb: str, name: str = "breakout") -> str:
        ended = run("strategies", verb, name, "--reason", "as tested", "--state", str(state))
        return ended.stdout + ended.stderr

    daemon.until_said("(breakout)", times=3)
    assert "mode: closed" in ask("close")
    daemon.until_said("(sma_cross)", times=2)
    daemon.until_said(" signal ", times=daemon.log.read_text().count(" signal ") + 4)
    assert not any(held(state, "breakout").values())
    assert "no strategy or analyst is called nobody" in ask("pause", "nobody")
    assert daemon.interrupt() == 0

    again = Process(state, "--speed", "3000", "--seed", "3")
    again.until_said("approved ", times=3)
    assert "for breakout" not in again.log.read_text().replace("rejected", "")
    assert not any(held(state, "breakout").values())
    assert "mode: active" in ask("resume")
    again.until_said("(breakout)")
    assert again.interrupt() == 0


def test_a_position_without_its_strategy_is_not_overlooked(tmp_path: Path) -> None:
    """No start on it until the operator has said what to do; check says so too."""
    state, less = tmp_path / "state", tmp_path / "less.yaml"
    ended = run("run", "--speed", "max", "--for", "6h", "--seed", "3", "--state", str(state))
    assert ended.returncode == 0, ended.stderr
    assert any(held(state, "sma_cross").values())
    less.write_text("strategies: {sma_cross: null, rsi_reversal: null}\n")

    at = ("-c", str(less), "--state", str(state))
    for command in (("run", "--for", "1m"), ("check",)):
        refused = run(*command, *at)
        assert refused.returncode == 2
        assert len(refused.stderr.splitlines()) == 1
        assert "sma_cross holds" in refused.stderr
        assert "agents.trading.removed" in refused.stderr

    less.write_text(less.read_text() + "agents: {trading: {removed: close}}\n")
    assert "without a strategy, to close: " in run("check", *at).stdout
    ended = run("run", "--speed", "max", "--for", "2h", "--seed", "3", *at)
    assert ended.returncode == 0, ended.stderr
    assert not any(held(state, "sma_cross").values())
