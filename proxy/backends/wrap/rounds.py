"""Answers the model where it calls a tool of Penstock's own, until it answers the client.

All within one request of the client, which sees one reply: the texts of all rounds, one end,
the usage of all. What it does not see is put back in its place in the turns that follow, so
that each turn begins with what the model has read before (docs/decisions/0012).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from time import monotonic
from typing import Any

import msgspec

from policies.base.body import Body
from policies.base.call import Call, Dialect
from policies.base.ports import Backend
from policies.base.prompt_memo import Memo
from policies.base.reply import Reply
from policies.base.spans import splice
from proxy.backends.wrap.rounds_chunks import RoundChunks, Unreadable, leave, shown
from proxy.backends.wrap.rounds_held import (
    OF_THE_BODY,
    PLAIN,
    STREAM,
    Held,
    kind,
    once,
    opened,
    read_whole,
)
from proxy.backends.wrap.rounds_memory import Bind, Rounds
from proxy.backends.wrap.rounds_prompt import Prompt
from proxy.backends.wrap.rounds_request import (
    asking_usage,
    names_options,
    prompts,
    tells_usage,
    uncompressed,
    unedited,
    with_body,
)
from proxy.backends.wrap.rounds_talk import Talk
from proxy.errors import BrokenReply, ProxyError, UpstreamError
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
_INLINE = 512 * 1024  # bytes of a request that may be looked through on the event loop
_UPSTREAMS = 1024  # that are known to refuse to tell the usage of a stream
_MUTE = 3600.0  # seconds for which they are not asked: upstreams learn too


class LocalTools:
    """Sends calls with a tool of ours to `inner`, several times where the model calls it.

    `bind` gives the stores that the tool and the unseen rounds are read from.
    """

    def __init__(self, inner: Backend, bind: Bind) -> None:
        self.name = inner.name
        self._inner = inner
        self._bind = bind
        self._rounds = Rounds(bind)
        self._mute: Memo[tuple[str, str], float] = Memo(_UPSTREAMS)  # until when, by tenant, model

    async def send(self, call: Call) -> Reply:
        """The reply to the last round; a stream begins with the first."""
        form, tool = _FORMS.get(call.dialect), call.local
        if form is None:
            return await self._inner.send(call)
        call = await self._paid(call)
        if tool is None:
            return await self._inner.send(call)
        if len(call.body.raw) <= _INLINE:
            prompt, own = prompts(call, form.field)
        else:
            prompt, own = await asyncio.to_thread(prompts, call, form.field)
        raws, chain = await self._rounds.told(call, tool, prompt.raws, own)
        if raws != prompt.raws:
            call = with_body(call, prompt.body(raws))
        call, told = uncompressed(call), tells_usage(call)
        asking, reply = await self._first(call, told=told)
        if reply.status != 200 or kind(reply) not in (PLAIN, STREAM):
            return reply
        talk = Talk(form, asking, (raws, chain), self._rounds, self._bind)
        try:
            held = await (opened if kind(reply) == STREAM else read_whole)(reply)
        except Unreadable:  # if it calls the tool, the client must not see that
            return await self._inner.send(unedited(call))
        if kind(reply) != STREAM:
            return await self._whole(talk, held)
        head = tuple(pair for pair in reply.headers if pair[0] not in OF_THE_BODY)
        rounds = self._stream(talk, form.relay(tool.name, usage=told), held.reply)
        chunks = RoundChunks(rounds, reply.chunks)
        return Reply(200, head, chunks, reply.backend, attempts=reply.attempts)

    async def _first(self, call: Call, *, told: bool) -> tuple[Call, Reply]:
        """What is sent first, and the reply: asking for the usage, where the upstream takes that.

        Whoever has refused it is not asked again for a while.
        """
        name = (call.tenant, call.model)
        if told or (self._mute.get(name) or 0.0) > monotonic():
            return call, await self._inner.send(call)
        asking = asking_usage(call)
        reply = await self._inner.send(asking)
        if reply.status not in (400, 422) or not await names_options(reply):
            return asking, reply
        await reply.chunks.aclose()
        reply = await self._inner.send(call)
        if reply.status < 400:
            self._mute.put(name, monotonic() + _MUTE)
        return call, reply

    async def _paid(self, call: Call) -> Call:
        """With what the provider is owed after the reply that the call names, tool or no tool."""
        owed, named = await self._rounds.owed(call)
        if named is None:
            return call

        def paid(body: Body) -> bytes:
            prompt = Prompt(splice(body.raw, {("previous_response_id",): named}), "input")
            return prompt.body([*owed, *prompt.raws])

        try:
            came = None if call.came is None else Body(paid(call.came))
            return msgspec.structs.replace(with_body(call, paid(call.body)), came=came)
        except (KeyError, ValueError):  # there is nothing to put it before: the provider says so
            return call

    async def _next(self, talk: Talk, following: Call | None, *, stream: bool) -> Held | None:
        """What the upstream answers to what follows a round; None where nothing does any more."""
        while following is not None:
            lost: Reply | ProxyError
            try:
                reply = await self._inner.send(following)
                held = await (opened if stream else read_whole)(reply)
            except ProxyError as error:
                lost = error
            else:
                if stream and reply.status == 200 and kind(reply) == STREAM:
                    return held
                if reply.status == 200 and held.doc is not None and held.doc.get("error") is None:
                    return held
                lost = held.reply
                await reply.chunks.aclose()
            following = talk.instead(lost)
        return None

    async def _whole(self, talk: Talk, first: Held) -> Reply:
        """All rounds of a plain reply; one that is no JSON passes as it is."""
        held: Held | None = first
        reply = first.reply
        if first.doc is None or not talk.calls(first.doc):
            return reply
        try:
            while held is not None and held.doc is not None:
                reply = held.reply
                held = await self._next(talk, await talk.after(held.doc), stream=False)
            if talk.lost is not None and not talk.spoke():
                return _passed(talk.lost)
            whole = dump(await talk.shown({}))
        except CannotRender as error:
            raise BrokenReply(f"a reply with a call of Penstock's own tool: {error}") from error
        head = tuple(pair for pair in reply.headers if pair[0] not in OF_THE_BODY)
        return once(reply, whole, (*head, (b"content-length", b"%d" % len(whole))))

    async def _stream(self, talk: Talk, relay: Relay, reply: Reply) -> AsyncGenerator[bytes]:
        """All rounds as one stream."""
        try:
            while True:
                frames = Frames()
                try:
                    async for passed in shown(relay, frames, reply, hidden=bool(talk.docs)):
                        yield passed
                except ProxyError as lost:
                    reply = await self._in_place(talk, relay, reply, lost)
                    continue
                doc, held = await self._after(talk, relay, reply)
                if held is None:
                    yield await _ended(talk, relay, doc) + frames.rest
                    async for chunk in reply.chunks:
                        yield chunk
                    return
                if passed := relay.again():
                    yield passed
                reply = held.reply
        except (ProxyError, CannotRender) as error:
            if opening := relay.broken():
                yield opening
            if isinstance(error, ProxyError):
                raise
            raise BrokenReply(f"a stream with a call of Penstock's own tool: {error}") from error
        finally:
            await reply.chunks.aclose()

    async def _after(
        self, talk: Talk, relay: Relay, reply: Reply
    ) -> tuple[dict[str, Any] | None, Held | None]:
        """A round as a plain reply, and the reply that follows it; None for what there is not."""
        if relay.own:
            await leave(reply.chunks)
        doc = _doc(talk, relay)
        if doc is None:
            return None, None
        return doc, await self._next(talk, await talk.after(doc), stream=True)

    async def _in_place(self, talk: Talk, relay: Relay, broken: Reply, lost: ProxyError) -> Reply:
        """The reply in place of one that broke off; raises where something of it was shown."""
        if not talk.docs or relay.begun:
            raise lost
        await broken.chunks.aclose()
        held = await self._next(talk, talk.instead(lost), stream=True)
        if held is None:
            raise lost
        relay.again()
        return held.reply

    async def aclose(self) -> None:
        """Close what it wraps."""
        await self._inner.aclose()


async def _ended(talk: Talk, relay: Relay, doc: dict[str, Any] | None) -> bytes:
    """The end of the stream, after its last round."""
    if talk.lost is not None and not talk.spoke():
        raise _fault(talk.lost)
    whole = None if doc is None else await talk.shown(relay.same())
    return relay.end(whole, cut=talk.cut)


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


def _passed(lost: Reply | ProxyError) -> Reply:
    """An upstream's failure, as the client would have had it without any tool of ours."""
    if isinstance(lost, ProxyError):
        raise lost
    return lost


def _fault(lost: Reply | ProxyError) -> ProxyError:
    """The same where the reply has begun."""
    if isinstance(lost, ProxyError):
        return lost
    return UpstreamError(
        f"the upstream answered {lost.status} when the model was given the original it asked"
        " for; the request may be repeated"
    )
