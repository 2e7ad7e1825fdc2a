"""What a relay adds to a stream of 200 events, seen from one client on one connection.

Three kinds of stream, each one's prompt unlike any other:

- *burst*: the upstream sends each event as soon as it can. The time of a whole stream, less that of
  a direct one, over 200 is the relay's cost per chunk when the relay is the bottleneck.
- *paced*: an event every 2 ms, so that no two travel together. Each event carries the time it was
  sent at; the median delay until the client holds it, less that of a direct stream, is what a
  reader of tokens waits longer for each.
- *short*: five paced events, many times over, for the time from the request to the first event.

Targets take turns stream by stream, and medians are over streams.
"""

import bisect
import re
import secrets
import socket
import time
from dataclasses import dataclass
from itertools import accumulate
from statistics import median

from overhead_events import EVENTS
from overhead_load import chat, request
from overhead_process import BenchError, Running

_PACED = (("x-bench-gap", "0.002"),)
_SHORT = (*_PACED, ("x-bench-events", "5"))
_SHORTS = 5
_SENT = re.compile(rb'"sent_ns": ?(\d+)')


@dataclass(frozen=True)
class Streams:
    """Medians of one target, in microseconds.

    `burst` is a whole stream's time over its events, `delay` one paced event's way to the client,
    `first` the time from the request to the first event, `cpu` the target's own CPU time per paced
    event.
    """

    burst: float
    delay: float
    first: float
    cpu: float


def measure(targets: list[Running], streams: int) -> dict[str, Streams]:
    """Run `streams` burst, as many paced and 5 times as many short streams through each target."""
    clients = {target.name: _Client(target) for target in targets}
    burst: dict[str, list[float]] = {target.name: [] for target in targets}
    delays: dict[str, list[float]] = {target.name: [] for target in targets}
    firsts: dict[str, list[float]] = {target.name: [] for target in targets}
    for name in [*clients] * 2:  # connections and caches get warm outside the record
        clients[name].stream()
    for _ in range(streams):
        for name, client in clients.items():
            burst[name].append(client.stream().total / EVENTS)
    for _ in range(streams * _SHORTS):
        for name, client in clients.items():
            firsts[name].append(client.stream(_SHORT, 5).first)
    cpu = {target.name: target.cpu_seconds() for target in targets}
    for _ in range(streams):
        for name, client in clients.items():
            delays[name].append(client.stream(_PACED).delay)
    return {
        target.name: Streams(
            burst=median(burst[target.name]),
            delay=median(delays[target.name]),
            first=median(firsts[target.name]),
            cpu=(target.cpu_seconds() - cpu[target.name]) / streams / EVENTS * 1e6,
        )
        for target in targets
    }


@dataclass(frozen=True)
class _Seen:
    """One stream, in microseconds: its whole time, its first event's, its events' median delay."""

    total: float
    first: float
    delay: float


class _Client:
    """A blocking keep-alive connection, so that the client's own cost is small and even."""

    def __init__(self, target: Running) -> None:
        self._target = target
        self._socket = socket.create_connection(("127.0.0.1", target.program.port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def stream(self, how: tuple[tuple[str, str], ...] = (), number: int = EVENTS) -> _Seen:
        body = chat(1024, secrets.token_hex(12), stream=True)
        asked = request(self._target, body, how)
        parts: list[bytes] = []
        times: list[int] = []
        begun = time.monotonic_ns()
        self._socket.sendall(asked)
        while not parts or not b"".join(parts[-2:]).endswith(b"0\r\n\r\n"):
            part = self._socket.recv(1 << 16)
            times.append(time.monotonic_ns())
            if not part:
                break
            parts.append(part)
        whole = b"".join(parts)
        events = list(_SENT.finditer(whole))
        if not whole.startswith(b"HTTP/1.1 200") or len(events) != number:
            raise BenchError(f"{self._target.name} broke a stream: {whole[:300]!r}")
        ends = list(accumulate(map(len, parts)))
        arrivals = [times[bisect.bisect_left(ends, event.end())] for event in events]
        sent = [int(event[1]) for event in events]
        delay = median(got - put for got, put in zip(arrivals, sent, strict=True))
        return _Seen((times[-1] - begun) / 1e3, (arrivals[0] - begun) / 1e3, delay / 1e3)
