"""Faster ways to a message than calling its class; the hot path takes them."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from typing import ParamSpec, TypeVar, cast

from pydantic import BaseModel

from tradeagent.messages.base import Message
from tradeagent.messages.orders import Part

M = TypeVar("M", bound=Message | Part)
P = ParamSpec("P")

STRICT_FIRST, STRICT_EACH = 500, 32
"""How many messages of a kind are checked at first, and which of the later ones."""

# The slots' own setters pass by the guard of a frozen model and are the fastest way in.
_SLOTS = BaseModel.__dict__
_put_fields = _SLOTS["__dict__"].__set__
_put_fields_set = _SLOTS["__pydantic_fields_set__"].__set__
_put_extra = _SLOTS["__pydantic_extra__"].__set__
_put_private = _SLOTS["__pydantic_private__"].__set__


def checked(kind: Callable[P, M]) -> Callable[P, M]:
    """Return a constructor that validates as its class `kind` does, at two thirds of its price.

    It spares the way through `__init__`; what it returns is the same, as are its errors.
    """
    validate = cast(type[M], kind).__pydantic_validator__.validate_python

    def build(*_: P.args, **fields: P.kwargs) -> M:
        message: M = validate(fields)
        return message

    return build


def changed(message: M, **changes: object) -> M:
    """Return `message` with some fields replaced, unchecked: `model_copy` at a third of its price.

    The caller answers for names and types of `changes`, as with `model_copy`.
    """
    kind = type(message)
    fields_set = message.__pydantic_fields_set__ | changes.keys()
    return put(kind.__new__(kind), {**message.__dict__, **changes}, fields_set)


def put(message: M, fields: dict[str, object], fields_set: set[str]) -> M:
    """Fill a new, empty message with all its fields, unchecked; see `trusted`.

    For loops over columns, where a call with names costs; `fields` becomes the message's own.
    """
    _put_fields(message, fields)
    _put_fields_set(message, fields_set)
    _put_extra(message, None)
    _put_private(message, None)
    return message


def typed(kind: Callable[P, M]) -> Callable[P, M]:
    """Return a constructor for values that have the very types of the fields: it validates nothing.

    What is left out takes its default. For messages that our own agents make of what was validated
    when it came in. With TRADEAGENT_STRICT in the environment, as in tests, the first of a process
    and some of the others are validated, and TypeError names a field whose value validation would
    have changed.
    """
    made = cast(type[M], kind)
    build = _unchecked(made)
    return _strict(made, build) if os.environ.get("TRADEAGENT_STRICT") else build


def _unchecked(made: type[M]) -> Callable[..., M]:
    blank = {
        name: None if field.is_required() else field.get_default(call_default_factory=True)
        for name, field in made.model_fields.items()
    }
    fields_set = set(blank)
    new = made.__new__

    def build(**fields: object) -> M:
        return put(new(made), {**blank, **fields}, fields_set)

    return build


def _strict(kind: type[M], plain: Callable[..., M]) -> Callable[..., M]:
    validate = kind.__pydantic_validator__.validate_python
    made = count()

    def build(**fields: object) -> M:
        number = next(made)
        if number > STRICT_FIRST and number % STRICT_EACH:
            return plain(**fields)
        message: M = validate(fields)
        for name, value in fields.items():
            found = getattr(message, name)
            if type(found) is not type(value) or found != value:
                raise TypeError(f"{kind.__name__}.{name}: {value!r} would have become {found!r}")
        return message

    return build


def trusted(kind: type[M]) -> Callable[..., M]:
    """Return a constructor of `kind` that validates nothing.

    Its call must name every field, defaults too, in the order of the class, with values of the very
    types validation gives; then the result equals the validated message in content, hash and JSON.
    Only for what is typed already: columns of a file that were validated as a whole, and verdicts.
    """
    fields_set = set(kind.model_fields)
    new = kind.__new__

    def build(**fields: object) -> M:
        return put(new(kind), fields, fields_set)

    return build
