"""Terms follow the model's price, and the kind of backend that takes the call."""

import datetime as dt
from types import SimpleNamespace

import pytest

from proxy.backends.simulated import Simulated
from proxy.config import BackendChoice
from proxy.market import Market
from proxy.prices import Prices

PRICES = Prices.load(today=dt.date(2026, 11, 24))


def terms(model, settings=None, use="http"):
    settings = settings or SimpleNamespace(base_url="https://api.example.com/v1")
    market = Market({"b": BackendChoice(use, settings)}, PRICES)
    return market.terms(SimpleNamespace(backends=("b",), model=model))


def test_a_hosted_model_has_its_published_terms():
    found = terms("gpt-6.1-sol")
    assert (found.rule, found.read, found.write) == ("openai_breakpoints", 0.05, 1.25)
    assert found.input == pytest.approx(2e-6)
    assert (found.minimum, found.lifetime, found.host) == (1024, 1800.0, "api.example.com")


def test_vllm_caches_blocks_whatever_its_model_is_called():
    found = terms("gpt-6.1-sol", SimpleNamespace(), use="vllm")
    assert (found.rule, found.read, found.granularity) == ("vllm_blocks", 0.0, 16)


def test_the_simulated_backend_does_as_it_was_told():
    settings = Simulated.Settings(rule="anthropic_marks", min_tokens=7, lifetime=60.0)
    found = terms("simulated", settings, use="simulated")
    assert (found.rule, found.read, found.write) == ("anthropic_marks", 0.1, 1.25)
    assert (found.minimum, found.lifetime) == (7, 60.0)


def test_an_unknown_model_has_no_price_and_no_cache():
    found = terms("nobody-knows")
    assert (found.rule, found.input) == ("none", None)


def test_clients_cannot_fill_the_memory_with_names():
    market = Market({}, PRICES)
    for number in range(3000):
        market.terms(SimpleNamespace(backends=("b",), model=f"m{number}"))
    assert len(market._known) <= 1024
