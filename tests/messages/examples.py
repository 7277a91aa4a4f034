"""Messages of every kind, drawn from what their fields allow."""

from __future__ import annotations

import types
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tradeagent.messages import Message, Share

KINDS = sorted(
    (kind for kind in Message.kinds.values() if kind.__module__.startswith("tradeagent.")),
    key=lambda kind: kind.wire,
)
HALVES = tuple(Share(strategy=name, part=Decimal("0.5")) for name in ("a", "b"))


def messages(kind: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Return what draws messages (or parts) of one kind, optional fields set or left out."""
    required, optional = {}, {}
    for name, field in kind.model_fields.items():
        drawn = st.sampled_from([(), HALVES]) if name == "shares" else _field(field)
        (required if field.is_required() else optional)[name] = drawn
    return st.fixed_dictionaries(required, optional=optional).map(kind.model_validate)


def _field(field: FieldInfo) -> st.SearchStrategy[Any]:
    return _values(field.annotation, list(field.metadata))


def _values(annotation: Any, bounds: list[Any]) -> st.SearchStrategy[Any]:
    """Return what draws values of an annotation within the bounds that stand beside it."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        (beside,) = annotation.__metadata__
        return _values(inner[0], [*bounds, *beside.metadata])
    if origin in (Union, types.UnionType):
        return st.one_of(*(_values(each, bounds) for each in inner))
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is dict:
        return st.dictionaries(st.text(max_size=8), _values(inner[1], []), max_size=3)
    if origin is tuple and inner[-1] is ...:
        return st.lists(_values(inner[0], []), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*(_values(each, []) for each in inner))
    return _plain(annotation, bounds)


def _plain(kind: type, bounds: list[Any]) -> st.SearchStrategy[Any]:
    limits = {
        name: getattr(each, name)
        for each in bounds
        for name in ("gt", "ge", "le", "min_length", "max_length")
        if getattr(each, name, None) is not None
    }
    least, most = limits.get("ge", limits.get("gt")), limits.get("le")
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    if issubclass(kind, BaseModel):
        return messages(kind)
    if issubclass(kind, tuple):
        hints = get_type_hints(kind, include_extras=True)
        return st.builds(kind, **{name: _values(hints[name], []) for name in kind._fields})
    if kind is float:
        finite = st.floats(least, most, allow_nan=False, allow_infinity=False)
        return finite.filter(lambda value: "gt" not in limits or value > limits["gt"])
    if kind is int:
        return st.integers(
            -(1 << 63) if least is None else least, (1 << 63) - 1 if most is None else most
        )
    if kind is Decimal:
        finite = st.decimals(least, most, allow_nan=False, allow_infinity=False)
        return finite.filter(lambda value: "gt" not in limits or value > limits["gt"])
    if kind is str:
        longest = min(limits.get("max_length", 20), 20)
        return st.text(min_size=limits.get("min_length", 0), max_size=longest)
    return {bool: st.booleans(), types.NoneType: st.none()}[kind]
