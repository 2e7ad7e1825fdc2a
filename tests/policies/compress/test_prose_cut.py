import re

import pytest

from policies.compress.freeze_form import Short
from policies.compress.prose_cut import Cut, cut, joined

FILLER = (
    "the committee met in the afternoon and discussed the report that the members had received "
    "earlier in the week. after a long debate it was decided to postpone the vote."
)


def nothing(made):
    return b"\0" * len(made.words)


def shortest(text):
    """What is left where the model would keep nothing at all."""
    made = cut(text)
    return joined(text, made, nothing(made)).text


def around(phrase):
    return f"{FILLER} there {phrase} somewhere there. {FILLER}\n"


@pytest.mark.parametrize(
    "phrase",
    [
        "45 million dollars",
        "in 1,234.50 units",
        "twenty percent",
        "not approved",
        "never happened",
        "without permission",
        "must be",
        "may fail",
        "cannot",
        "don't",
        "and",
        "or",
        "only if",
        "unless",
        "least five",
        "New York City",
        "Bank of the West",
        "Johannes Diderik van der Waals",
        "iPhone",
        "NASA",
        "https://example.org/a/b?c=d&e=f#g",
        "www.example.org",
        "someone@example.org",
        "/etc/ssh/sshd_config",
        "C:\\Windows\\System32",
        "src/main.rs:12",
        "snake_case camelCase kebab-case dotted.name",
        "v2beta",
        "d41d8cd98f00b204e9800998ecf8427e",
        "deadbeef",
        "--dry-run",
        "foo()",
        "<tag>",
        "$HOME",
        '"quoted text that is long and stays whole"',
        "“curly quotes around the words”",
        "'single quotes around the words'",
        "«guillemets around the words»",
        "`git commit with a message`",
        "(in parentheses)",
        "half-words",
        "naïve1",
        "ﬁne",
        "日本語",
    ],
)
def test_it_stays_byte_for_byte(phrase):
    text = around(phrase)
    made = cut(text)
    assert made.free > 20
    assert phrase in joined(text, made, nothing(made)).text


@pytest.mark.parametrize(
    "line",
    [
        "error: the file could be read by the others in the group",
        "java.lang.NullPointerException was seen by the operator in the log",
        "the process has failed with the exit code that the operator expects",
        "Traceback of the most recent call that the operator has seen in it",
    ],
)
def test_a_line_that_reports_an_error_stays(line):
    text = f"{FILLER}\n{line}\n{FILLER}\n"
    assert line in shortest(text).split("\n")


def test_in_a_long_line_the_sentence_with_the_error_stays():
    text = f"{FILLER} {FILLER} the server had an error in the afternoon of the day. {FILLER}\n"
    short = shortest(text)
    assert "the server had an error in the afternoon of the day." in short
    assert len(short) < len(text) * 0.7


def test_sentences_keep_their_ends():
    assert shortest(FILLER).count(".") == FILLER.count(".")


def test_the_verdict_counts_only_for_words_that_may_go():
    made = cut(FILLER)
    for index, (word, fixed) in enumerate(zip(made.words, made.must, strict=True)):
        verdict = bytearray(b"\1" * len(made.words))
        verdict[index] = 0
        short = joined(FILLER, made, bytes(verdict))
        assert short.left_out == (not fixed)
        gone = len(FILLER) - len(short.text)
        assert gone == (0 if fixed else len(word) + 1)


def test_what_is_kept_by_the_model_changes_nothing():
    made = cut(FILLER)
    assert joined(FILLER, made, b"\1" * len(made.words)) == Short(FILLER, 0)


def test_a_verdict_on_other_words_is_refused():
    with pytest.raises(ValueError, match="another text"):
        joined(FILLER, cut(FILLER), b"\0")


@pytest.mark.parametrize(
    ("text", "gone", "left"),
    [
        ("a b c", [1], "a c"),
        ("a b c", [0], "b c"),
        ("a b c", [2], "a b"),
        ("a b c", [0, 1, 2], ""),
        ("a b\nc d", [1], "a\nc d"),
        ("a b\nc d", [2], "a b\nd"),
        ("a b\nc d", [1, 2], "a\nd"),
        ("a\n\nb c\n\nd", [1, 2], "a\n\nd"),
        ("a\nb\n\nc", [1], "a\n\nc"),
        ("  a  b ", [0], "  b "),
        ("a b\n", [1], "a\n"),
        ("a b c d", [1, 3], "a c"),
    ],
)
def test_one_of_the_blanks_stays(text, gone, left):
    spans = [match.span() for match in re.finditer(r"\S+", text)]
    made = Cut([text[a:b] for a, b in spans], bytes(len(spans)), spans)
    verdict = bytes(index not in gone for index in range(len(spans)))
    assert joined(text, made, verdict) == Short(left, len(gone))


def test_code_has_no_words_that_may_go():
    assert cut("import os\n\ndef main():\n    return os.name\n\n" + FILLER).words == []


def test_empty_text_is_cut_into_nothing():
    assert cut("") == Cut([], b"", [])
    assert joined("", cut(""), b"") == Short("", 0)
