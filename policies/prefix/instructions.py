"""The instructions of a Responses request as its first input item, which can carry a mark."""

from __future__ import annotations

import msgspec

from policies.base.body import Body
from policies.base.call import Call, Dialect
from policies.base.prompt import blocks, fields
from policies.base.terms import Terms
from policies.prefix.canonical_outline import outline, spliced

_BYTES = 4.0  # of a token, for a comparison that must come out the same in every turn
_ELSEWHERE = ("previous_response_id", "conversation", "prompt")
_OPEN = b'{"type":"message","role":"developer","content":[{"type":"input_text","text":'
_CLOSE = b"}]}"


def as_item(call: Call, terms: Terms) -> Call:
    """The call with its instructions as a message by the developer, or as it is.

    OpenAI puts instructions before all messages, in the developer's name, but takes no mark on
    them. They stay where they are if they are too short to be cached, and unless the request
    says `store: false`: a reply that is kept may be gone on from by its id, and instructions
    would not come along then, as an item does. By the request alone, so that every turn goes
    out alike.
    """
    top = fields(call)
    if call.dialect is not Dialect.RESPONSES or top is None:
        return call
    text, said = bytes(top.instructions), bytes(top.input)
    if text[:1] != b'"' or any(bytes(getattr(top, name)) != b"null" for name in _ELSEWHERE):
        return call
    heads = [block.size for block in blocks(call) or () if block.path[0] != "input"]
    if sum(heads) < _BYTES * terms.minimum:
        return call
    found = outline(call.body)
    spans = found.spans if found is not None else {}
    if not {"instructions", "input", "store"} <= spans.keys():
        return call
    if call.body.raw[slice(*spans["store"])] != b"false":
        return call
    first = _OPEN + text + _CLOSE
    if said[:1] == b'"':
        listed = b"[" + first + b',{"role":"user","content":' + said + b"}]"
    else:
        rest = said[1:].lstrip()
        listed = b"[" + first + (b"" if rest[:1] == b"]" else b",") + rest
    changes = [(spans["instructions"], b"null"), (spans["input"], listed)]
    return msgspec.structs.replace(call, body=Body(spliced(call.body.raw, changes)))
