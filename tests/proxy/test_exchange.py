"""What policies take to be under way is what has been sent and is not over yet."""

import asyncio
import contextlib

import pytest
from backends import JSON, SSE, Pieces, call

from policies.base.call import Effect
from policies.base.reply import Reply
from policies.base.terms import Terms
from policies.base.usage import Usage
from policies.prefix_breakpoints import Breakpoints
from policies.prefix_canonical import CanonicalTools
from policies.prefix_volatile import VolatileLines
from proxy.engine import Engine
from proxy.errors import UpstreamError
from proxy.exchange import CutOff, Exchange
from proxy.guards.guards import Guards
from proxy.guards.monotone import Monotone
from proxy.guards.rollback import Rollback
from proxy.lane import Lane
from proxy.pipeline import Pipeline, Stage
from proxy.stores.bound import bind
from proxy.stores.memory import MemoryTier
from tests.fakes.round_replies import Tool

TERMS = Terms(
    *("anthropic_marks", 1e-6, 1e-6, 0.1, 1.25, 1024, 1, 300.0),
    backend="http",
    host="openrouter.ai",
)
LONG = "It is so. " * 1000
TOOLS = [{"type": "function", "function": {"name": "a", "description": "Does a."}}]
ANSWER = b'{"choices":[{"index":0,"message":{"content":"So."},"finish_reason":"stop"}]}'
REJECTION = b'{"error":{"message":"cache_control: Extra inputs are not permitted"}}'


class Client:
    """Takes all, and may hang up."""

    def __init__(self):
        self.listener = None

    async def send(self, message):
        await asyncio.sleep(0)

    def respond(self, status, fields, body):
        self.status = status

    def on_disconnect(self, listener):
        self.listener = listener


class Books:
    def __init__(self):
        self.closed = []
        self.texts = []

    def close(self, plan, outcome, texts):
        self.closed.append(outcome)
        self.texts += texts


class Upstream:
    """Does in turn what each of `deeds` says; calls that it has begun are in `calls`."""

    def __init__(self, *deeds):
        self.deeds = list(deeds)
        self.calls = []

    async def send(self, one):
        self.calls.append(one)
        return await self.deeds.pop(0)()


class House:
    """The default pipeline's prefix policies, the real engine and exchanges."""

    def __init__(self, *deeds, holdout=0.0, effects=frozenset(Effect), shadow=False):
        tier = MemoryTier(10_000_000)
        self.upstream = Upstream(*deeds)
        self.marks = Breakpoints(Breakpoints.Settings())
        policies = (
            CanonicalTools(CanonicalTools.Settings()),
            VolatileLines(VolatileLines.Settings()),
            self.marks,
        )
        self.failed = []
        self.drifts = 0
        engine = Engine(
            lambda space, tenant: bind(tier, space, tenant),
            self.failed.append,
            lambda _: TERMS,
            Guards(Monotone(), lambda _: TERMS, self._drifted, Rollback()),
        )
        stages = tuple(Stage(policy, shadow, 5.0) for policy in policies)
        pipeline = Pipeline("p", stages, effects, holdout)
        self.books = Books()
        self.lane = Lane(engine, pipeline, lambda _: self.upstream, self.books, 1_000_000)

    def _drifted(self):
        self.drifts += 1

    async def ask(self, one):
        with contextlib.suppress(CutOff):
            await Exchange(one, self.lane, Client(), 0.0).run()

    async def plan(self, one):
        return await self.lane.engine.plan(one, self.lane.pipeline)

    def under_way(self):
        """Risks of all accounts, and the heads that are being written."""
        memory = self.marks._memory
        accounts = [memory._all, *memory._accounts.values()]
        flights = [found.flights._known for found in memory._traffic.values()]
        return sum(account._open for account in accounts), sum(map(len, flights))


def marked(plan):
    return b"cache_control" in plan.call.body.raw


def once(number, **fields):
    """With tools and instructions, and nothing in common with any other."""
    said = [{"role": "system", "content": f"{number} {LONG}"}, {"role": "user", "content": "Hi"}]
    return call({"messages": said, "tools": TOOLS}, **fields)


def replying(status, body=ANSWER):
    async def deed():
        pieces = Pieces()
        pieces.put(body, None)
        return Reply(status, JSON, pieces, "a", body)

    return deed


def cut_off(kind, *before):
    """A reply that breaks off."""

    async def deed():
        pieces = Pieces()
        pieces.put(*before, UpstreamError("it broke off"))
        return Reply(200, kind, pieces, "a")

    return deed


async def refusing():
    raise UpstreamError("nobody is there")


async def breaking():
    raise RuntimeError("a fault of ours")


DEEDS = {
    "answered": [replying(200)],
    "failed": [replying(500, b"{}")],
    "refused": [refusing],
    "a fault": [breaking],
    "no body": [cut_off(JSON)],
    "cut off": [cut_off(SSE, b'data: {"choices":[]}\n\n')],
    "rejected": [replying(400, REJECTION), replying(200)],
    "rejected, then refused": [replying(400, REJECTION), refusing],
    "rejected, then failed": [replying(400, REJECTION), replying(500, b"{}")],
}


@pytest.mark.parametrize("deeds", DEEDS.values(), ids=DEEDS)
async def test_nothing_is_under_way_once_it_is_over(deeds):
    house = House(*deeds)
    await house.ask(once(1))
    assert b"cache_control" in house.upstream.calls[0].body.raw
    assert not house.upstream.deeds
    assert house.under_way() == (0.0, 0)
    assert house.failed == []


async def test_what_had_come_of_a_stream_that_breaks_off_is_paid_for():
    """As if its client had hung up."""
    word = b'data: {"choices":[{"index":0,"delta":{"content":"So"},"finish_reason":null}]}\n\n'
    told = b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}\n\n'
    for pieces, usage, texts in ([word], None, ["So"]), ([word, told], Usage(7, output=2), []):
        house = House(cut_off(SSE, *pieces))
        await house.ask(once(1, stream=True))
        [outcome] = house.books.closed
        assert (outcome.status, outcome.error, outcome.usage) == (200, "upstream_error", usage)
        assert house.books.texts == texts


ERROR = b'data: {"error":{"message":"overloaded"}}\n\n'
TOLD = b'data: {"choices":[],"usage":{"prompt_tokens":7}}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize(
    ("wire", "usage"), [(ERROR, Usage(60, 40, output=10)), (ERROR + TOLD, Usage(7))]
)
async def test_rounds_before_one_that_ends_in_an_error_are_paid_for(wire, usage):
    tool = Tool()
    tool.spent = Usage(60, 40, output=10)

    async def deed():
        pieces = Pieces()
        pieces.put(wire, None)
        return Reply(200, SSE, pieces, "a")

    house = House(deed)
    await house.ask(once(1, stream=True, local=tool))
    assert [outcome.usage for outcome in house.books.closed] == [usage]


async def test_what_is_being_sent_is_under_way():
    found = []

    async def looking():
        found.append(house.under_way())
        return await replying(200)()

    house = House(looking)
    await house.ask(once(1))
    [(risk, flights)] = found
    assert risk > 100
    assert flights == 1


@pytest.mark.parametrize("begun", [False, True])
async def test_nothing_is_under_way_once_the_client_has_gone(begun):
    pieces, asked = Pieces(), asyncio.Event()

    async def hanging():
        asked.set()
        if not begun:
            await asyncio.Event().wait()
        pieces.put(b'data: {"choices":[]}\n\n')
        return Reply(200, SSE, pieces, "a")

    house = House(hanging)
    client = Client()
    task = asyncio.create_task(Exchange(once(1), house.lane, client, 0.0).run())
    await asked.wait()
    assert house.under_way()[1] == 1
    client.listener(task.cancel)
    await task
    await asyncio.sleep(0.01)
    assert house.under_way() == (0.0, 0)
    # It may have been written for nobody: that is booked, so that it cannot be done for ever.
    assert house.marks._memory._all.gained < -100
    assert not marked(await house.plan(once(2, tenant="u")))


@pytest.mark.parametrize("deeds", [[refusing], [replying(500, b"{}")]], ids=["refused", "failed"])
async def test_an_outage_costs_no_marks_once_it_is_over(deeds):
    house = House(*deeds * 200)
    for number in range(200):
        await house.ask(once(number))
    assert marked(await house.plan(once(1000)))


@pytest.mark.parametrize(
    "how",
    [{"holdout": 1.0}, {"effects": frozenset()}, {"shadow": True}],
    ids=["hold-out", "denied", "shadow"],
)
async def test_what_is_not_applied_is_not_under_way(how):
    found = []

    async def looking():
        found.append(house.under_way())
        return await replying(200)()

    house = House(*[looking] * 20, **how)
    for number in range(20):
        await house.ask(once(number))
    assert found == [(0.0, 0)] * 20
    assert b"cache_control" not in b"".join(one.body.raw for one in house.upstream.calls)


async def test_plans_that_are_not_sent_are_not_under_way():
    house = House()
    for number in range(1000):
        assert marked(await house.plan(once(number)))
    assert house.under_way() == (0.0, 0)
    assert len(house.marks._memory._traffic) == 0


async def test_who_goes_while_a_rejection_is_read_leaves_nothing_open():
    pieces = Pieces()

    async def rejecting():
        return Reply(400, JSON, pieces, "a")  # the rest of the error is yet to come

    house, client = House(rejecting), Client()
    task = asyncio.create_task(Exchange(once(1), house.lane, client, 0.0).run())
    async with asyncio.timeout(5):
        while not house.upstream.calls:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        client.listener(task.cancel)
        await task
    assert pieces.closed
    assert [(outcome.status, outcome.error) for outcome in house.books.closed] == [
        (499, "client_gone")
    ]
