import json

import pytest
from backends import call
from msgspec.structs import replace

from policies.base.body import Body
from policies.base.call import Controls, Dialect, Effect
from policies.base.plan import Outcome
from policies.base.ports import Entry, View
from policies.base.prompt import blocks
from policies.base.step import Edit, Skip
from policies.base.terms import Terms
from policies.base.usage import Usage
from policies.prefix_breakpoints import Breakpoints

CLAUDE = Terms(
    rule="anthropic_marks", read=0.1, write=1.25, minimum=1024, lifetime=300.0, backend="anthropic"
)
GPT = Terms(
    rule="openai_breakpoints", read=0.1, write=1.25, minimum=1024, lifetime=1800.0, backend="openai"
)
LONG = "It is so. " * 1000
TOOLS = [{"type": "function", "function": {"name": "a", "description": LONG}}]
TALK = [
    {"role": "system", "content": LONG},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Ho"},
    {"role": "user", "content": "Hi again"},
]


class Shelf:
    """A store in a dictionary."""

    def __init__(self):
        self.kept = {}

    async def get(self, key):
        return self.kept.get(key)

    async def put(self, key, value, ttl, model=""):
        self.kept[key] = Entry(value, 0.0, ttl, model)


def ours(**settings):
    return Breakpoints(Breakpoints.Settings(**settings))


def chat(messages=TALK, **doc):
    fields = {name: doc.pop(name) for name in ("controls", "tenant", "headers") if name in doc}
    return call({"messages": messages, **doc}, **fields)


async def asked(policy, one, terms, now=1e9, shelf=None):
    return await policy.plan(one, View(shelf or Shelf(), now, lambda _: terms))


async def sent(policy, one, terms, now=1e9):
    step = await asked(policy, one, terms, now)
    policy.depart(one, step)
    return step


async def answered(policy, one, terms, now=1e9, usage=None):
    step = await asked(policy, one, terms, now)
    await policy.settle(one, step, Outcome(200, "a", usage=usage), Shelf())
    return step


def doc(step):
    return json.loads(step.body.raw)


def marked(step):
    """Which messages carry a mark."""
    found = enumerate(doc(step)["messages"])
    return [index for index, message in found if b"cache_" in json.dumps(message).encode()]


def at(host, terms=CLAUDE):
    return replace(terms, backend="http", host=host)


async def test_the_first_prompt_with_tools_is_marked_up_to_what_it_may_share():
    step = await asked(ours(), chat(TALK[:2], tools=TOOLS), at("openrouter.ai"))
    assert isinstance(step, Edit)
    assert step.effect is Effect.EXACT
    assert marked(step) == [0]
    assert step.revocable == ("cache_control",)


async def test_the_next_turn_marks_where_the_last_one_ended():
    policy, terms = ours(), at("openrouter.ai")
    await answered(policy, chat(TALK[:2], tools=TOOLS), terms)
    assert marked(await answered(policy, chat(tools=TOOLS), terms, 1e9 + 5)) == [0, 3]
    longer = [*TALK, {"role": "assistant", "content": "Ho"}, {"role": "user", "content": "So?"}]
    assert marked(await asked(policy, chat(longer, tools=TOOLS), terms, 1e9 + 9)) == [0, 3, 5]


async def test_another_branch_of_a_conversation_is_marked_to_its_end():
    policy, terms = ours(), at("openrouter.ai")
    await answered(policy, chat(TALK[:2], tools=TOOLS), terms)
    await answered(policy, chat(tools=TOOLS), terms, 1e9 + 5)
    again = [*TALK[:3], {"role": "user", "content": "Or not"}]
    assert marked(await asked(policy, chat(again, tools=TOOLS), terms, 1e9 + 10))[-1] == 3


async def test_examples_that_many_questions_stand_behind_are_marked_without_them():
    policy, terms = ours(), at("openrouter.ai")
    for number in range(3):
        asks = [*TALK[:3], {"role": "user", "content": f"{number}?"}]
        step = await answered(policy, chat(asks, tools=TOOLS), terms, 1e9 + 5 * number)
    assert 3 not in marked(step)


async def test_another_process_marks_it_too():
    assert marked(await asked(ours(), chat(tools=TOOLS), at("openrouter.ai"))) == [0, 1, 3]


async def test_anthropics_own_dialect_marks_tools_and_system():
    body = {
        "system": LONG,
        "tools": [{"name": "a", "input_schema": {}}],
        "messages": [{"role": "user", "content": "Hi"}],
    }
    one = call(body, dialect=Dialect.MESSAGES)
    made = doc(await asked(ours(), one, CLAUDE))
    assert "cache_control" in made["system"][0]
    assert isinstance(made["messages"][0]["content"], list)
    assert json.dumps(made).count("cache_control") <= 4


async def test_instructions_are_written_once_on_a_guess_and_others_where_they_recur():
    policy, terms = ours(), at("openrouter.ai")
    lent = await answered(policy, chat(TALK[:2]), terms)
    assert marked(lent) == [0]
    other = [{"role": "system", "content": f"Or not. {LONG}"}, TALK[1]]
    assert marked(await answered(policy, chat(other), terms, 1e9 + 10)) == []
    again = [other[0], {"role": "user", "content": "2?"}]
    assert marked(await asked(policy, chat(again), terms, 1e9 + 70)) == [0]
    assert marked(await asked(policy, chat(again), terms, 1e9 + 600)) == []


async def test_turns_slower_than_the_lifetime_end_the_marks_at_the_tail():
    policy, terms = ours(), at("openrouter.ai")
    now = 1e9
    for talk in range(12):
        messages = [{"role": "system", "content": f"{talk} {LONG}"}]
        for turn in range(5):
            messages = [*messages, {"role": "user", "content": f"{turn}?"}]
            step = await answered(policy, chat(messages, tools=TOOLS), terms, now)
            messages.append({"role": "assistant", "content": "So."})
            now += 900.0
    assert marked(step) == []


async def test_openai_is_told_where_the_shared_part_ends_and_marks_the_tail_itself():
    step = await asked(ours(), chat(tools=TOOLS), GPT)
    made = doc(step)
    assert made["messages"][0]["content"][0]["prompt_cache_breakpoint"] == {"mode": "explicit"}
    assert "prompt_cache_options" not in made
    assert marked(step) == [0]
    assert step.revocable == ("prompt_cache_breakpoint", "prompt_cache_key", "prompt_cache_options")


async def test_openai_is_told_not_to_write_what_nobody_reads():
    policy = ours()
    for number in range(40):
        one = chat([{"role": "user", "content": f"{number} {LONG}"}])
        step = await answered(policy, one, GPT, 1e9 + 60 * number)
    assert doc(step)["prompt_cache_options"] == {"mode": "explicit"}
    assert marked(step) == []


async def test_marks_on_responses_stand_on_texts():
    body = {"input": [{"role": "developer", "content": LONG}, {"role": "user", "content": "Hi"}]}
    one = call(body | {"tools": TOOLS}, dialect=Dialect.RESPONSES)
    [part] = doc(await asked(ours(), one, GPT))["input"][0]["content"]
    assert part["type"] == "input_text"
    assert part["prompt_cache_breakpoint"] == {"mode": "explicit"}


async def test_instructions_carry_a_mark_as_the_first_item():
    policy = ours()
    said = [{"role": "user", "content": "Hi"}]
    for more in ([], [{"role": "assistant", "content": "Ho"}, {"role": "user", "content": "So?"}]):
        asks = {"instructions": LONG, "input": [*said, *more], "tools": TOOLS, "store": False}
        made = doc(await answered(policy, call(asks, dialect=Dialect.RESPONSES), GPT))
        [part] = made["input"][0]["content"]
        assert (made["instructions"], made["input"][0]["role"]) == (None, "developer")
        assert part.pop("prompt_cache_breakpoint") == {"mode": "explicit"}
        assert part == {"type": "input_text", "text": LONG}
        assert len(made["input"]) == 2 + len(more)
    one = {"instructions": LONG, "input": "Hi", "tools": TOOLS, "store": False}
    made = doc(await asked(policy, call(one, dialect=Dialect.RESPONSES), GPT))
    assert [it["role"] for it in made["input"]] == ["developer", "user"]
    assert made["input"][1]["content"] in ("Hi", [{"type": "input_text", "text": "Hi"}])


@pytest.mark.parametrize(
    "more",
    [
        {"instructions": "Be brief."},
        {"instructions": LONG, "store": True},
        {"instructions": LONG, "store": None},  # as if it were true
        {"instructions": LONG, "previous_response_id": "r1"},
        {"instructions": LONG, "conversation": {"id": "c"}},
        {"instructions": LONG, "prompt": {"id": "p"}},
        {"instructions": LONG, "prompt_cache_key": "mine"},
    ],
)
async def test_other_instructions_stay_where_they_are(more):
    asks = {"input": [{"role": "user", "content": "Hi"}], "store": False, **more}
    one = call(asks, dialect=Dialect.RESPONSES)
    step = await asked(ours(), one, GPT)
    made = doc(step) if isinstance(step, Edit) else json.loads(one.body.raw)
    assert made["instructions"] == more["instructions"]


NESTED = {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize(
    "part",
    [
        {"type": "document", "source": {"type": "content", "content": [NESTED]}},
        {"type": "search_result", "source": "s", "title": "t", "content": [NESTED]},
        {"type": "tool_result", "tool_use_id": "1", "content": [NESTED]},
    ],
)
async def test_marks_within_parts_are_the_clients_too(part):
    body = {"system": LONG, "tools": TOOLS, "messages": [{"role": "user", "content": [part]}]}
    marked_by_client = call(body, dialect=Dialect.MESSAGES)
    assert (await asked(ours(), marked_by_client, CLAUDE)).why == "set by the client"
    bare = json.loads(
        marked_by_client.body.raw.replace(b', "cache_control": {"type": "ephemeral"}', b"")
    )
    unmarked = call(bare, dialect=Dialect.MESSAGES)
    assert isinstance(await asked(ours(), unmarked, CLAUDE), Edit)
    chains = [[block.chain for block in blocks(it)] for it in (marked_by_client, unmarked)]
    assert chains[0] == chains[1]


async def test_marks_on_tool_calls_are_the_clients_too():
    calling = {"id": "1", "type": "function", "function": {"name": "a", "arguments": "{}"}}
    talk = [*TALK[:2], {"role": "assistant", "content": None, "tool_calls": [calling]}]
    talk.append({"role": "tool", "tool_call_id": "1", "content": "So."})
    plain = chat(json.loads(json.dumps(talk)))
    calling["cache_control"] = {"type": "ephemeral"}
    terms = at("openrouter.ai")
    assert (await asked(ours(), chat(talk), terms)).why == "set by the client"
    assert [b.chain for b in blocks(chat(talk))] == [b.chain for b in blocks(plain)]


@pytest.mark.parametrize(
    "own",
    [
        {"cache_control": {"type": "ephemeral"}},
        {"prompt_cache_options": {"mode": "explicit"}},
        {"prompt_cache_options": None},
        {"prompt_cache_retention": "24h"},
        {"prompt_cache_key": "mine"},
        {"prompt_cache_key": None},
        {"tools": [{"name": "a", "cache_control": {"type": "ephemeral"}}]},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}
                    ],
                }
            ]
        },
    ],
)
@pytest.mark.parametrize("terms", [CLAUDE, GPT], ids=["claude", "gpt"])
async def test_who_sees_to_caching_alone_gets_nothing_of_ours(own, terms):
    terms = at("openrouter.ai") if terms is CLAUDE else terms
    one = chat(**({"messages": TALK, "tools": TOOLS} | own))
    assert (await asked(ours(), one, terms)).why == "set by the client"


async def key_of(policy, one, now=1e9, terms=GPT):
    return doc(await answered(policy, one, terms, now))["prompt_cache_key"]


async def test_who_shares_a_prefix_shares_a_key():
    policy = ours()
    other = [TALK[0], {"role": "user", "content": "Other"}]
    assert await key_of(policy, chat()) == await key_of(policy, chat(other))
    assert await key_of(policy, chat()) == await key_of(ours(), chat())
    assert await key_of(policy, chat()) != await key_of(policy, chat(tenant="u"))
    assert await key_of(policy, chat()) != await key_of(policy, chat(TALK[1:]))
    assert await key_of(policy, chat()) != await key_of(policy, chat(tools=TOOLS))


async def test_busy_prefixes_are_spread_over_keys_and_conversations_stay():
    policy = ours()
    first = await key_of(policy, chat())
    keys = set()
    for number in range(120):
        one = chat([TALK[0], {"role": "user", "content": f"{number}?"}])
        keys.add(await key_of(policy, one, 1e9 + number / 2))
    assert 5 <= len(keys) <= 11
    assert await key_of(policy, chat(), 1e9 + 60) == first


async def test_those_who_come_together_before_any_was_answered_all_count():
    terms = at("api.openai.com", Terms(rule="openai_steps", read=0.5, minimum=1024))
    policy, shelf = ours(), Shelf()
    crowd = [chat([TALK[0], {"role": "user", "content": f"{number}?"}]) for number in range(120)]
    steps = [await asked(policy, one, terms) for one in crowd]
    assert len({doc(step)["prompt_cache_key"] for step in steps}) == 1
    for one, step in zip(crowd, steps, strict=True):
        await policy.settle(one, step, Outcome(200, "a"), shelf)
    later = [await asked(policy, one, terms, 1e9 + 1) for one in crowd]
    assert 8 <= len({doc(step)["prompt_cache_key"] for step in later}) <= 11


async def test_a_session_named_by_the_client_is_one_conversation():
    policy = ours()
    terms = at("api.x.ai", Terms())
    one = await asked(policy, chat(controls=Controls(session="s")), terms)
    other = await asked(policy, chat(TALK[:2], controls=Controls(session="s")), terms)
    assert one.headers == other.headers
    assert one.headers != (await asked(policy, chat(), terms)).headers


@pytest.mark.parametrize(
    ("host", "header"),
    [("api.x.ai", b"x-grok-conv-id"), ("api.fireworks.ai", b"x-session-affinity")],
)
async def test_hosts_with_affinity_headers_get_them(host, header):
    one = chat()
    step = await asked(ours(), one, at(host, Terms()))
    [(name, value)] = step.headers
    assert name == header
    assert len(value) == 32
    assert step.body is one.body
    later = await asked(ours(), chat(TALK[:2]), at(host, Terms()))
    assert later.headers == step.headers


async def test_vllm_gets_a_salt_per_tenant():
    terms = Terms(rule="vllm_blocks", read=0.0, backend="vllm")
    salt = doc(await asked(ours(), chat(), terms))["cache_salt"]
    assert 0 < len(salt) <= 128
    assert salt.isalnum()
    assert salt == doc(await asked(ours(), chat(TALK[:2]), terms))["cache_salt"]
    assert salt != doc(await asked(ours(), chat(tenant="u"), terms))["cache_salt"]
    assert isinstance(await asked(ours(), chat(cache_salt="own"), terms), Skip)


@pytest.mark.parametrize(
    "terms",
    [
        Terms(),
        Terms(rule="none", backend="openai"),
        at("llm.example.com"),
        at("llm.example.com", GPT),
        at("notopenai.com", GPT),
        at("api.anthropic.com"),  # its OpenAI-compatible endpoint takes no marks
    ],
)
async def test_nothing_is_sent_on_a_guess(terms):
    assert isinstance(await asked(ours(), chat(tools=TOOLS), terms), Skip)


async def test_older_openai_models_get_a_key_only():
    terms = at("api.openai.com", Terms(rule="openai_steps", read=0.5, minimum=1024))
    one = chat(tools=TOOLS)
    made = doc(await asked(ours(), one, terms))
    assert made.pop("prompt_cache_key")
    assert made == json.loads(one.body.raw)


@pytest.mark.parametrize("own", ["prompt_cache_key", "prompt_cache_retention"])
async def test_who_sees_to_caching_alone_gets_no_key_either(own):
    terms = at("api.openai.com", Terms(rule="openai_steps", read=0.5, minimum=1024))
    assert (await asked(ours(), chat(**{own: "24h"}), terms)).why == "set by the client"


async def test_what_was_rejected_is_never_sent_again():
    policy, shelf = ours(), Shelf()
    step = await asked(policy, chat(), GPT, shelf=shelf)
    outcome = Outcome(400, "a", revoked=step.revocable)
    await policy.settle(chat(), step, outcome, shelf)
    assert isinstance(await asked(policy, chat(), GPT, shelf=shelf), Skip)
    assert isinstance(await asked(ours(), chat(), GPT, shelf=shelf), Skip)
    assert isinstance(await asked(policy, chat(model="m2"), GPT, shelf=shelf), Edit)


async def test_failures_teach_nothing():
    policy, terms = ours(), at("openrouter.ai")
    for outcome in (Outcome(500, "a"), Outcome(200, "a", collapsed=True)):
        step = await asked(policy, chat(TALK[:2]), terms)
        await policy.settle(chat(TALK[:2]), step, outcome, Shelf())
    assert len(policy._memory._forest) == 0


async def test_a_cache_that_lost_its_entries_is_not_believed():
    policy, terms = ours(), at("openrouter.ai")
    lost = Usage(uncached=5000, read=0, write=0, output=1)
    for number in range(30):
        one = chat([TALK[0], {"role": "user", "content": f"{number}?"}])
        step = await answered(policy, one, terms, 1e9 + number, usage=lost)
    assert not any(node.warm > 1e9 for node in policy._memory._forest._young.values())
    assert isinstance(step, Edit)


async def test_tenants_learn_nothing_from_each_other():
    policy, terms = ours(), at("openrouter.ai")
    once = [TALK[0], {"role": "user", "content": "1?"}]
    for number in range(3):
        await answered(policy, chat(once), terms, 1e9 + number)
    other = [{"role": "system", "content": LONG + "No."}, once[1]]
    known = await asked(policy, chat(once, tenant="u"), terms, 1e9 + 4)
    unknown = await asked(policy, chat(other, tenant="v"), terms, 1e9 + 4)
    assert marked(known) == marked(unknown)  # what is known of the first is not told
    assert marked(await asked(policy, chat(once), terms, 1e9 + 4)) != []


async def asked_once(policy, terms, number, shift=0.0, **more):
    """A prompt that stands alone, with tools; its bill where nothing can be read: 1 is direct's."""
    said = [{"role": "user", "content": f"{number}? {LONG}"}]
    return await answered(policy, chat(said, tools=LITTLE, **more), terms, 1e9 + shift)


LITTLE = [{"type": "function", "function": {"name": "a", "description": "Does a."}}]


@pytest.mark.parametrize("apart", [0.0, 0.01, 5.0, 400.0])
@pytest.mark.parametrize("tenants", [1, 7, 100])
async def test_prompts_that_stand_alone_are_not_written_however_few_they_are(apart, tenants):
    policy, terms = ours(), at("openrouter.ai")
    for number in range(100):
        tenant = f"t{number % tenants}"
        step = await asked_once(policy, terms, number, apart * number, tenant=tenant)
        assert marked(step) == []


@pytest.mark.parametrize("more", [{}, {"tools": TOOLS}])
@pytest.mark.parametrize("count", [30, 300])
async def test_heads_that_never_recur_are_written_once_at_most(count, more):
    """By all tenants together, before anything is known."""
    policy, terms = ours(), at("openrouter.ai")
    written = 0
    for number in range(count):
        said = [{"role": "system", "content": f"{number} {LONG}"}, TALK[1]]
        one = chat(said, **more, tenant=f"t{number}")
        step = await asked(policy, one, terms, 1e9 + number)
        tokens = len(one.body.raw) // 4
        write = tokens if marked(step) else 0
        usage = Usage(uncached=tokens - write, write=write, output=1)
        await policy.settle(one, step, Outcome(200, "a", usage=usage), Shelf())
        written += bool(write)
    assert written <= 1


async def test_a_mark_is_a_venture_that_the_balance_bounds():
    """Two turns and no third, in as many conversations as there are: each second one is lost."""
    policy, terms = ours(), at("openrouter.ai")
    paid = total = 0.0
    for number in range(60):
        said = [{"role": "system", "content": f"{number} {LONG}"}, TALK[1]]
        for turn in range(2):
            one = chat(said, tools=LITTLE, tenant="t")
            step = await asked(policy, one, terms, 1e9 + 600 * number + turn)
            tokens = len(one.body.raw) // 4
            write = tokens if marked(step) else 0  # and this provider never finds it again
            usage = Usage(uncached=tokens - write, write=write, output=1)
            await policy.settle(one, step, Outcome(200, "a", usage=usage), Shelf())
            paid += tokens + 0.25 * write
            total += tokens
            said = [*said, *TALK[2:]]
    assert paid < 1.02 * total


async def test_a_new_tenants_traffic_is_judged_by_that_of_others():
    policy, terms = ours(), at("openrouter.ai")
    for number in range(20):  # instructions of one tenant's that are read again and again
        said = [TALK[0], {"role": "user", "content": f"{number}?"}]
        await answered(policy, chat(said), terms, 1e9 + number)
    step = await asked(policy, chat([TALK[0], TALK[1]], tenant="new"), terms, 1e9 + 30)
    assert marked(step) == [0]


async def test_more_kinds_of_traffic_than_are_held_are_marked_all_the_same():
    policy, terms = ours(memory="2MB"), at("openrouter.ai")
    marks = 0
    for turn in range(3):
        for tenant in range(200):  # none of whom is remembered from one turn to the next
            said = [{"role": "system", "content": f"{tenant} {LONG}"}]
            said += [*TALK[1:3] * turn, TALK[1]]
            one = chat(said, tools=LITTLE, tenant=f"t{tenant}")
            step = await answered(policy, one, terms, 1e9 + 60 * turn + tenant / 10)
            marks += turn > 0 and bool(marked(step))
    assert len(policy._memory._traffic) < 50
    assert marks > 300


async def test_openai_may_write_what_is_read_again_late():
    """Conversations that go on after two minutes, of five that the provider keeps them."""
    policy, terms = ours(), replace(GPT, lifetime=300.0)
    turns = []
    for number in range(20):
        said = [{"role": "user", "content": f"{number} {LONG}"}]
        turns.append((60.0 * number, said))
        turns.append((60.0 * number + 120, [*said, *TALK[2:]]))
    for now, said in sorted(turns, key=lambda turn: turn[0]):
        step = await answered(policy, chat(said), terms, 1e9 + now)
        assert len(said) > 1 or "prompt_cache_options" not in doc(step)


async def test_a_request_that_comes_while_another_like_it_runs_is_marked():
    policy, terms = ours(), at("openrouter.ai")
    crowd = [chat([TALK[0], {"role": "user", "content": f"{n}?"}]) for n in range(5)]
    other = [{"role": "system", "content": f"Or not. {LONG}"}, TALK[1]]
    assert marked(await answered(policy, chat(other), terms)) == [0]  # the one guess
    assert [marked(await asked(policy, one, terms)) for one in crowd] == [[]] * 5  # for show
    steps = [await sent(policy, one, terms) for one in crowd]
    assert [marked(step) for step in steps] == [[], [0], [0], [0], [0]]
    for one, step in zip(crowd, steps, strict=True):
        policy.land(one, step)
    assert marked(await asked(policy, crowd[0], terms, 1e9 + 1)) == []


async def test_of_a_crowd_that_does_not_wait_few_are_marked():
    policy, terms = ours(), at("openrouter.ai")
    urgent = Controls(priority="high")
    crowd = [
        chat([TALK[0], {"role": "user", "content": f"{n}?"}], controls=urgent) for n in range(20)
    ]
    steps = [await sent(policy, one, terms) for one in crowd]
    assert 0 < sum(bool(marked(step)) for step in steps) <= 3


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": [{"type": "smell"}]}]},
        {"messages": [{"role": "nobody", "content": "hi"}]},
        {"messages": TALK, "tools": {}},
    ],
)
async def test_unknown_shapes_pass_untouched(body):
    assert (await asked(ours(), call(body), GPT)).why == "unknown shape"


async def test_repeated_keys_pass_untouched():
    raw = b'{"messages":[{"role":"user","content":"a","content":"b"}]}'
    one = call(body=Body(raw))
    assert isinstance(await asked(ours(), one, GPT), Skip)


async def test_128_tools_of_one_name_are_only_followed():
    one = chat(tools=TOOLS * 128)
    assert doc(await asked(ours(), one, GPT))["tools"] == TOOLS * 128


@pytest.mark.parametrize("clock", [[1e9, 5.0, 1e9], [1e9, 2e9, 1e9 + 1], [0.0, -1.0, 3.0]])
async def test_clocks_may_jump(clock):
    policy = ours()
    for now in clock:
        step = await answered(policy, chat(tools=TOOLS), GPT, now)
        assert isinstance(step, Edit)


async def test_the_prompt_stays_the_same_prompt():
    one = chat(tools=TOOLS)
    step = await asked(ours(), one, GPT)
    edited = call(body=step.body)
    assert [b.chain for b in blocks(edited)] == [b.chain for b in blocks(one)]


async def test_memory_is_shared_by_all_traffic():
    policy = ours(memory="1MB")
    for number in range(3000):
        one = chat([{"role": "user", "content": f"{number}"}], model=f"m{number}", tools=TOOLS)
        await answered(policy, one, GPT, 1e9 + number)
    assert len(policy._memory._traffic) < 20
    assert len(policy._memory._forest) * 400 < 1_000_000
