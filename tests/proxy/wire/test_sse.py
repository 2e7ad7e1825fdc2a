import pytest

from proxy.wire import sse


def test_comments_unknown_fields_and_empty_events_are_skipped():
    body = b": keep-alive\n\nevent: x\n\nretry: 10\nfoo: bar\ndata:a\ndata\ndata:  b\n\n"
    assert sse.events(body) == [sse.Event(b"a\n\n b", "message")]


def test_the_last_event_id_stays_until_it_changes():
    body = b"id: 7\ndata: a\n\ndata: b\n\nid: \0\ndata: c\n\nid\ndata: d\n\n"
    assert [event.id for event in sse.events(body)] == ["7", "7", "7", ""]


def test_an_unfinished_event_is_dropped_and_reported():
    parser = sse.Parser()
    assert parser.feed(b"data: a\n\ndata: b\n") == [sse.Event(b"a")]
    assert parser.close()
    assert not parser.close()
    assert sse.events(b"data: a\n\ndata: b\n") == [sse.Event(b"a")]


@pytest.mark.parametrize("endless", [b"x", b"data: y\n", b": comment\n"])
def test_an_event_without_end_is_refused_at_the_limit(endless):
    parser = sse.Parser(1000)
    for _ in range(1000 // len(endless)):
        assert parser.feed(endless) == []
    with pytest.raises(sse.EventTooLong):
        parser.feed(endless * 2)
    assert len(parser._pending) <= 1000 + 2 * len(endless)


def test_many_events_pass_under_the_limit():
    parser = sse.Parser(10)
    assert len(parser.feed(b"data: a\n\n" * 1000)) == 1000


def test_data_of_several_lines_is_encoded_as_such():
    assert sse.encode(b"a\r\nb\rc", "x") == b"event: x\ndata: a\ndata: b\ndata: c\n\n"


def test_only_blank_lines_and_comments_may_follow_the_end():
    done = b"data: [DONE]\r\n\r\n"
    assert sse.ended(done)
    assert sse.ended(done + b"\r\n: bye\n")
    assert not sse.ended(done + b"data: {")
    assert not sse.ended(done[:-2])
