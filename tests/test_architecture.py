"""The house keeps its layers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tradeagent

ROOT = Path(tradeagent.__file__).parent
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "clock", "log", "crash"),
    ("messages",),
    ("bus", "config", "storage", "integrations", "quant"),
    ("strategies", "simulation"),
    ("agents",),
    ("supervisor",),
    ("tally", "plan", "parts", "voices", "opening", "app", "explain", "replay"),
    ("research", "api"),
    ("cli",),
    ("__main__",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
TOGETHER = frozenset({0, 6})
"""Layers whose parts may import each other: they are one part in several files."""
PORTS = frozenset(
    {"tradeagent.bus.base", "tradeagent.storage.base", "tradeagent.integrations.base"}
)


def part(module: str) -> str:
    """Return the name of the part of the house a dotted module belongs to."""
    names = module.split(".")
    return names[1] if len(names) > 1 else ""


def imports(path: Path) -> list[str]:
    """Return every module of ours that a file imports."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.startswith("tradeagent.")
        ):
            found.append(node.module)
        elif isinstance(node, ast.Import):
            found += [name.name for name in node.names if name.name.startswith("tradeagent.")]
    return found


FILES = sorted(
    path for path in ROOT.rglob("*.py") if path.name != "__init__.py" or path.parent != ROOT
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_down_only(path: Path) -> None:
    """No file imports from its own layer's siblings or from a layer above."""
    relative = path.relative_to(ROOT)
    own = relative.parts[0].removesuffix(".py")
    for module in imports(path):
        other = part(module)
        if other == own:
            continue
        assert LEVEL[other] < LEVEL[own] or (
            LEVEL[other] == LEVEL[own] and LEVEL[own] in TOGETHER
        ), f"{relative} imports {module}"


@pytest.mark.parametrize("path", sorted((ROOT / "agents").glob("*.py")), ids=lambda path: path.name)
def test_agents_know_ports_only(path: Path) -> None:
    """Agents see buses, stores and venues only through their ports."""
    for module in imports(path):
        if part(module) in {"bus", "storage", "integrations"}:
            assert module in PORTS, f"{path.name} imports {module}"


def test_every_part_has_a_layer() -> None:
    """A new part of the house is given its layer before anything else."""
    parts = {
        path.stem if path.is_file() else path.name
        for path in ROOT.iterdir()
        if (path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py"))))
        and path.name not in {"__init__.py", "__pycache__"}
    }

    assert parts <= set(LEVEL), parts - set(LEVEL)


def test_the_demo_is_known_to_presets_only() -> None:
    """No code outside the presets knows the profile `demo`, but for being the default."""
    knowing = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if '"demo"' in path.read_text(encoding="utf-8")
    }

    assert knowing <= {"config/load.py", "config/settings.py"}, knowing
