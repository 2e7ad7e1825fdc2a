"""An upstream whose replies can be steered and counted: streams, held replies, errors.

Run as `python overhead_events.py PORT`. Every POST is counted and answered with a chat completion,
as 200 server-sent events where its body asks for a stream. Request headers steer it:

- `x-bench-hold`: seconds before the reply begins,
- `x-bench-gap`: seconds between events (0: each event in a turn of the loop of its own),
- `x-bench-events`: how many events, if not 200,
- `x-bench-status`: the status of a plain error reply; `flaky` fails with 500 every other time.

Each event carries `sent_ns`, the monotonic clock when it was handed to the socket. `GET /calls`
answers with the number of POSTs so far.
"""

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

EVENTS = 200
MODEL = "gpt-4o-mini"
_BASE = {"id": "chatcmpl-bench", "created": 1700000000, "model": MODEL}
_USAGE = {"prompt_tokens": 250, "completion_tokens": 198, "total_tokens": 448}
COMPLETION = json.dumps(
    {
        **_BASE,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "The order was found and its delivery address has been changed.",
                },
                "finish_reason": "stop",
            }
        ],
        "usage": _USAGE,
    }
)


class Service(asyncio.Protocol):
    """One client connection; requests on it are answered one after another."""

    calls = 0
    flaky = 0

    def __init__(self) -> None:
        self._buffer = b""
        self._out: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._out = cast(asyncio.WriteTransport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        """Collect bytes until a whole request is there, then answer it."""
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (x.partition(":") for x in lines[1:])}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        body, self._buffer = rest[:length], rest[length:]
        if lines[0].startswith("GET"):
            self._plain(200, json.dumps({"calls": Service.calls}))
            return
        Service.calls += 1
        hold = float(headers.get("x-bench-hold", "0"))
        asyncio.get_running_loop().call_later(hold, self._answer, headers, b'"stream":true' in body)

    def _answer(self, headers: dict[str, str], stream: bool) -> None:
        status = headers.get("x-bench-status", "200")
        if status == "flaky":
            Service.flaky += 1
            status = "500" if Service.flaky % 2 else "200"
        if status != "200":
            error = {"message": "asked for", "type": "bench", "param": None, "code": None}
            self._plain(int(status), json.dumps({"error": error}))
        elif stream:
            self._out.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                b"transfer-encoding: chunked\r\n\r\n"
            )
            left = int(headers.get("x-bench-events", EVENTS))
            self._event(left - 1, float(headers.get("x-bench-gap", "0")))
        else:
            self._plain(200, COMPLETION)

    def _plain(self, status: int, text: str) -> None:
        self._out.write(
            f"HTTP/1.1 {status} Bench\r\ncontent-type: application/json\r\n"
            f"content-length: {len(text)}\r\n\r\n{text}".encode()
        )

    def _event(self, left: int, gap: float) -> None:
        if self._out.is_closing():
            return
        choice = {"index": 0, "delta": {"content": f" word{left}"}, "finish_reason": None}
        extra: dict[str, object] = {"choices": [choice]}
        if not left:
            choice |= {"delta": {}, "finish_reason": "stop"}
            extra["usage"] = _USAGE
        chunk = {**_BASE, "object": "chat.completion.chunk", **extra}
        chunk["sent_ns"] = time.monotonic_ns()
        self._out.write(_frame(json.dumps(chunk)))
        if not left:
            self._out.write(_frame("[DONE]") + b"0\r\n\r\n")
        elif gap:
            asyncio.get_running_loop().call_later(gap, self._event, left - 1, gap)
        else:
            asyncio.get_running_loop().call_soon(self._event, left - 1, gap)


def _frame(data: str) -> bytes:
    event = f"data: {data}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(event), event)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(
        Service, "127.0.0.1", port, backlog=4096
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
