"""Describe every setting from its model: for `config` and for the generated reference."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tradeagent.config.settings import AgentEntry, Settings
from tradeagent.config.shapes import element, is_model, variants

REQUIRED = "required"
_TYPES = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "Decimal": "number",
    "bool": "true or false",
    "datetime": "date and time",
    "Path": "path of a file",
    "Secret": "secret",
    "object": "anything",
}
_BOUNDS = {"gt": "> {}", "ge": ">= {}", "lt": "< {}", "le": "<= {}"}


class Described(NamedTuple):
    """A setting in words: its dotted path, type, default, and when to change it."""

    path: str
    type: str
    default: str
    description: str


def describe(model: type[BaseModel] = Settings, path: str = "") -> list[Described]:
    """Return every setting of `model`, in order, with `path` before its own.

    `<name>` stands for a key of the operator's choice, `[]` for any entry of a list.
    """
    return list(_described(model, path))


def reference(models: Mapping[str, type[BaseModel]]) -> str:
    """Return the reference in Markdown: our settings, then `models`, each by where it stands.

    A key is a path, perhaps with a remark after a blank: `feeds[] (type: generated)`.
    """
    parts = ["# Settings", "", *_table(describe())]
    sections: dict[str, type[BaseModel]] = {"agents.<name>": AgentEntry, **models}
    for path, model in sections.items():
        text = inspect.getdoc(model) or ""
        prefix = path.partition(" ")[0]
        parts += ["", f"## {path}", "", text, "", *_table(describe(model, prefix))]
    return "\n".join(parts).rstrip() + "\n"


def _table(rows: list[Described]) -> Iterator[str]:
    yield "| Setting | Type | Default | What it is for |"
    yield "|---|---|---|---|"
    for row in rows:
        kind, default, text = (cell.replace("|", "\\|") for cell in row[1:])
        shown = default if default == REQUIRED else f"`{default}`"
        yield f"| `{row.path}` | {kind} | {shown} | {text} |"


def _described(model: type[BaseModel], path: str) -> Iterator[Described]:
    for name, info in model.model_fields.items():
        own = f"{path}.{name}" if path else name
        inner, place = _inner(info.annotation)
        if inner is None or place:
            kind = _kind(info.annotation) + _bounds(info)
            yield Described(own, kind, _default(info), info.description or "")
        if inner is not None:
            yield from _described(inner, own + place)


def _inner(annotation: object) -> tuple[type[BaseModel] | None, str]:
    """Return the model inside an annotation, and how its place in there is written."""
    for each in variants(annotation):
        if is_model(each):
            return each, ""
        place = ".<name>" if get_origin(each) is dict else "[]"
        for one in variants(element(each)):
            if is_model(one):
                return one, place
    return None, ""


def _kind(annotation: object) -> str:
    return " or ".join(_word(each) for each in variants(annotation))


def _word(annotation: object) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        return "one of " + ", ".join(map(str, get_args(annotation)))
    if origin is dict:
        return f"mapping of name to {_kind(element(annotation))}"
    if origin is not None:
        return f"list of {_kind(element(annotation))}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "one of " + ", ".join(str(each.value) for each in annotation)
    if is_model(annotation):
        return "group of settings"
    name = getattr(annotation, "__name__", str(annotation))
    return _TYPES.get(name, name)


def _bounds(info: FieldInfo) -> str:
    found = [
        text.format(getattr(each, bound))
        for each in info.metadata
        for bound, text in _BOUNDS.items()
        if getattr(each, bound, None) is not None
    ]
    return f", {', '.join(found)}" if found else ""


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return REQUIRED
    value: object = info.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, tuple | list) and any(isinstance(each, BaseModel) for each in value):
        return f"{len(value)} built-in entries"
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(str, value))}]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return value.isoformat() if hasattr(value, "isoformat") else str(value) or '""'
