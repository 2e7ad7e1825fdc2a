from msgspec import Raw

from policies.base.prompt_turns import Laid, Latest, laid

BODY = b'{"messages":[{"role":"user","content":"%d %s"}'


def body(number, size=10_000):
    raw = BODY % (number, b"x" * size)
    return Laid(raw, 12, [(13, len(raw))])


def test_what_goes_on_from_a_body_is_found():
    latest = Latest()
    first = body(1)
    latest.keep(first, None)
    assert latest.before(first.text + b",{}]}") is first
    assert latest.before(first.text + b"]}") is None
    assert latest.before(body(2).text + b",{}]}") is None


def test_the_next_turn_takes_the_place_of_the_one_before():
    latest = Latest()
    first = body(1)
    latest.keep(first, None)
    raw = first.text + b',{"a":1}'
    second = Laid(raw, 12, [*first.spans, (len(first.text) + 1, len(raw))])
    latest.keep(second, first)
    assert latest.before(raw + b",{}]}") is second
    assert latest.before(first.text + b",{}]}") is None


def test_memory_is_bounded_whatever_comes():
    latest = Latest()
    for number in range(1000):
        latest.keep(body(number, 100_000), None)
    held = sum(len(each.text) for kept in latest._known.values() for each in kept)
    assert 1_000_000 < held < 16_000_000
    for _ in range(300):
        latest.keep(body(1, 100_000), None)
    assert sum(map(len, latest._known.values())) < 100


def test_what_stands_behind_the_messages_counts_too():
    latest = Latest()
    for number in range(1000):
        raw = BODY % (number, b"x" * 5000)
        latest.keep(Laid(raw + b"y" * 100_000, 12, [(13, len(raw))]), None)
    assert len(latest._known) < 160


def test_items_lie_where_they_stand():
    raw = b'[ {"a":1} ,\n"b",3]'
    items = [Raw(b'{"a":1}'), Raw(b'"b"'), Raw(b"3")]
    assert laid(raw, 1, items) == [(2, 9), (12, 15), (16, 17)]
    assert laid(raw, 1, [Raw(b'"c"')]) is None
