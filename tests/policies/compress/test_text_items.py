import pytest

from policies.compress import text_items
from policies.compress.text_choice import choose, decode

LIST = ", ".join(f"lib{n}:amd64 (1.{n}-2, automatic)" for n in range(60))
TEXT = f"Start-Date: 2026-01-31\nInstall: {LIST}\nEnd-Date: 2026-01-31\n"


def test_each_thing_of_a_list_has_a_line_and_the_list_comes_back():
    broken = text_items.encode(TEXT, len)
    assert "\n&lib7:amd64 (1.7-2, automatic),\n&lib8" in broken
    assert text_items.decode(broken) == TEXT


@pytest.mark.parametrize("separator", ["; ", ", "])
def test_other_separators_do_too(separator):
    text = separator.join(f"thing number {n} of a long list" for n in range(40))
    assert text_items.decode(text_items.encode(text, len)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "a, b, c", f"{TEXT}\n&x", "short line,\n" * 90, "x" * 900, f"[{TEXT}"),
        "; ".join(["one sentence of many words " * 20] * 30),
    ],
)
def test_what_has_no_long_lists_is_left_alone(text):
    assert text_items.encode(text, len) is None


def test_another_first_line_is_an_error():
    with pytest.raises(ValueError, match="head"):
        text_items.decode(TEXT)


def test_a_list_is_rewritten_as_a_log():
    chosen = choose(TEXT, len)
    assert chosen.codecs == ("items", "log")
    assert len(chosen.text) < 0.8 * len(TEXT)
    assert decode(chosen) == TEXT
