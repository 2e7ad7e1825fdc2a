"""The native `compress.select` takes the same words for stop-words, and what it leaves to Python
stands in the same place."""

from itertools import permutations

import pytest

from policies.compress import native, select_text
from policies.compress.select_choice import Limits, chosen
from policies.compress.select_passages import passages
from policies.compress.select_rank import lexical
from policies.compress.select_words import STOP

pytestmark = pytest.mark.skipif(not native.built, reason="built without Rust")


def places(texts, question, room=1):
    """Which documents both leave where there is room for so many characters."""
    text = "\n".join(f"Document [{n}] {text}" for n, text in enumerate(texts, 1))
    limits = Limits(None, room)
    split = passages(text, pasted=True)
    theirs = chosen(text, split, question, limits, (lexical, len))
    with pytest.MonkeyPatch.context() as patch:
        if "\0" not in text:  # of what has it passages are not counted natively
            patch.setattr(select_text, "passages", None)
        ours = select_text.selected(text, question, limits, len, pasted=True)
    assert ours == theirs
    return [n for n, text in enumerate(texts) if ours is None or f"] {text}\n" in ours.text]


@pytest.mark.parametrize("word", sorted(STOP))
def test_stop_words_have_no_length(word):
    for said in (word, word.upper()):
        assert places([f"gold {said}", "gold", "soup"], "gold") == [0]
    for other in (word + "x", word + word, "x" + word, word[:-1] + "q", word[:-1]):
        if other and other not in STOP:
            assert places([f"gold {other}", "gold", "soup"], "gold") == [1]


@pytest.mark.parametrize(
    "name", ["7abc", "aB", "a1", "a_b", "a.bc", "a-7", "12", "é_1", "$7a", "aé7"]
)
@pytest.mark.parametrize("edge", ["", ".", "?", ":", "(", "'", "\n", "\x0b", "\x1c"])
def test_what_the_question_names_stays(name, edge):
    texts = ["gold gold", f"soup of {name}", "leeks"]
    assert places(texts, f"gold {edge}{name}{edge}") == [0, 1]
    assert places(texts, "gold") == [0]


LEFT = ["ς", "gςold", "ςgold mine", "鬼身", "मgold", "a\0ςb", "ς\tgold\tmine", "½ς", "ς'ς"]


@pytest.mark.parametrize("left", LEFT)
def test_what_is_left_to_python_stands_where_it_stood(left):
    parts = ("gold", left, "mine")
    texts = [" ".join(some) for some in permutations(parts)]
    texts += [f"{left}\n{left} gold mine", f"gold {left}{left} mine {left}", f"{left}gold's mine"]
    for first in range(len(texts)):
        turned = [*texts[first:], *texts[:first], "soup of leeks"]
        for question in ("gold mine", f"mine {left} gold"):
            for room in (1, 60, 120):
                places(turned, question, room)


def test_signs_beside_the_borders_of_blocks():
    for size in range(70):
        texts = [f"{'a' * size}{sign}gold mine" for sign in ("'", "é ", "\u2013", "ς ", "\u017f")]
        for room in (1, 2 * size + 60):
            places([*texts, "soup"], "gold mine", room)
