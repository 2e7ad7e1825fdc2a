"""The native `compress.select` takes texts apart as the one in Python does."""

import json

import pytest

from policies.compress import native
from policies.compress.select_passages import delimited
from policies.compress.select_question import around, asked
from tests.policies.compress.test_native_select import numbered, page, same

pytestmark = pytest.mark.skipif(not native.built, reason="built without Rust")


def tagged(texts, opens="<document>", between="\n"):
    return between.join(f"{opens}{text}</document>" for text in texts)


HEADINGS = [
    "# a", "###### a", "####### a", "#a", "#  a", "# ", "==a==", "======a======", "=======a==",
    "=a=",
    "**a**", "**a**:", "***a**", "**a***", "==a**", "**a=b**", "==" + "a" * 100 + "==",
    "==" + "é" * 101 + "==", "====", "**a**::", " # a", "# a \u2003", "==a==\x1f", "**a:**",
    "Gold\n===", "Gold\n==", "Gold\r\n---\r\n", "Gold\n=-=", "Gold.\n===", "Gold; so\n---",
    "- Gold\n---",
    "| Gold |\n---", "===\n===", "a" * 100 + "\n---", "é" * 101 + "\n---", "So\nGold\n===",
    "Go\n~~~",
    "Gold\n~~~~", "Golden\n~~~~", "ÉÉÉÉ\n^^^^", "ÉÉÉÉÉ\n^^^^", "====\n Gold\n====",
    "===\nGold\n====",
    "===\nGold\n===", "~~~~\nGold\n~~~~", "----\n- so\n----", "^^^^\n\n^^^^", "===\n===\n===",
    "Gold\n---\nTin\n---",
    "<h1>Gold</h1>", "\t<H2 id='x'>Gold <b>a</b></h3> ", "<h7>Gold</h7>", "<h1x>Gold</h1>",
    "<h1>Gold", "<h1></h1>",
    "<h1>" + "é" * 300 + "</h1>", "<h1>" + "a" * 301 + "</h1>", "x <h1>Gold</h1>",
    "<h1 Gold</h1>", "<h1>a</h1>\n<h2>b</h2>",
    "```\n---", "---\ntitle: Gold\n---",
]  # fmt: skip


def test_long_headings():
    for size in (197, 198, 199, 200, 201):
        text = page(
            f"# {'é' * size} soup\n\nSoup of gold", "More soup", f"# {'a' * size} soup", "x"
        )
        same(text, "gold soup", tokens=1)
        same(text, "gold soup")


@pytest.mark.parametrize("heading", HEADINGS)
def test_headings(heading):
    text = page(f"{heading}\nSoup of gold", "More soup", f"x\n\n{heading}\n{heading}", "Tin soup")
    for question in ("gold", "soup a"):
        same(text, question, tokens=1, alone=False)
        same(text, question, alone=False)


LONE = [
    "1. Gold", "1. gold", "1 Gold", "1.1 Gold", "1.1.  Gold", "10.20.30.40.50 Gold",
    "1.1.1.1.1.1 Gold", "123. Gold", "1.123 Gold",
    "1. Ünder", "1. So:", "1. So?", "1. So.", "1.Gold", "1.. Gold", "1. " + "G" * 97,
    "1. " + "G" * 98, "1. A\nB", "1. A\x0bB",
    "THE GOLD", "GOLD", "GOL", "G O L D", "THE gOLD", "ÜBER 1 & (2)", "GOLD:", "GOLD.",
    "GOLD, SO", "GOLD\u2003", "1/2 GOLD'S", "ΓΟΛΔΓ",
    "  GOLD", "-GOLD-", "A" * 100, "A" * 101, "\u00d7\u00d7\u00d7\u00de",
]  # fmt: skip


@pytest.mark.parametrize("line", LONE)
def test_lines_that_stand_alone(line):
    """Under a heading of another form, of the same, of none; with and without blank lines."""
    for other in ("soup of gold", "2. Soup", "TIN SOUP", "# Soup"):
        for ends in (("\n\n", "\n\n"), ("\n", "\n\n"), ("\n\n", "\n"), ("\n \n", "\r\n\r\n")):
            text = page("x", other + ends[0] + line + ends[1] + other, "Soup of tin", "soup")
            for question in ("gold", "soup a"):
                same(text, question, tokens=1, alone=line.isascii())
                same(text, question, alone=line.isascii())
    for text in (f"{line}\n\nsoup\n\ngold\n\ntin", f"gold\n\nsoup\n\ntin\n\n{line}"):
        same(text, "gold", tokens=1, alone=line.isascii())


BREAKS = ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029",
"\x1f",
          "\n \n", "\n\u3000\n", "\n\u200b\n", "\n\r\n", "\n\x85\n"]  # fmt: skip


@pytest.mark.parametrize("end", BREAKS)
def test_ends_of_lines(end):
    text = end.join(
        ["Gold is deep", "", "soup", "# Tin", "leeks", "```", "a", "", "```", "", "gold"]
    )
    for share in (None, 0.3):
        same(text, "gold", share, alone=False)
        same(text.replace(end, end * 2), "gold tin", share, alone=False)
        same(f"{page('soup', 'tin')}\n\nx{end}{end}gold", "gold", share, alone=False)


@pytest.mark.parametrize(
    "fence", ["```", "~~~", "   ```", "    ```", "``", "```py", "> ```", "~~~~ x"]
)
def test_fences(fence):
    for last in ("```", "~~~", fence, "  ~~~", "none"):
        text = page("a", f"{fence}\nx = 1\n\ny = 2\n{last}\nsoup", "more soup", "leeks\n~~~", "tin")
        same(text, "gold soup", tokens=1)


def test_code_json_and_diffs_have_no_passages():
    code = "import os\n\n\ndef f(x):\n    return 1\n\n\ndef g():\n    return 2\n"
    assert same(code * 3, "os") is None
    assert same(json.dumps({"a": ["gold"] * 5}, indent=1).replace(",", ",\n\n"), "gold") is None
    assert same(" \n[1,\n\n2,\n\n3,\n\n4]", "2 of") is None
    assert same("[gold\n\nsoup\n\nleeks\n\ngold\n\ntin", "gold") is not None
    assert same("--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n\n-b\n\n+c\n\nd", "a") is None
    assert same(page("\x1b[31mred\x1b[0m", "a 1%\ra 2%", "soup"), "gold", tokens=1) is not None
    same(page("\x1b[2Ared\x1b[0m", "a\x08b", "soup"), "gold", tokens=1, alone=False)


def test_long_paragraphs():
    for sign in ("a", "é", "|"):
        for size in (1_599, 1_600, 1_601, 2_399, 2_400, 4_000):
            for width in (1, 7, 399, 400, 401, 800, 5_000):
                line = (sign * width + "\n") * (size // (width + 1) + 1)
                same(page(line[:size], "soup", line[: size + 1] + "gold"), "gold a", 0.5)


TITLES = [
    "(Title: Gold) a", "(title:Gold) a", "(title:  ) a", "(title:) a", "(xtitle: Gold) a",
    "Title: \ngold",
    "<title>Gold</title>", "<title></title>", "<title>Gold<b>", 'title="Gold" a', 'Title="Gold" a',
    'title="" a', 'title="Gold', 'xtitle="Gold"', "étitle: Gold", "\u0e01title: Gold",
    "title:\t)\ngold",
    "title: " + "x" * 195 + " gold", "<title>" + "x" * 195 + " gold</title>",
    "title: " + "g" * 201 + " gold", "<title>" + "é" * 200 + "</title>",
    "<title>" + "é" * 201 + "</title>",
    "x" * 380 + " title: Gold and", "x" * 391 + " title: Gold", "é" * 392 + ' title="Gold"',
    "\nGold\nis", "\n " + "x" * 120 + "\ny", "\n" + "é" * 121 + "\ny", "Gold", "",
]  # fmt: skip


@pytest.mark.parametrize("title", TITLES)
def test_titles_of_documents(title):
    texts = [title, " soup of gold ", f" {title} soup", " tin", title.replace("Gold", "Tin")]
    for text in (numbered(texts), tagged(texts), numbered(texts, "[{}]", "\n\n")):
        for share in (None, 0.3):
            found = f"Use these.\n\n{text}\n\nGold?"
            same(found, "gold g x é", share, pasted=True, fit="\u0e01" not in title)


SHAPES = [
    numbered(["a gold", " b", "c", " gold"]), numbered(["a", "b"], between="\n\n\n"),
    "Document [1]",
    numbered(["a", "", "gold", "b"]), numbered(["a\n", " \n", "\n", "b"]), numbered([" a"] * 5,
    "[{}]"),
    numbered(["gold", "a", "b", "c"], "[{}]", "\n\n"), numbered(["a\nb", "gold", "c"], "[0{}]",
    "\n\n"),
    numbered(["gold", "a", "b"], "\nDocument [{}] "),
    "Document [1] a\nDocument [3] b\nDocument [2] c",
    "Document [1] a\n\nx\n\nDocument [2] b\n\nDocument [3] gold",
    "Document [0000001] a\nDocument [2] gold",
    "Document [1\u0661] a\nDocument [2] b", "[1] gold\n[2] a\n\n[3] b", "[\u0661] a\n\n[2] b",
    "x [1] a\n\n[2] b\n\n[1] gold\n\n[2] c\n\n[3] d",
    "Document [1] a \u2003\nDocument [2] gold\x85\nDocument [3] b",
    tagged(["a", "gold", "b", "c"]), tagged(["a", "gold", "b"], "<document index='1'>", ""),
    tagged(["a", "gold", "b"], "<document\u2003x>"), tagged(["a", "gold", "b"], "<documents>"),
    tagged(["a", "gold<document>b", "c"]), tagged(["a", "<gold> </x>", "b"]),
    "<document>a</document",
    tagged(["a", "gold </documents> b", "c"]), tagged(["a", "gold <documentx b", "c"]),
    tagged(["a", "gold <document\u0e01 b", "c"]), tagged(["a", "gold</document >b", "c"]),
    "<document",
    tagged(["a", "gold", "b"], "<document a='<'>"), tagged(["a", "gold", "b"], between=" x "),
    tagged(["a", "gold", "b"], between=" x ") + "\n" + numbered(["a", "gold", "b"]),
    "<document>" * 9,
    f"<documents>{tagged(['a', 'gold', 'b'])}</documents>", "[" * 9, "\nDocument [",
    "\n\n[1]\n\n[2]",
    *(tagged(["a", "gold", "b"]).replace("document", name) for name in (
        "doc", "passage", "SOURCE", "Context", "search_result", "Document", "docs", "\u017fource")),
    "<doc>a</DOC><Doc x>gold</doc><doc\n>b</doc>", "<doc>a</doc>", "<doc>a<doc>gold</doc></doc>",
    "<doc><document>a</document><document>gold</document></doc>",
    "<doc>a<document>b</document></doc><doc>c</doc>",
    "<context><doc>a</doc><doc>gold</doc></context><context>b</context><context>c</context>",
    "<doc>a</doc><doc>b</doc><source>gold</source><source>c</source>",
    "<doc>a</doc><doc>b</doc><source>gold</source>",
    "<doc>a</doc>x<doc>b</doc><source>gold</source><source>c</source><source>d</source>",
    "<doc>a</doc><doc>gold</doc>\n\n[1] a\n\n[2] b", "<doc>a</doc><doc>gold</doc><doc>",
    "<doc>a</doc><doc>b</doc><doc/>",
    "<document>a</document>\n\n[1] a\n\n[2] gold\n\n[3] b",
    *(f"<{name}><doc>a</doc><doc>gold</doc></{name.upper()}>" for name in (
        "docs", "passages", "sources", "context", "contexts", "search_results", "result")),
    "<doc>a</doc><doc>gold</doc></doc>", "<documents><doc>a</doc><doc>gold</doc></documents>",
    *(numbered([" a", "\ngold", " b", " c"], label, end) for end in ("\n", "\n\n", "\r\n",
    "\r\n\r\n") for label in (
        "Document {}:", "Passage {}:", "Source {}:", "[Document {}]", "[Source {}]", "[doc{}]",
        "[Passage {}]",
        "Document [{}]", "[{}]", "document {}:", "Doc {}:", "Source 0{}:", "[doc {}]",
        "Passage {}", "Source {}\u0661:")),
    "Source 1: a\nSource 3: b\nSource 2: gold", "Source 1: a\n\nx\n\nSource 2: gold",
    "Source 1:\n\nSource 2: b",
    "Source 1: a\nSource 2: b\n\nPassage 1: gold\nPassage 2: c",
    "Source 1: a\nPassage 1: b\nPassage 2: c\nSource 2: gold",
    "Source 1:\nSource 1: a\nSource 2: gold\nSource 3: b",
    "Source 1: a\nDocument [1] b\nDocument [2] gold",
    "Source 1234567: a\nSource 1: b\nSource 2: gold",
    "Document [1] a\r\nDocument [2] b\r\n \r\nDocument [3] gold",
    "Document [1]\r\nDocument [2] gold\r\nDocument [3] b", "[1] a\r\nb\n\r\n[2] gold\r\n\n[3] c",
    "Source 1: a\n" * 3,
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("before", "after"), [("", ""), ("Gold?\n", "\n\nIs it gold?"), ("é\n\n", "\n\n_")]
)
def test_shapes_of_documents(shape, before, after):
    text = f"{before}{shape}{after}"
    fit = not {*"\u0661\u0e01\u017f"} & {*text}
    for pasted in (True, False):
        same(text, "gold", pasted=pasted, fit=fit)
        same(text, "is it gold?", 0.4, pasted=pasted, fit=fit)
    split = delimited(text)
    assert asked(text) == (None if split is None else around(text, split))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "select_asked", lambda _: raises())
        assert asked(text) == (None if split is None else around(text, split))


def raises():
    raise native.Unfit


def test_what_is_asked_is_the_end():
    text = numbered(["a", "b"])
    for size in (3_999, 4_000, 4_001):
        for sign in "aé":
            assert asked(f"{text}\n\n{sign * size} end ") == f"{sign * size} end"[-4_000:]


@pytest.mark.parametrize(
    "text",
    [
        "<document>" * 50_000, "<document>x" * 50_000, "\nDocument [1]" * 50_000,
        "\n[1] x" * 50_000,
        "[" * 500_000, "title=" * 90_000, " " * 500_000, "a" * 500_000, "A" * 500_000,
        "at " * 160_000,
        "error " * 80_000, "1" * 500_000, "a_" * 250_000, "exit " * 100_000, "/" * 500_000,
        "\n" * 500_000,
        "> " * 250_000, "." * 500_000, "\n\ngold" * 80_000, "'" * 500_000, "é" * 250_000,
        "```\n" * 100_000,
        "*" * 500_000, "=" * 500_000, "# a\n" * 100_000, "aB" * 250_000,
        "ECONN" * 100_000, f"# {'gold ' * 40_000}" + "\n\ngold" * 50_000, "returned " * 50_000,
        "\n[" * 400_000, "\n[1]\n" * 100_000, "\r" * 800_000, "a\n===\n\n" * 70_000,
        "=" * 400_000 + "\n" + "=" * 400_000,
        "<h1>" * 120_000, "1. A\n\n" * 80_000, "ABCD\n\n" * 80_000, "1." * 250_000,
        "[error " * 70_000,
        "[error" + " " * 500_000, ":01:02." * 70_000, "[a_" * 160_000, "kern.err " * 50_000,
        "... " * 120_000,
        "<doc>" * 100_000, "<doc>x</doc><source>" * 30_000, "Source 1: x\n" * 50_000,
        "Source 1:\n" * 60_000, "Source " + "1" * 500_000, "[doc1]\n[doc2]" * 40_000,
        "\nSource 1" * 60_000, "\r\n" * 200_000,
    ],
    ids=range(52),
)  # fmt: skip
def test_texts_made_to_take_long(text):
    same(f"gold\n\n{text}\n\ntin\n\ngold", "gold a_b error 1.5", alone=False)
