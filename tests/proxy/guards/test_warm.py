import pytest
from backends import call
from hypothesis import given
from hypothesis import strategies as st

from policies.base.prompt import blocks
from policies.base.terms import Terms
from proxy.guards.warm import Extent, assured, expected, extents, gain, kept


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


def test_results_of_tools_that_were_called_together_came_in_one_request():
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    results = [{"role": "tool", "tool_call_id": n, "content": parts} for n in "xyz"]
    said = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, *results]
    assert expected(blocks(call({"messages": said}))) == 3.0


def test_four_of_five_conversations_have_a_quarter_as_many_still():
    turns = [{"role": role, "content": "a"} for role in ("user", "assistant") * 8]
    assert assured(blocks(call({"messages": turns}))) == 1 + 8 / 4


def conversation(*texts):
    system = {"role": "system", "content": "s" * 400}
    turns = [{"role": "user", "content": text} for text in texts]
    return blocks(call({"messages": [system, *turns]}))


def test_what_went_before_is_held_and_of_a_rewritten_prompt_what_is_the_same():
    going_on = conversation("a" * 400, "b" * 400, "c" * 400)
    before, after = extents(going_on, conversation("a" * 400, "x", "c" * 400), sent=3)
    assert before.total - before.warm == going_on[3].size / 4
    assert after.warm == (going_on[0].size + going_on[1].size) / 4
    assert after.total == before.total - 399 / 4


def test_of_what_nobody_holds_nothing_is_warm():
    before, after = extents(conversation("a", "b"), conversation("x", "b"), sent=0)
    assert before.warm == after.warm == 0


@pytest.mark.parametrize(
    ("lifetime", "age", "held"),
    [(300.0, 320.0, True), (300.0, 340.0, False), (300.0, -5.0, True), (None, 320.0, True)],
)
def test_a_provider_holds_it_for_its_lifetime_and_a_little_longer(lifetime, age, held):
    assert kept(Terms(lifetime=lifetime), age) is held
