import re
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compress import select_words
from policies.compress.select_words import BORDER, OTHER, STOP, Question, fold, plain, stem


def words(text):
    return plain([text]).split()


def test_identifiers_are_taken_apart():
    assert words("getUserName(user_id, HTTP2)") == ["get", "user", "name", "user", "id", "http2"]
    assert words("src/app.py:12 --no-cache") == ["src", "app", "py", "12", "no", "cache"]


def test_accents_and_apostrophes_do_not_count():
    assert words("Pokémon L\u014d\u02bbihi it\u2019s CFC's") == ["pokemon", "loihi", "its", "cfcs"]
    assert fold("it's") == "its"


def test_unspaced_scripts_are_read_in_pairs():
    assert words("東京都 a") == ["東京", "京都", "a"]
    assert words("東") == ["東"]


@pytest.mark.parametrize(
    ("one", "other"), [("connected", "connections"), ("cities", "city"), ("cfcs", "cfc")]
)
def test_forms_of_a_word_have_one_stem(one, other):
    assert stem(one) == stem(other)


def test_long_words_are_stemmed_and_not_remembered():
    before = select_words._kept.cache_info().currsize
    for size, kept in ((65, 0), (64, 1)):
        assert stem(f"{'x' * (size - 4)}bugs") == f"{'x' * (size - 4)}bug"
        assert select_words._kept.cache_info().currsize == before + kept


def test_a_question_has_terms_and_no_stop_words():
    assert Question("Who has discovered the moons of Jupiter?").terms == ["discov", "moon", "jupit"]
    assert Question("who is it").terms == []
    assert len(Question("word " * 500).terms) == 64


def test_a_text_is_read_in_signs_of_the_questions_terms():
    question = Question("moons of Jupiter")
    moon, jupiter = question.signs["moon"], question.signs["jupit"]
    said = plain(["The moon of Jupiter", "", "Jupiter's moons, a star"])
    assert question.read(said) == [moon + jupiter, "", jupiter + moon + OTHER]


def test_long_words_may_stand_in_pieces():
    assert Question("superbowl of 1984 in Connecticut").long == {"superbowl", "connecticut"}


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_reading_is_stemming_word_by_word(asked, text):
    question = Question(asked)
    assert OTHER not in question.signs.values()
    assert len(set(question.signs.values())) == len(set(question.terms))
    spoken = [word for word in words(text) if word not in STOP]
    assert question.read(plain([text])) == [
        "".join(question.signs.get(stem(word), OTHER) for word in spoken)
    ]


LETTERS = st.sampled_from(
    "aAbZ09 _-.'\0\n\t\x1c\u2019\u2013\u00a0\u00ad\u0301\u00e9\u00d8\u00df"
    "\u03a3\u0130\u212a\ufb01\u2167\u00bd\u6771\u4eac\ud800"
)


def slow(text):
    """As `words` says, letter by letter."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
    kept = [each for each in text if each not in "'\u2018\u2019\u02bb\u02bc"]
    kept = [each for each in kept if not "\u0300" <= each <= "\u036f"]
    text = re.sub("[\u3400-\u9fff]+", pairs, "".join(kept))
    text = re.sub("(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return "".join(each if each.isalnum() else " " for each in text.lower()).split()


def pairs(run):
    run = run[0]
    return " ".join(["", *(run[at : at + 2] for at in range(max(1, len(run) - 1))), ""])


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.lists(LETTERS, max_size=12).map("".join), max_size=4))
def test_texts_are_read_together_as_each_alone(texts):
    if texts:
        read = plain(texts).split(BORDER)
        assert [text.split() for text in read] == [slow(text) for text in texts]


def test_threads_do_not_disturb_one_another():
    listed = ["generalizations", "conditional", "rationally", "hopefulness", "sensitivities"]
    stems = [stem(word) for word in listed]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(3) as pool:
            runs = [pool.submit(lambda: [*map(select_words._stem, listed * 500)]) for _ in range(3)]
            assert all(run.result() == stems * 500 for run in runs)
    finally:
        sys.setswitchinterval(interval)
