"""Answers the model where it calls a tool of Penstock's own, until it answers the client.

All within one request of the client, which sees one reply: the texts of all rounds, one end,
the usage of all. What it does not see is put back in its place in the turns that follow, so
that each turn begins with what the model has read before (docs/decisions/0012).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from policies.base.body import Body
from policies.base.call import Call, Dialect
from policies.base.ports import Backend
from policies.base.reply import Reply
from policies.base.spans import splice
from proxy.backends.wrap.rounds_memory import Bind, Rounds
from proxy.backends.wrap.rounds_prompt import Prompt, with_member
from proxy.backends.wrap.rounds_talk import Talk
from proxy.errors import BrokenReply, ProxyError, UpstreamError
from proxy.wire.document import read
from proxy.wire.encoding import decode
from proxy.wire.frames import Frames
from proxy.wire.replay_merge import CannotRender, dump
from proxy.wire.rounds import Form, Relay
from proxy.wire.rounds_chat import Chat
from proxy.wire.rounds_messages import Messages
from proxy.wire.rounds_responses import Responses

_FORMS: dict[Dialect, Form] = {
    Dialect.CHAT: Chat(),
    Dialect.MESSAGES: Messages(),
    Dialect.RESPONSES: Responses(),
}
_LARGEST = 64 * 1024**2  # bytes of a reply without its content encoding
_INLINE = 512 * 1024  # bytes of a request that may be looked through on the event loop
_OF_THE_BODY = frozenset({b"content-length", b"content-encoding", b"etag"})


class LocalTools:
    """Sends calls with a tool of ours to `inner`, several times where the model calls it.

    `bind` gives the stores that the tool and the unseen rounds are read from.
    """

    def __init__(self, inner: Backend, bind: Bind) -> None:
        self.name = inner.name
        self._inner = inner
        self._bind = bind
        self._rounds = Rounds(bind)

    async def send(self, call: Call) -> Reply:
        """The reply to the last round; a stream begins with the first."""
        form, tool = _FORMS.get(call.dialect), call.local
        if form is None:
            return await self._inner.send(call)
        call = await self._paid(call)
        if tool is None:
            return await self._inner.send(call)
        raw = call.body.raw
        if len(raw) <= _INLINE:
            prompt = Prompt(raw, form.field)
        else:
            prompt = await asyncio.to_thread(Prompt, raw, form.field)
        raws, chain = await self._rounds.told(call, tool, prompt.raws)
        if raws != prompt.raws:
            call = _with(call, prompt.body(raws))
        call, told = _plain(call), _tells_usage(call)
        asking = call if told else _asking(call)
        reply = await self._inner.send(asking)
        if reply.status in (400, 422) and not told:  # perhaps since it does not know that field
            await reply.chunks.aclose()
            asking, reply = call, await self._inner.send(call)
        talk = Talk(form, asking, (raws, chain), self._rounds, self._bind)
        kind = (reply.header(b"content-type") or b"").partition(b";")[0].strip().lower()
        if reply.status != 200:
            return reply
        if kind == b"text/event-stream" and reply.header(b"content-encoding") is None:
            head = tuple(pair for pair in reply.headers if pair[0] not in _OF_THE_BODY)
            chunks = self._stream(talk, form.relay(tool.name, usage=told), reply)
            return Reply(200, head, chunks, reply.backend, attempts=reply.attempts)
        return await self._whole(talk, reply) if kind == b"application/json" else reply

    async def _paid(self, call: Call) -> Call:
        """With what the provider is owed after the reply that the call names, tool or no tool."""
        owed, named = await self._rounds.owed(call)
        if named is None:
            return call
        try:
            prompt = Prompt(splice(call.body.raw, {("previous_response_id",): named}), "input")
        except (KeyError, ValueError):  # there is nothing to put it before: the provider says so
            return call
        return _with(call, prompt.body([*owed, *prompt.raws]))

    async def _whole(self, talk: Talk, reply: Reply) -> Reply:
        """All rounds of a plain reply; one that cannot be read passes as it is."""
        try:
            while True:
                body = reply.whole
                if body is None:
                    body = b"".join([chunk async for chunk in reply.chunks])
                await reply.chunks.aclose()
                plain = decode(reply.headers, body, _LARGEST)
                doc = None if plain is None else read(plain)
                if doc is None or not talk.calls(doc):
                    return _once(reply, body, reply.headers)
                following = await talk.after(doc)
                if following is None:
                    shown = dump(await talk.shown({}))
                    head = tuple(pair for pair in reply.headers if pair[0] not in _OF_THE_BODY)
                    return _once(reply, shown, (*head, (b"content-length", b"%d" % len(shown))))
                reply = await self._inner.send(following)
                if reply.status != 200:
                    return reply
        except CannotRender as error:
            raise BrokenReply(f"a reply with a call of Penstock's own tool: {error}") from error

    async def _stream(self, talk: Talk, relay: Relay, reply: Reply) -> AsyncGenerator[bytes]:
        """All rounds as one stream."""
        try:
            while True:
                frames = Frames()
                async for chunk in reply.chunks:
                    passed = b"".join(map(relay.feed, frames.feed(chunk)))
                    if passed:
                        yield passed
                await reply.chunks.aclose()
                doc = _doc(talk, relay)
                following = None if doc is None else await talk.after(doc)
                if following is None:
                    shown = None if doc is None else await talk.shown(relay.same())
                    yield relay.end(shown, cut=talk.cut) + frames.rest
                    return
                if passed := relay.again():
                    yield passed
                reply = await self._inner.send(following)
                _expect_stream(reply)
        except (ProxyError, CannotRender) as error:
            if opening := relay.broken():
                yield opening
            if isinstance(error, ProxyError):
                raise
            raise BrokenReply(f"a stream with a call of Penstock's own tool: {error}") from error
        finally:
            await reply.chunks.aclose()

    async def aclose(self) -> None:
        """Close what it wraps."""
        await self._inner.aclose()


def _doc(talk: Talk, relay: Relay) -> dict[str, Any] | None:
    """The round as a plain reply; None where there is nothing of ours in the reply so far.

    A round that broke off has no calls to answer, but may be the last of several.
    """
    if not relay.own and not talk.docs:
        return None
    try:
        return talk.form.plain(relay.events)
    except CannotRender:
        if relay.own:
            raise
        return None


def _expect_stream(reply: Reply) -> None:
    kind = reply.header(b"content-type") or b""
    if reply.status != 200 or not kind.startswith(b"text/event-stream"):
        raise UpstreamError(
            f"the upstream answered {reply.status} when the model was given the original it asked"
            " for; the request may be repeated"
        )


def _once(reply: Reply, body: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> Reply:
    async def chunks() -> AsyncGenerator[bytes]:
        yield body

    return Reply(
        reply.status, headers, chunks(), reply.backend, whole=body, attempts=reply.attempts
    )


def _with(call: Call, raw: bytes) -> Call:
    headers = call.headers
    if call.body.wire is not call.body.raw:  # an edited body is not compressed again
        headers = tuple(pair for pair in headers if pair[0] != b"content-encoding")
    return msgspec.structs.replace(call, body=Body(raw), headers=headers)


def _plain(call: Call) -> Call:
    """Asking for a reply that can be read."""
    kept = tuple(pair for pair in call.headers if pair[0] != b"accept-encoding")
    return msgspec.structs.replace(call, headers=(*kept, (b"accept-encoding", b"identity")))


def _tells_usage(call: Call) -> bool:
    """Whether the client is told the usage of this reply without any doing of ours."""
    if call.dialect is not Dialect.CHAT or not call.stream:
        return True
    options = call.body.field("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _asking(call: Call) -> Call:
    """For the usage of a chat's stream, by which hidden rounds are billed."""
    options = call.body.field("stream_options") or {}
    new = dump(options | {"include_usage": True})
    return _with(call, with_member(call.body.raw, "stream_options", new))
