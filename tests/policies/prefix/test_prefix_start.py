"""What is told from a body's opening is what the whole body tells."""

import json

from backends import call
from hypothesis import given
from hypothesis import strategies as st

from policies.base.body import Body
from policies.base.call import Controls, Dialect
from policies.prefix.keys import started
from policies.prefix.volatile_turns import opens

roles = st.sampled_from(["system", "developer", "user", "assistant", "tool"])
messages = st.lists(st.fixed_dictionaries({"role": roles, "content": st.text(max_size=3)}))
tools = st.sampled_from([None, [], [{"name": "a"}], [{"name": "b"}]])
dialects = st.sampled_from([Dialect.CHAT, Dialect.RESPONSES])


@st.composite
def talks(draw):
    """Bodies that open alike, and whose members stand on either side of the messages."""
    dialect = draw(dialects)
    name = "input" if dialect is Dialect.RESPONSES else "messages"
    head = draw(st.dictionaries(st.sampled_from(["tools", "instructions"]), tools))
    shared = draw(messages.filter(bool))
    bodies = []
    for _ in range(draw(st.integers(2, 4))):
        tail = draw(st.dictionaries(st.sampled_from(["tools", "instructions", "user"]), tools))
        doc = {**head, name: shared + draw(messages)}
        bodies.append(json.dumps({**doc, **{k: v for k, v in tail.items() if k not in head}}))
    return dialect, [text.encode() for text in bodies]


def told(one):
    start = started(one)
    return (start.shared, start.conversation, opens(one)) if start else None


@given(talks(), st.booleans())
def test_a_body_that_is_read_on_starts_as_it_does_when_read_whole(talk, named):
    dialect, bodies = talk
    controls = Controls(session="s" if named else None)
    first = Body(bodies[0])
    if first.digest() is None:
        return
    for opening in first.reading.openings(bodies[0]):
        for raw in bodies * 2:  # what the first found is there for the second
            if not raw.startswith(opening.text):
                continue
            again = Body(raw)
            again.read_on(opening)
            fields = {"dialect": dialect, "controls": controls}
            assert told(call(body=again, **fields)) == told(call(body=Body(raw), **fields))


def test_messages_that_only_instruct_do_not_end_the_start():
    def asked(*roles):
        said = [{"role": role, "content": f"{role} {n}"} for n, role in enumerate(roles)]
        return json.dumps({"messages": said}).encode()

    first = Body(asked("system", "user"))
    assert first.digest() is not None
    opening = list(first.reading.openings(first.raw))[1]  # holds the first message alone
    starts = []
    for raw in (asked("system", "user"), asked("system", "system")):
        body = Body(raw)
        body.read_on(opening)
        assert body.opening is opening
        starts.append(started(call(body=body)).shared)
    assert starts[0] != starts[1]
