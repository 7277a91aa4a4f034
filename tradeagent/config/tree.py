"""Trees of settings in which every value knows where it was set: read, laid over one another."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import yaml

Scalar: TypeAlias = str | int | float | bool | None
KeyPath: TypeAlias = tuple[str | int, ...]

_INT = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?([0-9][0-9_]*\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_OCTAL = re.compile(r"[-+]?0[0-9_]+")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


@dataclass(frozen=True, slots=True)
class Node:
    """A value, where it was set, and whether it must never be shown."""

    value: Scalar | dict[str, Node] | list[Node] = field(repr=False)
    origin: str
    hidden: bool = False

    def child(self, key: str | int) -> Node | None:
        """Return the entry of a mapping or list, None when there is none."""
        if isinstance(self.value, dict):
            return self.value.get(str(key))
        if isinstance(self.value, list) and isinstance(key, int) and key < len(self.value):
            return self.value[key]
        return None

    def nearest(self, path: KeyPath) -> tuple[KeyPath, Node]:
        """Return how much of `path` exists, and the node there."""
        node = self
        for depth, key in enumerate(path):
            below = node.child(key)
            if below is None:
                return path[:depth], node
            node = below
        return path, node

    def at(self, path: KeyPath) -> Node | None:
        """Return the node at `path`, None when there is none."""
        found, node = self.nearest(path)
        return node if len(found) == len(path) else None

    def plain(self) -> object:
        """Return the value alone: mappings, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def walk(self, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Node]]:
        """Yield every node with its path, parents first."""
        yield path, self
        if isinstance(self.value, dict):
            for key, node in self.value.items():
                yield from node.walk((*path, key))
        elif isinstance(self.value, list):
            for index, node in enumerate(self.value):
                yield from node.walk((*path, index))


def dotted(path: KeyPath) -> str:
    """Write a path as operators do: `strategies.breakout.params`."""
    return ".".join(map(str, path))


def merge(base: Node, over: Node) -> Node:
    """Lay `over` on `base`: mappings merge by key, anything else replaces.

    A mapping whose `type` changes replaces too: settings of one type mean nothing to another.
    """
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    old, new = base.value.get("type"), over.value.get("type")
    if old is not None and new is not None and old.value != new.value:
        return over
    merged = dict(base.value)
    for key, node in over.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return Node(merged, over.origin, over.hidden)


def nest(path: Sequence[str], leaf: Node, base: Node | None) -> Node:
    """Wrap `leaf` in mappings along `path`; where `base` has a list, in that list, changed there.

    Raises IndexError where the list has no such entry.
    """
    if not path:
        return leaf
    head, rest = path[0], path[1:]
    if base is not None and isinstance(base.value, list):
        if not (head.isdecimal() and int(head) < len(base.value)):
            raise IndexError(f"{head} is no entry of a list of {len(base.value)}, counted from 0")
        entries, index = list(base.value), int(head)
        entries[index] = merge(entries[index], nest(rest, leaf, entries[index]))
        return Node(entries, leaf.origin)
    below = base.child(head) if base is not None else None
    return Node({head: nest(rest, leaf, below)}, leaf.origin)


def from_value(value: object, origin: str, hidden: bool = False) -> Node:
    """Make a node of plain mappings, lists and scalars; other values become their text."""
    if isinstance(value, Mapping):
        entries = {str(key): from_value(each, origin, hidden) for key, each in value.items()}
        return Node(entries, origin, hidden)
    if isinstance(value, list | tuple):
        return Node([from_value(each, origin, hidden) for each in value], origin, hidden)
    scalar_value = value if isinstance(value, str | int | float | None) else str(value)
    return Node(scalar_value, origin, hidden)


def scalar(text: str) -> Scalar:
    """Read a plain YAML scalar by the rules of YAML 1.2, so that symbols and addresses survive.

    YAML 1.1 would read NO and ON as booleans, 0x... as a number and 1:30 as 90. Numbers may have
    underscores; a number with a leading zero, a date and anything else is text.
    """
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INT.fullmatch(text):
        return int(text.replace("_", ""))
    if _FLOAT.fullmatch(text) and not _OCTAL.fullmatch(text):
        return float(text.replace("_", ""))
    return text


def read_file(path: Path, mistakes: list[str]) -> Node:
    """Return the tree of a YAML file; what is wrong with it goes to `mistakes`, a line each."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        mistakes.append(f"{path}: no such file; correct the path given with -c")
    except UnicodeDecodeError:
        mistakes.append(f"{path}: is not UTF-8 text; save it as UTF-8")
    except OSError as error:
        mistakes.append(f"{path}: cannot be read: {error.strerror}")
    else:
        return read_yaml(text, str(path), mistakes)
    return Node({}, str(path))


def read_yaml(text: str, name: str, mistakes: list[str], *, lines: bool = True) -> Node:
    """Return the tree of a YAML text; origins are `name:line`, or `name` without `lines`."""
    try:
        # The base loader makes nothing but text: no tag of a file is ever obeyed.
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{name}:{mark.line + 1}" if mark is not None else name
        hint = "; indent with spaces, not tabs" if "\\t" in str(error.problem) else ""
        mistakes.append(f"{where}: is not valid YAML: {error.problem}{hint}")
        return Node({}, name)
    except yaml.YAMLError:
        mistakes.append(f"{name}: is not valid YAML: it holds control characters; remove them")
        return Node({}, name)
    if root is None:
        return Node({}, name)
    if not isinstance(root, yaml.MappingNode):
        where = f"{name}:{root.start_mark.line + 1}"
        mistakes.append(f"{where}: must be a mapping of keys, such as `watchlist: [BTC]`")
        return Node({}, name)
    return _Reader(name, mistakes, lines).node(root, (), name) or Node({}, name)


class _Reader:
    """Turns composed YAML into nodes, noting what is wrong on the way."""

    def __init__(self, name: str, mistakes: list[str], lines: bool) -> None:
        self._name = name
        self._mistakes = mistakes
        self._lines = lines
        self._open: set[int] = set()

    def node(self, source: yaml.Node, path: KeyPath, origin: str) -> Node | None:
        """Return `source`, which stands at `path`, as a node set at `origin`; None if wrong."""
        if id(source) in self._open:
            self._complain(source, path, "contains itself; write the value out")
            return None
        if not source.tag.startswith("tag:yaml.org,2002:"):
            self._complain(source, path, f"has the tag {source.tag}; tags are not allowed")
            return None
        if isinstance(source, yaml.ScalarNode):
            return Node(scalar(source.value) if source.style is None else source.value, origin)
        self._open.add(id(source))
        entries = self._mapping if isinstance(source, yaml.MappingNode) else self._list
        made = Node(entries(source, path), origin)
        self._open.remove(id(source))
        return made

    def _list(self, source: yaml.Node, path: KeyPath) -> list[Node]:
        nodes = (
            self.node(each, (*path, index), self._where(each))
            for index, each in enumerate(source.value)
        )
        return [node for node in nodes if node is not None]

    def _mapping(self, source: yaml.Node, path: KeyPath) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        first: dict[str, int] = {}
        for key, each in source.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in ("", "<<"):
                self._complain(key, path, "has a key that is no plain text; write each key out")
            elif key.value in first:
                text = f"is set twice, first on line {first[key.value]}; keep one"
                self._complain(key, (*path, key.value), text)
            else:
                first[key.value] = key.start_mark.line + 1
                node = self.node(each, (*path, key.value), self._where(key))
                if node is not None:
                    entries[key.value] = node
        return entries

    def _where(self, source: yaml.Node) -> str:
        return f"{self._name}:{source.start_mark.line + 1}" if self._lines else self._name

    def _complain(self, source: yaml.Node, path: KeyPath, text: str) -> None:
        where = f"{self._name}:{source.start_mark.line + 1}"
        at = f" {dotted(path)}:" if path else ""
        self._mistakes.append(f"{where}:{at} {text}")
