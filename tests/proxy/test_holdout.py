import msgspec
import pytest
from backends import call, replaced
from hypothesis import given
from hypothesis import strategies as st

from policies.base.body import Body
from policies.base.call import Controls, Dialect
from proxy.holdout import conversation, draws

SYSTEM = {"role": "system", "content": "be kind"}


def user(text):
    return {"role": "user", "content": text}


def turns(count, opening="one"):
    """The messages of a conversation's last of `count` turns."""
    said = [SYSTEM, user(opening)]
    for number in range(1, count):
        said += [{"role": "assistant", "content": f"answer {number}"}, user(f"more {number}")]
    return said


def unit(messages, **fields):
    return conversation(call({"messages": messages}, **fields))


def test_all_turns_of_a_conversation_are_one_unit():
    assert len({unit(turns(count)) for count in range(1, 6)}) == 1


def test_conversations_are_told_apart_by_how_they_open():
    assert len({unit(turns(2, opening)) for opening in ("one", "two", "three")}) == 3


def test_no_tenant_shares_a_unit_with_another():
    assert unit(turns(1), tenant="a") != unit(turns(1), tenant="b")


def test_a_session_names_the_conversation_whatever_is_said_in_it():
    named = {"controls": Controls(session="s")}
    assert unit(turns(1), **named) == unit(turns(3, "another"), **named)
    assert unit(turns(1), **named) != unit(turns(1))
    assert unit(turns(1), **named) != unit(turns(1), controls=Controls(session="t"))


def test_a_conversation_whose_system_prompt_changes_with_each_turn_is_one_unit():
    """As with the time in it, for which `prefix.volatile` is there."""
    units = set()
    for minute in range(5):
        head = {"role": "system", "content": f"It is 12:0{minute}"}
        units.add(unit([head, *turns(minute + 1)[1:]]))
    assert len(units) == 1


@pytest.mark.parametrize(
    ("dialect", "first", "second"),
    [
        (
            Dialect.RESPONSES,
            {"input": [user("one")]},
            {"input": [user("one"), {"role": "assistant", "content": "1"}, user("two")]},
        ),
        (
            Dialect.MESSAGES,
            {"system": "It is noon", "messages": [user("one")]},
            {"system": "It is one", "messages": [user("one"), {"role": "assistant"}, user("two")]},
        ),
        (Dialect.RESPONSES, {"input": "one"}, {"input": "one"}),
        (Dialect.COMPLETIONS, {"prompt": "one"}, {"prompt": "one", "max_tokens": 5}),
    ],
)
def test_each_dialects_conversations_are_known_by_their_opening(dialect, first, second):
    one, two = (bare(doc, dialect) for doc in (first, second))
    assert conversation(one) == conversation(two)


def bare(doc, dialect):
    """A call whose body has no messages but those of `doc`."""
    body = Body(msgspec.json.encode({"model": "m", **doc}))
    return replaced(call(), dialect=dialect, body=body)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional={"messages": ANY, "input": ANY, "prompt": ANY}))
def test_any_body_has_a_unit_of_eight_bytes_always_the_same(doc):
    one, two = bare(doc, Dialect.CHAT), bare(doc, Dialect.CHAT)
    assert len(conversation(one)) == 8
    assert conversation(one) == conversation(two)


def test_a_lone_surrogate_has_a_unit():
    assert len(unit([user("one")], tenant="\ud800")) == 8


def test_the_share_that_is_drawn_is_the_share_that_was_asked_for():
    units = [unit(turns(1, f"opening {number}")) for number in range(2000)]
    for share in (0.0, 0.05, 0.5, 1.0):
        drawn = sum(draws(each, share) for each in units) / len(units)
        assert abs(drawn - share) < 0.04


@given(st.binary(min_size=8, max_size=8), st.floats(0, 1), st.floats(0, 1))
def test_whoever_is_in_a_small_hold_out_is_in_a_larger_one(drawn, one, other):
    small, large = sorted((one, other))
    assert draws(drawn, large) or not draws(drawn, small)
    assert not draws(drawn, 0.0)
    assert draws(drawn, 1.0)
