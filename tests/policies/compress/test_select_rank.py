import math
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compress import select_bm25 as bm25
from policies.compress.select_rank import Passage, lexical


def test_it_is_the_formula_with_numbers_worked_by_hand():
    counts = [{"a": 2, "b": 1}, {"a": 1}, {}]
    weight = bm25.weights(counts, ["a", "b", "a", "c"])
    assert weight == {
        "a": math.log(1 + 1.5 / 2.5),
        "b": math.log(1 + 2.5 / 1.5),
        "c": math.log(1 + 3.5 / 0.5),
    }
    one, other, none = bm25.scores(counts, [10, 20, 30], weight)
    # lengths over their mean: 0.5, 1, 1.5; k1 = 2, b = 0.75
    assert math.isclose(one, weight["a"] * 2 * 3 / (2 + 1.25) + weight["b"] * 3 / (1 + 1.25))
    assert math.isclose(other, weight["a"] * 3 / (1 + 2))
    assert none == 0


def naive(passages, terms):
    """Robertson and Zaragoza's sum, term by term over token lists."""
    mean = sum(map(len, passages)) / len(passages)
    found = []
    for passage in passages:
        score = 0.0
        for term in set(terms):
            holding = len([1 for each in passages if term in each])
            weight = math.log((len(passages) - holding + 0.5) / (holding + 0.5) + 1)
            often = passage.count(term)
            bound = bm25.K1 * ((1 - bm25.B) + bm25.B * len(passage) / mean)
            score += weight * often * (bm25.K1 + 1) / (often + bound)
        found.append(score)
    return found


token = st.sampled_from("abcdefgh")


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(token, min_size=1, max_size=12), min_size=1, max_size=6),
    st.lists(token, max_size=4),
)
def test_it_is_the_formula(passages, terms):
    counts = [Counter(each) for each in passages]
    found = bm25.scores(counts, [*map(len, passages)], bm25.weights(counts, terms))
    for one, other in zip(found, naive(passages, terms), strict=True):
        assert math.isclose(one, other, abs_tol=1e-12)


def ranked(question, *passages):
    listed = [Passage(*each) if isinstance(each, tuple) else Passage(each) for each in passages]
    scores = lexical(question, listed)
    return sorted(range(len(listed)), key=lambda place: -scores[place])


FILLER = ["Water flows down the hill.", "A cat sleeps in the sun.", "Bread is baked of flour."]


def test_passages_with_the_questions_words_come_first():
    assert ranked("Who discovered radium?", *FILLER, "Curie discovers radium and polonium.")[0] == 3


def test_titles_count_more():
    same = "It was found in a mine."
    passages = [(same, "Gold"), (same, "Radium"), (same, "Tin"), ("Radium.", "")]
    assert ranked("radium mine", *passages)[0] == 1


def test_words_side_by_side_count_more():
    apart = "The house is white, and black birds fly over it in autumn."
    near = "The white house is old, and black birds fly over it in autumn."
    assert ranked("white house", apart, near, *FILLER)[0] == 1


def test_a_word_in_pieces_is_found():
    assert ranked("superbowl", *FILLER, "The Super Bowl is played in winter.")[0] == 3
    one, two = Passage("Super Bowl"), Passage("Super Bowl; SuperBowl", "superbowl")
    assert lexical("superbowl", [one, Passage("superb owl")])[0] > 0
    assert lexical("superbowl", [one, two])[0] == 0.0  # where it stands as a word, pieces are none
    assert lexical("superbowl", [Passage("no such thing"), Passage("nor here")]) == [0.0, 0.0]
    assert lexical("1984", [Passage("19 84"), Passage("84")]) == [0.0, 0.0]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40), st.lists(st.text(max_size=60), max_size=5), st.randoms())
def test_scores_do_not_depend_on_the_order_of_passages(question, texts, rng):
    scores = lexical(question, [Passage(text) for text in texts])
    assert len(scores) == len(texts)
    assert all(score >= 0 for score in scores)
    order = list(range(len(texts)))
    rng.shuffle(order)
    assert lexical(question, [Passage(texts[n]) for n in order]) == [scores[n] for n in order]
