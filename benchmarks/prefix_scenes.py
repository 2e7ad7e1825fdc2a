"""Traces, and the same traces with what spoils prefixes in practice, as conversations to replay."""

import datetime as dt
import gzip
import json
import random
import re
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import log
from pathlib import Path
from typing import Any

import policies
from proxy.config.load import loads
from proxy.pipeline import Pipeline
from proxy.prices import Price
from proxy.replay.encode import Encoder
from proxy.replay.formats import talk_of
from proxy.replay.lines import Problems
from proxy.replay.run import Comparison, Setup, compare, pipeline_of
from proxy.replay.schedule import Pace
from proxy.replay.talk import Talk, Target
from proxy.replay.tally import Tally
from proxy.simulation.exchange import EPOCH

Doc = dict[str, Any]
Change = Callable[[Doc, int], Doc]
TAU, SWE, MINISWE = "tau_airline", "swe_agent", "miniswe"
TOOL = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}},
}
GAP = 10.0  # seconds between the turns of a conversation
_PASSAGES = 20
_TRIES = 60  # documents that share a rare word with the question, looked at for BM25


def rows(file: Path) -> list[Doc]:
    """All rows of a gzipped file of JSON lines."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def talks(docs: Iterable[Doc], model: str, price: Price) -> Iterator[Talk]:
    """The rows as they would be read from a file."""
    target = Target(model, price.rule)
    for number, doc in enumerate(docs):
        yield talk_of(json.dumps(doc).encode(), f"row:{number}", target)


def log_of(conversations: Iterable[Doc], change: Change) -> Iterator[Doc]:
    """Each request by itself, its time and session told, after `change(request, number)`."""
    number = 0
    for at, row in enumerate(conversations):
        for index, message in enumerate(row["messages"]):
            if message["role"] != "assistant" or not index:
                continue
            body = {"messages": row["messages"][:index], "response": {"choices": [{}]}}
            body["response"]["choices"][0]["message"] = message
            if "tools" in row:
                body["tools"] = row["tools"]
            body |= {"timestamp": number * GAP, "session_id": f"s{at}"}
            yield change(body, number)
            number += 1


def as_it_is(body: Doc, number: int) -> Doc:  # noqa: ARG001 - a `Change`
    """No change."""
    return body


def with_header(body: Doc, number: int) -> Doc:
    """One line more in the system prompt, another in each request: its time and a name."""
    dice = random.Random(number)
    unique = uuid.UUID(int=dice.getrandbits(128), version=4)
    time = f"{dt.datetime.fromtimestamp(EPOCH + number * GAP, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    line = f"Current time: {time}, request {unique}\n"
    first, *rest = body["messages"]
    return {**body, "messages": [{**first, "content": line + first["content"]}, *rest]}


def shuffled(body: Doc, number: int) -> Doc:
    """The tools in another order."""
    tools = list(body["tools"])
    random.Random(number).shuffle(tools)
    return {**body, "tools": tools}


def questions(file: Path) -> Iterator[Doc]:
    """Each question once, as a chat over 20 passages: its own and those nearest by BM25."""
    found = rows(file)
    texts = [f"{row['ctxs'][0]['title']}\n{row['ctxs'][0]['text']}" for row in found]
    nearest = _Bm25(texts)
    for number, row in enumerate(found):
        chosen = nearest.to(row["question"], number)
        random.Random(number).shuffle(chosen)
        context = "\n\n".join(f"Document [{n}] {texts[i]}" for n, i in enumerate(chosen, 1))
        system = "Answer with the documents given, in a few words."
        asked = f"{context}\n\nQuestion: {row['question']}"
        messages = [{"role": "system", "content": system}, {"role": "user", "content": asked}]
        yield {"messages": [*messages, {"role": "assistant", "content": row["answers"][0]}]}


class _Bm25:
    """Okapi BM25 with its usual constants."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._counts = [Counter(re.findall(r"\w+", text.lower())) for text in texts]
        self._where: dict[str, list[int]] = {}
        for index, counts in enumerate(self._counts):
            for word in counts:
                self._where.setdefault(word, []).append(index)
        self._mean = sum(sum(counts.values()) for counts in self._counts) / len(texts)

    def to(self, question: str, own: int) -> list[int]:
        """`own` and the 19 texts nearest to the question."""
        scores: defaultdict[int, float] = defaultdict(float)
        for word in set(re.findall(r"\w+", question.lower())):
            places = self._where.get(word, [])
            weight = log(1 + (len(self._counts) - len(places) + 0.5) / (len(places) + 0.5))
            for index in places:
                count, size = self._counts[index][word], sum(self._counts[index].values())
                scores[index] += weight * count * 2.2 / (count + 0.3 + 0.9 * size / self._mean)
        scores.pop(own, None)
        others = sorted(scores, key=lambda index: -scores[index])[: _PASSAGES - 1]
        more = (i for i in range(len(self._counts)) if i != own and i not in others)
        while len(others) < _PASSAGES - 1:
            others.append(next(more))
        return [own, *others]


class Replayer:
    """Replays conversations for one model through named sets of policies."""

    def __init__(self, model: str, price: Price) -> None:
        self.model = model
        self.price = price
        self._encode = Encoder(model)

    async def run(
        self, docs: Iterable[Doc], pipelines: Sequence[Pipeline], pace: Pace | None = None
    ) -> dict[str, Tally]:
        """What each pipeline came to, `direct` and `oracle` among them."""
        setup = Setup(self.model, self.price, self._encode, pace or Pace(gap=GAP))
        problems = Problems()
        found: Comparison = await compare(
            talks(docs, self.model, self.price), setup, pipelines, problems
        )
        if problems.count:
            raise ValueError(problems.first[0])
        return {one.name: one for one in found.schemes}


async def policies_of(name: str, *wanted: str) -> Pipeline:
    """A fresh pipeline of these policies, as many of them as there are."""
    there = policies.discover()
    steps = "".join(f"    - {{use: {one}}}\n" for one in wanted if one in there) or "    []\n"
    text = (
        f"version: 1\npipelines:\n  {name}:\n"
        "    effects: [exact, lossless, reorder, reuse, lossy]\n"
        f"    steps:\n{steps.replace('    -', '      -')}"
    )
    return await pipeline_of(loads(text, "benchmark", {}).pipelines[name])


async def preset_of(name: str) -> Pipeline:
    """A fresh pipeline of a preset."""
    return await pipeline_of(loads("version: 1", "defaults", {}).pipelines[name])
