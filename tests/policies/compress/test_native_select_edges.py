"""Both sides of the thresholds of `compress.select`, natively as in Python."""

import pytest

from policies.compress import native, select_text
from policies.compress.select_choice import NONE, Limits, chosen
from policies.compress.select_passages import passages
from policies.compress.select_rank import lexical
from tests.policies.compress.test_native_select import numbered, page, same
from tests.policies.compress.test_native_select_split import tagged

pytestmark = pytest.mark.skipif(not native.built, reason="built without Rust")
OTHERS = [sign * 3 for sign in "bcdfghjklmnpqr"]


def left_out(text, question, limits=NONE, count=len):
    """How many passages both leave out; 0 where all stay."""
    split = passages(text, pasted=False)
    theirs = split and chosen(text, split, question, limits, (lexical, count))
    assert select_text.selected(text, question, limits, count, pasted=False) == theirs
    return theirs.left_out if theirs else 0


def other(size):
    return " ".join((OTHERS * 4)[:size])


@pytest.mark.parametrize(("size", "gone"), [(39, 11), (40, 12)])
def test_a_quarter_of_the_best_score_is_near(size, gone):
    """With 39 other words the second scores 1.03366, the first 4.13464."""
    rest = [*[other(15)] * 10, other(14)]
    assert left_out(tagged(["gold " * 4, f"gold {other(size)}", *rest]), "gold") == gone


def test_where_all_fit_by_their_lengths_all_stay():
    assert left_out(("\n" * 12).join(["gold", "so", "tin", "gold"]), "gold", Limits(0.9, None)) == 0


@pytest.mark.parametrize(("size", "gone"), [(934, 1), (935, 2)])
def test_a_passage_may_take_all_the_room_that_is_left(size, gone):
    """Of 97 % of 1,000 characters 26 are the note's, and 9 those of what stays anyway."""
    text = "\n\n".join(["gold", "x" * size, "x" * 960, "gold"])
    assert left_out(text, "gold", Limits(None, 1_000)) == gone


@pytest.mark.parametrize(
    "passage",
    [
        "panic\u212aed at", "exit ex\u0131t 1", "exit ex\u0130t 1", "status \u017ftatus 404",
        "exit ex it 1",
    ],
)  # fmt: skip
def test_letters_that_are_the_same_in_another_case(passage):
    text = page(f"so {passage} it", "Soup of leeks is made.")
    made = same(text, "gold", tokens=1, alone=False)
    assert made.left_out == 1 + passage.isascii()


@pytest.mark.parametrize(("name", "stays"), [("ORD_\u212a7", True), ("ORD_77", False)])
def test_names_that_are_the_same_in_another_case(name, stays):
    text = page(f"so {name} it", "Gold of ORD_K7, gold.")
    made = same(text, "gold ORD_K7", tokens=1, alone=False)
    assert (name in made.text) is stays


@pytest.mark.parametrize(
    "text",
    [
        numbered(["gold\nDocument [x] a", "b", "c"], "[{}] ", "\n\n"),
        numbered(["gold\nDocument [2] a", "b", "c"], "[{}] ", "\n\n"),
        f"{tagged(['a', 'gold', 'b'])}\n<document>c",
        f"{tagged(['a', 'gold', 'b'])}\n<document c",
    ],
)
def test_documents_that_look_like_others(text):
    for share in (None, 0.3):
        same(text, "gold", share, pasted=True)


@pytest.mark.parametrize("word", ["goldsmithabc", "goldsmit", "goldsmith", "goldsmithxy"])
def test_words_that_begin_alike(word):
    text = page(f"{word} {other(5)}", f"goldsmithxyz {other(5)}")
    assert same(text, "goldsmithxyz", tokens=1).left_out == 2


@pytest.mark.parametrize(("last", "pieces"), [(400, 7), (399, 6)])
def test_the_last_part_of_a_long_paragraph_is_half_as_long_as_others_at_least(last, pieces):
    text = page(f"{('a' * 399 + chr(10)) * 4}{'a' * (last - 1)}", "Soup of leeks is made.")
    assert same(text, "gold", tokens=1).text.endswith(f" of {pieces} passages left out]")


@pytest.mark.parametrize(
    ("question", "texts", "best"),
    [
        ("ababa", ["xabababax soup", "xababax ababax"], 1),  # they do not overlap
        ("ababa", ["xabababababax soup", "xababax ababax"], 0),
        ("superbowl", [f"{other(9)} super bowl", "super bowl"], 1),  # each begins anew
        ("superbowl", ["super bowl", f"{other(9)} super bowl"], 0),
        ("boats boat", [other(2), "steamboat"], 1),  # one form of it is long
    ],
)
def test_how_often_words_stand_in_pieces(question, texts, best):
    made = same(tagged([*texts, other(2)]), question, tokens=1)
    assert texts[best] in made.text
    assert made.left_out == 2


@pytest.mark.parametrize(
    "title", ["gold", "gold soup", "gold tin", "gold gold tin", "tin", "soup x"]
)
def test_how_much_a_title_counts(title):
    """Beside documents that are ever longer, up to where another is the best."""
    found = set()
    for size in range(0, 54, 2):
        texts = [f'<document title="{title}">{other(6)}', *(
            f"<document>{said} {other(size)}" for said in ("gold", "soup gold", "gold soup " * 2)
        )]  # fmt: skip
        text = "</document>".join([*texts, f"<document>{other(5)}</document>"])
        found |= {same(text, "gold soup", tokens=tokens) for tokens in (1, 20, 30)}
    assert len(found) > 1


def test_passages_of_stop_words_alone():
    text = "who are you\n\nit is an other\n\nso it is\n\nit is"
    assert same(text, "another", tokens=1).left_out == 1


@pytest.mark.parametrize(
    ("start", "end", "gone"), [("", "]", 0), (" \n", "]", 0), ("\u2003", "]", 2), ("", "", 2)]
)
def test_arrays_are_left_alone(start, end, gone):
    text = f'{start}[\n\n"gold",\n\n"soup of leeks",\n\n"tin cans",\n\n"gold"\n\n{end}'
    assert left_out(text, "gold") == gone


@pytest.mark.parametrize(("line", "gone"), [("def f(x):", 0), ("tin of x", 4)])
def test_code_in_colours_is_left_alone(line, gone):
    text = page(*[f"\x1b[32m{line}\x1b[0m"] * 4)
    assert left_out(text, "gold", Limits(None, 1)) == gone


@pytest.mark.parametrize(("size", "best"), [(120, 0), (121, 1)])
def test_a_first_line_may_be_a_title(size, best):
    texts = [f"\n{'gold soup '.ljust(size, 'x')}\n{other(9)}", f"gold soup gold {other(9)}"]
    made = same(tagged([*texts, other(9)]), "gold soup", tokens=1)
    assert made.left_out == 2
    assert texts[best] in made.text


@pytest.mark.parametrize("name", ["Error", "Exception", "Failure", "Fault", "Warning"])
def test_names_of_errors_without_a_colon(name):
    text = page(f"so an io{name} it is", "Soup of leeks is made.")
    assert same(text, "gold", tokens=1).left_out == (1 if name in ("Error", "Exception") else 2)


@pytest.mark.parametrize("sign", [":", "=", ": ", "= ", " :", " =", ":-", "=-"])
def test_codes_of_programs(sign):
    for digit in "0123456789":
        text = page(f"so rc{sign}{digit}", "Soup of leeks is made.")
        assert same(text, "gold", tokens=1).left_out == 1
    assert same(page(f"so rc{sign}x", "Soup of leeks is made."), "gold", tokens=1).left_out == 2


@pytest.mark.parametrize(
    ("word", "stays"), [("ERRORS:", True), ("Warnings :", True), ("ERRORS", False)]
)
def test_many_errors(word, stays):
    text = page(f"so {word} it", "Soup of leeks is made.")
    assert same(text, "gold", tokens=1).left_out == 2 - stays


def test_camel_case_wherever_it_stands():
    for size in range(1, 130):
        texts = [f"{'a' * size}Gold", f"gold {other(12)}", other(1)]
        assert texts[0] in same(tagged(texts), "gold", tokens=1).text
