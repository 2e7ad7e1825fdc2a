"""Load by wrk: chat requests of an exact size, and what came of them."""

import json
import random
import secrets
import subprocess
from dataclasses import dataclass

from overhead_events import MODEL
from overhead_peers import HERE
from overhead_process import CHAT, BenchError, Running

MARK = "@" * 24
_MESSAGE = 2000
_WORDS = (
    "the customer asked whether an order placed last Tuesday could still be changed because "
    "delivery address was wrong and refund policy says that items may be returned within thirty "
    "days of purchase if tool result contains status shipped then agent must not cancel it but "
    "should offer store credit or an exchange instead please check account before you answer"
)


@dataclass(frozen=True)
class Sample:
    """One run of wrk. Times are microseconds, `cpu` the target's own per request."""

    requests: int
    rate: float
    p50: float
    p99: float
    cpu: float
    resident: float
    failures: int


def chat(size: int, mark: str = MARK, **fields: object) -> bytes:
    """A chat body of exactly `size` bytes: a conversation whose last message ends in `mark`.

    Messages are some 2 KB each. `temperature` is 0, so that a cache may keep the reply.
    """
    words = random.Random(size)  # filler, the same in every run
    system = {"role": "system", "content": "You are a support agent. Be brief."}
    body = {"model": MODEL, "messages": [system], "temperature": 0, **fields}
    messages: list[dict[str, str]] = body["messages"]  # type: ignore[assignment]
    empty = {"role": "user", "content": " " + mark}
    while True:
        room = size - len(_dump({**body, "messages": [*messages, empty]}))
        if room < 0:
            raise BenchError(f"a chat body does not fit into {size} bytes")
        if room <= _MESSAGE + 100:  # less would not hold another message's own syntax
            break
        role = ("user", "assistant")[len(messages) % 2 == 0]
        messages.append({"role": role, "content": _text(words, _MESSAGE)})
    messages.append({"role": "user", "content": _text(words, room) + " " + mark})
    return _dump(body)


def request(target: Running, body: bytes, extra: tuple[tuple[str, str], ...] = ()) -> bytes:
    """The bytes of a whole HTTP request for wrk.lua to send."""
    lines = [
        f"POST {CHAT} HTTP/1.1",
        f"Host: 127.0.0.1:{target.program.port}",
        "Content-Type: application/json",
        "Authorization: Bearer sk-bench",
        *(f"{name}: {value}" for name, value in (*target.program.headers.items(), *extra)),
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def wrk(target: Running, requests: list[bytes], connections: int, seconds: float) -> Sample:
    """Load `target` with `requests` in turn, each connection as fast as answers come."""
    folder = target.log.parent
    names = []
    for number, content in enumerate(requests):
        path = folder / f"request-{number}"
        path.write_bytes(content)
        names.append(str(path))
    url = f"http://127.0.0.1:{target.program.port}{CHAT}"
    cpu = target.cpu_seconds()
    finished = subprocess.run(
        (
            *("wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "60s"),
            *("-s", str(HERE / "wrk.lua"), url, "--", secrets.token_hex(4), *names),
        ),
        capture_output=True,
        text=True,
        check=True,
    )
    cpu = target.cpu_seconds() - cpu
    told = json.loads(finished.stdout.strip().splitlines()[-1])
    count = told["requests"]
    if not count:
        raise BenchError(f"{target.name} answered nothing:\n{finished.stdout}")
    return Sample(
        requests=count,
        rate=count / told["duration"] * 1e6,
        p50=told["p50"],
        p99=told["p99"],
        cpu=cpu / count * 1e6,
        resident=target.resident_mb(),
        failures=sum(told[k] for k in ("connect", "read", "write", "status", "timeout")),
    )


def calls(upstream: Running) -> int:
    """The requests that nginx has answered so far, by its own count, this one included."""
    return int(upstream.get("/calls").split()[9])


def _text(words: random.Random, length: int) -> str:
    text = " ".join(words.choices(_WORDS.split(), k=length // 2 + 1))
    return text[:length]


def _dump(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
