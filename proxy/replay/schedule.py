"""When the requests of a trace arrive, in virtual time."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from random import Random

import msgspec

from proxy.replay.talk import Request, Talk
from proxy.simulation.exchange import EPOCH

Event = tuple[float, str, Request]


class Pace(msgspec.Struct, frozen=True):
    """Conversations without times of their own.

    `rate`: how many begin each minute, as a Poisson process of this `seed`; None: each begins
    when another ends. `at_once`: the most that run at the same time; None: one, or with a
    rate any number. `gap`: seconds between two requests of a conversation.
    """

    rate: float | None = None
    at_once: int | None = None
    gap: float = 10.0
    seed: int = 0


def schedule(talks: Iterable[Talk], pace: Pace) -> Iterator[Event]:
    """`(Unix time, conversation, request)` in order of time, while `talks` are being read.

    Requests with times of their own keep their distances; those that go back in time arrive
    when the latest before them did.
    """
    running: list[tuple[float, int, str, Iterator[Request]]] = []
    starts = _Starts(pace)
    now = first = 0.0
    timed = False
    for number, talk in enumerate(talks):
        if talk.at is None:
            begin = max(now, starts.next(talk.size))
        else:
            if not timed:
                timed, first = True, talk.at - now
            begin = max(now, talk.at - first)
        while running and running[0][0] <= begin:
            yield from _turn(running, pace.gap)
        now = begin
        heapq.heappush(running, (begin, number, talk.key, talk.requests))
    while running:
        yield from _turn(running, pace.gap)


def _turn(running: list[tuple[float, int, str, Iterator[Request]]], gap: float) -> Iterator[Event]:
    """The next request, and its conversation put back for the one after."""
    at, number, key, requests = heapq.heappop(running)
    request = next(requests, None)
    if request is not None:
        heapq.heappush(running, (at + gap, number, key, requests))
        yield EPOCH + at, key, request


class _Starts:
    """When conversations begin, in seconds."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._dice = Random(pace.seed)  # noqa: S311 - arrivals, not secrets
        self._arrival = 0.0
        most = pace.at_once or (None if pace.rate else 1)
        self._free = [pace.gap * slot / most for slot in range(most)] if most else []

    def next(self, size: int) -> float:
        """For a conversation of `size` requests; never before an earlier one's."""
        if self._pace.rate:
            self._arrival += self._dice.expovariate(self._pace.rate / 60)
        if not self._free:
            return self._arrival
        begin = max(self._arrival, heapq.heappop(self._free))
        heapq.heappush(self._free, begin + max(1, size) * self._pace.gap)
        return begin
