"""The laws of the text and log codecs, for any text and for text that imitates their notes."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compress import backref, log_codec, text_items, text_repeats
from policies.compress.backref import Earlier
from policies.compress.backref_index import LineIndex
from policies.compress.text_choice import choose, decode, normal
from policies.compress.text_protected import looks_like_code_or_diff
from policies.compress.text_screen import screen, shown

ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r", "", "\x85", "\u2028"])
NOTES = st.sampled_from(
    [
        "[the last line repeats 3 more times]",
        "\\[the last 2 lines repeat 1 more time]",
        '[lines 1-3 of message 4 stand here again, from "a" to "b"]',
        '\\\\[lines 1-2 of message 4 stand here again, from "a" to "b"]',
        "---",
        "A={0} {t} {{",
        "A x y",
        "@2026-01-01 00:00:00",
        "^ ^",
        "00:00:01A ^",
        " indented",
        "",
        "^",
    ]
)
WORDS = st.sampled_from(
    [
        *("open", "closed", "eth0", "10.0.0.1:80", "{0}", "{", "}}", "^", "\\", "é☃", "a_1_b"),
        *("b_2_b", "", "12-x", "7-y", "key=1", "key=22", '"quoted', "\x1b[31m", "\t"),
        *("\x01", "\0", "\ud800"),
    ]
)
TIMES = st.builds(
    "{:04}-{:02}-{:02} 0{}:{:02}:{:02}".format,
    st.integers(1999, 2026),
    st.integers(1, 2),
    st.integers(1, 28),
    st.integers(0, 9),
    st.integers(0, 59),
    st.integers(0, 59),
)
LINES = st.one_of(
    NOTES,
    st.text(max_size=30),
    st.lists(WORDS, max_size=6).map(" ".join),
    st.tuples(TIMES, st.lists(WORDS, max_size=4)).map(lambda pair: " ".join((pair[0], *pair[1]))),
)


@st.composite
def texts(draw):
    """Lines of which many come again, alone or in blocks, with ends of all kinds."""
    pool = draw(st.lists(st.tuples(LINES, ENDS).map("".join), min_size=1, max_size=8))
    order = draw(st.lists(st.sampled_from(pool), max_size=40))
    return "".join(order) * draw(st.sampled_from([1, 1, 1, 2, 9]))


@st.composite
def logs(draw):
    """Lines of few forms, long enough to be rewritten, and strange ones between."""
    forms = draw(st.lists(st.lists(WORDS, min_size=3, max_size=7), min_size=1, max_size=3))
    size = draw(st.integers(12, 60))
    lines = []
    time = draw(TIMES)
    for _ in range(size):
        words = list(draw(st.sampled_from(forms)))
        words[draw(st.integers(0, len(words) - 1))] = draw(WORDS | st.integers().map(str))
        if draw(st.booleans()):
            time = draw(TIMES)
        lines.append(draw(LINES) if draw(st.integers(0, 9)) == 0 else " ".join((time, *words)))
    return draw(st.sampled_from(["\n", "\n", "\r\n"])).join([*lines, draw(LINES)])


@pytest.mark.parametrize("codec", [text_repeats, text_items, log_codec])
@given(text=st.one_of(texts(), logs()))
@settings(max_examples=100, deadline=None)
def test_what_is_encoded_comes_back(codec, text):
    encoded = codec.encode(text, len)
    if encoded is not None:
        assert codec.decode(encoded) == text
        assert len(encoded) < len(text) or codec is text_items


@given(separator=st.sampled_from(["), ", "; ", ", "]), things=st.lists(LINES, min_size=30))
@settings(max_examples=50, deadline=None)
def test_lists_come_back(separator, things):
    text = separator.join(f"{thing} of ten or more" for thing in things)
    encoded = text_items.encode(text, len)
    if encoded is not None:
        assert text_items.decode(encoded) == text


@given(text=st.one_of(texts(), logs()))
@settings(max_examples=100, deadline=None)
def test_the_screen_is_a_normal_form(text):
    seen = screen(text)
    assert screen(seen) == seen
    assert shown(seen) == seen
    assert normal(normal(text)) == normal(text)
    assert "\x1b" not in seen
    assert len(seen) <= len(text) or "\x1b[" in text


@given(text=st.text("ab \t\r\n\x08\x1b[;012ABCDEFGHJKm]\x07", max_size=60))
@settings(max_examples=500, deadline=None)
def test_the_screen_is_a_normal_form_of_any_terminal_output(text):
    seen = screen(text)
    assert screen(seen) == seen
    assert "\x1b" not in seen
    assert "\x08" not in seen


@given(text=st.one_of(texts(), logs()))
@settings(max_examples=100, deadline=None)
def test_the_choice_comes_back_in_normal_form(text):
    chosen = choose(text, len)
    assert decode(chosen) == normal(text)
    if looks_like_code_or_diff(text):
        assert chosen == (text, ())


@given(new=texts(), old=st.lists(texts(), max_size=3), cut=st.integers(0, 200))
@settings(max_examples=100, deadline=None)
def test_what_refers_back_comes_back(new, old, cut):
    earlier = [Earlier(f"message {place}", text) for place, text in enumerate(old)]
    text = new + "".join(old)[cut:] + new
    encoded = backref.encode(text, earlier, len, LineIndex())
    if encoded is not None:
        assert backref.decode(encoded, earlier) == text
        assert len(encoded) < len(text)


@given(text=st.one_of(texts(), NOTES, LINES))
@settings(max_examples=100, deadline=None)
def test_decoding_what_nobody_encoded_is_a_value_error_or_a_text(text):
    decoders = (text_repeats.decode, log_codec.decode, lambda one: backref.decode(one, []))
    assert all(isinstance(decoded(decoder, text), str | ValueError) for decoder in decoders)


FORMS = st.sampled_from(
    ["A=x {0} {t}", "A={0.real}", "A={9}", "A={", "A=}}{{{0}", "A", "AB={1}\n x"]
)


@given(forms=st.lists(FORMS, max_size=2), body=texts())
@settings(max_examples=100, deadline=None)
def test_a_forged_log_is_a_value_error_or_a_text(forms, body):
    head = log_codec.encode("status half installed 12\n" * 40, len).partition("\n")[0]
    text = "\n".join([head, *forms, "---", body])
    assert isinstance(decoded(log_codec.decode, text), str | ValueError)


def decoded(decoder, text):
    try:
        return decoder(text)
    except ValueError as error:
        return error


def test_the_corpus_of_this_repository_comes_back():
    root = Path(__file__).parents[2]
    files = sorted(root.glob("docs/*.md"))[:20] + sorted(root.glob("*.md"))
    assert files
    for file in files:
        text = file.read_text()
        assert decode(choose(text, len)) == normal(text)
