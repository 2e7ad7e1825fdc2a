"""One request from its call to the books: plan, answer, relay, settle.

The only owner of a client's stream. A reply is relayed chunk by chunk as it arrives; what
has passed is kept aside and looked at after the last byte has gone to the client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from operator import sub
from time import perf_counter

import msgspec

from policies.base.call import OPAQUE, CacheMode, Call, Dialect
from policies.base.plan import Outcome, Plan
from policies.base.reply import Recording, Reply
from policies.base.step import Answer, Refuse, Skip, Step
from policies.base.usage import Usage
from proxy.errors import NotCached, ProxyError, Refused
from proxy.fault import note
from proxy.lane import Lane
from proxy.receipt import Facts, cache_word, receipt
from proxy.rejected import rejected
from proxy.send import Client, ClientGone, respond, respond_error
from proxy.tee import INLINE, Tee
from proxy.wire.complete import Finding
from proxy.wire.error_form import error_event
from proxy.wire.replay import CannotRender, render

_settling: set[asyncio.Task[None]] = set()  # of exchanges that are over

_ONLY = CacheMode.ONLY
_FRAMED = (b"content-length", b"content-encoding")
CLIENT_GONE = 499  # nginx's word for it, in the ledger only


class CutOff(Exception):
    """A reply that is no event stream ended early; only closing the connection says so."""


class Exchange:
    """Runs one call. `started` is the `perf_counter` reading when its head was read."""

    __slots__ = (
        "_attempts",
        "_begun",
        "_call",
        "_client",
        "_departed",
        "_gone",
        "_lane",
        "_overhead",
        "_plan",
        "_reply",
        "_started",
        "_stream",
        "_tee",
    )

    def __init__(self, call: Call, lane: Lane, client: Client, started: float) -> None:
        self._call = call
        self._lane = lane
        self._client = client
        self._started = started
        self._tee = Tee(0 if call.dialect is OPAQUE else lane.recording_limit)
        self._plan = Plan(call, call, (), None, lane.pipeline.name)
        self._departed: Plan | None = None  # what policies take to be under way
        self._reply: Reply | None = None
        self._attempts = 0  # at an upstream that gave no reply
        self._overhead = 0.0
        self._gone = False  # the client has hung up
        self._begun = False  # the head has gone to the client
        self._stream = False  # the reply is an event stream

    async def run(self) -> None:
        """Answer the client and account for it. Raises `CutOff`, and when cancelled.

        When its client hangs up the call is cancelled, unless others wait for its reply.
        """
        self._client.on_disconnect(self._hung_up)
        try:
            self._plan = await self._lane.engine.plan(self._call, self._lane.pipeline)
            if self._plan.final is None and self._call.controls.cache is not _ONLY:
                await self._forward()
            else:
                await self._answer(self._plan.final)
        except ProxyError as error:
            await self._fail(error)
        except asyncio.CancelledError:
            self._client_gone()
            if not self._gone:
                raise
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
        except ClientGone:
            self._client_gone()
        except CutOff:
            raise
        except Exception as error:  # noqa: BLE001 - whatever fails, the client hears of it
            note(error)
            await self._fail(ProxyError("Penstock failed; its log says where"))
        finally:
            self._client.on_disconnect(None)
            self._land()
            if self._reply is not None:
                await self._reply.chunks.aclose()

    def _hung_up(self, cancel: Callable[[], object]) -> None:
        self._gone = True
        self._call.audience.desert(cancel)

    async def _answer(self, final: Step | None) -> None:
        """Answer from a store, refuse, or find that there is nothing in store."""
        unusable: frozenset[str] = frozenset()
        while isinstance(final, Answer):
            try:
                await self._replay(final)
                return
            except CannotRender:
                unusable |= {row.policy for row in self._plan.rows if row.step is final}
                engine, pipeline = self._lane.engine, self._lane.pipeline
                self._plan = await engine.plan(self._call, pipeline, unusable)
                final = self._plan.final
        if isinstance(final, Refuse):
            raise Refused(final.why, final.status, final.code, final.retry_after)
        if self._call.controls.cache is _ONLY and self._plan.rows:
            raise NotCached("there is no stored answer, and only that was asked for")
        await self._forward()

    async def _replay(self, answer: Answer) -> None:
        """Answer from a store, in the form that the caller asked for."""
        call, recording = self._call, answer.recording
        if recording.usage is None:
            usage = await self._lane.books.estimate(call, recording)
            recording = msgspec.structs.replace(recording, usage=usage)
        options = call.body.field("stream_options")
        rendered = partial(render, call.dialect, recording, call.stream, options)
        long = len(recording.body) > INLINE
        headers, body = await asyncio.to_thread(rendered) if long else rendered()
        self._overhead = perf_counter() - self._started
        head = headers + self._receipt("none", recording.usage)
        respond(self._client, recording.status, head, body)
        self._tee.times.append(perf_counter())
        self._close(self._outcome(recording.status, recording.usage, None, None))

    async def _forward(self) -> None:
        """Send the call on and pass its reply to the client."""
        self._overhead = perf_counter() - self._started
        reply = self._reply = await self._sent()
        if self._plan.watched is not None and reply.status < 300:
            await self._lane.engine.sent(self._plan)
        self._stream = (reply.header(b"content-type") or b"").startswith(b"text/event-stream")
        whole = None if self._stream else await self._tee.hold(self._call.dialect, reply)
        if whole is None:
            await self._relay(reply)
            finding = await self._tee.finding(self._call.dialect, reply, stream=self._stream)
            recording = self._tee.recording(reply, finding, stream=self._stream)
        else:
            back = perf_counter()
            finding = await self._tee.finding(self._call.dialect, reply, stream=False)
            recording = self._tee.recording(reply, finding, stream=False)
            self._overhead += perf_counter() - back
            stored = recording is not None and self._will_store(reply, len(recording.body))
            head = reply.headers + self._receipt(reply.backend, finding.usage, stored=stored)
            respond(self._client, reply.status, head, whole, self._call.method)
        await self._settle(reply, finding, recording)

    async def _sent(self) -> Reply:
        """The reply; where it rejects what a policy has added, that to the request without."""
        reply = self._reply = await self._depart()
        found = await rejected(self._plan, reply) if reply.status in (400, 422) else None
        if found is None:
            return reply
        await reply.chunks.aclose()
        engine, pipeline = self._lane.engine, self._lane.pipeline
        told = Outcome(reply.status, reply.backend, revoked=found.fields)
        before, self._reply = self._plan, None
        self._land()
        self._plan = await engine.plan(self._call, pipeline, frozenset({found.policy}))
        reply = self._reply = await self._depart()
        if reply.status < 400:  # it was the field indeed
            await engine.revoke(before, pipeline, found.policy, told)
        return reply

    async def _depart(self) -> Reply:
        """Send the call as planned, which policies are told."""
        plan = self._departed = self._plan
        self._lane.engine.depart(plan, self._lane.pipeline)
        return await self._lane.chain(plan.call.backends).send(plan.call)

    def _land(self) -> None:
        """The call is no longer under way, if it ever was."""
        plan, self._departed = self._departed, None
        if plan is not None:
            self._lane.engine.land(plan, self._lane.pipeline)

    async def _relay(self, reply: Reply) -> None:
        """Pass chunks on as they come."""
        send, feed = self._client.send, self._tee.feed
        head = reply.headers + self._receipt(reply.backend, None)
        await send({"type": "http.response.start", "status": reply.status, "headers": head})
        self._begun = True
        async for chunk in reply.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            feed(chunk)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _will_store(self, reply: Reply, size: int) -> bool:
        """Whether a policy has asked to keep this reply."""
        for row in self._plan.rows:
            if row.mode == "on" and isinstance(row.step, Skip) and size <= row.step.keeps:
                return reply.backend == row.call.backends[0]
        return False

    def _receipt(
        self, backend: str, usage: Usage | None, *, stored: bool | None = None
    ) -> tuple[tuple[bytes, bytes], ...]:
        collapsed = self._reply is not None and self._reply.collapsed
        word = cache_word(self._plan, collapsed=collapsed)
        return receipt(self._plan, Facts(word, backend, self._overhead, usage, stored))

    async def _settle(self, reply: Reply, finding: Finding, recording: Recording | None) -> None:
        error = None if reply.status < 400 else f"upstream_{reply.status}"
        usage = finding.usage
        if usage is None and not finding.complete:
            usage = self._plan.spent
        outcome = self._outcome(reply.status, usage, error, recording)
        await self._lane.engine.settle(self._plan, self._lane.pipeline, outcome)
        self._close(outcome, finding.text)

    async def _fail(self, error: ProxyError) -> None:
        """Tell the client, in whatever way is left, that there will be no (more) answer."""
        status = self._reply.status if self._reply else error.status
        self._attempts = error.attempts
        usage, texts = self._came()
        if self._reply is not None:
            self._settle_apart(self._outcome(status, usage, error.code, None))
        if not self._begun:
            extra = ((b"x-penstock-request-id", self._call.id.encode()),)
            self._close(self._outcome(error.status, usage, error.code, None))
            respond_error(self._client, self._form(), error, extra)
            return
        self._close(self._outcome(status, usage, error.code, None), texts)
        framed = self._reply and any(map(self._reply.header, _FRAMED))
        if not self._stream or framed:
            raise CutOff from error  # there is no place for words of ours
        event = error_event(self._form(), error)
        await self._client.send({"type": "http.response.body", "body": event, "more_body": False})

    def _form(self) -> Dialect:
        """In whose form errors are told: Anthropic's on its own paths."""
        return Dialect.MESSAGES if self._call.path.startswith("messages") else self._call.dialect

    def _client_gone(self) -> None:
        usage, texts = self._came()
        outcome = self._outcome(CLIENT_GONE, usage, "client_gone", None)
        self._close(outcome, texts)
        if self._departed is not None:  # it was sent, so policies must remember how
            self._settle_apart(outcome)

    def _came(self) -> tuple[Usage | None, list[str]]:
        """What has come of a reply that is not whole, which is paid for: its usage, its texts."""
        if self._reply is None or self._plan.spent is not None:
            return self._plan.spent, []
        finding = self._tee.glance(self._call.dialect, self._reply, stream=self._stream)
        return finding.usage, finding.text

    def _settle_apart(self, outcome: Outcome) -> None:
        settled = self._lane.engine.settle(self._plan, self._lane.pipeline, outcome)
        task = asyncio.get_running_loop().create_task(settled)
        _settling.add(task)
        task.add_done_callback(_settling.discard)

    def _close(self, outcome: Outcome, texts: list[str] | None = None) -> None:
        self._lane.books.close(self._plan, outcome, texts or [])

    def _outcome(
        self, status: int, usage: Usage | None, error: str | None, recording: Recording | None
    ) -> Outcome:
        reply, times = self._reply, self._tee.times
        now = perf_counter()
        return Outcome(
            status=status,
            backend=reply.backend if reply else "",
            recording=recording,
            usage=usage,
            collapsed=reply.collapsed if reply else False,
            attempts=reply.attempts if reply else self._attempts,
            overhead=self._overhead,
            first_byte=times[0] - self._started if times else None,
            total=now - self._started,
            gaps=tuple(map(sub, times[1:], times)) if self._stream else (),
            error=error,
        )
