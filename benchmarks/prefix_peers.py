"""What peers forward for a request, as policies, so that they are replayed like our own.

`scripts/bench-peers` installs them. LiteLLM's own code marks the bodies in a process of its own;
Headroom runs as the proxy that it is, offline, in `cache` mode, before an upstream that notes what
arrives and reports usage by the model's cache rule.
"""

import contextlib
import http.client
import http.server
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from overhead_process import BenchError, Program, Running, free_port, running

from policies.base.body import Body
from policies.base.call import Call, Dialect, Effect
from policies.base.policy import Base
from policies.base.ports import View
from policies.base.step import Edit, Step
from policies.compress.lingua_tables import TABLES, unpack
from proxy.pipeline import Pipeline, Stage
from proxy.prices import Price
from proxy.replay.encode import Encoder
from proxy.replay.meter import Meter, recording_of
from proxy.replay.oracle import rule_of
from proxy.replay.talk import Request

HERE = Path(__file__).resolve().parent
PEERS = HERE.parent / ".bench"
LITELLM, HEADROOM = "LiteLLM", "Headroom"
_START = 120.0  # seconds


class _Peer(Base):
    """Sends what the peer would send."""

    name = "peer"

    def __init__(self, forward: "LiteLlm | Headroom") -> None:
        self._forward = forward

    async def plan(self, call: Call, view: View) -> Step:
        """The peer's body. Blocks: a benchmark has nothing else to do."""
        return Edit(Body(self._forward.body(call, view.now)), Effect.LOSSY, "forwarded")


def _pipeline(name: str, forward: "LiteLlm | Headroom") -> Pipeline:
    stage = Stage(_Peer(forward), shadow=False, deadline=_START)
    return Pipeline(name, (stage,), frozenset(Effect), 0.0)


class LiteLlm:
    """Its marks for its default injection points."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def body(self, call: Call, now: float) -> bytes:  # noqa: ARG002 - as `Headroom.body`
        """The request with its marks."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([call.path, call.doc()]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise BenchError("LiteLLM's marks cannot be computed")
        return line.encode()


@contextlib.contextmanager
def litellm() -> Iterator[Pipeline]:
    """LiteLLM as a pipeline. Raises `BenchError` where it is not installed."""
    python = PEERS / "litellm/bin/python"
    if not python.exists():
        raise BenchError("LiteLLM is not installed; run scripts/bench-peers")
    command = [str(python), str(HERE / "prefix_peer_litellm.py")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield _pipeline(LITELLM, LiteLlm(process))
        finally:
            process.terminate()


class _Upstream(http.server.BaseHTTPRequestHandler):
    """Notes what arrives and answers it."""

    protocol_version = "HTTP/1.1"
    owner: "Headroom"

    def do_POST(self) -> None:
        """One request."""
        body = self.rfile.read(int(self.headers["content-length"]))
        reply = self.owner.arrived(body)
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


class Headroom:
    """Its proxy in `cache` mode: what it forwards for a request."""

    def __init__(self, price: Price) -> None:
        self._price = price
        self._meter: Meter | None = None
        self._now = 0.0
        self._call: Call | None = None
        self._sent: bytes | None = None
        self.port = 0

    def body(self, call: Call, now: float) -> bytes:
        """Send the request through it; what reached the upstream."""
        self._call, self._now, self._sent = call, now, None
        if self._meter is None:
            encode = Encoder(call.model)
            self._meter = Meter(lambda grain: rule_of(self._price, 1 << 20, grain), encode)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"content-type": "application/json", "authorization": "Bearer sk-bench"}
        if call.dialect is Dialect.MESSAGES:
            headers |= {"x-api-key": "sk-ant-api03-bench", "anthropic-version": "2023-06-01"}
            del headers["authorization"]
        with contextlib.closing(connection):
            connection.request("POST", f"/v1/{call.path}", call.body.raw, headers)
            reply = connection.getresponse()
            text = reply.read()
        if self._sent is None or reply.status != 200:
            raise BenchError(f"Headroom answers {reply.status}: {text[:200]!r}")
        return self._sent

    def arrived(self, body: bytes) -> bytes:
        """What the upstream answers: an unimportant text, with usage by the rule."""
        assert self._call is not None
        assert self._meter is not None
        self._sent = body
        said = {"role": "assistant", "content": "ok"}
        request = Request(self._call.dialect, self._call.path, body, said)
        call = _with(self._call, body)
        charge, output = self._meter.charge(call, request, self._now)
        recording = recording_of(request, call.model, charge.usage(output))
        assert recording is not None
        return recording.body


def _with(call: Call, body: bytes) -> Call:
    return replace(call, body=Body(body))


@contextlib.contextmanager
def headroom(price: Price, folder: Path) -> Iterator[Pipeline]:
    """Headroom as a pipeline. Raises `BenchError` where it is not installed."""
    program = PEERS / "headroom/bin/headroom"
    if not program.exists():
        raise BenchError("Headroom is not installed; run scripts/bench-peers")
    for name in TABLES:
        unpack(name, folder)
    forward = Headroom(price)
    kind = type("Upstream", (_Upstream,), {"owner": forward})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        forward.port = free_port()
        with running(_program(program, forward.port, server.server_port, folder), folder) as it:
            _wait(it)
            yield _pipeline(HEADROOM, forward)
        server.shutdown()


def _program(program: Path, port: int, upstream: int, folder: Path) -> Program:
    command = (
        *(str(program), "proxy", "--port", str(port), "--mode", "cache"),
        *("--no-rate-limit", "--no-cache"),  # no limit, no answers of its own
        *("--openai-api-url", f"http://127.0.0.1:{upstream}/v1"),
        *("--anthropic-api-url", f"http://127.0.0.1:{upstream}"),
    )
    environment = {
        "HOME": str(folder),
        "HEADROOM_OFFLINE": "1",
        "HF_HUB_OFFLINE": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "TIKTOKEN_CACHE_DIR": str(folder),
    }
    return Program(HEADROOM, port, command, environment)


def _wait(target: Running) -> None:
    begun = time.monotonic()
    while time.monotonic() - begun < _START and target.process.poll() is None:
        with contextlib.suppress(ConnectionError):
            target.get("/livez")
            return
        time.sleep(0.1)
    tail = target.log.read_text(errors="replace")[-1500:]
    raise BenchError(f"Headroom gives no answer; its log ends:\n{tail}")
