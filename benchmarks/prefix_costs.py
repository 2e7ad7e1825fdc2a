"""What the prefix policies themselves cost: time of a plan, memory after many distinct prompts.

As a program: `python prefix_costs.py COUNT` prints the megabytes that a process has grown by after
so many distinct prompts.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import tree  # noqa: F401 - which tree is measured
from prefix_scenes import policies_of

from policies.base.body import Body
from policies.base.call import Call, Controls, Dialect
from policies.base.plan import Outcome
from policies.base.usage import Usage
from proxy.engine import Engine
from proxy.guards.guards import Guards
from proxy.guards.monotone import Monotone
from proxy.guards.rollback import Rollback
from proxy.pipeline import Pipeline
from proxy.prices import Prices
from proxy.replay.run import terms_of
from proxy.replay.store import Clock, Shelves
from proxy.wire import envelope

ALL = ("prefix.canonical", "prefix.volatile", "prefix.documents", "prefix.breakpoints")
MODEL = "gpt-6-sol"
_BODY = 100_000  # bytes
_CONVERSATIONS, _TURNS = 40, 8
_WARM = 40  # requests before the clock runs
_STARTED = 1_795_000_000.0
_PAGE = 4096
_TIMES = "times"


class _Desk:
    """An engine with its store, asked request by request."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._clock = Clock(_STARTED)
        terms = terms_of(Prices.load().of(MODEL))
        shelves = Shelves(self._clock, 1 << 26)
        guards = Guards(Monotone(), lambda _: terms, lambda: None, Rollback())
        self._engine = Engine(
            shelves.bind, lambda _: None, lambda _: terms, guards, clock=self._clock
        )

    async def ask(self, raw: bytes) -> float:
        """One request, planned and settled; the seconds that planning took."""
        body = Body(raw)
        model, stream = envelope.read(Dialect.CHAT, body)
        self._clock.now += 5.0
        call = Call(
            id="1",
            dialect=Dialect.CHAT,
            method="POST",
            path="chat/completions",
            headers=(),
            body=body,
            tenant="t",
            credential=(),
            model=model,
            stream=stream,
            route="1:*",
            backends=("openai",),
            effects=self._pipeline.effects,
            controls=Controls(),
        )
        begun = time.perf_counter()
        plan = await self._engine.plan(call, self._pipeline)
        self._engine.depart(plan, self._pipeline)
        taken = time.perf_counter() - begun
        await self._engine.sent(plan)
        usage = Usage(uncached=len(raw) // 4, output=50)
        await self._engine.settle(plan, self._pipeline, Outcome(200, "openai", usage=usage))
        self._engine.land(plan, self._pipeline)
        return taken


def _turn(number: int, size: int) -> list[dict[str, Any]]:
    """A question and its answer of about `size` bytes."""
    text = f"Step {number} of the work: look at the next file and tell what it does. "
    asked = (text * (size // len(text) + 1))[: size // 2]
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": asked[::-1]}]


def _conversation(number: int) -> dict[str, Any]:
    """A conversation of some 60 messages, with tools, that is as long as wanted."""
    system = {"role": "system", "content": "Be exact. " * 1000}
    tool = {"name": "look", "description": "Looks. " * 20, "parameters": {"type": "object"}}
    tools = [{"type": "function", "function": {**tool, "name": f"look{n}"}} for n in range(20)]
    messages = [system, *_turn(number, 2000)]
    while len(json.dumps(messages)) + len(json.dumps(tools)) < _BODY:
        messages += _turn(len(messages), 2800)
    return {"model": MODEL, "tools": tools, "messages": messages}


async def _milliseconds(*wanted: str) -> float:
    desk = _Desk(await policies_of("all", *wanted))
    times = []
    for number in range(_CONVERSATIONS):
        body = _conversation(number)
        for turn in range(_TURNS):
            asked, said = _turn(turn, 40)
            body["messages"].append(asked)
            raw = json.dumps(body, separators=(",", ":")).encode()
            times.append(await desk.ask(raw))
            body["messages"].append(said)
    return median(times[_WARM:]) * 1000


def milliseconds() -> dict[str, float]:
    """Median times to plan the next turn of a 100 KB conversation: all policies, and each."""
    found: dict[str, float] = json.loads(_apart(_TIMES))
    return found


def megabytes(count: int) -> float:
    """By how much a fresh process grows with so many distinct prompts."""
    return float(_apart(str(count)))


def _apart(what: str) -> str:
    """What a process says that holds nothing else, such as traces."""
    command = [sys.executable, __file__, what]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return done.stdout


def _times() -> dict[str, float]:
    found = {"all prefix policies": asyncio.run(_milliseconds(*ALL))}
    return found | {name: asyncio.run(_milliseconds(name)) for name in ALL}


async def _grown(count: int) -> float:
    desk = _Desk(await policies_of("breakpoints", "prefix.breakpoints"))
    filler = "All of it differs from the others. " * 150
    before = 0.0
    for number in range(count):
        said = [
            {"role": "system", "content": f"{number} {filler}"},
            {"role": "user", "content": f"Question {number}"},
        ]
        await desk.ask(json.dumps({"model": MODEL, "messages": said}).encode())
        if number == 1000:
            before = _resident()  # what every process needs is there by now
    return _resident() - before


def _resident() -> float:
    """Megabytes of 10^6 bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 1e6


if __name__ == "__main__":
    print(json.dumps(_times()) if sys.argv[1] == _TIMES else asyncio.run(_grown(int(sys.argv[1]))))
