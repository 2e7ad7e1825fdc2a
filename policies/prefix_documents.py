"""Give retrieved documents the order in which they were first seen, so that caches know them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import structs
from pydantic import Field

from policies.base.body import Body
from policies.base.call import Call, Dialect, Effect
from policies.base.documents import Document, Style, documents
from policies.base.plan import Outcome
from policies.base.policy import Base, Strict, policy
from policies.base.ports import Entry, Store, View
from policies.base.prompt import reading
from policies.base.spans import Path
from policies.base.step import Edit, Skip, Step
from policies.base.terms import Terms
from policies.base.units import Duration
from policies.prefix.canonical_outline import Span, spliced
from policies.prefix.documents_blocks import (
    Placement,
    identity,
    rearranged,
    repeated,
)
from policies.prefix.documents_order import NAME, chained, ordered, pays
from policies.prefix.volatile_lines import placed
from policies.prefix.volatile_turns import Turns, marked, turns

_DIALECTS = (Dialect.CHAT, Dialect.MESSAGES, Dialect.RESPONSES)
_UNEDITED = "the conversation began unedited, or is not remembered"
_RETRY = 60.0  # seconds within which the same opening again is the same request again
_MOST = 4096  # beginnings of blocks of documents that are kept


class State(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How a conversation was sent up to a user message; `at` is Unix seconds."""

    at: float
    placements: tuple[Placement, ...]


class _Memo(msgspec.Struct, frozen=True):
    """What `settle` keeps: the state of a turn, and how its documents begin."""

    key: bytes
    state: State
    slot: bytes
    chains: tuple[bytes, ...]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(State).decode
_json = msgspec.json.Encoder().encode


@policy("prefix.documents")
class StableDocuments(Base):
    """Reorders the documents of a delimited block in the last user message.

    Those with which a block of this tenant, route and model has begun before come first, in
    that order; the others follow by rank. Their order of relevance is said behind the block.
    That is done only where what a cache reads for it costs more than these words: not where a
    text is cached as a whole, as with marks, or nothing is. A document whose text stands in an
    earlier user message becomes a pointer to it. Tags, labels and attributes stay with their
    document, since answers cite them. A turn, once sent, is sent the same way ever after;
    where that is not remembered, nothing is touched.
    """

    effect: ClassVar = Effect.REORDER

    class Settings(Strict):
        """`delimiters`: how documents are marked. `ttl`: how long an order is remembered."""

        delimiters: tuple[Style, ...] = ("xml", "numbered")
        ttl: Annotated[Duration, Field(gt=0)] = 86400.0

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def reads(self, call: Call, terms: Terms) -> bool:  # noqa: ARG002 - the contract's
        """To look only at what has come since the turn before."""
        return call.dialect in _DIALECTS

    async def plan(self, call: Call, view: View) -> Step:
        """`Edit` where documents move, in this turn or an earlier one."""
        if call.dialect not in _DIALECTS or not _may_hold(call):
            return Skip("no documents")
        found = turns(call, b"documents")
        if found is None or marked(call.doc()):
            return Skip("a shape or marks to leave alone")
        memo = await self._memo(call, found, view)
        if isinstance(memo, str):
            return Skip(memo)
        if not any(each.moves() for each in memo.state.placements):
            return Skip("documents stand in their order", memo)
        body = self._edited(call, found, memo.state)
        if body is None:
            return Skip("a shape to leave alone")
        return Edit(body, self.effect, "documents in an order seen before", memo=memo)

    async def _memo(self, call: Call, found: Turns, view: View) -> _Memo | str:
        """How this turn is sent: as before where it was; or why it must stay as it is."""
        slot = sha256(_encode((call.tenant, call.route, call.model, call.path))).digest()
        kept = _state(await view.store.get(found.key))
        if kept is not None and (found.follows or abs(view.now - kept.at) <= _RETRY):
            return _Memo(found.key, kept, slot, ())
        users = [i for i in range(found.first, found.last) if found.is_user(i)]
        if found.follows:
            held = any(self._held(found, index) for index in (*users, found.last))
            return _UNEDITED if held else "no documents"
        base: State | None = State(view.now, ())
        if any(self._held(found, index) for index in users):
            base = _state(await view.store.get(found.earlier)) if found.earlier else None
        if base is None:
            return _UNEDITED
        here = self._held(found, found.last)
        if here is None:
            return _Memo(found.key, structs.replace(base, at=view.now), slot, ())
        part, text, docs = here
        earlier = "\0".join(text for index in users for _, text in _texts(found, index))
        seen = _seen(await view.store.get(slot))
        names = [identity(text, each) for each in docs]
        lead = _lead(found, text[: docs[0].start])
        order, more, as_it_came = ordered(lead, names, seen)
        saved = _size(docs, order[:more]) - _size(docs, range(as_it_came))
        before = found.spans[found.last][0] + docs[0].start + _size(docs, range(as_it_came))
        if not pays(before, saved, view.terms(call)):
            order = tuple(range(len(docs)))
        new = Placement(found.last, part, order, repeated(text, docs, earlier))
        state = State(view.now, (*base.placements, new))
        chains = chained(lead, [names[place] for place in order])
        return _Memo(found.key, state, slot, tuple(chains))

    def _held(self, found: Turns, index: int) -> tuple[int, str, list[Document]] | None:
        """The part of a message that holds documents, if exactly one does."""
        held = [
            (part, text, docs)
            for part, text in _texts(found, index)
            if (docs := documents(text, self.settings.delimiters))
        ]
        return held[0] if len(held) == 1 else None

    def _edited(self, call: Call, found: Turns, state: State) -> Body | None:
        """The body with documents placed; None where some span or block is not as expected."""
        texts: list[bytes] = []
        paths: list[Path] = []
        name = "input" if call.dialect is Dialect.RESPONSES else "messages"
        for each in state.placements:
            if not each.moves():
                continue
            held = self._held(found, each.index) if each.index <= found.last else None
            new = rearranged(held[1], held[2], each) if held and held[0] == each.part else None
            if new is None:
                return None
            texts.append(_json(new))
            inner = () if each.part < 0 else (each.part, "text")
            paths.append((name, each.index, "content", *inner))
        spans = placed(call, paths)
        if spans is None:
            return None
        changes: list[tuple[Span, bytes]] = list(zip(spans, texts, strict=True))
        return Body(spliced(call.body.raw, changes))

    async def settle(self, call: Call, step: Step, outcome: Outcome, store: Store) -> None:
        """Remember how the turn was sent, and which documents were new."""
        memo = step.memo
        if not isinstance(memo, _Memo) or not getattr(outcome, "applied", True):
            return
        await store.put(memo.key, _encode(memo.state), self.settings.ttl, call.model)
        known = _seen(await store.get(memo.slot))
        new = [name for name in dict.fromkeys(memo.chains) if name not in known]
        if new:
            kept = b"".join([*known, *new][-_MOST:])
            await store.put(memo.slot, kept, self.settings.ttl, call.model)


class _Searched(msgspec.Struct, frozen=True, gc=False):
    """Whether there may be documents in a body up to its byte `end`."""

    end: int
    hit: bool


def _may_hold(call: Call) -> bool:
    """Whether it is worth while to look closer at what users say."""
    read, raw = reading(call), call.body.raw
    if read is None:
        return _looks(raw)
    before = read.earlier.get(_Searched)
    old = before if isinstance(before, _Searched) else _Searched(0, hit=False)
    hit = old.hit or _looks(raw[max(0, old.end - _REACH) :])
    read.notes[_Searched] = _Searched(len(read.text), hit=hit)
    return hit


_REACH = 24  # bytes: more than what is searched for has
_TAG = re.compile(rb"/(?i:document|doc|passage|source|context|search_result)(?:>|\\u003[eE])")
_ESCAPED = re.compile(rb"u002[fF](?i:document|doc|passage|source|context|search_result)")
_LABELS = (b"[2]", b"Document 2", b"Passage 2", b"Source 2", b"[doc2]")


def _looks(raw: bytes) -> bool:
    """What no document lacks: JSON may write slashes and brackets of tags in another way."""
    return bool(any(each in raw for each in _LABELS) or _TAG.search(raw) or _ESCAPED.search(raw))


def _texts(found: Turns, index: int) -> list[tuple[int, str]]:
    """The texts of a user message: `(part, text)`, part -1 for a content that is a text."""
    content: Any = found.messages[index].get("content")
    if isinstance(content, str):
        return [(-1, content)]
    texts = ((part, each.get("text")) for part, each in enumerate(content))
    return [(part, text) for part, text in texts if isinstance(text, str)]


def _seen(entry: Entry | None) -> dict[bytes, int]:
    """How blocks of documents were seen to begin, with the order in which they were."""
    kept = entry.value if entry else b""
    return {kept[at : at + NAME]: at for at in range(0, len(kept), NAME)}


def _lead(found: Turns, text: str) -> bytes:
    """A digest of what stands before the documents of the last message."""
    digest = sha256()
    for raw in found.raws[: found.last]:
        digest.update(raw + b"\0")
    digest.update(text.encode())
    return digest.digest()


def _size(docs: Sequence[Document], places: Iterable[int]) -> int:
    """Characters of the documents at these places."""
    return sum(docs[place].end - docs[place].start for place in places)


def _state(entry: Entry | None) -> State | None:
    try:
        return _decode(entry.value) if entry else None
    except msgspec.MsgspecError:
        return None
