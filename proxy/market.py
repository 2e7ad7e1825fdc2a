"""The terms on which each backend caches the prompts of each model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from policies.base.call import Call
from policies.base.terms import Terms
from proxy.config import BackendChoice
from proxy.prices import Prices

_REMEMBERED = 1024  # model names come from clients: never without bound


class Market:
    """Looks up prices by model and says which kind of backend and host they hold at."""

    def __init__(self, backends: Mapping[str, BackendChoice], prices: Prices) -> None:
        self._backends = backends
        self._prices = prices
        self._known: dict[tuple[str, str], Terms] = {}

    def terms(self, call: Call) -> Terms:
        """Those of the call's first-choice backend."""
        return self.at(call.backends[0], call)

    def at(self, backend: str, call: Call) -> Terms:
        """Those of a backend that the call may be sent to."""
        key = (backend, call.model)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[key] = self._find(*key)
        return found

    def _find(self, backend: str, model: str) -> Terms:
        choice = self._backends.get(backend)
        price = self._prices.of(model)
        terms = price.terms()
        if choice is None:
            return terms
        url = str(getattr(choice.settings, "base_url", ""))
        terms = replace(terms, backend=choice.use, host=urlsplit(url).hostname or "")
        if choice.use == "vllm":
            return replace(
                terms, rule="vllm_blocks", read=0.0, write=1.0, minimum=16, granularity=16
            )
        return _simulated(terms, choice.settings) if choice.use == "simulated" else terms


def _simulated(terms: Terms, settings: Any) -> Terms:
    """What the simulated backend was told to do, at the model's price where it has one."""
    if settings.rule != terms.rule:
        billed = settings.rule in ("openai_breakpoints", "anthropic_marks")
        usual = {"rule": settings.rule, "minimum": 1024, "lifetime": None}
        terms = replace(terms, read=0.1, write=1.25 if billed else 1.0, **usual)
    told = {"minimum": settings.min_tokens, "lifetime": settings.lifetime}
    return replace(terms, **{name: value for name, value in told.items() if value is not None})
