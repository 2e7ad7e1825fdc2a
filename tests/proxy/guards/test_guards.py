import msgspec
import pytest
from backends import call, replaced
from hypothesis import given
from hypothesis import strategies as st

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.terms import Terms
from proxy.guards.guards import SPACE, Guards
from proxy.guards.monotone import Monotone
from proxy.guards.rollback import Rollback
from proxy.stores.bound import bind
from proxy.stores.memory import MemoryTier

NOW = 1_700_000_000.0
MARKS = Terms(rule="anthropic_marks", read=0.1, write=1.25, minimum=1024)
DRIFT = "does not begin as the turn before it was sent"
UNKNOWN = "has a prompt of unknown shape"
SHRUNK = "would fall below what the provider caches"


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


class Rig:
    """Guards with a store, under `terms`."""

    def __init__(self, terms=MARKS):
        self.guards = Guards(Monotone(), lambda _: terms, lambda: None, Rollback(lambda _: None))
        self._tier = MemoryTier(1_000_000)

    def store(self, one):
        return bind(self._tier, SPACE, one.tenant)

    async def refuses(self, original, edited):
        return await self.guards.refuses(original, edited, self.store(original))

    async def send(self, original, edited):
        await self.guards.sent(original, edited, self.store(original), NOW)


def asked(*messages):
    return call({"messages": list(messages)})


def rewritten(one, rewrite):
    """The call with each text rewritten."""
    doc = msgspec.json.decode(one.body.raw)
    for message in doc["messages"]:
        message["content"] = rewrite(message["content"])
    return replaced(one, body=Body(msgspec.json.encode(doc)))


ONE = asked(user("one " * 10))
TWO = asked(user("one " * 10), assistant("1"), user("two"))


async def test_the_first_turn_may_be_edited_anyhow():
    rig = Rig()
    assert await rig.refuses(ONE, rewritten(ONE, str.upper)) == ""


async def test_a_turn_that_goes_on_as_the_one_before_was_sent_may_go():
    rig = Rig()
    await rig.send(ONE, rewritten(ONE, str.upper))
    assert await rig.refuses(TWO, rewritten(TWO, str.upper)) == ""


async def test_a_turn_that_does_not_is_refused():
    rig = Rig()
    await rig.send(ONE, rewritten(ONE, str.upper))
    assert await rig.refuses(TWO, rewritten(TWO, str.title)) == DRIFT
    assert await rig.refuses(TWO, TWO) == DRIFT


async def test_what_one_tenant_has_sent_binds_no_other():
    rig = Rig()
    await rig.send(ONE, rewritten(ONE, str.upper))
    other = replaced(TWO, tenant="other")
    assert await rig.refuses(other, rewritten(other, str.title)) == ""


def texts(one, *contents):
    """The call with other texts; None where they stay."""
    doc = msgspec.json.decode(one.body.raw)
    for message, content in zip(doc["messages"], contents, strict=False):
        message["content"] = message["content"] if content is None else content
    return replaced(one, body=Body(msgspec.json.encode(doc)))


THREE = asked(user("one " * 10), assistant("1"), user("two"), assistant("2"), user("three"))


@pytest.mark.parametrize(
    ("sent", "edits", "more"),
    [
        (["1", None, "2"], ["1"], True),  # the original has nothing of it, the edits two messages
        ([None, None, "2"], ["1", None, "2"], False),  # the edits have nothing, the original two
        (["1", None, "2"], ["i", None, "2"], True),  # neither has anything, and they are shorter
        (["1", None, "2"], ["I" * 100], False),
        ([], ["1"], False),  # all stays without them
        ([None] * 3, ["1"], False),
    ],
)
async def test_of_two_ways_to_break_off_that_is_taken_by_which_more_stays(sent, edits, more):
    rig = Rig()
    await rig.send(TWO, texts(TWO, *sent) if sent else TWO)
    edited = texts(THREE, *edits)
    assert await rig.refuses(THREE, edited) == DRIFT
    assert await rig.guards.keeps_more(THREE, edited, rig.store(THREE)) is more


async def test_edits_that_go_on_need_no_leave():
    rig = Rig()
    await rig.send(TWO, texts(TWO, "1"))
    assert not await rig.guards.keeps_more(THREE, texts(THREE, "1"), rig.store(THREE))


async def test_a_conversation_that_breaks_off_again_and_again_goes_on_as_it_came():
    said, taken, rig = [user("one " * 10)], [], Rig()
    for number in range(10):
        one = asked(*said)
        edited = texts(one, str(number))
        fresh = Guards(Monotone(), lambda _: MARKS, lambda: None, Rollback(lambda _: None))
        refused = await fresh.refuses(one, edited, rig.store(one))
        goes = not refused or await fresh.keeps_more(one, edited, rig.store(one))
        taken.append(goes)
        forwarded = edited if goes else one
        await fresh.sent(one, forwarded, rig.store(one), NOW, broken=bool(refused))
        said += [assistant("yes"), user(f"and {number}?")]
    assert taken == [True] * 5 + [False] * 5


async def test_turns_that_went_on_since_edits_were_left_off_have_broken_nothing():
    said, rig = [user("one " * 10)], Rig()
    for _ in range(6):
        one = asked(*said)
        refused = await rig.refuses(one, texts(one, "1"))
        await rig.guards.sent(one, one, rig.store(one), NOW, broken=bool(refused))
        said += [assistant("yes"), user("and?")]
    await rig.send(one := asked(*said), texts(one, None, "y"))
    one = asked(*said, assistant("yes"), user("and?"))
    assert await rig.guards.keeps_more(one, texts(one, None, "y", "&"), rig.store(one))


def agent(results, left_out=0, turns=40):
    """A conversation of tools' long results, the first of them left out."""
    said = [user("go")]
    for number in range(turns):
        text = "gone" if number < left_out else f"{number} " * 2000
        said += [assistant("look"), user(text if number < results else "on")]
    return asked(*said)


@pytest.mark.parametrize(
    ("age", "left_out", "pays"),
    [
        (1.0, 30, True),  # much goes before a short rest
        (1.0, 1, False),  # little goes before all the rest
        (1000.0, 1, True),  # no provider holds it any more
    ],
)
async def test_what_was_sent_may_change_where_reading_the_rest_anew_pays(age, left_out, pays):
    rig = Rig(msgspec.structs.replace(MARKS, lifetime=300.0))
    before = agent(39, turns=39)
    await rig.send(before, before)
    one = agent(40)
    anew = agent(40, left_out)
    store = rig.store(one)
    assert await rig.guards.pays(one, (one, anew), store, NOW + age) is pays
    assert await rig.guards.refuses(one, anew, store, anew=True) == ""
    assert await rig.guards.refuses(one, anew, store) == DRIFT


async def test_what_another_worker_has_just_sent_goes_on():
    rig = Rig()
    before, one = agent(39, turns=39), agent(40)
    await rig.send(before, agent(39, 1, turns=39))
    assert await rig.guards.pays(one, (one, agent(40, 1)), rig.store(one), NOW)


async def test_in_doubt_what_was_sent_stays():
    rig = Rig()
    one = agent(40)
    odd = replaced(one, body=asked(user(17)).body)
    assert not await rig.guards.pays(one, (one, odd), rig.store(one), NOW)
    await rig.send(agent(39, turns=39), agent(39, 7, turns=39))  # and `one` does not go on so
    assert not await rig.guards.pays(one, (one, agent(40, 30)), rig.store(one), NOW)


async def test_where_an_edit_was_left_off_the_next_is_weighed_against_the_original():
    rig = Rig()
    before, one = agent(39, turns=39), agent(40)
    await rig.send(before, before)
    going_on = agent(40, 1)
    assert await rig.guards.pays(one, (going_on, agent(40, 30)), rig.store(one), NOW)
    assert not await rig.guards.pays(one, (going_on, agent(40, 2)), rig.store(one), NOW)


async def test_what_another_process_may_have_sent_counts_as_held():
    rig = Rig()
    one = agent(40)
    assert not await rig.guards.pays(one, (one, agent(40, 1)), rig.store(one), NOW)
    assert await rig.guards.pays(one, (one, agent(40, 38)), rig.store(one), NOW)


@pytest.mark.parametrize("content", [17, [{"type": "hologram"}], {"text": "x"}])
async def test_an_edit_of_a_shape_that_is_not_known_is_refused(content):
    rig = Rig()
    odd = asked(user(content))
    copied = replaced(odd, body=Body(odd.body.raw + b" "))
    assert await rig.refuses(odd, copied) == UNKNOWN
    assert await rig.refuses(odd, odd) == ""


async def test_an_edit_into_a_shape_that_is_not_known_is_refused():
    odd = replaced(ONE, body=asked(user(17)).body)
    assert await Rig().refuses(ONE, odd) == UNKNOWN


async def test_embeddings_have_no_prefix_to_guard():
    one = call({"input": "one"}, dialect=Dialect.EMBEDDINGS)
    assert await Rig().refuses(one, one) == ""


def long_talk(size, turns=3):
    """A conversation of about `size` tokens of four bytes, after some turns."""
    said = [user("four" * size)]
    for number in range(turns - 1):
        said += [assistant(f"{number}"), user(f"{number}")]
    return asked(*said)


def halved(text):
    return text[: max(1, len(text) // 2)]


async def test_an_edit_that_takes_a_prompt_below_the_minimum_is_refused():
    one = long_talk(1200)
    assert await Rig().refuses(one, rewritten(one, halved)) == SHRUNK
    assert await Rig().refuses(one, one) == ""


async def test_a_conversation_that_was_edited_below_the_minimum_goes_on_so_beyond_it():
    rig = Rig()
    first = asked(user("four" * 900))
    await rig.send(first, rewritten(first, halved))
    second = asked(user("four" * 900), assistant("yes"), user("four" * 300))
    assert await rig.refuses(second, second) == DRIFT
    assert await rig.refuses(second, rewritten(second, halved)) == ""
    assert await Rig().refuses(second, rewritten(second, halved)) == SHRUNK


@pytest.mark.parametrize(
    ("size", "terms"),
    [
        (5000, MARKS),  # half of it is still cached
        (500, MARKS),  # it was not cached before
        (1200, Terms()),  # nothing is cached
    ],
)
async def test_an_edit_that_loses_no_cache_may_go(size, terms):
    one = long_talk(size)
    assert await Rig(terms).refuses(one, rewritten(one, halved)) == ""


async def test_a_prompt_that_is_sent_once_may_fall_below_the_minimum():
    once = long_talk(1200, turns=1)
    shorter = rewritten(once, lambda text: text[:400])
    assert await Rig().refuses(once, shorter) == ""


async def test_an_edit_that_adds_is_never_too_short():
    one = long_talk(900)
    assert await Rig().refuses(one, rewritten(one, lambda text: text + " and more")) == ""


@given(st.lists(st.sampled_from([str.upper, str.title, str.strip]), min_size=2, max_size=5))
async def test_what_is_sent_always_begins_as_the_turn_before_or_is_untouched(edits):
    """The engine's part: a refused edit goes out as the client sent it."""
    rig = Rig()
    said, before = [], None
    for number, edit in enumerate(edits):
        said += [user(f"question {number}"), assistant(f"answer {number}")]
        original = asked(*said[:-1])
        edited = rewritten(original, edit)
        forwarded = original if await rig.refuses(original, edited) else edited
        now = msgspec.json.decode(forwarded.body.raw)["messages"]
        assert before is None or now[: len(before)] == before or forwarded is original
        await rig.send(original, forwarded)
        before = now
