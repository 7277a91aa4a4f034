"""Later layers win, value by value, and every value knows where it was set."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.config.loading import load_text, said
from tradeagent.agents.gate import RiskSettings
from tradeagent.config import Option, SecretSource
from tradeagent.config.secrets import init, set_secret
from tradeagent.config.tree import scalar

PATHS = (
    "api.port",
    "bus.inbox_cap",
    "clock.speed",
    "exchange.balance",
    "risk.limits.max_gross_ratio",
    "agents.data.quote_interval_ms",
    "strategies.breakout.params.atr",
)
layer = st.dictionaries(st.sampled_from(PATHS), st.integers(1, 65_535))


def _nested(values: dict[str, int]) -> str:
    tree: dict[str, object] = {}
    for path, value in values.items():
        *above, last = path.split(".")
        place = tree
        for key in above:
            below = place.setdefault(key, {})
            assert isinstance(below, dict)
            place = below
        place[last] = value
    return yaml.safe_dump(tree)


def _variables(values: dict[str, int]) -> dict[str, str]:
    return {f"TRADEAGENT__{p.upper().replace('.', '__')}": str(v) for p, v in values.items()}


@settings(max_examples=60, deadline=None)
@given(layer, layer, layer, layer, layer)
def test_the_last_layer_wins_per_leaf(
    first: dict[str, int],
    second: dict[str, int],
    env: dict[str, int],
    environ: dict[str, int],
    options: dict[str, int],
) -> None:
    """Whatever layers set, each leaf is the last one's, and so is its origin."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        lines = "".join(f"{key}={value}\n" for key, value in _variables(env).items())
        loaded = load_text(
            folder,
            _nested(first),
            _nested(second),
            env=lines,
            environ=_variables(environ),
            overrides={path: Option(value, f"--{path}") for path, value in options.items()},
        )
        assert loaded.mistakes == ()
        shown = {path: (value, origin) for path, value, origin in loaded.show()}
        for path in PATHS:
            marks = [
                (first, f"{folder}/1.yaml:"),
                (second, f"{folder}/2.yaml:"),
                (env, f"{folder}/.env:"),
                (environ, f"environment TRADEAGENT__{path.upper().replace('.', '__')}"),
                (options, f"--{path}"),
            ]
            winner = next(((v[path], mark) for v, mark in reversed(marks) if path in v), None)
            if winner is not None:
                assert float(shown[path][0]) == winner[0]
                assert shown[path][1].startswith(winner[1])


def test_origins_across_all_layers(tmp_path: Path) -> None:
    """Presets, files with their lines, secrets, .env, environment and options are each named."""
    vault, key = tmp_path / "s.age", tmp_path / "key"
    init(vault, key)
    set_secret(vault, key, "TRADEAGENT__BUS__URL", "redis://:canary-5512@host")
    loaded = load_text(
        tmp_path,
        "log:\n  level: debug\nstrategies:\n  sma_cross:\n    params:\n      fast: 3\n",
        "watchlist:\n  - BTC\n",
        overrides={"feeds.0.seed": Option(9, "--seed")},
        env="\nTRADEAGENT__API__PORT=1\n",
        environ={"TRADEAGENT__CLOCK__SPEED": "5"},
        secrets=SecretSource({}, None, vault, key),
    )
    loaded.settle()
    origins = {path: where.replace(f"{tmp_path}/", "") for path, where in loaded.origins.items()}
    assert origins["bus.inbox_cap"] == "preset default"
    assert origins["clock.mode"] == "preset demo"
    assert origins["log.level"] == "1.yaml:2"
    assert origins["strategies.sma_cross.params.fast"] == "1.yaml:6"
    assert origins["strategies.sma_cross.params.slow"] == "preset demo"
    assert origins["watchlist.0"] == "2.yaml:2"
    assert origins["bus.url"] == "s.age TRADEAGENT__BUS__URL"
    assert origins["api.port"] == ".env:2"
    assert origins["clock.speed"] == "environment TRADEAGENT__CLOCK__SPEED"
    assert origins["feeds.0.seed"] == "--seed"
    assert origins["feeds.0.type"] == "preset demo"
    assert loaded.settings.feeds[0] == {
        "type": "generated", "seed": 9, "timeframes": ["1m"], "tick_seconds": 5
    }  # fmt: skip
    assert loaded.settings.log.level == "DEBUG"


@pytest.mark.parametrize(
    ("given", "environ", "env", "text", "profile", "origin"),
    [
        (None, {}, "", "", "demo", "built-in default"),
        (None, {}, "", "profile: replay\n", "replay", "1.yaml:1"),
        (None, {}, "TRADEAGENT__PROFILE=replay", "profile: demo\n", "replay", ".env:1"),
        (None, {"TRADEAGENT__PROFILE": "demo"}, "TRADEAGENT__PROFILE=replay", "", "demo",
         "environment TRADEAGENT__PROFILE"),
        ("replay", {"TRADEAGENT__PROFILE": "demo"}, "", "profile: demo\n", "replay", "--profile"),
    ],
)  # fmt: skip
def test_the_profile_comes_from_the_strongest_source(
    given: str | None,
    environ: dict[str, str],
    env: str,
    text: str,
    profile: str,
    origin: str,
    tmp_path: Path,
) -> None:
    """Argument, then environment, then .env, then file, then demo; and its preset is laid."""
    loaded = load_text(tmp_path, text, profile=given, environ=environ, env=env)
    loaded.settle()
    assert loaded.settings.profile == profile
    assert loaded.origins["profile"].replace(f"{tmp_path}/", "") == origin
    assert loaded.settings.clock.mode == {"demo": "accelerated", "replay": "simulated"}[profile]


def test_null_removes_an_entry_by_name(tmp_path: Path) -> None:
    """A strategy or agent set to null is gone, by file or variable, and may come back later."""
    loaded = load_text(
        tmp_path,
        "strategies: {breakout: null, sma_cross: null}\nagents: {monitor: null}\n",
        "strategies: {sma_cross: {type: pairs}}\n",
        environ={"TRADEAGENT__STRATEGIES__RSI_REVERSAL": "null"},
    )
    assert loaded.mistakes == ()
    assert set(loaded.settings.strategies) == {"sma_cross"}
    assert loaded.settings.strategies["sma_cross"].params == {}
    assert set(loaded.settings.agents) == {"data", "execution", "trading"}


def test_a_changed_type_starts_anew(tmp_path: Path) -> None:
    """Settings of one type are not handed to another; those of the same type merge."""
    loaded = load_text(
        tmp_path,
        "exchange: {type: hyperliquid}\n"
        "strategies: {breakout: {type: pairs}, sma_cross: {type: sma_cross, weight: 0.1}}\n",
    )
    assert loaded.settings.exchange == {"type": "hyperliquid"}
    assert loaded.settings.strategies["breakout"].params == {}
    assert loaded.settings.strategies["sma_cross"].params["slow"] == 21


def test_variables_are_spelt_as_what_they_name(tmp_path: Path) -> None:
    """A variable meets keys of any case, symbols of the watchlist too; lists come in brackets."""
    loaded = load_text(
        tmp_path,
        "strategies: {Mine: {type: pairs}}\nwatchlist: [BTC, kPEPE]\n",
        environ={
            "TRADEAGENT__STRATEGIES__MINE__WEIGHT": "0.25",
            "TRADEAGENT__RISK__LIMITS__MAX_ORDER_QTY__BTC": "2",
            "TRADEAGENT__RISK__LIMITS__MAX_ORDER_QTY__KPEPE": "3",
            "TRADEAGENT__STRATEGIES__MINE__SYMBOLS": "[BTC]",
            "TRADEAGENT__API__PORT": "",
        },
    )
    assert loaded.settings.strategies["Mine"].weight == 0.25
    assert loaded.settings.strategies["Mine"].symbols == ("BTC",)
    risk = loaded.refine(("risk",), RiskSettings)
    assert risk is not None
    assert risk.limits.max_order_qty == {"BTC": 2, "kPEPE": 3}
    assert loaded.settings.api.port == 8004


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5), ("-1", -1), ("10_000", 10_000), ("0.5", 0.5), ("1e-3", 0.001), (".5", 0.5),
        ("true", True), ("null", None), ("", None), ("~", None),
        ("NO", "NO"), ("on", "on"), ("0x1F", "0x1F"), ("1:30", "1:30"), ("010", "010"),
        ("2026-01-01", "2026-01-01"), (".inf", ".inf"), ("redis://h:1", "redis://h:1"),
    ],
)  # fmt: skip
def test_scalars_never_surprise(text: str, value: object) -> None:
    """Symbols, addresses, times and dates stay text; numbers and booleans are what they seem."""
    found = scalar(text)
    assert found == value
    assert type(found) is type(value)


def test_quoted_is_text_and_a_date_is_utc(tmp_path: Path) -> None:
    """Quotes make text of anything, and an origin without a zone is UTC, exact to the ns."""
    loaded = load_text(
        tmp_path,
        "strategies: {breakout: {symbols: ['1', \"null\"]}}\nclock: {origin: 2026-03-01 12:00}\n",
    )
    assert loaded.mistakes == ()
    assert loaded.settings.strategies["breakout"].symbols == ("1", "null")
    assert loaded.settings.clock.origin == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert loaded.settings.clock.origin_ns == 1_772_366_400 * 10**9


def test_an_alias_is_its_anchor(tmp_path: Path) -> None:
    """An alias repeats its anchor's value, each place with its own line."""
    loaded = load_text(
        tmp_path,
        "strategies:\n  breakout: &b\n    type: breakout\n  twin:\n    params: {atr: 7}\n"
        "    type: breakout\n  other: *b\n",
    )
    assert said(loaded, tmp_path) == []
    assert loaded.settings.strategies["other"].type == "breakout"
    assert loaded.settings.strategies["twin"].params == {"atr": 7}
