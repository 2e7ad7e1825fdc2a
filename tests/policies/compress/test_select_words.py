import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compress.select_words import STOP, Question, fold, stem, words


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


def test_a_question_has_terms_and_no_stop_words():
    assert Question("Who has discovered the moons of Jupiter?").terms == ["discov", "moon", "jupit"]
    assert Question("who is it").terms == []
    assert len(Question("word " * 500).terms) == 64


def test_a_text_is_read_in_terms_of_the_question():
    question = Question("moons of Jupiter")
    assert question.read([words("The moon of Jupiter, Jupiter's moons, a star")])[0] == [
        "moon", "jupit", "jupit", "moon", "",
    ]  # fmt: skip


def test_words_may_stand_in_pieces():
    question = Question("superbowl of 1984")
    assert question.hidden("superbowl", "".join(words("Super Bowl, the bowl"))) == 1
    assert question.hidden("superbowl", "".join(words("Super Bowl; SuperBowl"))) == 2
    assert question.hidden("1984", "".join(words("19 84"))) == 0


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_reading_is_stemming_word_by_word(asked, text):
    question = Question(asked)
    terms = set(question.terms)
    for word, term in zip(
        [word for word in words(text) if word not in STOP],
        question.read([words(text)])[0],
        strict=True,
    ):
        assert term == (stem(word) if stem(word) in terms else "")
