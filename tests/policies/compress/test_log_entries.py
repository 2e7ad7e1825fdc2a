from itertools import islice

from policies.compress.log_entries import RAW, Entry, Forms, entries, lines_of, loose
from policies.compress.log_stamps import MARK
from policies.compress.log_templates import Template


def test_each_line_is_an_entry_with_its_time():
    text = "10:00:01 open a1\n10:00:01 open a2\n10:00:02 open a3\nand one more line"
    forms = Forms()
    listed = entries(text, forms)
    assert listed.stamps == ["10:00:01", "10:00:01", "10:00:02", None]
    assert listed.joins == [False, True, False, True]
    assert listed.templates[3] == RAW
    assert listed.values[3] == ("and one more line",)
    second = Entry(*next(islice(zip(*listed, strict=True), 1, None)))
    assert lines_of(second, forms.templates) == [f"{MARK} open a2"]


def test_a_template_has_one_number():
    forms = Forms()
    assert forms.number(Template(("a", ""), (0,))) == forms.number(Template(("a", ""), (0,))) == 0
    assert forms.number(Template(("a", ""), (0,), loose=True)) == 1


def test_of_a_line_alone_the_time_is_taken_and_the_rest_is_one_value():
    forms = Forms()
    number, values = loose(f"[{MARK}] it went wrong", "10:00:01", forms)
    assert values == ("it went wrong",)
    assert forms.templates[number] == Template((f"[{MARK}] ", ""), (0,), loose=True)
    assert loose(f"{MARK} ^", "10:00:01", forms) == (RAW, ("10:00:01 ^",))
