"""Which backends a model's requests go to."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import msgspec

from policies.base.call import Effect
from proxy.errors import UnknownModel

_REMEMBERED = 4096


class Route(msgspec.Struct, frozen=True):
    """Globs over model and path below `/v1/`; the backends to try in order."""

    name: str
    model: str
    endpoint: str
    backends: tuple[str, ...]
    pipeline: str
    effects: frozenset[Effect]


class Router:
    """The first route that matches, remembered per model and path."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = routes
        self._known: dict[tuple[str, str], Route] = {}

    def find(self, model: str, path: str) -> Route:
        """Raises `UnknownModel` when no route matches."""
        key = (model, path)
        route = self._known.get(key)
        if route is None:
            route = self._match(model, path)
            if len(self._known) < _REMEMBERED:
                self._known[key] = route
        return route

    def _match(self, model: str, path: str) -> Route:
        for route in self._routes:
            if fnmatchcase(model, route.model) and fnmatchcase(path, route.endpoint):
                return route
        # Files, batches and lists name no model: they go to whoever serves their endpoint.
        for route in self._routes if not model else ():
            if fnmatchcase(path, route.endpoint):
                return route
        served = ", ".join(sorted({route.model for route in self._routes}))
        raise UnknownModel(
            f"no route leads to the model '{model}' on /v1/{path}; routes serve: {served}",
            param="model",
        )
