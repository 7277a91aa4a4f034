"""Strategies are found by name, by entry point, or by module and class."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tradeagent.errors import ConfigError
from tradeagent.strategies import (
    BUILT_IN,
    Event,
    Inputs,
    Strategy,
    StrategyParams,
    View,
    load_strategy,
    make_strategy,
    strategy_names,
)

PLUGIN = '''
from tradeagent.strategies import Inputs, Strategy


class Idle(Strategy):
    """Do nothing."""

    def inputs(self):
        return Inputs()

    def decide(self, event, view):
        return None
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a distribution that offers one strategy as an entry point."""
    (tmp_path / "idle_plugin.py").write_text(PLUGIN)
    (tmp_path / "broken_plugin.py").write_text("class Odd:\n    pass\n")
    info = tmp_path / "idle_plugin-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: idle-plugin\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[tradeagent.strategies]\nidle = idle_plugin:Idle\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("idle_plugin", "broken_plugin"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_name_loads(name: str) -> None:
    """Each name leads to a strategy with described parameters."""
    found = load_strategy(name)

    assert issubclass(found, Strategy)
    assert found.Params.__doc__
    assert f"{found.__module__}:{found.__name__}" == BUILT_IN[name]


@pytest.mark.usefixtures("plugin")
def test_an_entry_point_is_a_name() -> None:
    """What another package offers is listed after ours, and loads by its name."""
    assert strategy_names()[: len(BUILT_IN)] == list(BUILT_IN)
    assert "idle" in strategy_names()
    assert load_strategy("idle").__name__ == "Idle"


@pytest.mark.usefixtures("plugin")
def test_a_module_and_class_need_no_registration() -> None:
    """`package.module:Class` loads that class, the very one the entry point names."""
    assert load_strategy("idle_plugin:Idle") is load_strategy("idle")


def test_a_misspelt_name_says_what_was_meant() -> None:
    """An unknown name is a ConfigError that suggests the nearest, else lists all there are."""
    with pytest.raises(ConfigError, match=r"'sma_cros' is unknown; did you mean 'sma_cross'\?"):
        load_strategy("sma_cros")
    with pytest.raises(ConfigError, match=r"known: breakout, pairs, .*package\.module:Class"):
        load_strategy("zzz")


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("no_such_module:Thing", "cannot import 'no_such_module'"),
        ("broken_plugin:Missing", "broken_plugin has no Strategy called 'Missing'"),
        ("broken_plugin:Odd", "broken_plugin has no Strategy called 'Odd'"),
        (":Odd", "cannot import ''"),
        ("idle_plugin:", "has no Strategy called ''"),
    ],
)
def test_what_is_no_strategy_is_refused(type_: str, text: str) -> None:
    """A module that is not there and a class that is no strategy are ConfigErrors of one line."""
    with pytest.raises(ConfigError) as refused:
        load_strategy(type_)

    assert text in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("class Broken(\n", r"spoilt_1\.py:1: SyntaxError: "),
        ("\nwrong = undefined\n", r"spoilt_2\.py:2: NameError: "),
        ("import json\n\njson.loads('')\n", r"spoilt_3\.py:3: JSONDecodeError: "),
    ],
)
def test_a_file_that_fails_is_told_with_its_line(
    body: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong while a strategy's file is read, one line names the place in it."""
    name = said.partition("\\")[0]
    (tmp_path / f"{name}.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ConfigError, match=rf"cannot import '{name}': /.*{said}") as refused:
        load_strategy(f"{name}:Broken")
    assert "\n" not in str(refused.value)


def test_a_strategy_that_cannot_be_made_is_told_with_its_line() -> None:
    """An exception in its constructor or its inputs is a ConfigError of one line."""

    class Unmade(Strategy):
        """Fail at once."""

        def inputs(self) -> Inputs:
            """Look for what is not there."""
            raise KeyError("nothing")

        def decide(self, _: Event, __: View) -> None:
            """Say nothing."""

    with pytest.raises(
        ConfigError, match=r"Unmade cannot be made: /.*test_registry\.py:\d+: KeyError: 'nothing'"
    ):
        make_strategy(Unmade, "one", "BTC", StrategyParams())
