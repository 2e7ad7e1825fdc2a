"""Which pipelines must work for a start, and what a request hears of those that do not."""

import asyncio

import msgspec
import pytest

from policies.base.call import Controls
from proxy.books import Books
from proxy.config.load import loads
from proxy.errors import BadRequest
from proxy.generation import Generation
from proxy.guards.monotone import Monotone
from proxy.ledger import Ledger
from proxy.metrics import Metrics
from proxy.prices import Prices
from proxy.tokens import Tokens
from tests.fakes.finished import a_call

FILE = """version: 1
backends: {a: {use: simulated}}
pipelines: {default: [{use: cache.exact}]}
"""
WRITTEN = FILE.replace("default:", "mine: [{use: prefix.volatile}], default:")
ROUTED = FILE + "routes: [{send: a, pipeline: balanced}]\n"


@pytest.fixture
def built(tmp_path, monkeypatch):
    """Builds and sets up a generation in which `prefix.volatile` lacks an extra."""

    async def setup(self):
        raise ImportError("install penstock[semantic]")

    monkeypatch.setattr("policies.prefix_volatile.VolatileLines.setup", setup)
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    books = Books(ledger, Metrics(), Prices.load(), Tokens())

    def made(text):
        generation = Generation(loads(text, "f", {}), lambda *_: None, books, Monotone())
        asyncio.run(generation.setup())
        return generation

    yield made
    ledger.close()


def naming(pipeline):
    return msgspec.structs.replace(a_call(), controls=Controls(pipeline=pipeline))


def test_a_preset_that_nobody_uses_may_lack_an_extra(built):
    generation = built(FILE)
    assert generation.lane(naming("default")).pipeline.name == "default"
    for _ in range(2):
        with pytest.raises(BadRequest, match="'balanced' cannot be used here: install penstock"):
            generation.lane(naming("balanced"))


@pytest.mark.parametrize("text", [WRITTEN, ROUTED])
def test_what_is_written_down_or_routed_to_must_work(built, text):
    with pytest.raises(ImportError, match="install"):
        built(text)
