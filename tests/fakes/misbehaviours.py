"""Each way to misbehave, as a function of the connection. See `misbehaving.py`."""

import asyncio
import gzip
import hashlib
import json
from collections.abc import Awaitable, Callable

import brotli
from backports import zstd

Behaviour = Callable[..., Awaitable[None]]
BEHAVIOURS: dict[str, Behaviour] = {}
UNREAD: set[str] = set()  # behaviours that start before the request's body is read

TEXT = "Hello from upstream"
USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
_BASE = {"id": "chatcmpl-fake", "created": 1, "model": "fake"}


def chat_body(finish: str = "stop") -> bytes:
    message = {"role": "assistant", "content": TEXT, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    made = {**_BASE, "object": "chat.completion", "choices": [choice], "usage": USAGE}
    return json.dumps(made).encode()


def _event(delta: dict, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    made = {**_BASE, "object": "chat.completion.chunk", "choices": [choice]}
    return b"data: " + json.dumps(made).encode() + b"\n\n"


def chat_events(finish: str = "stop") -> list[bytes]:
    said = [_event({"content": word}) for word in TEXT.split(" ")]
    return [_event({"role": "assistant", "content": ""}), *said, _event({}, finish), DONE]


DONE = b"data: [DONE]\n\n"
ERROR_EVENT = b'data: {"error":{"message":"overloaded","type":"server_error","code":null}}\n\n'
JSON = "content-type: application/json"


def behaviour(name: str, *, unread: bool = False) -> Callable[[Behaviour], Behaviour]:
    def register(function: Behaviour) -> Behaviour:
        BEHAVIOURS[name] = function
        if unread:
            UNREAD.add(name)
        return function

    return register


@behaviour("chat")
async def _chat(peer, finish: str = "stop"):
    """The canned reply, streamed if the body asks for it."""
    if b'"stream":true' in peer.seen.body.replace(b" ", b""):
        await peer.stream(chat_events(finish))
    else:
        await peer.answer(chat_body(finish))


@behaviour("sse")
async def _sse(peer, finish: str = "stop"):
    await peer.stream(chat_events(finish))


@behaviour("length")
async def _length(peer):
    await _chat(peer, "length")


@behaviour("slow")
async def _slow(peer, gap: str = "0.05"):
    await peer.stream(chat_events(), float(gap))


@behaviour("late")
async def _late(peer, wait: str):
    await asyncio.sleep(float(wait))
    await peer.answer(chat_body())


@behaviour("no-done")
async def _no_done(peer):
    await peer.stream(chat_events()[:-1])


@behaviour("cut-sse")
async def _cut_sse(peer):
    """Ends well on the wire, but in the middle of an event and without a finish reason."""
    first, second, *_ = chat_events()
    await peer.stream([first, second[:20]])


@behaviour("error-event")
async def _error_event(peer):
    await peer.stream([*chat_events()[:2], ERROR_EVENT])


@behaviour("invalid-sse")
async def _invalid_sse(peer):
    await peer.stream([b"data: {not json}\n\n", b"\xff\xfe what\n\n", b": \x00\n\n", DONE])


@behaviour("hang", unread=True)
async def _hang(peer):
    await peer.hang()


@behaviour("hang-body")
async def _hang_body(peer):
    await peer.open_stream()
    await peer.chunk(chat_events()[0])
    await peer.hang()


@behaviour("reset")
async def _reset(peer):
    peer.reset()


@behaviour("close")
async def _close(peer):
    peer.writer.close()


@behaviour("reset-body")
async def _reset_body(peer):
    await peer.open_stream()
    await peer.chunk(chat_events()[0])
    await asyncio.sleep(0.02)  # a reset would overtake what was sent
    peer.reset()


@behaviour("half-chunk")
async def _half_chunk(peer):
    await peer.open_stream("application/json")
    await peer.send(b"40\r\n" + chat_body()[:16])
    peer.writer.close()


@behaviour("too-long")
async def _too_long(peer):
    """The body has more bytes than its content-length says."""
    body = chat_body()
    head = f"HTTP/1.1 200 OK\r\n{JSON}\r\ncontent-length: {len(body) - 5}\r\n\r\n"
    await peer.send(head.encode() + body)
    peer.writer.close()


@behaviour("too-short")
async def _too_short(peer):
    body = chat_body()
    head = f"HTTP/1.1 200 OK\r\n{JSON}\r\ncontent-length: {len(body) + 5}\r\n\r\n"
    await peer.send(head.encode() + body)
    peer.writer.close()


@behaviour("until-close")
async def _until_close(peer):
    await peer.send(f"HTTP/1.1 200 OK\r\n{JSON}\r\nconnection: close\r\n\r\n".encode())
    await peer.send(chat_body())
    peer.writer.close()


@behaviour("html")
async def _html(peer):
    await peer.answer(b"<html><body>Sign in</body></html>", "200 OK", "content-type: text/html")


@behaviour("status")
async def _status(peer, status: str = "500", *lines: str):
    """An error of this status; more arguments are header lines, `name=value`."""
    kind = "rate_limit_error" if status == "429" else "server_error"
    error = {"message": f"fake {status}", "type": kind, "param": None, "code": None}
    more = (line.replace("=", ": ", 1) for line in lines)
    await peer.answer(json.dumps({"error": error}).encode(), f"{status} Fake", *more)


@behaviour("fail")
async def _fail(peer, times: str = "2", status: str = "500", *lines: str):
    """This status for the first so many requests of this target, then the canned reply."""
    same = [seen for seen in peer.server.requests if seen.target == peer.seen.target]
    if len(same) <= int(times):
        await _status(peer, status, *lines)
    else:
        await _chat(peer)


@behaviour("limited")
async def _limited(peer, after: str = "0"):
    """429 with Retry-After, then the canned reply."""
    await _fail(peer, "1", "429", f"retry-after={after}")


@behaviour("gzip")
async def _gzip(peer):
    await peer.answer(gzip.compress(chat_body(), mtime=0), "200 OK", "content-encoding: gzip")


@behaviour("br")
async def _br(peer):
    await peer.answer(brotli.compress(chat_body()), "200 OK", "content-encoding: br")


@behaviour("zstd")
async def _zstd(peer):
    await peer.answer(zstd.compress(chat_body()), "200 OK", "content-encoding: zstd")


@behaviour("huge-header")
async def _huge_header(peer, size: str = "1000000"):
    await peer.answer(chat_body(), "200 OK", "x-huge: " + "h" * int(size))


@behaviour("not-http")
async def _not_http(peer):
    await peer.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    peer.writer.close()


@behaviour("early", unread=True)
async def _early(peer, status: str = "413"):
    """The reply comes while the request is still being uploaded; then the rest is read."""
    await _status(peer, status, "connection=close")
    await peer.read_body()
    peer.writer.close()


@behaviour("interim")
async def _interim(peer):
    await peer.send(b"HTTP/1.1 102 Processing\r\n\r\n")
    await peer.send(b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n")
    await _chat(peer)


@behaviour("echo")
async def _echo(peer):
    """JSON that says what came: method, target, headers, the body's SHA-256 and length."""
    seen = peer.seen
    if seen.method == "OPTIONS":
        await peer.send(b"HTTP/1.1 204 No Content\r\nallow: GET, HEAD, POST, OPTIONS\r\n\r\n")
        return
    told = {
        "method": seen.method,
        "target": seen.target,
        "headers": seen.headers,
        "sha256": hashlib.sha256(seen.body).hexdigest(),
        "length": len(seen.body),
    }
    await peer.answer(json.dumps(told).encode())


@behaviour("download")
async def _download(peer, size: str = "1048576"):
    whole = bytes(range(256)) * (int(size) // 256 + 1)
    await peer.answer(whole[: int(size)], "200 OK", "content-type: application/octet-stream")
