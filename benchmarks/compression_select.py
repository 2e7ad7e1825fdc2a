"""Selection: answers that are still there, what must stay, and what tools are called with later.

NQ contexts hold 20 passages: the one with the answer and the 19 that BM25 finds nearest to the
question among those of all others, in an order drawn by chance. An answer is kept where one of its
spellings, or the passage that was annotated, is in what is left.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log
from pathlib import Path
from random import Random
from typing import Any

from compression_sets import Count, Result, pace_bars, rows, timed
from prefix_bars import Bar
from rich.box import SIMPLE_HEAD
from rich.table import Table

from policies.base.call import Dialect
from policies.compress.freeze_form import Rules
from policies.compress.freeze_places import spots
from policies.compress.select_choice import NONE, Limits
from policies.compress.select_passages import delimited
from policies.compress.select_question import Questions, asked
from policies.compress.select_text import form, selected

ROOT = Path(__file__).parents[1]
BOUNDS = {0.5: 98.0, 0.3: 95.0, 0.2: 93.5, 0.1: 89.0}
_NEAR = 19
_SETTINGS = {0.1: 0.095}  # less is asked for where what always stays would be over the share
_word = re.compile(r"\w+")
_ITEMS = {
    "numbers": re.compile(r"\d[\d.,:]*"),
    "identifiers": re.compile(r"\b\w+_\w+\b|\b[a-z]+[A-Z]\w*\b"),
    "addresses": re.compile(r"https?://\S+|\bwww\.\S+|\S+@\S+\.\w+"),
    "paths": re.compile(r"(?<!\S)[\w.~-]*/[\w./-]+"),
    "negations": re.compile(r"(?i)\b(?:no|not|never|none|nor|neither|cannot|without)\b|n't\b"),
    "error lines": re.compile(r"(?im)^.*\b(?:error|exception|fatal|failed|traceback)\b.*$"),
}


@dataclass(frozen=True)
class Context:
    """A question and its passages as `(title, text)`; `gold` is the place of the annotated one."""

    question: str
    answers: Sequence[str]
    passages: Sequence[tuple[str, str]]
    gold: int

    @property
    def documents(self) -> list[str]:
        """As they stand in a prompt."""
        return [f"Document [{n}](Title: {a}) {b}" for n, (a, b) in enumerate(self.passages, 1)]

    @property
    def prompt(self) -> str:
        """All that a user sends."""
        return (
            "Write a high-quality answer for the given question using only the provided search "
            "results (some of which might be irrelevant).\n\n"
            + "\n".join(self.documents)
            + f"\n\nQuestion: {self.question}\nAnswer:"
        )


def contexts(data: Path) -> list[Context]:
    """One for each question of the set."""
    questions = rows(data / "qa/nq_open_oracle.jsonl.gz")
    golds = [(row["ctxs"][0]["title"], row["ctxs"][0]["text"]) for row in questions]
    passages = list(dict.fromkeys(golds))
    find = _index([f"{title} {text}" for title, text in passages])
    rng = Random(7)  # the same orders in every run
    made = []
    for row, gold in zip(questions, golds, strict=True):
        near = [place for place in find(row["question"]) if passages[place][1] != gold[1]][:_NEAR]
        listed = [*(passages[place] for place in near), gold]
        rng.shuffle(listed)
        made.append(Context(row["question"], row["answers"], listed, listed.index(gold)))
    return made


def _index(texts: Sequence[str]) -> Callable[[str], list[int]]:
    """Finds the nearest of these texts, the nearest first."""
    held: dict[str, list[tuple[int, int]]] = defaultdict(list)
    lengths = []
    for place, text in enumerate(texts):
        said = _word.findall(text.lower())
        lengths.append(len(said))
        for word, often in Counter(said).items():
            held[word].append((place, often))
    mean = sum(lengths) / len(lengths)

    def find(question: str) -> list[int]:
        scores: defaultdict[int, float] = defaultdict(float)
        for word in set(_word.findall(question.lower())):
            found = held.get(word, ())
            weight = log(1 + (len(texts) - len(found) + 0.5) / (len(found) + 0.5))
            for place, often in found:
                norm = 1.2 * (0.25 + 0.75 * lengths[place] / mean)
                scores[place] += weight * often * 2.2 / (often + norm)
        return sorted(scores, key=lambda place: (-scores[place], place))

    return find


def plain(context: Context, share: float, count: Count) -> str:
    """What BM25 alone leaves: the nearest passages that there is room for."""
    texts = context.documents
    room = share * sum(map(count, texts))
    kept: list[str] = []
    for place in _index([f"{a} {b}" for a, b in context.passages])(context.question):
        size = count(texts[place])
        if size <= room or not kept:
            kept.append(texts[place])
            room -= size
    return "\n".join(kept)


def ours(context: Context, share: float, count: Count) -> str:
    """What `compress.select` leaves of the documents."""
    text = context.prompt
    split = delimited(text)
    if split is None:
        raise ValueError("the documents are not found")
    limits = Limits(_SETTINGS.get(share, share), None)
    made = selected(text, asked(text) or "", limits, count, pasted=True)
    short = text if made is None else made.text
    return short[split.pieces[0].start : len(short) - len(text) + split.pieces[-1].end]


def _answered(context: Context, left: str) -> bool:
    said = f" {_plain(left)} "
    wanted = [*context.answers, context.passages[context.gold][1]]
    return any(f" {_plain(text)} " in said for text in wanted)


def _plain(text: str) -> str:
    return " ".join(_word.findall(text.lower()))


@dataclass(frozen=True)
class Kept:
    """Per cent of the answers, and the share of the tokens, that are left at a share."""

    answers: float
    tokens: float


def answers(found: Sequence[Context], share: float, count: Count, by: Any) -> Kept:
    """What `by` keeps of these contexts."""
    kept = before = after = 0
    for context in found:
        left = by(context, share, count)
        kept += _answered(context, left)
        before += sum(map(count, context.documents))
        after += count(left)
    return Kept(100 * kept / len(found), after / before)


def pages() -> list[tuple[str, str]]:
    """Pages of plain text as tools bring them, and what is asked: Penstock's own."""
    found = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "LICENSE"]
    texts = [path.read_text(encoding="utf-8") for path in found]
    return [(text, text.lstrip("# \n").partition("\n")[0]) for text in texts]


def _results(data: Path) -> Iterator[tuple[list[bytes], list[dict[str, Any]]]]:
    for row in rows(data / "traces/tau_airline.jsonl.gz"):
        yield [json.dumps(message).encode() for message in row["messages"]], row["messages"]


def _default(text: str, question: str, count: Count) -> str:
    """What `compress.select` leaves at its defaults."""
    made = selected(text, question, NONE, count, pasted=False)
    return text if made is None else made.text


def _timed(texts: Sequence[tuple[str, str]], limits: Limits, count: Count) -> Result:
    """How long the forms of texts take for these questions; tokens are counted before and after."""
    asking = dict(texts)

    def make(text: str) -> object:
        documents = asked(text)
        question = asking[text] if documents is None else documents
        return form(text, question, limits, count, Rules(1, 0.0), pasted=documents is not None)

    return timed(list(asking), make, count)


def recall(pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Per cent of what must be kept that is in the later of two texts, by kind, each occurrence."""
    found = {}
    for kind, pattern in _ITEMS.items():
        before, held = 0, 0
        for old, new in pairs:
            items = Counter(pattern.findall(old))
            before += items.total()
            held += (items & Counter(pattern.findall(new))).total()
        if before:
            found[kind] = 100 * held / before
    return found


def arguments(data: Path, count: Count) -> float:
    """Per cent of the arguments that stood in an earlier result and still do."""
    stood = stands = 0
    for raws, messages in _results(data):
        old = new = ""
        for place, message in enumerate(messages):
            for call in message.get("tool_calls") or ():
                for value in _scalars(json.loads(call["function"]["arguments"])):
                    stood += value in old
                    stands += value in old and value in new
            if message["role"] == "tool":
                for spot in spots(Dialect.CHAT, raws[place], users=False):
                    old += spot.text
                    question = Questions().of_result(Dialect.CHAT, raws[:place], spot.call)
                    new += _default(spot.text, question, count)
    return 100 * stands / stood


def _scalars(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _scalars(each)
    elif not isinstance(value, bool) and str(value):
        yield str(value)


def selection(data: Path, count: Count) -> tuple[list[Bar], Table]:
    """The bars, and a table of answers kept beside BM25 alone."""
    found = contexts(data)
    prompts = [(each.prompt, each.question) for each in found]
    long = "\n\n".join(text for text, _ in pages())
    took = [
        _timed(prompts, Limits(0.3, None), count),
        _timed([(long, "What is left out of long results of tools?")], NONE, count),
    ]
    count = lru_cache(None)(count)
    made = Table(title="Answers kept, NQ", title_justify="left", box=SIMPLE_HEAD)
    for head in ("of the tokens", "by", "answers kept", "tokens left"):
        made.add_column(head, justify="left" if head == "by" else "right")
    bars = pace_bars("select, prompts of NQ, a long text", took)
    for share, bound in BOUNDS.items():
        for who, by in (("compress.select", ours), ("BM25 alone", plain)):
            kept = answers(found, share, count, by)
            made.add_row(f"{share:.0%}", who, f"{kept.answers:.1f} %", f"{kept.tokens:.3f}")
            if by is ours:
                what = f"NQ, {share:.0%} of the tokens"
                bars.append(Bar(f"{what}: answers kept", kept.answers, ">=", bound, "%"))
                bars.append(Bar(f"{what}: tokens left", kept.tokens, "<=", share, "x"))
    texts = prompts + pages()
    for kind, held in recall([(text, _default(text, q, count)) for text, q in texts]).items():
        bars.append(Bar(f"select at its defaults, {kind} kept", held, ">=", 99, "%"))
    kept_arguments = arguments(data, count)
    bars.append(Bar("tau arguments that still stand", kept_arguments, ">=", 100, "%"))
    return bars, made
