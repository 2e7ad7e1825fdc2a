"""Whether what is forwarded stays a prefix of what is forwarded later: checked from outside.

For two requests of one conversation of which the client's first is a prefix of its second, up
to a message boundary, the forwarded first must be a prefix of the forwarded second. Compared
are the bytes of tools, system text and messages as they stand in the JSON, without cache marks
(providers do not hash them) and without white space between tokens; a text content is the
same as a list of that one text part.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

import msgspec

from policies.base.spans import members

_MARKS = frozenset({"cache_control", "prompt_cache_breakpoint"})
_HEAD = ("tools", "functions", "system", "instructions", "response_format")
_KNOWN = 100_000  # requests remembered
_MEMO = 20_000  # messages whose digest is at hand
_raws = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode
_Chain = list[bytes]


class Prefixes:
    """Watches one scheme. `violations`: forwarded turns that broke off from an earlier one."""

    def __init__(self) -> None:
        self.violations = 0
        self._sent: OrderedDict[tuple[str, bytes], tuple[int, bytes]] = OrderedDict()
        self._texts: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._memo: OrderedDict[bytes, bytes] = OrderedDict()

    def watch(self, talk: str, asked: bytes, forwarded: bytes, *, anew: bool = False) -> None:
        """One request: what the client `asked` and what was `forwarded` for it.

        `anew`: a turn that breaks off from earlier ones on purpose.
        """
        ours, theirs = _raws(forwarded), _raws(asked)
        if _is_text(ours, theirs):
            self._watch_text(talk, theirs, ours)
            return
        client = self._chain(theirs)
        sent = client if asked == forwarded else self._chain(ours)
        for link in reversed(client[:-1]):
            earlier = self._sent.get((talk, link))
            if earlier is not None:
                place, digest = earlier
                off = place >= len(sent) or sent[place] != digest
                self.violations += off and not anew
                break
        self._sent[(talk, client[-1])] = (len(sent) - 1, sent[-1])
        if len(self._sent) > _KNOWN:
            self._sent.popitem(last=False)

    def _watch_text(
        self, talk: str, asked: dict[str, msgspec.Raw], sent: dict[str, msgspec.Raw]
    ) -> None:
        """Bare prompts: here the boundary is any character."""
        client, ours = _text(asked["prompt"]), _text(sent["prompt"])
        earlier = self._texts.get(talk)
        if earlier is not None and client.startswith(earlier[0]):
            self.violations += not ours.startswith(earlier[1])
        self._texts[talk] = (client, ours)
        self._texts.move_to_end(talk)
        if len(self._texts) > _KNOWN // 100:
            self._texts.popitem(last=False)

    def _chain(self, doc: dict[str, msgspec.Raw]) -> _Chain:
        """Digests of the prefix up to the end of the head and of each message."""
        running = blake2b(digest_size=16)
        for name in _HEAD:
            if name in doc:
                running.update(self._digest(doc[name]))
            running.update(b"\0")
        found = [running.digest()]
        said = doc.get("messages") or doc.get("input") or doc.get("prompt")
        parts = [] if said is None else [said]
        if said is not None and bytes(memoryview(said)).lstrip()[:1] == b"[":
            parts = _list(said)
        for part in parts:
            running.update(self._digest(part))
            found.append(running.digest())
        return found

    def _digest(self, value: msgspec.Raw) -> bytes:
        raw = bytes(memoryview(value))
        found = self._memo.get(raw)
        if found is None:
            found = blake2b(_one_text(plain(raw)), digest_size=16).digest()
            self._memo[raw] = found
            if len(self._memo) > _MEMO:
                self._memo.popitem(last=False)
        return found


def _is_text(*docs: dict[str, msgspec.Raw]) -> bool:
    found = [doc.get("prompt") for doc in docs]
    return all(one is not None and bytes(memoryview(one))[:1] == b'"' for one in found)


def plain(raw: bytes) -> bytes:
    """JSON text without cache marks and without white space outside of strings."""
    raw = raw.strip()
    if raw[:1] == b"[":
        return b"[" + b",".join([plain(raw[a:b]) for _, a, b in members(raw)]) + b"]"
    if raw[:1] != b"{":
        return raw
    made = []
    for key, start, end in members(raw):
        if key in _MARKS:
            continue
        value = plain(raw[start:end])
        if key == "content":
            value = _one_text(value)
        made.append(msgspec.json.encode(str(key)) + b":" + value)
    return b"{" + b",".join(made) + b"}"


_OPEN, _CLOSE = b'[{"type":"text","text":', b"}]"


def _one_text(value: bytes) -> bytes:
    """The text of a list that is one plain text part; any other value as it is."""
    if not (value.startswith(_OPEN) and value.endswith(_CLOSE)):
        return value
    inner = value[len(_OPEN) : -len(_CLOSE)]
    try:
        _text(inner)
    except msgspec.MsgspecError:
        return value
    return inner
