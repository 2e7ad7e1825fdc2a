"""A text without the passages that have little to do with a question, ranked by words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from policies.base.ports import Count
from policies.compress import native
from policies.compress.freeze_form import Form, Rules, Short, each_once, shortened
from policies.compress.select_choice import NONE, Limits, chosen
from policies.compress.select_passages import passages
from policies.compress.select_pins import factual, named, names, troubled
from policies.compress.select_rank import lexical
from policies.compress.select_words import BORDER, plain, stem
from policies.compress.text_protected import looks_like_code_or_diff


def form(  # noqa: PLR0913 - what a form depends on
    text: str, question: str, limits: Limits, count: Count, rules: Rules, *, pasted: bool
) -> Form:
    """What a text becomes. A function of its arguments alone, as long as `count` is one."""
    once = each_once(count)

    def make() -> Short | None:
        return selected(text, question, limits, once, pasted=pasted)

    return shortened(text, once, rules, make)


def selected(
    text: str, question: str, limits: Limits, count: Count, *, pasted: bool
) -> Short | None:
    """Of the documents or, unless a user has `pasted` them, the paragraphs of a text those to keep.

    None where all stay, or it has none. Natively where that can be.
    """
    try:
        tokens = None if limits == NONE else count(text)
        bounds = " ".join("-" if each is None else str(each) for each in (*limits, tokens))
        asked = f"{bounds}{' pasted' if pasted else ''}\n{question}"
        counted = [""]
        made = native.select(asked, text, _answers(text, question, count, counted))
    except native.Unfit:
        split = passages(text, pasted=pasted)
        return split and chosen(text, split, question, limits, (lexical, count))
    if made is None:
        return None
    gone, _, short = made.partition("\0")
    return Short(short or counted[0], int(gone))


def _answers(
    text: str, question: str, count: Count, counted: list[str]
) -> Sequence[Callable[[str], str]]:
    """What Rust asks for, in the order of its numbers. "" is no. `counted`: the last that was."""
    wanted: list[re.Pattern[str] | None] = []

    def is_named(passage: str) -> str:
        if not wanted:  # a text that has none of them is searched once
            found = names(question)
            wanted.append(found if found is not None and found.search(text) else None)
        return "yes" if wanted[0] is not None and wanted[0].search(passage) else ""

    def size(short: str) -> str:
        counted[0] = short
        return str(count(short))

    return (
        lambda whole: "yes" if looks_like_code_or_diff(whole) else "",
        lambda passage: "yes" if troubled(passage) else "",
        lambda passage: "yes" if factual(passage) else "",
        is_named,
        lambda texts: plain(texts.split(BORDER)),
        lambda words: " ".join(map(stem, words.split(" "))),
        size,
        lambda texts: " ".join(str(count(each)) for each in texts.split(BORDER)),
        lambda asked: "\n".join(named(asked)),
    )
