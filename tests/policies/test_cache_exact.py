import time

import pytest
from backends import call

from policies.base.call import CacheMode, Controls, Dialect
from policies.base.plan import Outcome
from policies.base.ports import Entry, View
from policies.base.reply import Recording
from policies.base.step import Answer, Skip
from policies.cache_exact import ExactCache

RECORDING = Recording(200, ((b"content-type", b"application/json"),), b'{"a":1}', False)


class Shelf:
    """A store in a dictionary."""

    def __init__(self):
        self.kept = {}

    async def get(self, key):
        return self.kept.get(key)

    async def put(self, key, value, ttl, model=""):
        now = time.time()
        self.kept[key] = Entry(value, now, now + ttl, model)


def cache(**settings):
    return ExactCache(ExactCache.Settings(**settings))


async def asked(policy, shelf, one, later=0.0):
    return await policy.plan(one, View(shelf, time.time() + later))


async def answered(policy, shelf, one, outcome=None):
    step = await asked(policy, shelf, one)
    await policy.settle(one, step, outcome or Outcome(200, "a", RECORDING), shelf)


async def test_the_second_request_is_answered():
    policy, shelf = cache(), Shelf()
    await answered(policy, shelf, call())
    step = await asked(policy, shelf, call())
    assert isinstance(step, Answer)
    assert step.recording == RECORDING


async def test_form_does_not_matter_to_the_key():
    policy, shelf = cache(), Shelf()
    await answered(policy, shelf, call({"stream": True, "stream_options": {"include_usage": True}}))
    assert isinstance(await asked(policy, shelf, call()), Answer)


@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "u"},
        {"backends": ("b",)},
        {"path": "chat/completions?v=2"},
        {"dialect": Dialect.COMPLETIONS},
        {"controls": Controls(namespace="n")},
        {"headers": ((b"openai-organization", b"o"),)},
        {"doc": {"model": "m2"}},
        {"doc": {"max_tokens": 5}},
        {"doc": {"never_heard_of": 1}},
        {"doc": {"messages": [{"role": "user", "content": "Hi"}]}},
    ],
)
async def test_whatever_else_differs_misses(other):
    policy, shelf = cache(), Shelf()
    await answered(policy, shelf, call())
    assert (await asked(policy, shelf, call(**other))).why == "miss"


@pytest.mark.parametrize("doc", [{"temperature": 0.5}, {"n": 2}, {"best_of": 3}])
async def test_sampled_requests_follow_the_setting(doc):
    shelf = Shelf()
    await answered(cache(), shelf, call(doc))
    assert not shelf.kept
    await answered(cache(sampled="reuse"), shelf, call(doc))
    assert isinstance(await asked(cache(sampled="reuse"), shelf, call(doc)), Answer)


@pytest.mark.parametrize("doc", [{"temperature": 0}, {"temperature": 1, "seed": 3}, {"n": 1}])
async def test_requests_that_leave_nothing_to_chance_are_kept(doc):
    shelf = Shelf()
    await answered(cache(), shelf, call(doc))
    assert len(shelf.kept) == 1


@pytest.mark.parametrize("doc", [{"background": True}, {"conversation": "c"}])
async def test_requests_that_change_something_are_not(doc):
    shelf = Shelf()
    await answered(cache(), shelf, call(doc, dialect=Dialect.RESPONSES))
    assert not shelf.kept


@pytest.mark.parametrize(
    ("mode", "reads", "writes"),
    [
        (CacheMode.ON, True, True),
        (CacheMode.OFF, False, False),
        (CacheMode.REFRESH, False, True),
        (CacheMode.READ_ONLY, True, False),
        (CacheMode.ONLY, True, True),
    ],
)
async def test_controls(mode, reads, writes):
    one = call(controls=Controls(cache=mode))
    policy, filled, empty = cache(), Shelf(), Shelf()
    await answered(policy, filled, call())
    assert isinstance(await asked(policy, filled, one), Answer) is reads
    await answered(policy, empty, one)
    assert bool(empty.kept) is writes


async def test_age_is_limited_by_the_setting_and_the_request():
    policy, shelf = cache(ttl="10m"), Shelf()
    await answered(policy, shelf, call())
    assert isinstance(await asked(policy, shelf, call(), later=500), Answer)
    assert isinstance(await asked(policy, shelf, call(), later=700), Skip)
    for controls in (Controls(max_age=60.0), Controls(ttl=60.0)):
        one = call(controls=controls)
        assert isinstance(await asked(policy, shelf, one, later=30), Answer)
        assert isinstance(await asked(policy, shelf, one, later=90), Skip)


async def test_a_lifetime_of_nothing_stores_nothing():
    shelf = Shelf()
    await answered(cache(), shelf, call(controls=Controls(ttl=0.0)))
    assert not shelf.kept
    with pytest.raises(ValueError, match="greater than 0"):
        cache(ttl=0)


async def test_a_request_cannot_lengthen_the_lifetime():
    policy, shelf = cache(ttl="1m"), Shelf()
    await answered(policy, shelf, call(controls=Controls(ttl=9999.0)))
    entry = next(iter(shelf.kept.values()))
    assert entry.expires - entry.stored == 60.0


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(200, "a", None),
        Outcome(200, "b", RECORDING),
        Outcome(200, "a", Recording(200, (), b"x" * 2000, False)),
    ],
)
async def test_what_is_incomplete_or_of_another_backend_or_too_large_is_not_kept(outcome):
    shelf = Shelf()
    await answered(cache(max_entry=1000), shelf, call(), outcome)
    assert not shelf.kept


async def test_a_damaged_entry_is_a_miss():
    policy, shelf = cache(), Shelf()
    await answered(policy, shelf, call())
    key, entry = shelf.kept.popitem()
    shelf.kept[key] = Entry(entry.value[:-3], entry.stored, entry.expires)
    assert (await asked(policy, shelf, call())).why == "miss"
