import gzip
import json

import pytest
from backends import JSON, Pieces, call
from hypothesis import given
from hypothesis import strategies as st

from policies.base.call import Effect
from policies.base.plan import Plan, Row
from policies.base.reply import Reply
from policies.base.step import Edit, Skip
from proxy.rejected import rejected


def planned(*rows):
    """Rows are `(policy, revocable fields, applied)`, or `(policy,)` of one that skipped."""
    one = call()
    made = []
    for name, *rest in rows:
        step = Edit(one.body, Effect.EXACT, "", revocable=rest[0]) if rest else Skip("")
        made.append(Row(name, step, 0.0, rest[1] if rest else True, "on", one))
    return Plan(one, one, tuple(made), None, "default")


MARKS = ("marks", ("cache_control", "prompt_cache_key"), True)
SALT = ("salt", ("cache_salt",), True)


def arriving(*pieces, headers=JSON):
    """A 400 whose body comes in these pieces, and which ends as often as it is asked."""
    chunks = Pieces()
    chunks.put(*pieces, None, None)
    return Reply(400, headers, chunks)


def refused(message):
    return arriving(json.dumps({"error": {"message": message}}).encode())


async def read(reply):
    return b"".join([chunk async for chunk in reply.chunks])


async def test_the_policy_whose_field_is_named_and_the_field():
    found = await rejected(planned(SALT, MARKS), refused("no 'prompt_cache_key', please"))
    assert (found.policy, found.fields) == ("marks", ("prompt_cache_key",))


async def test_all_fields_that_are_named():
    found = await rejected(planned(MARKS), refused("cache_control and prompt_cache_key"))
    assert found.fields == ("cache_control", "prompt_cache_key")


@pytest.mark.parametrize(
    "rows",
    [
        [("marks", ("cache_control",), False)],  # in shadow mode, say
        [("marks", (), True)],
        [("marks",)],
        [],
        [SALT],
    ],
)
async def test_nobody_where_no_applied_edit_has_such_a_field(rows):
    assert await rejected(planned(*rows), refused("no cache_control")) is None


async def test_an_unrelated_error_names_nobody_and_is_still_there():
    reply = arriving(b"temperature is out of range")
    assert await rejected(planned(MARKS), reply) is None
    assert await read(reply) == b"temperature is out of range"


async def test_a_reply_that_nobody_could_be_named_in_is_not_read():
    pieces = Pieces()  # reading it would never end
    reply = Reply(400, JSON, pieces)
    assert await rejected(planned(("marks", (), True)), reply) is None
    assert reply.chunks is pieces


async def test_an_error_that_comes_in_pieces():
    reply = arriving(b'{"error": "no cache_', b'control"}')
    assert (await rejected(planned(MARKS), reply)).policy == "marks"
    assert await read(reply) == b'{"error": "no cache_control"}'


async def test_an_error_that_is_compressed_stays_so():
    body = gzip.compress(b"no cache_control")
    reply = arriving(body, headers=(*JSON, (b"content-encoding", b"gzip")))
    assert (await rejected(planned(MARKS), reply)).policy == "marks"
    assert await read(reply) == body


async def test_an_error_in_an_encoding_that_is_not_known_names_nobody():
    reply = arriving(b"no cache_control", headers=(*JSON, (b"content-encoding", b"br")))
    assert await rejected(planned(MARKS), reply) is None
    assert await read(reply) == b"no cache_control"


async def test_of_an_endless_error_a_bounded_part_is_read_and_all_is_passed_on():
    pieces = Pieces()
    sent = [b"x" * 50_000, b"y" * 50_000, b"cache_control"]
    pieces.put(*sent)
    reply = Reply(400, JSON, pieces)
    assert await rejected(planned(MARKS), reply) is None
    assert pieces.queue.qsize() == 1  # the third was not asked for
    pieces.put(None)
    assert await read(reply) == b"".join(sent)


async def test_a_reply_that_is_given_up_closes_its_connection():
    reply = arriving(b"no temperature")
    pieces = reply.chunks
    await rejected(planned(MARKS), reply)
    await anext(reply.chunks)
    await reply.chunks.aclose()
    assert pieces.closed


async def test_a_reply_that_is_given_up_before_it_is_passed_on_closes_its_connection():
    reply = arriving(b"x" * 100_000, b"more")
    pieces = reply.chunks
    await rejected(planned(MARKS), reply)
    await reply.chunks.aclose()
    assert pieces.closed


@given(st.lists(st.binary(max_size=40), max_size=6))
async def test_whatever_comes_is_passed_on_unchanged(pieces):
    reply = arriving(*pieces)
    await rejected(planned(MARKS), reply)
    assert await read(reply) == b"".join(pieces)
