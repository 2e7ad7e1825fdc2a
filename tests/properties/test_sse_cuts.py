"""The event stream parser gives the same events however the bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.wire import sse

pieces = st.sampled_from(
    [
        b"data", b"event", b"id", b"retry", b":", b": ", b" ", b"\n", b"\n\n", b"\r", b"\r\n",
        b"\r\n\r\n", b"\r\r", b"\xef\xbb\xbf", b"\xef", "é🙂".encode(), b"\0", b"[DONE]", b"{}",
    ]
)  # fmt: skip
streams = st.lists(pieces, max_size=30).map(b"".join) | st.binary(max_size=60)


def by_line(body):
    """The standard's own steps, read literally, line by line."""
    body = body.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found, data, name, last_id = [], b"", "", ""
    for line in body.split(b"\n")[:-1]:
        if not line:
            if data:
                found.append(sse.Event(data[:-1], name or "message", last_id))
            data, name = b"", ""
        elif not line.startswith(b":"):
            field, _, value = line.partition(b":")
            value = value[1:] if value.startswith(b" ") else value
            if field == b"data":
                data += value + b"\n"
            elif field == b"event":
                name = value.decode("utf-8", "replace")
            elif field == b"id" and b"\0" not in value:
                last_id = value.decode("utf-8", "replace")
    return found


@given(streams, st.lists(st.integers(0, 80)))
@example(b"data: a\r\n\r\ndata: b\r\n\r\n", [8, 9, 10])
@example(b"\xef\xbb\xbfdata: a\n\n", [1, 2])
@example(b"\n\n\xef\xbb\xbfdata: a\n\n", [1])
@example("data: 🙂\n\n".encode(), [7, 8, 9, 10, 11])
def test_any_cut_gives_the_standards_events_at_once(body, cuts):
    parser = sse.Parser()
    fed = []
    for start, end in pairwise(edges(body, cuts)):
        fed += parser.feed(body[start:end])
        assert fed == by_line(body[:end])
    assert sse.events(body) == by_line(body)


def edges(body, cuts):
    return [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]


@given(streams, st.integers(3, 12), st.lists(st.integers(0, 80)))  # a BOM is 3 bytes
def test_the_limit_does_not_depend_on_the_cut(body, limit, cuts):
    def over(places):
        parser = sse.Parser(limit)
        try:
            for start, end in pairwise(places):
                parser.feed(body[start:end])
        except sse.EventTooLong:
            return True
        return False

    whole = over([0, len(body)])
    assert whole == over(edges(body, cuts))
    assert whole == over(list(range(len(body) + 1)))


lines = st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)), max_size=20)


@given(st.lists(lines, min_size=1, max_size=4), st.none() | lines.filter(bool))
def test_encoded_events_are_read_back(data, name):
    body = sse.encode("\n".join(data).encode(), name)
    assert sse.events(body) == [sse.Event("\n".join(data).encode(), name or "message")]
    assert sse.ended(body)


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_stream_cut_anywhere_has_not_ended(cut):
    body = sse.encode(b'{"a": 1}', "x") + sse.encode(b"[DONE]")
    assert not sse.ended(body[:-cut]) or len(sse.events(body[:-cut])) < 2
