"""Long bodies are read in a thread, to the same blocks; short ones and next turns at once."""

import json
import threading

import pytest
from backends import call, replaced

from policies.base import prompt
from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.prompt import LONG, blocks, fields, read_apart, reading

TEXT = "é, what a tool has found; "


def said(name, size):
    return [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": name},
        {"role": "user", "content": TEXT * (size // len(TEXT))},
    ]


def of(messages, dialect=Dialect.CHAT):
    return call(body=Body(json.dumps({"messages": messages}).encode()), dialect=dialect)


@pytest.fixture
def apart(monkeypatch):
    """For each body that was read, whether that was in a thread."""
    seen = []

    def watched(*args):
        seen.append(threading.current_thread() is not threading.main_thread())
        return found(*args)

    found = prompt._found
    monkeypatch.setattr(prompt, "_found", watched)
    return seen


async def test_a_long_body_is_read_in_a_thread_and_once(apart):
    one = of(said("long", 2 * LONG))
    await read_apart(one)
    await read_apart(one)
    assert apart == [True]
    assert len(blocks(one)) == 3
    assert fields(one).messages
    assert reading(one).blocks is blocks(one)
    assert apart == [True]  # it was read
    assert blocks(replaced(one, body=Body(one.body.raw))) == blocks(one)


async def test_a_short_body_is_read_at_once(apart):
    one = of(said("short", LONG // 2))
    await read_apart(one)
    assert apart == [False]
    assert one.body.blocks is not None


async def test_of_the_next_turn_only_what_is_new_counts(apart):
    messages = said("turns", 2 * LONG)
    await read_apart(of(messages))
    messages += [{"role": "user", "content": "and now?"}]
    following = of(messages)
    await read_apart(following)
    assert apart == [True, False]
    assert reading(following).known == 3
    messages += [{"role": "user", "content": TEXT * (2 * LONG // len(TEXT))}]
    longer = of(messages)
    await read_apart(longer)
    assert apart == [True, False, True]
    assert reading(longer).known == 4


async def test_what_is_no_prompt_is_left_unread():
    one = call(body=Body(b"[" + b" " * 2 * LONG), dialect=Dialect.CHAT)
    await read_apart(one)
    assert blocks(one) is None
