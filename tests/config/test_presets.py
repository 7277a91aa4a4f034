"""What is packaged and what is shown as an example is right, whole and described."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from tests.config.owners import AGENTS, refine_all
from tradeagent.agents.gate import RiskSettings
from tradeagent.config import (
    AgentEntry,
    Loaded,
    Settings,
    describe,
    load,
    profiles,
    reference,
)
from tradeagent.config.layers import preset
from tradeagent.config.secrets import KNOWN
from tradeagent.simulation import ExchangeSettings, MarketSettings

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config" / "example.yaml"


def _loaded(profile: str | None = None, *files: Path) -> Loaded:
    loaded = load(profile, files, {}, {}, None, None)
    refine_all(loaded)
    return loaded


@pytest.mark.parametrize("profile", profiles())
def test_a_profile_is_right(profile: str) -> None:
    """Every packaged profile passes its owners' models and names itself."""
    loaded = _loaded(profile)
    loaded.settle()
    assert loaded.settings.profile == profile
    known = ("sma_cross", "rsi_reversal", "breakout")
    assert set(loaded.settings.strategies) <= set(known)
    assert not loaded.settings.live


def test_demo_needs_nothing_and_watches_what_its_market_lists() -> None:
    """The default profile runs on a generated market, accelerated, with the symbols it lists."""
    loaded = _loaded()
    settings = loaded.settings
    market = loaded.refine(("feeds", 0), MarketSettings, skip={"type"})
    assert settings.profile == "demo"
    assert (settings.clock.mode, settings.clock.speed) == ("accelerated", 240)
    assert settings.bus.url == "memory://"
    assert market is not None
    assert settings.watchlist == tuple(one.symbol for one in market.listings)


def test_replay_starts_empty_and_waits_for_files() -> None:
    """The replay profile forgets the last run, and its feed has no files of its own."""
    settings = _loaded("replay").settings
    assert settings.store.fresh
    assert settings.clock.mode == "simulated"
    assert settings.feeds == ({"type": "recorded", "files": []},)
    assert all(strategy.symbols == () for strategy in settings.strategies.values())


def test_the_documented_defaults_are_the_defaults() -> None:
    """What default.yaml says is what the models do without it, owners' models included."""
    loaded = Loaded(preset("default"))
    assert loaded.settings.model_copy(update={"exchange": {}, "risk": {}, "agents": {}}) == (
        Settings()
    )
    assert loaded.refine(("risk",), RiskSettings) == RiskSettings()
    assert loaded.refine(("exchange",), ExchangeSettings, skip={"type"}) == ExchangeSettings()
    for name, model in AGENTS.items():
        assert loaded.refine(("agents", name), model) == model()
    loaded.settle()


def _missing(loaded: Loaded) -> Iterator[str]:
    for path, _, origin in loaded.show():
        if origin == "built-in default":
            yield path


def test_default_and_example_leave_nothing_out() -> None:
    """Every setting of ours and of the owners stands in default.yaml, and in the example."""
    whole = Loaded(preset("default"))
    refine_all(whole)
    assert list(_missing(whole)) == ["profile"]
    loaded = _loaded(None, EXAMPLE)
    loaded.settle()
    elsewhere = [path for path, _, origin in loaded.show() if not origin.startswith(str(EXAMPLE))]
    allowed = (
        "feeds.0.listings.1.", "strategies.breakout.", "strategies.pullback.",
    )  # fmt: skip
    assert [path for path in elsewhere if not path.startswith(allowed)] == []


def test_the_env_example_names_every_secret_and_parses() -> None:
    """Each known secret has a line in .env.example, and the file as it is sets nothing."""
    text = (ROOT / ".env.example").read_text()
    assert [name for name in KNOWN if f"\n{name}=\n" not in text] == []
    loaded = load(None, [], {}, {}, ROOT / ".env.example", None)
    assert loaded.mistakes == ()
    commented = [line[2:] for line in text.splitlines() if line.startswith("# TRADEAGENT__")]
    environ = dict(line.split("=", 1) for line in commented)
    changed = load(None, [], {}, environ, None, None)
    refine_all(changed)
    changed.settle()
    assert changed.settings.watchlist == ("BTC", "ETH")
    assert "breakout" not in changed.settings.strategies


def _fields(model: type[BaseModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        yield name
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from (f"{name}.{below}" for below in _fields(info.annotation))


def test_every_setting_is_described() -> None:
    """Each setting has a sentence that ends in a full stop, a type and a default."""
    rows = [*describe(), *describe(AgentEntry)]
    paths = {row.path for row in rows}
    groups = {path.partition(".")[0] for path in _fields(Settings) if "." in path}
    assert {path for path in _fields(Settings) if path not in groups} <= paths
    for row in rows:
        assert row.description.endswith("."), row
        assert row.type
    assert ("api.port", "whole number, >= 0, <= 65535", "8004") in {row[:3] for row in rows}


def test_the_reference_has_every_setting_of_every_model() -> None:
    """The generated page has a table row for each setting, those of the owners included."""
    page = reference({"risk": RiskSettings, "feeds[] (type: generated)": MarketSettings})
    for row in (*describe(), *describe(RiskSettings, "risk"), *describe(MarketSettings, "feeds[]")):
        assert f"| `{row.path}` |" in page
    assert "| `risk.limits.max_gross_ratio` | number, > 0 | `2` |" in page
    assert "| `strategies.<name>.type` | text | required |" in page
    assert "| `feeds[].listings[].instrument.tick` | number, > 0 | required |" in page
    assert "## feeds[] (type: generated)" in page
