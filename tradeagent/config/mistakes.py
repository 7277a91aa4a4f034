"""Say in an operator's words what a model found wrong: where, what, and what would be right."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tradeagent.config.secrets import redact_url
from tradeagent.config.shapes import model_at
from tradeagent.config.tree import KeyPath, Node, dotted
from tradeagent.log import HIDDEN, redact

_WORDS = {
    "missing": "is required; add it",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be a finite number",
    "string_type": "must be text; put it in quotes",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
}
_KINDS = {
    "int": "must be a whole number",
    "float": "must be a number",
    "decimal": "must be a number",
    "bool": "must be true or false",
    "tuple": "must be a list, such as [a, b]",
    "list": "must be a list, such as [a, b]",
    "dict": "must be a mapping of keys and values",
    "model": "must be a mapping of keys and values",
}
SENSITIVE = re.compile(r"(?i)(secret|password|passwd|passphrase|token|private_?key|api_?key)$")
"""Keys whose values are never shown."""


def explain(
    error: ValidationError,
    tree: Node,
    path: KeyPath,
    model: type[BaseModel],
    also: Collection[str] = (),
) -> Iterator[str]:
    """Yield a line for each thing `model` found wrong in `tree` at `path`.

    `also` are keys that stand there but belong to somebody else.
    """
    errors = error.errors(include_url=False)
    above = {each["loc"][:depth] for each in errors for depth in range(len(each["loc"]))}
    for details in errors:
        loc = details["loc"]
        if details["type"] == "too_short" and loc in above:
            continue  # pydantic does not count the entries that are wrong themselves
        found, node = tree.nearest((*path, *loc))
        if details["type"] == "missing":
            found = (*max(found, path, key=len), loc[-1])
        text = _text(details, model, also)
        if details["type"] not in ("missing", "extra_forbidden"):
            text += _got(details["input"], found, node)
        yield line(node.origin, found, text)


def line(origin: str, path: KeyPath, text: str) -> str:
    """Return one mistake as one line: where it was set, the key, and what is wrong."""
    where = f"{origin}: {dotted(path)}: " if path else f"{origin}: "
    return where + " ".join(text.split())


def suggest(name: str, known: Collection[str], what: str = "allowed") -> str:
    """Return what `name` was perhaps meant to be, else all that is known."""
    close = get_close_matches(name.lower(), known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"{what}: {', '.join(known)}" if known else "remove it"


def shown(value: object, path: KeyPath, *, hidden: bool = False) -> str:
    """Return a scalar as text, without what must not be seen."""
    if hidden or any(isinstance(key, str) and SENSITIVE.search(key) for key in path[-1:]):
        return HIDDEN
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return redact(redact_url(str(value)))


def _text(details: ErrorDetails, model: type[BaseModel], also: Collection[str]) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        *above, name = details["loc"]
        owner = model_at(model, tuple(above))
        known = (
            [*owner.model_fields, *(sorted(also) if not above else ())] if owner is not None else []
        )
        return f"unknown key; {suggest(str(name), known)}"
    if kind in ("literal_error", "enum"):
        allowed = re.findall(r"'([^']*)'", context["expected"])
        return f"must be one of {', '.join(allowed)}"
    if kind in ("value_error", "assertion_error"):
        return str(context["error"])
    words = _WORDS.get(kind) or _KINDS.get(kind.partition("_")[0])
    if words is None:
        return details["msg"]
    return words.format_map({name: _number(value) for name, value in context.items()})


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _got(value: object, path: KeyPath, node: Node) -> str:
    """Return what was found, where that helps and may be seen."""
    if isinstance(value, Mapping):
        return ""
    if isinstance(value, list | tuple):
        return " (got a list)"
    text = shown(value, path, hidden=node.hidden)
    if text == HIDDEN:
        return ""
    return f" (got {text if len(text) <= 60 else text[:57] + '...'})"
