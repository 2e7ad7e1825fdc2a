"""Any failures of the upstream after the first round: no reply is lost, no prompt is invalid."""

import asyncio
import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.base.reply import Reply
from proxy.errors import ProxyError, UpstreamTimeout
from proxy.wire.replay_merge import CannotRender
from tests.fakes.scripted_model import RULES, Turn
from tests.properties.test_stash_turns import DIALECTS, TOOL, TURNS, Client, Endless, Model, Shelf

FAILURES = st.sampled_from([None, None, 400, 413, 429, 503, 200, "late"])
LOG = "\n".join(f"{n} line of a log" for n in range(400))
ROUNDS = 2  # that `Client` has configured


class LostError(Exception):
    """The client got an error of the upstream."""


class Failing(Model):
    """Answers the first round of each request, and fails with the others as it is told to."""

    def __init__(self, kind, chance, failures):
        super().__init__(kind, chance)
        self.failures, self.rounds = failures, 0

    async def send(self, call):
        self.rounds += 1
        failure = self.failures.pop(0) if self.failures and self.rounds > 1 else None
        if failure is None:
            if TOOL.encode() not in call.body.raw:  # a model calls no tool that it does not have
                self.turns = Endless([Turn("By myself."), *self.turns.script])
            return await super().send(call)
        assert list(RULES[self.kind](json.loads(call.body.raw))) == []
        if failure == "late":
            raise UpstreamTimeout("nothing came")

        async def chunks():
            yield b'{"error": "<html>"}'

        kind = b"text/html" if failure == 200 else b"application/json"
        return Reply(failure, ((b"content-type", kind),), chunks(), "model")


class Listener(Client):
    """Minds that it hears all that was said, and no more."""

    def _heard(self, whole):
        if "error" in whole:
            raise LostError
        return super()._heard(whole)

    def compare(self, ids, text, body):
        said, self.model.said = self.model.said, []
        gap = "\n\n" if self.kind == "chat/completions" else ""
        assert text == gap.join(each.turn.text for each in said if each.turn.text)


@settings(max_examples=100, deadline=None)
@given(
    kind=st.sampled_from(sorted(DIALECTS)),
    stream=st.booleans(),
    turns=st.lists(TURNS, min_size=1, max_size=9),
    failures=st.lists(FAILURES, max_size=9),
)
def test_no_reply_is_lost(kind, stream, turns, failures):
    asyncio.run(talk(kind, stream, turns, failures))


async def talk(kind, stream, turns, failures):
    model = Failing(kind, random.Random(1), failures)
    client = Listener(kind, model, Shelf(), stream=stream)
    model.turns = Endless(turns)
    waiting = []
    for number in range(4):
        if waiting:
            client.give(waiting, f"{number}: {LOG}")
        else:
            client.history.append({"role": "user", "content": f"{number}: {LOG}"})
        model.rounds = 0
        try:
            waiting = await client.ask()
        except (LostError, ProxyError):
            assert not any(said.turn.text for said in model.said)
            assert model.rounds >= 3  # others were tried
            return
        except CannotRender:  # a stream that ended as one that grew too long
            assert (kind, stream) == ("responses", True)
            assert any(said.turn.text for said in model.said)
            return
        assert model.rounds <= 2 * (ROUNDS + 3)
