"""The diff that `explain --diff` prints: plain where nobody looks, and never a control code."""

import io

from rich.console import Console

from proxy.cli_diff import heading, lines, show


def change(before, after, **more):
    return {
        "policy": "compress.lossless",
        "mode": "on",
        "place": "message 3 content",
        "path": ["messages", 3, "content"],
        "before": before,
        "after": after,
        "tokens": {"before": 1200, "after": 300},
    } | more


def shown(*changes, color="auto"):
    file = io.StringIO()
    show(changes, Console(file=file, width=40, color_system=color))
    return file.getvalue()


def test_a_heading_says_where_who_and_how_much():
    assert heading(change("a", "b")) == (
        "message 3 content: compress.lossless, 1,200 -> 300 tokens (-75 %)"
    )
    assert "compress.lossless (shadow: not applied), " in heading(change("a", "b", mode="shadow"))
    added = change(None, "b", tokens={"before": 0, "after": 9})
    assert heading(added).endswith("0 -> 9 tokens")


def test_plain_text_has_each_line_once_unwrapped():
    long = "word " * 30
    assert shown(change(f"same\n{long}\nold\nend", f"same\n{long}\nnew\nend")) == (
        "\nmessage 3 content: compress.lossless, 1,200 -> 300 tokens (-75 %)\n"
        f"  same\n  {long}\n- old\n+ new\n  end\n"
    )


def test_on_a_terminal_it_is_coloured():
    text = shown(change("old", "new"), color="standard")
    assert "\x1b[31m- old\x1b[0m" in text
    assert "\x1b[32m+ new\x1b[0m" in text


def test_a_prompt_cannot_steer_the_terminal():
    text = shown(change("\x1b[2J[red]x[/red]\r\u202e", "ok\t1"))
    assert "- \\x1b[2J[red]x[/red]\\r\\u202e\n" in text
    assert "+ ok" in text
    assert "\x1b" not in text


def test_many_lines_alike_are_counted():
    same = [f"line {n}" for n in range(10)]
    told = [
        line for line, _ in lines("\n".join([*same, "a", *same]), "\n".join([*same, "b", *same]))
    ]
    assert told == [
        "  … 7 lines alike",
        *(f"  line {n}" for n in (7, 8, 9)),
        "- a",
        "+ b",
        *(f"  line {n}" for n in (0, 1, 2)),
        "  … 7 lines alike",
    ]


def test_what_comes_new_or_goes_has_one_side():
    assert lines(None, "a\nb") == [("+ a", "green"), ("+ b", "green")]
    assert lines("a", None) == [("- a", "red")]


def test_nothing_changed_is_said():
    assert shown() == "\nnothing was changed\n"
