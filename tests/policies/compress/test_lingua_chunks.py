import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.compress.lingua_chunks import (
    WINDOW,
    Chunk,
    Label,
    Word,
    by_rate,
    chunks,
    read,
)

names = st.sampled_from(["a", "house", "report.", "vote,", "end!", "2026", "of"])
words = st.lists(
    st.builds(Word, names, st.booleans(), st.integers(1, 50), st.integers(1, 9)), max_size=300
)
rates = st.floats(0.3, 0.95)


def plain(count, *, must=0, pieces=1):
    """Words of which the first `must` must stay."""
    return [Word(f"w{i}", i < must, pieces, 1) for i in range(count)]


@given(words, rates)
def test_chunks_are_parts_of_the_text_in_order_that_fit_a_window(text, rate):
    at = 0
    for chunk in chunks(7, text, rate):
        assert chunk.text == 7
        assert chunk.start >= at
        assert text[chunk.start : chunk.start + len(chunk.words)] == chunk.words
        assert sum(word.pieces for word in chunk.words) <= WINDOW
        at = chunk.start + len(chunk.words)


@given(words, rates)
def test_every_word_that_may_go_is_in_a_chunk_unless_hardly_any_may(text, rate):
    seen = {c.start + i for c in chunks(0, text, rate) for i in range(len(c.words))}
    free = sum(word.weight for word in text if not word.must)
    if free == sum(word.weight for word in text):
        assert len(seen) == len(text) or rate > 0.9


@given(words, rates)
def test_what_must_stay_counts_as_kept(text, rate):
    for chunk in chunks(0, text, rate):
        total = sum(word.weight for word in chunk.words)
        free = sum(word.weight for word in chunk.words if not word.must)
        assert total - free + rate * free <= chunk.rate * total + 1e-9
        assert chunk.rate < 1


def test_a_dense_chunk_has_a_higher_rate_than_one_of_filler():
    text = [*plain(WINDOW, must=WINDOW // 2), *plain(WINDOW)]
    rates = [chunk.rate for chunk in chunks(0, text, 0.5)]
    assert rates == [pytest.approx(0.775), pytest.approx(0.525)]


def test_a_text_just_over_a_window_has_no_tiny_rest():
    sizes = [len(chunk.words) for chunk in chunks(0, plain(WINDOW + 10), 0.5)]
    assert sizes == [255, 255]


def test_chunks_end_with_a_sentence_where_one_ends_near():
    text = plain(WINDOW * 2)
    text[WINDOW - 20] = Word("end.", must=True, pieces=1, weight=1)
    first, *_ = chunks(0, text, 0.5)
    assert first.words[-1].text == "end."


@pytest.mark.parametrize("text", [[], plain(5, must=5)])
def test_where_nothing_may_go_there_is_no_chunk(text):
    assert list(chunks(0, text, 0.5)) == []


def test_chunks_of_one_rate_share_a_call():
    found = [Chunk(i, 0, [], rate) for i, rate in enumerate([0.5, 0.7, 0.5])]
    assert [(rate, [c.text for c in group]) for rate, group in by_rate(found)] == [
        (0.5, [0, 2]),
        (0.7, [1]),
    ]


def chunk(*texts, must=(), weight=1):
    return Chunk(0, 0, [Word(t, t in must, 1, weight) for t in texts], 0.5)


def test_labels_of_parts_are_put_together():
    labels = [Label("ab", True), Label(",", False), Label("c", False), Label("d", True)]
    assert read([chunk("ab,", "cd", "e")], [*labels, Label("e", False)], 0.5) == [b"\1\1\0"]


def test_a_sign_that_stays_keeps_no_word():
    labels = [Label("ab", False), Label(",", True), Label("c", True)]
    assert read([chunk("ab,", "c")], labels, 0.5) == [b"\0\1"]


def test_what_must_stay_stays():
    labels = [Label("not", False), Label("a", True), Label("b", False)]
    assert read([chunk("not", "a", "b", must=("not",))], labels, 0.5) == [b"\1\1\0"]


def test_several_chunks_are_read_one_after_the_other():
    labels = [Label("a", True), Label("b", False), Label("b", True), Label("c", False)]
    assert read([chunk("a", "b"), chunk("b", "c")], labels, 0.5) == [b"\1\0", b"\1\0"]


def test_a_chunk_that_lost_too_much_stays_whole():
    labels = [Label(t, t == "a") for t in "abcd"]
    assert read([chunk(*"abcd")], labels, 0.5) == [b"\1\1\1\1"]
    assert read([chunk(*"abcd")], labels, 0.35) == [b"\1\0\0\0"]


@pytest.mark.parametrize(
    "labels",
    [
        [],
        [Label("a", True)],
        [Label("a", True), Label("bb", True)],
        [Label("b", True), Label("a", True)],
        [Label("a", True), Label("b", True), Label("c", True)],
    ],
)
def test_labels_of_other_words_are_refused(labels):
    with pytest.raises(ValueError, match="labels of"):
        read([chunk("a", "b")], labels, 0.5)
