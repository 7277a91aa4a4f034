"""Lay settings over one another, later ones on top, and note what does not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tradeagent.config.environment import Variable
from tradeagent.config.mistakes import line, suggest
from tradeagent.config.settings import Settings
from tradeagent.config.tree import Node, dotted, from_value, merge, nest, read_yaml, scalar

NAMED = ("strategies", "agents")
"""The sections whose entries come and go by name."""


@dataclass(frozen=True, slots=True)
class Option:
    """A setting from the command line and the option that made it."""

    value: object
    label: str


def profiles() -> list[str]:
    """Return the names of the packaged presets, but for what they all begin with."""
    folder = files("tradeagent.config") / "presets"
    names = (each.name.partition(".") for each in folder.iterdir())
    return sorted(name for name, _, ending in names if ending == "yaml" and name != "default")


@cache
def preset(name: str) -> Node:
    """Return the tree of a packaged preset, which is read once."""
    text = (files("tradeagent.config") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    mistakes: list[str] = []
    tree = read_yaml(text, f"preset {name}", mistakes, lines=False)
    assert not mistakes, mistakes
    return tree


class Stack:
    """The settings so far, and the mistakes found while layers were laid on them."""

    def __init__(self, mistakes: list[str]) -> None:
        self.tree = Node({}, "settings")
        self.mistakes = mistakes

    def lay(self, layer: Node) -> None:
        """Lay a layer on top; an entry of strategies or agents that is null removes the one below.

        What is null as a whole section is refused, for it could mean all or nothing.
        """
        sections = layer.value if isinstance(layer.value, dict) else {}
        kept: dict[str, Node] = {}
        for name, node in sections.items():
            if node.value is None:
                text = "has nothing below it; remove the line, or write {} or [] for an empty one"
                self._complain(node, (name,), text)
            else:
                kept[name] = self._without(name, node) if name in NAMED else node
        self.tree = merge(self.tree, Node(kept, layer.origin))

    def _without(self, section: str, layer: Node) -> Node:
        """Remove what `layer` removes by name; returns what is left of it to lay on top."""
        below = self.tree.child(section)
        if not isinstance(layer.value, dict) or below is None or not isinstance(below.value, dict):
            return layer
        removed = {name: node for name, node in layer.value.items() if node.value is None}
        for name, node in removed.items():
            if name not in below.value:
                text = f"there is none to remove; {suggest(name, below.value, 'there are')}"
                self._complain(node, (section, name), text)
        rest = {name: node for name, node in below.value.items() if name not in removed}
        tree = {**self._sections(), section: Node(rest, below.origin)}
        self.tree = Node(tree, self.tree.origin)
        left = {name: node for name, node in layer.value.items() if name not in removed}
        return Node(left, layer.origin)

    def lay_variables(self, variables: Sequence[Variable]) -> None:
        """Lay the variables that name settings on top, all as one layer."""
        layer = Node({}, "environment")
        for variable in variables:
            if misnamed := _misnamed(variable.name):
                text = f"is not read; did you mean {misnamed}?"
                self.mistakes.append(line(variable.origin, (), text))
            elif variable.path and variable.path != ("PROFILE",):
                placed = self._placed(variable)
                layer = merge(layer, placed) if placed is not None else layer
        self.lay(layer)

    def _placed(self, variable: Variable) -> Node | None:
        value = self._read(variable)
        if value is None:
            return None
        path: list[str] = []
        node: Node | None = self.tree
        for segment in variable.path:
            if node is not None and isinstance(node.value, list):
                text = f"{dotted(tuple(path))} is a list; set it whole, as in [a, b], or in a file"
                self.mistakes.append(line(variable.origin, (), text))
                return None
            path.append(self._spelt(segment, node))
            node = node.child(path[-1]) if node is not None else None
        return nest(path, value, None)

    def _read(self, variable: Variable) -> Node | None:
        """Return the value: a plain scalar, or a list or mapping in YAML's brackets."""
        text = variable.value.strip()
        if text[:1] not in ("[", "{"):
            return Node(scalar(text), variable.origin, variable.hidden)
        malformed: list[str] = []
        tree = read_yaml(f"value: {text}", "", malformed).child("value")
        if malformed or tree is None:
            text = "must be a plain value, or a list or mapping in YAML: [a, b] or {a: 1}"
            self.mistakes.append(line(variable.origin, (), text))
            return None
        return from_value(tree.plain(), variable.origin, variable.hidden)

    def _spelt(self, segment: str, node: Node | None) -> str:
        """Return a key as it is spelt below `node` or on the watchlist, else in lower case."""
        known = list(node.value) if node is not None and isinstance(node.value, dict) else []
        watchlist = self.tree.child("watchlist")
        if watchlist is not None and isinstance(watchlist.value, list):
            known += [str(symbol.value) for symbol in watchlist.value]
        same = [name for name in known if name.lower() == segment.lower()]
        return same[0] if same else segment.lower()

    def lay_options(self, options: Mapping[str, object]) -> None:
        """Lay what the command line sets on top, all as one layer; numbers index lists."""
        layer = Node({}, "command line")
        for path, given in options.items():
            option = given if isinstance(given, Option) else Option(given, "command line")
            leaf = from_value(option.value, option.label)
            try:
                placed = nest(path.split("."), leaf, merge(self.tree, layer))
            except IndexError as error:
                self.mistakes.append(line(option.label, (path,), str(error)))
            else:
                layer = merge(layer, placed)
        self.lay(layer)

    def _sections(self) -> dict[str, Node]:
        return self.tree.value if isinstance(self.tree.value, dict) else {}

    def _complain(self, node: Node, path: tuple[str, ...], text: str) -> None:
        self.mistakes.append(line(node.origin, path, text))


def _misnamed(name: str) -> str | None:
    """Return what a variable should be called that lacks the second underscore."""
    rest = name.removeprefix("TRADEAGENT_")
    if rest == name or rest.startswith("_"):
        return None
    section, nested, _ = rest.partition("__")
    meant = section == "PROFILE" or (nested and section.lower() in Settings.model_fields)
    return f"TRADEAGENT__{rest}" if meant else None
