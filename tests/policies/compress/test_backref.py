import pytest

from policies.compress import backref
from policies.compress.backref import Earlier
from policies.compress.backref_index import LineIndex

FILE = "".join(f"line {n} of a file that was read, with {n * 7919 % 1000}\n" for n in range(80))
EARLIER = [Earlier("message 2 (bash)", f"$ cat file\n{FILE}$ "), Earlier("message 4 (read)", FILE)]


def encode(text, earlier=EARLIER):
    return backref.encode(text, earlier, len, LineIndex())


def test_a_block_that_stands_earlier_is_named_with_its_lines_and_its_ends():
    text = f"before\n{FILE}after"
    encoded = encode(text)
    assert encoded == (
        "before\n"
        "[lines 2-81 of message 2 (bash) stand here again, "
        'from "line 0 of a file that was read," to "a file that was read, with 601"]\n'
        "after"
    )
    assert backref.decode(encoded, EARLIER) == text


def test_the_longest_place_is_taken():
    part = "".join(FILE.splitlines(True)[:40])
    earlier = [Earlier("message 1", part), Earlier("message 3", FILE)]
    assert "lines 1-81 of message 3" in encode(FILE, earlier)


def test_a_block_that_moved_on_is_several():
    lines = FILE.splitlines(True)
    text = "".join([*lines[50:70], "new\n", *lines[5:40]])
    encoded = encode(text)
    assert encoded.count("stand here again") == 2
    assert backref.decode(encoded, EARLIER) == text


def test_short_lines_before_a_block_belong_to_it():
    text = "".join(f"{{\n}}\nthe long line number {n} of this text\n" for n in range(20))
    encoded = encode(text, [Earlier("message 1", f"head\n{text}")])
    assert encoded.startswith("[lines 2-62 of message 1")


def test_one_long_line_is_a_block():
    text = "x" * 300
    earlier = [Earlier("message 1", f"a\n{text}\nb")]
    encoded = encode(f"1\n{text}\n2", earlier)
    assert "[lines 2-2 of message 1" in encoded
    assert backref.decode(encoded, earlier) == f"1\n{text}\n2"


@pytest.mark.parametrize("text", ["", "short", FILE.replace("line", "row"), "\n" * 500, FILE[:200]])
def test_where_nothing_long_stands_earlier_there_is_nothing(text):
    assert encode(text) is None


def test_the_counted_tokens_decide():
    assert backref.encode(FILE, EARLIER, lambda text: 1, LineIndex()) is None


def test_lines_that_look_like_notes_are_told_apart():
    note = '[lines 1-3 of message 4 (read) stand here again, from "a" to "b"]'
    text = f"{note}\n\\{note}\n{FILE}"
    encoded = encode(text)
    assert encoded.startswith(f"\\{note}\n\\\\{note}\n[lines")
    assert backref.decode(encoded, EARLIER) == text


@pytest.mark.parametrize("name", ["", 'a"b', "a\nb", " a", "x" * 90])
def test_names_that_no_note_can_carry_are_passed_over(name):
    assert encode(FILE, [Earlier(name, FILE)]) is None


def test_of_one_name_the_first_text_counts():
    earlier = [Earlier("m", "x" * 300), Earlier("m", FILE)]
    assert encode(FILE, earlier) is None


@pytest.mark.parametrize("lines", ["0-1", "5-4", "80-99"])
def test_a_note_of_lines_that_are_not_there_is_an_error(lines):
    note = f'[lines {lines} of message 4 (read) stand here again, from "a" to "b"]'
    with pytest.raises(ValueError, match="not there"):
        backref.decode(note, EARLIER)
    with pytest.raises(ValueError, match="not there"):
        backref.decode(note.replace("(read)", "(unknown)"), EARLIER)


def test_lines_that_are_everywhere_do_not_multiply_the_work():
    line = "the same line that is everywhere in all of it\n"
    compared = 0

    class Line(str):
        __slots__ = ()

        def __eq__(self, other):
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    def cost(size):
        nonlocal compared
        compared = 0
        lines = [Line(line.strip()) if n % 5 else Line(f"{n}") for n in range(size)]
        other = [str(one) if n % 5 else f"other {n}" for n, one in enumerate(lines)]
        candidates = {line.strip(): [("m", place) for place in (1, 2, 3, 4)]}
        backref._blocks(lines, candidates, {"m": other})
        return compared

    assert cost(8000) < 2.2 * cost(4000)
