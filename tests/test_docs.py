"""Documents say what is: pages are made from the code, and nothing lacks an entry."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from tradeagent.agents.lifecycle import LEGAL
from tradeagent.cli import COMMANDS
from tradeagent.config.reference import describe
from tradeagent.config.settings import AgentEntry
from tradeagent.messages import TERMINAL, OrderStatus, Severity, TradingMode, VenueStatus
from tradeagent.plan import BUILT_IN
from tradeagent.quant.rules import RULES
from tradeagent.quant.vitals import CHECKS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = _generator()


@pytest.mark.parametrize("name", sorted(GENERATE.PAGES))
def test_generated_pages_are_up_to_date(name: str) -> None:
    """`python docs/generate.py` would change nothing."""
    assert (DOCS / name).read_text(encoding="utf-8") == GENERATE.PAGES[name]()


def test_every_setting_is_described() -> None:
    """No row of the reference of settings lacks its sentence, whoever owns the setting."""
    described = [*describe(), *describe(AgentEntry, "agents.<name>")]
    for path, model in GENERATE.sections().items():
        described += describe(model, path)

    assert [row.path for row in described if not row.description.endswith(".")] == []


def test_the_settings_of_every_built_in_agent_are_documented() -> None:
    """Each model with settings that a built-in agent is given has a section in the reference."""
    owned = {kind.settings_type for kind in BUILT_IN.values() if kind.settings_type.model_fields}

    assert owned <= set(GENERATE.sections().values())


def test_every_agent_state_severity_and_rule_is_explained() -> None:
    """Operators find each word they may meet."""
    operating = (DOCS / "operating.md").read_text(encoding="utf-8")
    architecture = (DOCS / "architecture.md").read_text(encoding="utf-8").lower()

    for word in [*TradingMode, *Severity]:
        assert word in operating, word
    for rule in RULES:
        (row,) = re.findall(rf"^\| {rule.code} \| .+ \| ([\w ]+) \|(.*) ?\|$", operating, re.M)
        assert row[0] == {"all": "all orders", "increases": "increases"}[rule.judges], rule.code
        assert [name for name in rule.settings if f"`{name}`" not in row[1]] == [], rule.code
    for check in CHECKS:
        assert re.search(rf"^\|.*\b{check.code}\b.*\|.*{check.severity}", operating, re.M), check
    for agent in BUILT_IN:
        assert agent in architecture, agent


def test_the_table_of_order_states_is_the_state_machine() -> None:
    """Each state of an order has one row, which names exactly the states that may follow it."""
    page = (DOCS / "order-safety.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([A-Z_]{3,}) \| [^|]+ \| ([A-Z_, ]*)\|[^|]*\|$", page, re.M)
    told = {state: {one for one in re.split(r"[, ]+", follow) if one} for state, follow in rows}

    assert len(rows) == len(told) == len(OrderStatus)
    assert told == {state: set(follow) for state, follow in LEGAL.items()}
    (ended,) = re.findall(r"Ended are ([A-Z_, and\n]+?);", page)
    assert set(re.findall(r"[A-Z_]{3,}", ended)) == TERMINAL


def test_every_state_of_the_venue_is_explained() -> None:
    """Each state that VENUE_STATUS can tell has a row of its own."""
    operating = (DOCS / "operating.md").read_text(encoding="utf-8")

    for state in get_args(VenueStatus.model_fields["state"].annotation):
        assert re.search(rf"^\| `{state}` \|", operating, re.M), state


def test_the_settings_of_order_safety_have_the_defaults_that_are_told() -> None:
    """Each row of the table of what can be set names settings that exist, and their defaults."""
    page = (DOCS / "order-safety.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ((?:`[\w.]+`(?:, )?)+) \| ([^|]+) \| [^|]+ \|$", page, re.M)
    defaults = {
        row.path.replace("exchange (type: hyperliquid)", "exchange").replace(
            ".hyperliquid", ".0"
        ): row.default
        for path, model in GENERATE.sections().items()
        for row in describe(model, path)
    }

    assert rows
    for names, told in rows:
        wanted = " ".join(defaults[name] for name in re.findall(r"`([\w.]+)`", names))
        assert _values(told) == _values(wanted), names


def _values(text: str) -> list[float | str]:
    """Return the numbers and words in a cell; 250,000 is one number."""
    found = re.findall(r"[a-z]+|\d+(?:\.\d+)?", re.sub(r"(?<=\d),(?=\d{3}\b)", "", text))
    return [one if one.isalpha() else float(one) for one in found]


def test_every_metric_is_listed() -> None:
    """What /metrics yields stands in the list, by the name Prometheus shows."""
    source = (ROOT / "tradeagent" / "api" / "health.py").read_text(encoding="utf-8")
    operating = (DOCS / "operating.md").read_text(encoding="utf-8")

    for kind, name in re.findall(r"(\w+)MetricFamily\(\s*\"(tradeagent_\w+)\"", source):
        shown = {"Counter": f"{name}_total", "Info": f"{name}_info"}.get(kind, name)
        assert f"`{shown}" in operating, shown


def test_every_incident_and_alert_code_is_explained() -> None:
    """Operators find each code an incident or alert can carry."""
    operating = (DOCS / "operating.md").read_text(encoding="utf-8")
    found = set()
    for path in (ROOT / "tradeagent").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r"(?:code=|_incident\(|incident\(update, )\"([A-Z_]{3,})\"", text))

    assert found
    for code in found - {"STATE"}:
        assert code in operating, code


def test_links_lead_somewhere() -> None:
    """Every relative link in the documents names a file that is there."""
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_commands_in_the_readme_exist() -> None:
    """Every `tradeagent VERB` in the documents is a command."""
    for page in [ROOT / "README.md", *DOCS.glob("*.md")]:
        text = page.read_text(encoding="utf-8")
        for verb in re.findall(r"bin/tradeagent ([a-z]+)", text):
            assert verb in COMMANDS, f"{page.name}: {verb}"
