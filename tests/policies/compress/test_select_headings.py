"""What a heading is in texts of many kinds, and what only looks like one."""

import pytest

from policies.compress.select_passages import paragraphs


def headed(text):
    """What stays of a text among others, and how what stands behind it is headed."""
    whole = f"Gold lies deep.\n\n{text}\n\nIt is so.\n\nThe end.\n"
    _, *inner, last = paragraphs(whole).pieces
    return [whole[each.start : each.end] for each in inner if each.fixed], last.head


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("Gold\n====\n", "Gold"),
        ("Gold of the deep\n---\n", "Gold of the deep"),
        ("Gold\n~~~~\n", "Gold"),
        ("Gold\n^^^^\n", "Gold"),
        ("Gold\r\n=====\r\n", "Gold"),
        ("====\nGold\n====\n", "Gold"),
        ("------\n Gold\n------\n", "Gold"),
        ("<h1>Gold</h1>\n", "Gold"),
        ('  <H2 class="a">Gold</H2>\n', "Gold"),
        ("1. Gold\n", "1. Gold"),
        ("2.3 Gold\n", "2.3 Gold"),
        ("12.3.4. Über Gold?\n", "12.3.4. Über Gold?"),
        ("GOLD\n", "GOLD"),
        ("IN THE DEEP: GOLD (1848)\n", "IN THE DEEP: GOLD (1848)"),
    ],
)
def test_a_heading_stays_and_says_what_stands_below_it(text, head):
    assert headed(text) == ([text], head)
    assert headed(f"{text}\nTin is soft.")[1] == head


def test_a_title_with_a_line_stays_apart_from_what_stands_right_below():
    assert headed("Gold\n====\nTin is soft.\nIt is so.") == (["Gold\n====\n"], "Gold")
    assert headed("Gold\n~~~~\nTin is soft.\n\n```\na\n```\n")[1] == "Gold"


@pytest.mark.parametrize(
    "text",
    [
        "---", "***", "- - -", "Gold is deep.\n---", "Gold, tin and so on;\n===",
        "---\ntitle: Gold\n---",
        "---\ntitle: Gold\nby: x\n---", "Gold is\nin the deep\n---", "| Gold |\n| --- |",
        "| Gold |\n---",
        "Gold | Tin\n--- | ---", "- Gold\n---", "> Gold\n---", "Gold\n--", "===\n===\n===",
        "Golden\n^^^",
        "1. Gold\n\n2. Tin\n\n3. Lead", "1. gold is deep", "1. Gold is deep.", "1. Gold:",
        "1. Gold\n2. Tin",
        "In 1848\n2.3 Gold", "3.14", "123. Gold", "1 Gold", "10:30 Gold", "USA",
        "GOLD\n\nSILVER\n\nLEAD",
        "GOLD IS DEEP.", "GOLD\nTIN", "G" * 101, "Gold" * 26 + "\n===", "<h7>Gold</h7>", "<hr>",
        "<h1>Gold</h1> x",
        "<h1>" + "gold " * 61 + "</h1>",
    ],
)  # fmt: skip
def test_what_looks_like_a_heading(text):
    assert headed(text) == ([], "")


def test_what_may_be_a_fence_is_one():
    assert headed("Gold\n~~~\nx = 1\n~~~") == (["~~~\nx = 1\n~~~\n"], "")
    assert headed("~~~~\nGold\n~~~~") == (["~~~~\nGold\n~~~~\n"], "")
    assert headed("```\n---\n```") == (["```\n---\n```\n"], "")
