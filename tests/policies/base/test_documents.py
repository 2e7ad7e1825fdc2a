"""Where retrieved documents stand in a text, however they are marked."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.base.documents import documents

NAMES = ["document", "doc", "passage", "source", "context", "search_result", "Doc", "SOURCE"]
LABELS = [
    *("Document [{}]", "[{}]", "Document {}:", "Passage {}:", "Source {}:"),
    *("[Document {}]", "[Passage {}]", "[Source {}]", "[doc{}]"),
]
ENDS = ["\n\n", "\r\n\r\n", "\n\n\n", "\n\r\n"]


def found(text):
    each = documents(text, ("xml", "numbered"))
    return [text[it.start : it.end] for it in each], [text[it.opens : it.closes] for it in each]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("between", ["", "\n", " \r\n\r\n"])
def test_elements_of_one_name(name, between):
    whole = [f"<{name}>a</{name}>", f'<{name} id="2">b <b>c</b>\n\nd</{name}>']
    inner = ["a", "b <b>c</b>\n\nd"]
    assert found(f"Use it:{between.join(whole)}Why?") == (whole, inner)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("end", ENDS)
def test_documents_with_labels_by_number(label, end):
    whole = [label.format(n) + f" {it}" for n, it in ((1, "a"), (2, "b\r\nc"), (3, "d\ne"))]
    inner = [" a", " b\r\nc", " d\ne"]
    assert found(f"Use it:\n{end.join(whole)}{end}Why?") == (whole, inner)


@pytest.mark.parametrize("label", [each for each in LABELS if each != "[{}]"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_documents_of_one_line_each(label, end):
    whole = [f"{label.format(n)} {'abc'[n - 1]}" for n in (1, 2, 3)]
    assert found(end.join(whole) + f"{end}{end}Why?")[0] == whole


def test_the_outermost_block_is_taken():
    inner = "<source>a</source><source>b</source>"
    whole = [f"<context>{inner}</context>", "<context>c</context>"]
    assert found("".join(whole))[0] == whole
    assert found(f"<context>{inner}</context>")[1] == ["a", "b"]
    assert found("Source 1: Passage 1: a\nPassage 1: b\nPassage 2: c\nSource 2: d")[1][1] == " d"


@pytest.mark.parametrize(
    "text",
    [
        "<source>a</source>", "<doc>a</doc> and <doc>b</doc>", "<doc>a<doc>b</doc></doc>",
        "<doc>a</doc><doc>b", "<doc>a</doc><docs>b</docs>", "<doc>a</doc><passage>b</passage>",
        "<doc>a</doc><doc>b</doc> <source>a</source><source>b</source>", "<doc>a</doc><doc/>",
        "Source 1: a\nSource 2: b\n\nPassage 1: a\nPassage 2: b", "Source 1: a\nPassage 2: b",
        "Source 1: a\nSource 3: b", "Source 2: a\nSource 1: b", "Source 1: a\n\nb\n\nSource 2: c",
        "See Source 1: a\nSee Source 2: b", "Source 01: a\nSource 02: b", "Source 1: a",
        "source 1: a\nsource 2: b", "Source 1:\n\na\n\nSource 2:\n\nb", "[doc1]\n\n[doc2]",
    ],
)  # fmt: skip
def test_what_is_unclear_stays_untouched(text):
    assert found(text) == ([], [])


PARTS = st.sampled_from(
    [
        *(f"<{name}>" for name in NAMES),
        *(f"</{name}>" for name in NAMES),
        *(label.format(n) for label in LABELS for n in (1, 2)),
        *("\n", "\n", "\n\n", "\r\n", "a", " b ", "<", ">"),
    ]
)


@settings(max_examples=500, deadline=None)
@given(st.lists(PARTS, max_size=20).map("".join))
def test_documents_stand_one_behind_another(text):
    at = -1
    for each in documents(text, ("xml", "numbered")):
        assert each.start >= at
        assert at < 0 or not text[at : each.start].strip()
        assert each.start < each.opens <= each.closes <= each.end
        at = each.end


@pytest.mark.parametrize(
    "piece",
    [
        "<doc>", "<doc>x</doc><source>", "<doc a", "</doc>", "<", "Source 1: x\n", "\nSource 1:\n",
        "[doc1]", "\r\n[doc2]", "Source 1", "1", "Document [1]\r\n",
    ],
)  # fmt: skip
def test_hostile_texts_end(piece):
    documents(f"Source {piece * 60_000}", ("xml", "numbered"))
