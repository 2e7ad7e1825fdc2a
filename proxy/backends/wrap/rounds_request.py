"""The request of a round: what is sent is not quite what the client or the policies have made."""

from __future__ import annotations

import msgspec

from policies.base.body import Body
from policies.base.call import Call, Dialect
from policies.base.reply import Reply
from proxy.backends.wrap.rounds_prompt import Prompt, with_member
from proxy.wire.refusal import said
from proxy.wire.replay_merge import dump


def prompts(call: Call, field: str) -> tuple[Prompt, list[bytes]]:
    """The prompt, and the messages that the client has sent, one for each that it has."""
    prompt = Prompt(call.body.raw, field)
    own = prompt.raws if call.came is None else Prompt(call.came.raw, field).raws
    return prompt, own if len(own) == len(prompt.raws) else prompt.raws


def with_body(call: Call, raw: bytes) -> Call:
    """The call with another body."""
    headers = call.headers
    if call.body.wire is not call.body.raw:  # an edited body is not compressed again
        headers = tuple(pair for pair in headers if pair[0] != b"content-encoding")
    return msgspec.structs.replace(call, body=Body(raw), headers=headers)


def uncompressed(call: Call) -> Call:
    """Asking for a reply that can be read."""
    kept = tuple(pair for pair in call.headers if pair[0] != b"accept-encoding")
    return msgspec.structs.replace(call, headers=(*kept, (b"accept-encoding", b"identity")))


def tells_usage(call: Call) -> bool:
    """Whether the client is told the usage of this reply without any doing of ours."""
    if call.dialect is not Dialect.CHAT or not call.stream:
        return True
    options = call.body.field("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


async def names_options(refusal: Reply) -> bool:
    """Whether an upstream refuses what it was asked for and the client has not asked for."""
    try:
        text = await said(refusal)
    except BaseException:  # above all where the client has gone
        await refusal.chunks.aclose()
        raise
    return b"stream_options" in text or b"include_usage" in text


def asking_usage(call: Call) -> Call:
    """For the usage of a chat's stream, by which hidden rounds are billed."""
    options = call.body.field("stream_options") or {}
    new = dump(options | {"include_usage": True})
    return with_body(call, with_member(call.body.raw, "stream_options", new))


def unedited(call: Call) -> Call:
    """The client's own request, but for the usage that is asked for."""
    came = call.came or call.body
    raw = came.raw
    options = call.body.field("stream_options")
    if options != came.field("stream_options"):
        raw = with_member(raw, "stream_options", dump(options))
    return msgspec.structs.replace(call, body=Body(raw))
