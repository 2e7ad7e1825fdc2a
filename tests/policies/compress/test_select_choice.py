import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compress.select_choice import Limits, chosen
from policies.compress.select_passages import delimited, paragraphs
from policies.compress.select_rank import lexical
from policies.compress.select_text import selected


def count(text):
    return len(text.split())


def select(text, question, share=None, tokens=None, by=lexical):
    found = chosen(text, delimited(text) or paragraphs(text), question,
                   Limits(share, tokens), (by, count))  # fmt: skip
    return None if found is None else tuple(found)


TEXT = """About the mine

Gold lies deep under the hill in veins of quartz.

The cook makes soup of leeks and onions every day.

The miners sing old songs in the evening.

An owl sits on the roof and looks at the moon.

The end of it
"""


def test_the_best_passages_stay_and_the_gaps_are_marked():
    short = """About the mine

Gold lies deep under the hill in veins of quartz.

The cook makes soup of leeks and onions every day.

[...]
The end of it
[2 of 6 passages left out]"""
    assert select(TEXT, "How deep does the gold lie?", share=0.78) == (short, 2)


def test_the_best_passage_stays_even_where_there_is_no_room():
    short, gone = select(TEXT, "What do the miners sing?", tokens=1)
    assert gone == 3
    assert "The miners sing" in short
    assert short.endswith("[3 of 6 passages left out]")


def test_both_bounds_hold():
    for share, most in ((0.5, 200), (0.9, 25)):
        short, _ = select(TEXT, "gold", share=share, tokens=most)
        assert count(short.replace("[...]", "")) <= min(share * count(TEXT), most)


@pytest.mark.parametrize("question", ["", "who is it?", "zebras and unicorns", "?!"])
def test_where_the_question_says_nothing_about_it_all_stays(question):
    assert select(TEXT, question, share=0.1) is None


def test_what_is_too_long_by_far_is_not_counted():
    long = "gold " * 400
    counted = []

    def counting(text):
        counted.append(text)
        return count(text)

    text = f"gold mine\n\n{long}\n\ngold is old\n\nsoup\n\nthe end\n"
    found = chosen(text, paragraphs(text), "gold mine", Limits(None, 30), (lexical, counting))
    assert "gold is old" in found.text
    assert long not in found.text
    assert not any(each.startswith(long) for each in counted)


@pytest.mark.parametrize("tokens", [200, 260, 320])
def test_what_has_more_tokens_than_its_length_says_goes(tokens):
    def dense(text):
        return len(text) + 9 * text.count("#")

    listed = ["start", "gold and gold mine", *(f"gold {n} ## of tin" for n in range(8)), "soup"]
    text = "\n\n".join([*listed, "words " * 60, "the end"]) + "\n"
    found = chosen(text, paragraphs(text), "gold mine", Limits(None, tokens), (lexical, dense))
    assert dense(found.text) <= tokens
    assert "gold and gold mine" in found.text
    assert found.text.count("##") > 0
    made = selected(text, "gold mine", Limits(None, tokens), dense, pasted=False)
    assert made == found


def test_few_passages_all_stay():
    assert select("gold one\n\ngold two\n", "gold", share=0.1) is None


def test_without_bounds_only_what_is_neither_near_nor_factual_goes():
    text = TEXT.replace("old songs", "17 songs").replace("An owl", "No owl")
    short, gone = select(text, "Where is the gold?")
    assert gone == 1
    assert "soup" not in short
    assert "17 songs" in short
    assert "No owl" in short


def test_errors_and_what_the_question_names_stay_whatever_the_bounds():
    text = TEXT.replace("The cook makes", "ERROR: the cook makes").replace("An owl", "The OWL-7")
    short, gone = select(text, "Is there gold for owl-7?", tokens=1)
    assert gone == 2
    assert "sing" not in short
    assert "veins" not in short


def documents(*texts):
    listed = "\n".join(f"Document [{n}](Title: T{n}) {t}" for n, t in enumerate(texts, 1))
    return f"Use these.\n\n{listed}\n\nQuestion: gold?"


def test_documents_keep_their_labels_and_what_is_around_them():
    text = documents("Gold is heavy.", "Tin is light.", "Soup is hot.", "More gold here, gold.")
    short = """Use these.

Document [1](Title: T1) Gold is heavy.
Document [4](Title: T4) More gold here, gold.
[2 of 4 documents left out]

Question: gold?"""
    assert select(text, "gold?", share=0.8) == (short, 2)


def test_tagged_documents_keep_their_tags():
    listed = [f"<document index='{n}'>\n{t}\n</document>" for n, t in enumerate(["a", "gold", "b"])]
    text = "<documents>\n" + "\n".join(listed) + "\n</documents>\ngold?"
    short = "<documents>\n" + listed[1] + "\n[2 of 3 documents left out]\n</documents>\ngold?"
    assert select(text, "gold?", tokens=1) == (short, 2)


WORDS = ("gold", "tin", "7", "not", "soup", "a_b", "error:", "hill", "the")
pieces = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=1),
    min_size=1,
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(pieces, st.sampled_from(["gold", "tin soup", "7 a_b"]), st.sampled_from([None, 0.2, 0.5]))
def test_passages_go_whole_and_the_note_counts_them(texts, question, share):
    paragraph = [" ".join(words) + f" part{number}x" for number, words in enumerate(texts)]
    text = "\n\n".join(paragraph) + "\n"
    found = select(text, question, share=share)
    if found is None:
        return
    short, gone = found
    lines = [line for line in short.split("\n") if line and line != "[...]"]
    note = re.fullmatch(r"\[(\d+) of (\d+) passages left out\]", lines.pop())
    assert (int(note[1]), int(note[2])) == (gone, len(paragraph))
    assert len(lines) == len(paragraph) - gone
    assert [line for line in paragraph if line in lines] == lines
    assert lines[0] == paragraph[0]
    assert lines[-1] == paragraph[-1]
    for line in paragraph:
        if "error:" in line or (share is None and "7" in line):
            assert line in lines
