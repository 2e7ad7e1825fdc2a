import pytest
from backends import call
from hypothesis import given
from hypothesis import strategies as st

from policies.base.prompt import blocks
from policies.base.terms import Terms
from proxy.guards.warm import Extent, Warm, expected, gain

STEPS = Terms(rule="openai_steps", minimum=16, lifetime=300.0)
NOW = 1_700_000_000.0


def terms(read, write):
    return Terms(rule="openai_steps", read=read, write=write)


# The reference's table: by how much requests to come must exceed suffix / removed.
@pytest.mark.parametrize(
    ("read", "write", "factor"),
    [(0.5, 1, 1), (0.25, 1, 3), (0.1, 1, 9), (0.1, 1.25, 11.5), (0.1, 2, 19), (0.05, 1.25, 24)],
)
def test_an_edit_of_warm_history_breaks_even_where_the_reference_says(read, write, factor):
    prefix, removed, suffix = 3000.0, 2000.0, 50_000.0
    before = Extent(prefix + removed + suffix, prefix + removed + suffix)
    after = Extent(prefix + suffix, prefix)
    requests = factor * suffix / removed
    assert gain(before, after, terms(read, write), requests) == pytest.approx(0, abs=1e-6)
    assert gain(before, after, terms(read, write), requests + 1) > 0
    assert gain(before, after, terms(read, write), requests - 1) < 0


def test_the_references_example_with_a_short_suffix():
    before, after = Extent(60_000, 60_000), Extent(10_000, 0)
    assert gain(before, after, terms(0.1, 1.25), 2) < 0 < gain(before, after, terms(0.1, 1.25), 3)


@given(
    st.floats(0, 1e6),
    st.floats(1, 1e6),
    st.floats(0.01, 1),
    st.floats(1, 2),
    st.floats(1, 100),
)
def test_an_edit_of_what_is_new_always_gains(warm, removed, read, write, requests):
    before, after = Extent(warm + 2 * removed, warm), Extent(warm + removed, warm)
    saved = removed * (write + read * (requests - 1))
    assert gain(before, after, terms(read, write), requests) == pytest.approx(saved, rel=1e-6)


def test_as_many_requests_are_expected_as_there_have_been():
    one = [{"role": "user", "content": "a"}]
    more = [*one, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    assert [expected(blocks(call({"messages": it}))) for it in (one, more)] == [2.0, 3.0]


def conversation(*texts, **fields):
    system = {"role": "system", "content": "s" * 400}
    turns = [{"role": "user", "content": text} for text in texts]
    return call({"messages": [system, *turns]}, **fields)


def test_what_was_sent_within_the_lifetime_is_warm():
    warm = Warm()
    assert warm.tokens(conversation("a"), STEPS, NOW) == 0
    warm.note(conversation("a"), STEPS, NOW)
    whole = warm.tokens(conversation("a"), STEPS, NOW + 1)
    system = warm.tokens(conversation("b"), STEPS, NOW + 1)
    assert 100 <= system < whole
    assert warm.tokens(conversation("a", "b"), STEPS, NOW + 1) == whole
    assert warm.tokens(conversation("a"), STEPS, NOW + 320) == whole
    assert warm.tokens(conversation("a"), STEPS, NOW + 340) == 0


def test_each_use_renews_what_is_warm():
    warm = Warm()
    warm.note(conversation("a"), STEPS, NOW)
    warm.note(conversation("b"), STEPS, NOW + 300)
    assert warm.tokens(conversation("c"), STEPS, NOW + 500) > 0


def test_a_clock_that_was_set_back_leaves_entries_warm():
    warm = Warm()
    warm.note(conversation("a"), STEPS, NOW)
    assert warm.tokens(conversation("a"), STEPS, 0.0) > 0


@pytest.mark.parametrize("fields", [{"tenant": "u"}, {"model": "n"}], ids=["tenant", "model"])
def test_tenants_and_models_warm_nothing_for_each_other(fields):
    warm = Warm()
    warm.note(conversation("a"), STEPS, NOW)
    assert warm.tokens(conversation("a", **fields), STEPS, NOW) == 0


def test_without_a_prompt_cache_nothing_is_warm():
    warm = Warm()
    warm.note(conversation("a"), Terms(), NOW)
    assert warm.tokens(conversation("a"), Terms(), NOW) == 0


def test_what_is_under_the_minimum_is_not_warm():
    warm = Warm()
    high = Terms(rule="openai_steps", minimum=1024)
    warm.note(conversation("a"), high, NOW)
    assert warm.tokens(conversation("a"), high, NOW) == 0
