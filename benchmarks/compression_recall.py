"""What must not be missed, and how much of it is left: by kind, each value once a text.

`compress.stash` and `compress.history` leave originals to be read by a tool. Two numbers of each:
what the model sees without asking, and how many texts the tool gives back byte for byte.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from compression_costs import call
from compression_sets import Count, rows
from prefix_bars import Bar

from policies.base.body import Body
from policies.base.call import Call, Dialect
from policies.base.plan import Outcome
from policies.base.ports import View
from policies.base.step import Edit
from policies.compress.freeze_places import Spot, listing, with_extracts
from policies.compress_history import History
from policies.compress_stash import Stash, _Recipe
from proxy.edits import after
from proxy.replay.store import Clock, Shelves

KINDS = {
    "numbers": re.compile(r"\d+(?:[.:]\d+)*"),
    "identifiers": re.compile(r"\b\w+_\w+\b|\b[a-z]+[A-Z]\w*\b"),
    "addresses": re.compile(r"https?://[^\s\"'<>\\(){}\[\],;|]+|[\w.+-]+@[\w-]+\.\w+"),
    "paths": re.compile(r"(?<![\w/.:~-])[\w.~-]*/[\w./-]*\w"),
    "negations": re.compile(
        r"(?i)\b(?:no|not|never|none|nor|neither|cannot|without)\b(?: [a-z]+)?|\w+n't\b"
    ),
    "error lines": re.compile(
        r"(?i).{0,10}\b(?:errors?|\w*Exception|Traceback|FATAL|failed|failure|denied|timed out"
        r"|exit (?:code|status) \d+|returned \d+ error)\b.{0,10}"
    ),
}
_named = re.compile(r'\{"id": "[0-9a-f]{16}"\}')
NOTHING = re.compile(r'(?i)error"?: ?(?:null|""|false|0)|\b(?:0|no) (?:errors|failed)')


class Held(NamedTuple):
    """How many of a kind stood there, and still do."""

    kept: int
    of: int

    @property
    def share(self) -> float:
        """Per cent; 100 of nothing."""
        return 100 * self.kept / self.of if self.of else 100.0


def recall(pairs: Iterable[tuple[str, str]]) -> dict[str, Held]:
    """By kind, of `(before, after)`. What ends a sentence or a value is no part of it."""
    kept: Counter[str] = Counter()
    of: Counter[str] = Counter()
    for before, left in pairs:
        for kind, pattern in KINDS.items():
            wanted = {each for each in _found(pattern, before) if not NOTHING.search(each)}
            of[kind] += len(wanted)
            if kind == "error lines":  # with what stands around them
                kept[kind] += sum(each in left for each in wanted)
            else:
                kept[kind] += len(wanted & set(_found(pattern, left)))
    return {kind: Held(kept[kind], of[kind]) for kind in KINDS}


def _found(pattern: re.Pattern[str], text: str) -> Iterable[str]:
    return (each.rstrip(".:?!") for each in pattern.findall(text))


class Seen(NamedTuple):
    """Texts as they came and as the model sees them; how many of these come back by the tool."""

    pairs: Sequence[tuple[str, str]]
    back: Held


def stashed(texts: Sequence[str], settings: Stash.Settings, count: Count) -> Seen:
    """What `compress.stash` makes extracts of, by themselves and by its tool."""
    recipe = _Recipe(settings)
    long = [text for text in texts if count(text) >= settings.min_tokens]
    forms = [(text, recipe.form(Spot((), text, False), count).text) for text in long]
    pairs = [(text, form) for text, form in forms if form is not None]
    return Seen(pairs, asyncio.run(_given(pairs, settings)))


async def _given(pairs: Sequence[tuple[str, str]], settings: Stash.Settings) -> Held:
    policy = Stash(settings)
    back = 0
    for text, short in pairs:
        messages = [{"role": "user", "content": "?"}, _result(text)]
        tools = [{"type": "function", "function": {"name": "look"}}]
        doc = {"messages": messages, "tools": tools}
        one = call(Body(json.dumps(doc).encode()))
        step = await policy.plan(one, View(_store(), 0.0))
        assert isinstance(step, Edit)
        back += await _read(step, short) == text
    await policy.aclose()
    return Held(back, len(pairs))


async def _read(step: Edit | Call, short: str) -> str:
    """The original of an extract or a stub, page by page as the model would read it."""
    assert step.local is not None
    named = _named.search(short)
    arguments = json.loads(named[0]) if named else {}
    text = ""
    while True:
        said = await step.local.answer(json.dumps({**arguments, "offset": len(text)}), _store())
        page, more, note = said.text.rpartition("\n[Characters ")
        text += page if more else said.text
        if said.failed or "For more" not in note:
            return text


def _result(text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": "1", "content": text}


def _store() -> Any:
    return Shelves(Clock(0.0)).bind("compress", "t")


_TALKS = 20  # of the airline's, one after the other, so that a request is long enough


def masked(data: Path) -> Seen:
    """One long conversation as `compress.history` sends it behind `compress.stash`, by defaults."""
    messages = []
    for number, row in enumerate(rows(data / "traces/tau_airline.jsonl.gz")[:_TALKS]):
        for message in row["messages"][1:]:
            text = json.dumps(message)
            messages.append(json.loads(text.replace('"call_', f'"call_{number}_')))
    return asyncio.run(_masked(messages))


async def _masked(messages: list[dict[str, Any]]) -> Seen:
    stash, history = Stash(Stash.Settings(min_tokens=10**6)), History(History.Settings())
    store, tools = _store(), [{"type": "function", "function": {"name": "look"}}]
    view = View(store, 0.0)
    ends = [at for at, it in enumerate(messages) if it["role"] == "assistant"] + [len(messages)]
    for end in ends:
        one = call(Body(json.dumps({"messages": messages[:end], "tools": tools}).encode()))
        first = await stash.plan(one, view)
        assert isinstance(first, Edit)
        offered = after(one, first)
        step = await history.plan(offered, view)
        if isinstance(step, Edit):
            await history.settle(offered, step, Outcome(200), store)
    assert isinstance(step, Edit)
    old, new = (_texts(raw) for raw in (one.body.raw, step.body.raw))
    stubs = [(text, stub) for text, stub in zip(old, new, strict=True) if text != stub]
    back = [await _read(offered, stub) == text for text, stub in stubs]
    await stash.aclose()
    whole = one.body.raw.decode(), step.body.raw.decode()
    return Seen([whole], Held(sum(back), len(back)))


def _texts(raw: bytes) -> list[str]:
    listed = listing(Dialect.CHAT, raw)
    assert listed is not None
    found = (with_extracts(Dialect.CHAT, each, users=False) for each in listed.raws)
    return [spot.text for spots in found for spot in spots]


def bars(texts: Sequence[str], data: Path, count: Count) -> list[Bar]:
    """Of `compress.stash` on these texts and of `compress.history`, both at their defaults."""
    made = []
    for who, seen in (
        ("stash", stashed(texts, Stash.Settings(), count)),
        ("history", masked(data)),
    ):
        for kind, held in recall(seen.pairs).items():
            made.append(Bar(f"{who} at its defaults, {kind} seen", held.share, ">=", 99, "%"))
        what = f"{who}, the tool gives back byte for byte"
        made.append(Bar(what, seen.back.share, ">=", 100, "%"))
    return made
