"""`penstock cache purge` over real stores, with nobody serving."""

import asyncio
import json
import time

import pytest
from typer.testing import CliRunner

from policies.base.ports import Entry
from proxy.cli import app
from proxy.config.load import loads
from proxy.stores.open import open_store
from proxy.stores.tier import Slot
from tests.fakes.penstock import free_port
from tests.fakes.redis_server import RedisServer


@pytest.fixture(scope="module")
def redis():
    server = RedisServer()
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=["sqlite", "redis"])
def config(request, tmp_path):
    text = f"version: 1\ndata: {tmp_path / 'data'}\n"
    if request.param == "redis":
        redis = request.getfixturevalue("redis")
        redis.flush()
        text += f"store: {{redis: '{redis.url}'}}\n"
    path = tmp_path / "penstock.yaml"
    path.write_text(text)
    asyncio.run(_fill(path))
    return path


async def _fill(path):
    """Four entries: two tenants, two models, one of them two hours old."""
    settings = loads(path.read_bytes(), "file", {"HOME": str(path.parent)})
    store = open_store(settings.store, settings.data, lambda name, error: pytest.fail(repr(error)))
    await store.setup()
    now = time.time()
    for number, (tenant, model, age) in enumerate(
        [("a", "gpt-4o", 0), ("a", "gpt-5", 7200), ("b", "gpt-4o", 0), ("b", "qwen", 0)]
    ):
        slot = Slot("cache.exact", tenant, bytes([number]))
        await store.put(slot, Entry(b"reply", now - age, now + 3600, model))
    await store.aclose()


def purge(config, *args):
    return CliRunner().invoke(app, ["cache", "purge", "--config", str(config), *args])


@pytest.mark.parametrize(
    ("args", "count"),
    [
        ([], 4),
        (["--tenant", "a"], 2),
        (["--model", "gpt-4*"], 2),
        (["--model", "gpt-4"], 0),
        (["--older-than", "1h"], 1),
        (["--older-than", "3h"], 0),
        (["--tenant", "b", "--model", "qwen", "--older-than", "0s"], 1),
    ],
)
def test_only_what_fits_is_forgotten(config, args, count):
    found = purge(config, *args, "--json")
    assert (found.exit_code, json.loads(found.stdout)) == (0, {"purged": count})
    assert purge(config).stdout == f"{4 - count} stored replies forgotten\n"


def test_with_nothing_there(tmp_path):
    path = tmp_path / "penstock.yaml"
    path.write_text(f"version: 1\ndata: {tmp_path / 'data'}\n")
    assert purge(path).stdout == "0 stored replies forgotten\n"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("store: {{redis: 'redis://127.0.0.1:{port}'}}", "Connect"),
        ("data: {file}/below", "Not a directory"),
    ],
)
def test_a_store_that_cannot_be_reached_is_a_failure(tmp_path, line, why):
    path, file = tmp_path / "penstock.yaml", tmp_path / "file"
    file.write_text("")
    path.write_text("version: 1\n" + line.format(port=free_port(), file=file))
    found = purge(path)
    assert found.exit_code == 1
    assert "nothing is sure to be forgotten: " in found.stderr
    assert why in found.stderr
    assert not found.stdout
