import pytest

from policies.compress import text_repeats

LINE = "connection refused, retrying in 5 seconds"


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        (f"{LINE}\n" * 13, f"{LINE}\n[the last line repeats 12 more times]\n"),
        (
            f"a {LINE}\nb {LINE}\n" * 4 + "c",
            f"a {LINE}\nb {LINE}\n[the last 2 lines repeat 3 more times]\nc",
        ),
        (f"{LINE}\n" * 3 + f"{LINE}", f"{LINE}\n[the last line repeats 3 more times]"),
        (
            f"{LINE} and so on and on\r\n" * 2,
            f"{LINE} and so on and on\r\n[the last line repeats 1 more time]\n",
        ),
    ],
)
def test_what_repeats_is_said_once(text, encoded):
    assert text_repeats.encode(text, len) == encoded
    assert text_repeats.decode(encoded) == text


@pytest.mark.parametrize("text", ["", "one line", "a\nb\nc", "x\nx\n", "a\nb\na\nb\n"])
def test_without_gain_there_is_nothing(text):
    assert text_repeats.encode(text, len) is None


def test_the_counted_tokens_decide():
    text = f"{LINE}\n" * 13
    assert text_repeats.encode(text, lambda one: 1) is None


def test_lines_that_look_like_notes_are_told_apart():
    text = (
        "[the last line repeats 3 more times]\n\\[the last line repeats 3 more times]\n"
        + f"{LINE}\n" * 9
    )
    encoded = text_repeats.encode(text, len)
    assert encoded.startswith("\\[the last line repeats 3 more times]\n\\\\[the")
    assert text_repeats.decode(encoded) == text


def test_a_note_of_lines_that_are_not_there_is_an_error():
    with pytest.raises(ValueError, match="more lines"):
        text_repeats.decode("a\n[the last 2 lines repeat 1 more time]")


def test_a_block_is_at_most_64_lines():
    block = "\n".join(f"{LINE} {number}" for number in range(65))
    assert text_repeats.encode(f"{block}\n{block}\n{block}", len) is None


def test_a_repeated_bomb_is_small_and_a_longer_text_is_left_alone(monkeypatch):
    text = "0" * 99 + "\n"
    assert len(text_repeats.encode(text * 100_000, len)) < 200
    monkeypatch.setattr(text_repeats, "LONGEST", 1000)
    assert text_repeats.encode(text * 11, len) is None


def test_false_starts_cost_a_bounded_number_of_comparisons():
    comparisons = 0

    class Line(str):
        __slots__ = ()

        def __eq__(self, other):
            nonlocal comparisons
            comparisons += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    def cost(size):
        nonlocal comparisons
        comparisons = 0
        lines = [Line(f"{number % 32} {'end' * (number % 33 == 0)}") for number in range(size)]
        assert list(text_repeats._noted(lines))
        return comparisons

    assert cost(8000) < 2.2 * cost(4000)
