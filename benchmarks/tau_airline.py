"""Real agent conversations through a running Penstock, with OpenAI's SDK as the client.

    penstock serve &
    python benchmarks/tau_airline.py

Each assistant message of a conversation is one request: the messages before it, the tools, the
model. The conversations come from `traces/tau_airline.jsonl.gz` below the data folder, which is
`--data`, PENSTOCK_DATA or `../shared/data` beside this project. The table adds up what Penstock
says in its receipts and what the upstream says in `usage`. Exit code 0: done; 1: a request
failed; 2: no data.
"""

import argparse
import asyncio
import gzip
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI, OpenAIError
from rich.console import Console
from rich.table import Table

TRACE = Path("traces") / "tau_airline.jsonl.gz"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FREE = {"HIT", "SEMANTIC_HIT", "COALESCED"}

Conversation = dict[str, Any]


@dataclass
class Pass:
    """Sums over one pass. Input tokens are those of prompts.

    `before` and `after`: input tokens without Penstock and with it, by its receipts. `billed`,
    `cached` (a part of it) and `output`: what the upstream's `usage` says of the requests that
    reached it; `spared`: the same of those that did not, prompt and reply.
    """

    requests: int = 0
    words: Counter[str] = field(default_factory=Counter)
    before: int = 0
    after: int = 0
    billed: int = 0
    cached: int = 0
    output: int = 0
    spared: int = 0
    seconds: float = 0.0

    @property
    def hits(self) -> int:
        """Requests answered from the cache."""
        return self.words["HIT"] + self.words["SEMANTIC_HIT"]

    def add(self, headers: Any, usage: Any) -> None:
        """Count one reply."""
        word = headers["x-penstock-cache"]
        tokens = dict(pair.split("=") for pair in headers["x-penstock-tokens"].split())
        self.requests += 1
        self.words[word] += 1
        self.before += int(tokens["before"])
        self.after += int(tokens["after"])
        if word in FREE:
            self.spared += usage.total_tokens
            return
        details = usage.prompt_tokens_details
        self.billed += usage.prompt_tokens
        self.cached += (details.cached_tokens or 0) if details else 0
        self.output += usage.completion_tokens


def trace(data: Path | None = None) -> Path:
    """Where the conversations are."""
    return Path(data or os.environ.get("PENSTOCK_DATA") or DATA) / TRACE


def conversations(file: Path, most: int | None = None) -> list[Conversation]:
    """The first `most` conversations, or all."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [
            json.loads(line) for _, line in zip(range(most or sys.maxsize), lines, strict=False)
        ]


def requests(conversation: Conversation) -> Iterator[dict[str, Any]]:
    """What was asked for each of the assistant's messages, in order."""
    messages = conversation["messages"]
    for index, message in enumerate(messages):
        if message["role"] == "assistant":
            yield {
                "model": conversation["model"],
                "messages": messages[:index],
                "tools": conversation["tools"],
            }


async def replay(client: AsyncOpenAI, found: list[Conversation], at_once: int) -> Pass:
    """Send all requests, those of a conversation one after the other."""
    done = Pass()
    gate = asyncio.Semaphore(at_once)

    async def talk(conversation: Conversation) -> None:
        async with gate:
            for request in requests(conversation):
                raw = await client.chat.completions.with_raw_response.create(**request)
                done.add(raw.headers, raw.parse().usage)

    started = time.perf_counter()
    await asyncio.gather(*map(talk, found))
    done.seconds = time.perf_counter() - started
    return done


def table(passes: list[Pass]) -> Table:
    """One row for each pass."""
    made = Table(title="tau-bench airline through Penstock")
    heads = ["pass", "requests", "hits", "tokens before", "after", "cached upstream", "tokens out"]
    for head in [*heads, "seconds"]:
        made.add_column(head, justify="right")
    for number, one in enumerate(passes, 1):
        counts = [one.requests, one.hits, one.before, one.after, one.cached, one.output]
        made.add_row(str(number), *(f"{count:,}" for count in counts), f"{one.seconds:.1f}")
    return made


def plain(one: Pass) -> dict[str, Any]:
    """The same for JSON."""
    return {**vars(one), "words": dict(one.words), "hits": one.hits}


async def run(options: argparse.Namespace, found: list[Conversation]) -> list[Pass]:
    """As many passes as asked for, one after the other."""
    key = os.environ.get("OPENAI_API_KEY", "none")
    async with AsyncOpenAI(base_url=options.url, api_key=key, timeout=120) as client:
        return [await replay(client, found, options.at_once) for _ in range(options.passes)]


def main() -> int:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--url", default="http://127.0.0.1:8484/v1", help="where Penstock serves")
    parser.add_argument("--data", type=Path, help="the data folder")
    parser.add_argument("--conversations", type=int, help="only so many (default: all)")
    parser.add_argument(
        "--passes", type=int, default=2, help="the same again (default: %(default)s)"
    )
    parser.add_argument("--at-once", type=int, default=8, help="conversations at the same time")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    file = trace(options.data)
    if not file.exists():
        print(f"there is no {file}: name the data folder with --data", file=sys.stderr)
        return 2
    try:
        passes = asyncio.run(run(options, conversations(file, options.conversations)))
    except OpenAIError as error:
        print(f"{options.url}: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps([plain(one) for one in passes], indent=2))
    else:
        Console().print(table(passes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
