import msgspec
import pytest
from backends import call, replaced

from policies.base.body import Body
from policies.base.call import Dialect
from proxy.guards.monotone import Monotone
from proxy.stores.bound import bind
from proxy.stores.memory import MemoryTier

NOW = 1_700_000_000.0


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


ONE = [{"role": "system", "content": "be kind"}, user("one")]
TWO = [*ONE, assistant("1"), user("two")]
THREE = [*TWO, assistant("2"), user("three")]


def asked(messages, **fields):
    return call({"messages": messages}, **fields)


def short(one, mark="~"):
    """What an honest policy sends: every message of the user's shortened, always alike."""
    doc = msgspec.json.decode(one.body.raw)
    for message in doc["messages"]:
        if message["role"] == "user":
            message["content"] = mark + message["content"][:2]
    return replaced(one, body=Body(msgspec.json.encode(doc)))


class Worker:
    """The engine's part: review, send, remember."""

    def __init__(self, tier=None):
        self.guard = Monotone()
        self.tier = tier or MemoryTier(1_000_000)

    async def review(self, original, edited):
        return await self.guard.review(original, edited, self.store(original))

    async def send(self, original, edited, now=NOW):
        verdict = await self.review(original, edited)
        forwarded = edited if verdict.ok else original
        await self.guard.remember(original, forwarded, self.store(original), now)
        return verdict

    def store(self, original):
        return bind(self.tier, "guard", original.tenant)


async def run(worker, *turns, edit=short):
    return [await worker.send(asked(turn), edit(asked(turn))) for turn in turns]


async def test_a_policy_that_edits_every_turn_alike_never_drifts():
    verdicts = await run(Worker(), ONE, TWO, THREE)
    assert [verdict.word for verdict in verdicts] == ["stable"] * 3
    assert [verdict.sent for verdict in verdicts] == [None, NOW, NOW]


async def test_nothing_edited_is_stable():
    worker = Worker()
    for turn in (ONE, TWO, THREE):
        one = asked(turn)
        assert (await worker.send(one, one)).ok


async def test_another_edit_of_an_edited_turn_drifts_at_its_first_block():
    worker = Worker()
    await run(worker, ONE)
    verdict = await worker.review(asked(TWO), short(asked(TWO), "?"))
    assert (verdict.word, verdict.drift, verdict.ok, verdict.at) == ("changed", True, False, 1)


async def test_an_edit_of_a_turn_that_went_untouched_drifts():
    worker = Worker()
    one = asked(ONE)
    await worker.send(one, one)
    verdict = await worker.review(asked(TWO), short(asked(TWO)))
    assert (verdict.word, verdict.at) == ("changed", 1)


async def test_an_edited_turn_left_alone_later_drifts():
    worker = Worker()
    await run(worker, ONE)
    two = asked(TWO)
    verdict = await worker.review(two, two)
    assert (verdict.word, verdict.at) == ("unedited", 1)
    copied = replaced(two, body=Body(two.body.raw))
    assert (await worker.review(two, copied)).word == "unedited"


async def test_a_conversation_that_drifted_stays_untouched():
    worker = Worker()
    await run(worker, ONE)
    two = asked(TWO)
    assert not (await worker.send(two, two)).ok
    assert not (await worker.send(asked(THREE), short(asked(THREE)))).ok
    four = asked([*THREE, assistant("3"), user("four")])
    assert (await worker.send(four, four)).ok


async def test_an_edit_of_what_is_new_is_no_drift():
    worker = Worker()
    one = asked(ONE)
    await worker.send(one, one)
    edited = asked([*ONE, assistant("1"), user("shorter")])
    assert (await worker.send(asked(TWO), edited)).ok


async def test_what_the_client_changes_in_its_history_is_no_drift():
    worker = Worker()
    await run(worker, ONE, TWO)
    other = [ONE[0], user("another"), *THREE[2:]]
    assert (await worker.review(asked(other), asked(other))).ok
    assert (await worker.review(asked(other), short(asked(other), "?"))).ok


async def test_branches_of_one_conversation_are_each_compared_with_their_own_turn():
    worker = Worker()
    await run(worker, ONE, TWO)
    branch = asked([*ONE, assistant("other"), user("way")])
    assert (await worker.send(branch, short(branch))).ok
    assert not (await worker.review(branch, branch)).ok
    assert (await worker.send(asked(THREE), short(asked(THREE)))).ok


async def test_a_branch_from_the_middle_is_compared_with_the_turn_it_leaves():
    worker = Worker()
    await run(worker, ONE, TWO, THREE)
    branch = asked([*TWO, assistant("other"), user("way")])
    assert (await worker.review(branch, short(branch))).ok
    assert (await worker.review(branch, branch)).word == "unedited"


async def test_the_same_request_again_must_go_as_it_went():
    worker = Worker()
    await run(worker, ONE)
    one = asked(ONE)
    assert (await worker.review(one, short(one))).ok
    assert (await worker.review(one, one)).word == "unedited"


async def test_a_turn_that_arrives_late_changes_nothing_for_those_after_it():
    worker = Worker()
    await run(worker, TWO)
    one = asked(ONE)
    assert (await worker.send(one, one)).ok
    assert (await worker.send(asked(THREE), short(asked(THREE)))).ok


async def test_messages_may_be_added_as_long_as_they_stay():
    def noted(one):
        messages = []
        for message in msgspec.json.decode(one.body.raw)["messages"]:
            messages.append(message)
            if message["role"] == "user":
                messages.append(user("the time is 12:00"))
        return replaced(asked(messages), body=asked(messages).body)

    verdicts = await run(Worker(), ONE, TWO, THREE, edit=noted)
    assert all(verdict.ok for verdict in verdicts)


async def test_a_message_that_was_added_and_is_gone_drifts():
    worker = Worker()
    await worker.send(asked(ONE), asked([*ONE, user("the time is 12:00")]))
    verdict = await worker.review(asked(TWO), asked(TWO))
    assert (verdict.word, verdict.at) == ("unedited", 2)


async def test_a_prompt_shorter_than_what_was_sent_drifts():
    worker = Worker()
    await run(worker, TWO)
    assert not (await worker.review(asked(THREE), asked(THREE[:2]))).ok


async def test_marks_are_no_part_of_what_is_compared():
    def marked(one):
        doc = msgspec.json.decode(one.body.raw)
        last = doc["messages"][-1]
        mark = {"cache_control": {"type": "ephemeral"}}
        last["content"] = [{"type": "text", "text": last["content"], **mark}]
        return replaced(one, body=Body(msgspec.json.encode(doc)))

    worker = Worker()
    turns = [asked(turn, dialect=Dialect.MESSAGES) for turn in (ONE[1:], TWO[1:], THREE[1:])]
    for turn in turns:
        assert (await worker.send(turn, marked(turn))).ok
    assert (await worker.review(turns[-1], turns[-1])).ok


@pytest.mark.parametrize(
    "fields", [{"tenant": "another"}, {"model": "another"}], ids=["tenant", "model"]
)
async def test_tenants_and_models_are_kept_apart(fields):
    worker = Worker()
    await run(worker, ONE)
    two = asked(TWO, **fields)
    assert (await worker.review(two, two)).ok


async def test_another_worker_knows_what_was_sent():
    tier = MemoryTier(1_000_000)
    first, second = Worker(tier), Worker(tier)
    await run(first, ONE, TWO)
    three = asked(THREE)
    verdict = await second.review(three, three)
    assert (verdict.word, verdict.at) == ("unedited", 1)
    assert (await second.send(three, short(three))).ok
    four = asked([*THREE, assistant("3"), user("four")])
    assert (await first.review(four, short(four))).ok
    assert not (await first.review(four, four)).ok


async def test_another_worker_knows_that_a_turn_went_untouched():
    tier = MemoryTier(1_000_000)
    one = asked(ONE)
    await Worker(tier).send(one, one)
    assert (await Worker(tier).review(asked(TWO), short(asked(TWO)))).word == "changed"


async def test_another_worker_sends_the_same_request_again_as_it_went():
    first = Worker()
    one = asked(ONE)
    await first.send(one, one)
    verdict = await Worker(first.tier).send(asked(ONE), short(asked(ONE)))
    assert (verdict.word, verdict.ok) == ("changed", False)
    edited = Worker()
    await run(edited, ONE)
    assert (await Worker(edited.tier).send(asked(ONE), short(asked(ONE)))).ok


async def test_the_latest_turn_counts_whoever_had_it():
    tier = MemoryTier(1_000_000)
    first, second = Worker(tier), Worker(tier)
    await run(first, ONE)
    two = asked(TWO)
    assert not (await second.send(two, two)).ok  # and from now on it goes untouched
    assert not (await first.review(asked(THREE), short(asked(THREE)))).ok
    assert (await first.review(asked(THREE), asked(THREE))).ok


async def test_several_tools_answer_in_one_turn():
    calls = [
        {"id": i, "type": "function", "function": {"name": "f", "arguments": "{}"}} for i in "ab"
    ]
    tools = [{"role": "tool", "tool_call_id": i, "content": "done"} for i in "ab"]
    loop = [*ONE, {"role": "assistant", "content": None, "tool_calls": calls}, *tools]
    more = [*loop, assistant("1"), user("two")]
    tier = MemoryTier(1_000_000)
    await run(Worker(tier), ONE, loop)
    assert (await Worker(tier).review(asked(more), short(asked(more)))).ok
    assert not (await Worker(tier).review(asked(more), asked(more))).ok


async def test_however_many_messages_a_turn_adds_the_one_before_is_found_elsewhere():
    added = [user(f"another {number}") for number in range(6)]
    tier = MemoryTier(1_000_000)
    await run(Worker(tier), ONE)
    many = asked([*ONE, assistant("1"), *added])
    assert (await Worker(tier).review(many, many)).word == "unedited"


async def test_clocks_that_jump_change_nothing():
    worker = Worker()
    for turn, now in ((ONE, NOW), (TWO, 0.0), (THREE, NOW * 2)):
        assert (await worker.send(asked(turn), short(asked(turn)), now)).ok
    one = asked([*THREE, assistant("3"), user("four")])
    assert not (await worker.review(one, one)).ok


@pytest.mark.parametrize("value", [b"", b"x" * 19, b"x" * 20, b"x" * 27, b"\0" * 20, b"\xff" * 300])
async def test_what_nobody_of_us_stored_counts_as_nothing_stored(value):
    worker = Worker()
    await run(worker, ONE)
    keys = [slot.key for slot in worker.tier._entries]
    assert len(keys) == 1
    await worker.store(asked(ONE)).put(keys[0], value, 0.0)
    fresh = Worker(worker.tier)
    verdict = await fresh.review(asked(TWO), asked(TWO))
    assert not verdict.at


async def test_an_edit_of_a_prompt_of_unknown_shape_is_refused():
    odd = asked([{"role": "nobody", "content": 1}])
    worker = Worker()
    assert (await worker.send(odd, odd)).ok
    verdict = await worker.send(odd, short(asked(ONE)))
    assert (verdict.word, verdict.ok, verdict.drift) == ("unread", False, False)
    assert (await worker.send(asked(ONE), odd)).word == "unread"


async def test_embeddings_have_no_prefix():
    one = asked(ONE, dialect=Dialect.EMBEDDINGS)
    assert (await Worker().send(one, short(one))).ok


async def test_the_end_of_a_prompt_that_is_one_text_may_go_on():
    text = "".join(f"line {number}\n" for number in range(2000))

    def completion(prompt):
        return call({"prompt": prompt}, dialect=Dialect.COMPLETIONS)

    worker = Worker()
    assert (await worker.send(completion(text[:-3]), completion(text[:-3]))).ok
    longer = completion(text + "and on")
    assert (await worker.review(longer, longer)).ok
    assert not (await worker.review(longer, completion("x" + text))).ok


@pytest.mark.parametrize("count", [301, 401, 1001])
async def test_of_a_long_edited_turn_it_is_known_about_where_another_differs(count):
    worker = Worker()
    long = [user(f"u{n}") if n % 2 == 0 else assistant(f"a{n}") for n in range(count)]
    await run(worker, long)
    more = asked([*long, assistant("x"), user("y")])
    edited = short(more)
    other = msgspec.json.decode(edited.body.raw)
    other["messages"][300]["content"] = "other"
    other = replaced(more, body=Body(msgspec.json.encode(other)))
    for one in (worker, Worker(worker.tier)):
        assert (await one.review(more, edited)).ok
        verdict = await one.review(more, more)
        assert verdict.word == "unedited"
        assert verdict.at == 0
        verdict = await one.review(more, other)
        assert verdict.word == "changed"
        assert 300 - count // 256 <= verdict.at <= 300


async def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr("proxy.guards.monotone._TURNS", 10)
    worker = Worker()
    for number in range(100):
        await run(worker, [user(str(number))])
    assert len(worker.guard._recent) <= 20


async def test_the_store_is_written_once_for_the_same_turn():
    worker = Worker()
    puts = []
    store = worker.store(asked(ONE))

    class Counting:
        get = store.get

        async def put(self, *args):
            puts.append(args)

    one = asked(ONE)
    for now in (NOW, NOW + 1, NOW + 86_400):
        await worker.guard.remember(one, one, Counting(), now)
    assert len(puts) == 2
