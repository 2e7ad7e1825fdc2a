"""Which model each mapping of a file is read by, and which of its texts are secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr

from proxy.config.problems import Path

Part = tuple[Path, type[BaseModel] | type[SecretStr]]


def parts(annotation: Any, value: Any, path: Path = ()) -> Iterator[Part]:
    """Every mapping that a model reads and every text that is secret, by its path.

    `annotation` is a type as pydantic takes it, `value` plain data, right or wrong.
    """
    if annotation is SecretStr:
        if isinstance(value, str):
            yield path, SecretStr
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _fields(annotation, value, path)
    else:
        for inner, item, below in _inside(annotation, value):
            yield from parts(inner, item, path + below)


def _inside(annotation: Any, value: Any) -> list[tuple[Any, Any, Path]]:
    """What a compound type consists of, with the part of `value` that each is about."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return [(arguments[0], value, ())]
    if origin is Literal:
        return []
    if origin is dict:
        pairs = value.items() if isinstance(value, dict) else ()
        return [(arguments[1], item, (key,)) for key, item in pairs]
    if origin in (list, tuple, set, frozenset):
        rows = value if isinstance(value, list) else ()
        return [(arguments[0], item, (index,)) for index, item in enumerate(rows)]
    return [(member, value, ()) for member in arguments]  # of a union


def _fields(model: type[BaseModel], value: Any, path: Path) -> Iterator[Part]:
    if not isinstance(value, dict) or not _is_chosen(model, value):
        return
    yield path, model
    for name, field in model.model_fields.items():
        key = field.alias or name
        if key in value:
            yield from parts(field.annotation, value[key], (*path, key))


def _is_chosen(model: type[BaseModel], value: dict[str, Any]) -> bool:
    """Whether `value` names this model, where models are told apart by `use`."""
    use = model.model_fields.get("use")
    return use is None or value.get("use") in get_args(use.annotation)


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys that a mapping read by `model` may hold."""
    return [field.alias or name for name, field in model.model_fields.items()]
