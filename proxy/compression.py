"""`POST /v1/compress`: what the policies that compress make of a text or a prompt.

The body is that of the endpoint that `?path=` names (`chat/completions` if left out), or has a
`text` in place of a prompt; `pipeline` may name another one than the route's. Tenants, limits,
effects and errors are those of every request. Nothing is sent to any backend.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import Any
from urllib.parse import parse_qs

import msgspec
from msgspec import Raw

from policies.base.body import Body
from policies.base.call import Call, Dialect
from policies.base.plan import Outcome, Plan
from policies.base.step import Refuse
from proxy.books import Books
from proxy.edge import endpoint_scope, read_call
from proxy.errors import BadRequest, Refused, WrongMethod
from proxy.explain import told
from proxy.generation import Generation
from proxy.pipeline import Pipeline
from proxy.send import Client, Receive, Scope, respond
from proxy.texts import request_extra, request_texts
from proxy.unplanned import answered

PATH = "/v1/compress"

_FAMILY = "compress"
_LISTS = {"chat/completions": "messages", "messages": "messages", "responses": "input"}
_PROMPT = ("messages", "input", "system", "instructions", "tools", "functions")
_object = msgspec.json.Decoder(dict[str, Raw]).decode
_list = msgspec.json.Decoder(list[dict[str, Raw]]).decode


async def answer(scope: Scope, receive: Receive, generation: Generation, client: Client) -> None:
    """The prompt as the policies leave it, its tokens, and what each step did."""
    if scope["method"] != "POST":
        raise WrongMethod(f"{PATH} takes POST")
    started = perf_counter()
    call = await _read(scope, receive, generation)
    lane = generation.lane(call)
    pipeline = _compressing(lane.pipeline)
    bare = isinstance(call.body.field("text"), str)
    if bare:
        call = await asyncio.to_thread(_as_result, call)
    before = await _tokens(call, generation.books, bare=bare)  # which loads the vocabulary, too
    plan = await lane.engine.plan(call, pipeline)
    if isinstance(plan.final, Refuse):
        final = plan.final
        raise Refused(final.why, final.status, final.code, final.retry_after)
    await lane.engine.settle(plan, pipeline, Outcome(200, applied=False))  # but forms are kept
    changed = plan.call.body is not plan.original.body
    after = await _tokens(plan.call, generation.books, bare=bare) if changed else before
    body = await asyncio.to_thread(_answer, plan, (before, after), bare=bare)
    generation.books.unplanned(200, answered(call, started))
    head = ((b"content-type", b"application/json"), (b"x-penstock-request-id", call.id.encode()))
    respond(client, 200, head, body)


async def _read(scope: Scope, receive: Receive, generation: Generation) -> Call:
    """The call that the prompt would be, in the pipeline that it asks for."""
    path = parse_qs(scope["query_string"].decode("latin-1")).get("path", ["chat/completions"])[-1]
    if path not in _LISTS:
        raise BadRequest(f"'path' must be one of {', '.join(_LISTS)}", param="path")
    call = await read_call(endpoint_scope(path, scope["headers"]), receive, generation)
    if call.dialect is Dialect.OPAQUE:
        raise BadRequest("the body's content-encoding cannot be read", param="content-encoding")
    text, pipeline = call.body.field("text"), call.body.field("pipeline")
    if path == "responses" and isinstance(text, dict):
        text = None  # it says which form the answer is to have
    for name, value in (("text", text), ("pipeline", pipeline)):
        if value is not None and not isinstance(value, str):
            raise BadRequest(f"'{name}' must be a string", param=name)
    if (text is None) is (call.body.field(_LISTS[path]) is None):
        raise BadRequest(f"give either 'text' or '{_LISTS[path]}'", param="text")
    if pipeline is None:
        return call
    if pipeline not in generation.pipelines:
        known = ", ".join(sorted(generation.pipelines))
        raise BadRequest(f"there is no pipeline '{pipeline}'; there are: {known}", param="pipeline")
    controls = msgspec.structs.replace(call.controls, pipeline=pipeline)
    return msgspec.structs.replace(call, controls=controls)


def _compressing(pipeline: Pipeline) -> Pipeline:
    """Its policies that compress, and there is no hold-out where nothing is sent.

    Without those whose tools only Penstock can answer: others would be left with their calls.
    """
    stages = tuple(
        stage
        for stage in pipeline.stages
        if stage.family == _FAMILY and not stage.policy.local_tools
    )
    return Pipeline(pipeline.name, stages, pipeline.effects, 0.0)


def _as_result(call: Call) -> Call:
    """The call with its bare text as the result of a tool, in a conversation of its own.

    The user's words are empty: nobody has asked anything. The conversation has a name, so that
    what was not ready in time for one text is there for the same text the next time.
    """
    text = _fields(call.body)["text"]
    made = {"id": "1", "type": "function", "function": {"name": "text", "arguments": "{}"}}
    messages = [
        {"role": "user", "name": call.id, "content": ""},
        {
            "role": "assistant",
            "tool_calls": [made],
        },
        {"role": "tool", "tool_call_id": "1", "content": text},
    ]
    body = msgspec.json.encode({"model": call.model, "messages": messages})
    return msgspec.structs.replace(call, dialect=Dialect.CHAT, body=Body(body))


def _fields(body: Body) -> dict[str, Raw]:
    try:
        return _object(body.raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadRequest("the request body is not strict JSON") from None


async def _tokens(call: Call, books: Books, *, bare: bool) -> int:
    """Of the prompt, or of the bare text alone."""
    texts, more = await asyncio.to_thread(_texts, call, bare=bare)
    return sum(await books.count(call.model, texts)) + more


def _texts(call: Call, *, bare: bool) -> tuple[list[str], int]:
    """What is billed as text, and the tokens of what is not."""
    doc = call.doc()
    if bare:
        return [doc["messages"][-1]["content"]], 0
    return request_texts(call.dialect, doc), request_extra(call.dialect, doc)


def _answer(plan: Plan, tokens: tuple[int, int], *, bare: bool) -> bytes:
    """The reply's JSON text, in which whatever no policy changed has the bytes it came with."""
    fields = _fields(plan.call.body)
    prompt: dict[str, Raw] = {name: fields[name] for name in _PROMPT if name in fields}
    if bare:
        *_, last = _list(prompt.pop("messages"))
        prompt = {"text": last["content"], **prompt}
    steps: Sequence[dict[str, Any]] = [told(row) for row in plan.rows]
    before, after = tokens
    return msgspec.json.encode(
        {
            "model": plan.call.model,
            "pipeline": plan.pipeline,
            **prompt,
            "tokens": {"before": before, "after": after},
            "steps": steps,
        }
    )
