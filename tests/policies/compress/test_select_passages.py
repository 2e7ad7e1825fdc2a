import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compress.select_passages import delimited, paragraphs


def split(text, of=paragraphs):
    found = of(text)
    return [(text[p.start : p.end], p.head, p.fixed) for p in found.pieces]


def test_paragraphs_stand_between_blank_lines_under_their_headings():
    text = "Intro\nof it\n\n# One\nfirst\n \nsecond\n\n## Two ##\n\nthird\n"
    assert split(text) == [
        ("Intro\nof it\n", "", True),
        ("# One\n", "One", True),
        ("first\n", "One", False),
        ("second\n", "One", False),
        ("## Two ##\n", "Two", True),
        ("third\n", "Two", True),
    ]


def test_fenced_blocks_stay_whole_and_fixed():
    text = "a\n\n```py\nx = 1\n\n~~~\ny = 2\n```\nb\n\nc\n"
    assert split(text) == [
        ("a\n", "", True),
        ("```py\nx = 1\n\n~~~\ny = 2\n```\n", "", True),
        ("b\n", "", False),
        ("c\n", "", True),
    ]
    assert split("a\n\n```\nnever closed\n\nb\n")[1:] == [("```\nnever closed\n\nb\n", "", True)]


def test_long_paragraphs_are_taken_apart_at_the_ends_of_lines():
    lines = [f"line {n} of a long listing of things\n" for n in range(120)]
    parts = split("".join(lines))
    assert len(parts) > 3
    assert "".join(text for text, _, _ in parts) == "".join(lines)
    assert all(text.endswith("\n") and 400 <= len(text) <= 1600 for text, _, _ in parts)


def test_tables_and_long_lines_stay_whole():
    table = "| a | b |\n" * 300
    assert [text for text, _, _ in split(f"x\n\n{table}\ny\n")] == ["x\n", table, "y\n"]
    assert [text for text, _, _ in split(f"x\n\n{'word ' * 900}\n\ny\n")][1] == "word " * 900 + "\n"


@pytest.mark.parametrize(
    "text",
    [
        "import os\n\n\ndef f(x):\n    return os.path.join(x)\n\n\ndef g():\n    return 1\n" * 3,
        "--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n-b\n+c\n" * 5,
    ],
)
def test_code_and_diffs_have_no_passages(text):
    assert paragraphs(text) is None


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(["a b\n", "\n", " \n", "# h\n", "```\n", "~~~~\n", "**b**\n", "x"]))
)
def test_passages_hold_all_but_blank_lines_in_order(lines):
    text = "".join(lines)
    found = paragraphs(text)
    at = 0
    for piece in found.pieces:
        assert piece.start >= at
        assert not text[at : piece.start].strip()
        assert text[piece.start : piece.end].strip()
        at = piece.end
    assert not text[at:].strip()


def test_documents_have_titles():
    numbered = "Use these.\n\nDocument [1](Title: One) aa\nDocument [2](Title: Two) bb\n\nWhy?"
    assert split(numbered, delimited) == [
        ("Document [1](Title: One) aa", "One", False),
        ("Document [2](Title: Two) bb", "Two", False),
    ]
    tagged = (
        "<documents><document index='1'><title>One</title>aa</document>"
        '<document title="Two">bb</document><document>\nThree\nccc</document></documents>Why?'
    )
    assert [head for _, head, _ in split(tagged, delimited)] == ["One", "Two", "Three"]
    lines = "[1] One\nis this\n\n[2] Two\nis that\n\nWhy?"
    assert [head for _, head, _ in split(lines, delimited)] == ["One", "Two"]


@pytest.mark.parametrize("text", ["", "no documents", "<document>one</document>", "[1] a\n\n[3] b"])
def test_where_documents_are_unclear_there_are_none(text):
    assert delimited(text) is None


@pytest.mark.parametrize(
    "piece",
    [
        "<document>",
        "<document>x",
        "<",
        "</document",
        "\nDocument [1]",
        "[1] ",
        "\n[1] x",
        "\n",
        "[",
    ],
)
def test_hostile_documents_end(piece):
    delimited(piece * 50_000)
