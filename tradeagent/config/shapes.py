"""What the annotations of a model hold: the models and elements inside them."""

from __future__ import annotations

import types
from typing import Annotated, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel

from tradeagent.config.tree import KeyPath


def is_model(annotation: object) -> TypeGuard[type[BaseModel]]:
    """Tell whether an annotation is a model class."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def variants(annotation: object) -> tuple[object, ...]:
    """Return what an annotation may be, without None and without `Annotated`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return variants(get_args(annotation)[0])
    if origin is Union or origin is types.UnionType:
        return tuple(one for each in get_args(annotation) for one in variants(each))
    return () if annotation is types.NoneType else (annotation,)


def element(annotation: object) -> object:
    """Return what a list, tuple or mapping holds, None for anything else."""
    inner = get_args(annotation)
    if not inner:
        return None
    return inner[1] if get_origin(annotation) is dict else inner[0]


def model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    """Return the model that judges what stands at `path` below `model`, if one does."""
    kind: object = model
    for key in path:
        kind = _below(kind, str(key))
    return next((each for each in variants(kind) if is_model(each)), None)


def _below(kind: object, key: str) -> object:
    for each in variants(kind):
        if is_model(each):
            found = each.model_fields.get(key)
            return found.annotation if found is not None else None
        if (inner := element(each)) is not None:
            return inner
    return None
