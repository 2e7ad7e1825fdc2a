"""Backends by the word that `use:` names them with in YAML."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeVar, cast

import proxy.backends
from policies.base.policy import Strict
from policies.base.ports import Backend


class BackendKind(Backend, Protocol):
    """A backend that is built from its part of the YAML."""

    Settings: ClassVar[type[Strict]]

    def __init__(self, name: str, settings: Any) -> None: ...


registry: dict[str, type[BackendKind]] = {}
B = TypeVar("B", bound=type[Any])


def backend(use: str) -> Callable[[B], B]:
    """Register a class under the word that YAML names it with."""

    def register(cls: B) -> B:
        registry[use] = cast("type[BackendKind]", cls)
        return cls

    return register


def discover() -> dict[str, type[BackendKind]]:
    """Every known backend by its YAML word."""
    for module in pkgutil.iter_modules(proxy.backends.__path__):
        if not module.ispkg:
            importlib.import_module(f"proxy.backends.{module.name}")
    return registry
