"""Whatever the text, the native codecs of logs and terminal output make what Python makes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compress import log_codec, native
from tests.policies.compress.test_native_log import CODE, DATES, MARKED, PATTERNS, TERMINAL, TWINS
from tests.policies.compress.test_text_languages import LINES

pytestmark = pytest.mark.skipif(not native.built, reason="built without Rust")
ENDS = st.sampled_from(["\n"] * 6 + ["\r\n", "\r\n", "\r", "", "\n\n\n", " \n", "\n \n", "\x0b"])
SIGNS = st.text(
    "aAzZ019 _-.:,;/()[]{}<>'\"$@#%&*+=?!^~|\\\t\r\x00\x01\x08\x1b\x1cé☃中\u2018\xa0²\ud800",
    max_size=9,
)
NUMBERS = st.integers(0, 99)


@st.composite
def lines(draw):
    """A line of a log, of code or of a terminal, with something odd in it at times."""
    kind = draw(st.integers(0, 9))
    if kind < 6:
        pattern = draw(st.sampled_from(PATTERNS))
        line = pattern.format(n=draw(NUMBERS), kind=draw(st.sampled_from(["open", "shut", "a_b"])))
        if kind < 4:
            date = draw(st.sampled_from(DATES))
            line = f"{date.format(draw(NUMBERS), draw(NUMBERS))} {line}"
    elif kind < 9:
        line = draw(st.sampled_from([*CODE, *LINES, *MARKED, *TERMINAL]))
    else:
        line = draw(SIGNS)
    if not draw(st.integers(0, 9)):
        place = draw(st.integers(0, len(line)))
        line = line[:place] + draw(SIGNS) + line[place + draw(st.integers(0, 3)) :]
    return line


@st.composite
def texts(draw):
    """Lines of which many come again, alone or in blocks, changed a little or not at all."""
    few = draw(st.lists(lines(), min_size=1, max_size=6))
    ends = draw(st.one_of(st.just(ENDS), ENDS.map(st.just)))
    digit = str(draw(st.integers(0, 9)))
    found = []
    for number in range(draw(st.integers(1, 30))):
        start = draw(st.integers(0, len(few) - 1))
        block = few[start : start + draw(st.integers(1, 4))]
        if draw(st.booleans()):
            block = [line.replace(digit, str(number % 10)) for line in block]
        found += [f"{line}{draw(ends)}" for line in block]
    return "".join(found) * draw(st.sampled_from([1, 1, 1, 2, 9]))


def same(ours, theirs, text):
    """Whether both make the same, errors included; what is left to Python is."""
    try:
        made = ours(text)
    except native.Unfit:
        return
    assert made == theirs(text)


@given(texts())
@settings(max_examples=400, deadline=None)
def test_any_text_has_the_same_forms(text):
    for ours, theirs in TWINS.values():
        same(ours, theirs, text)


@given(texts(), st.lists(st.tuples(st.integers(0), st.integers(0, 40), SIGNS), max_size=3))
@settings(max_examples=400, deadline=None)
def test_what_is_cut_and_changed_is_read_the_same(text, changes):
    encoded = log_codec.rewritten(text * 8) or text
    for place, size, signs in changes:
        at = place % (len(encoded) + 1)
        encoded = encoded[:at] + signs + encoded[at + size :]
    same(native.log_decode, log_codec.restored, encoded)
