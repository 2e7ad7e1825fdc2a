"""The cache rules give the figures that were measured elsewhere on the same traces."""

import asyncio
import gzip
import json
from pathlib import Path

import pytest

from proxy.prices import Prices
from proxy.replay.encode import Encoder
from proxy.replay.oracle import EveryBoundary
from proxy.replay.run import Setup, traces_through
from proxy.simulation.blocks import Blocks
from proxy.simulation.prompt import Prompt, Segment
from proxy.simulation.rules import Limits, build
from proxy.simulation.tokens import from_ids

TRACES = Path(__file__).parents[4] / "shared/data/traces"
AIRLINE = TRACES / "tau_airline.jsonl.gz"
MOONCAKE = TRACES / "mooncake_conversation.jsonl.gz"
PRICES = [(0.5, 1.0), (0.1, 1.0), (0.1, 1.25), (0.05, 1.25)]  # (read, write)

pytestmark = pytest.mark.skipif(not TRACES.is_dir(), reason="the shared data is not here")


def rows(path):
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


@pytest.fixture(scope="module")
def airline():
    """Each request as `(tokens, whether a user's or tool's message)`, tools first."""
    encode = Encoder("gpt-4o")
    requests = []
    for row in rows(AIRLINE):
        parts = [(encode(json.dumps(row["tools"])), False)]
        for message in row["messages"]:
            if message["role"] == "assistant":
                requests.append(tuple(parts))
            parts.append((encode(json.dumps(message)), message["role"] in ("user", "tool")))
    return requests


def input_costs(requests, rule, *, system):
    """By `PRICES`, relative to no caching; `system`: a mark at the end of tools and system."""
    total = read = write = 0
    for parts in requests:
        segments = [
            Segment(tokens, breakpoint=0.0 if system and place == 1 else None, turn_end=ends)
            for place, (tokens, ends) in enumerate(parts)
        ]
        charge = rule.account(Prompt(tuple(segments)), 0.0)
        total, read, write = total + charge.total, read + charge.read, write + charge.write
    return [(total - read - write + read * r + write * w) / total for r, w in PRICES]


def test_one_breakpoint_at_the_last_message(airline):
    rule = build("openai_breakpoints", Limits(minimum=1024))
    found = input_costs(airline, rule, system=False)
    assert found == pytest.approx([0.550, 0.189, 0.214, 0.169], abs=0.0015)


def test_breakpoints_also_at_the_end_of_tools_and_system(airline):
    rule = build("openai_breakpoints", Limits(minimum=1024))
    found = input_costs(airline, rule, system=True)
    assert found == pytest.approx([0.522, 0.139, 0.149, 0.102], abs=0.0015)


def test_the_oracle(airline):
    found = input_costs(airline, EveryBoundary(1024, writes=True), system=False)
    assert found == pytest.approx([0.522, 0.139, 0.149, 0.102], abs=0.0015)


def test_a_prompt_of_the_airline_has_the_published_size(airline):
    total = sum(len(tokens) // 4 for parts in airline for tokens, _ in parts)
    assert len(airline) == 1163
    assert total == pytest.approx(6.44e6, rel=0.01)


@pytest.mark.parametrize(
    ("capacity", "share"), [(1_000, 4.5), (4_000, 8.8), (16_000, 26.8), (64_000, 36.6)]
)
def test_a_cache_of_so_many_blocks_hits_as_published(capacity, share):
    # Two tokens stand for a block of 512, and one more for the token always computed. Shares
    # are of tokens, and a last block that is not full can be hit as well.
    rule = Blocks(capacity, size=2)
    read = total = 0
    for row in rows(MOONCAKE):
        ids = [i for one in row["hash_ids"] for i in (one, one)]
        charge = rule.account(Prompt((Segment(from_ids([*ids, 0])),)), 0.0)
        read += min(charge.read // 2 * 512, row["input_length"])
        total += row["input_length"]
    assert 100 * read / total == pytest.approx(share, abs=0.1)


def test_an_endless_cache_hits_as_published_through_the_replay():
    setup = Setup("vllm/any", Prices.load().of("vllm/any"), lambda _: b"")
    found = asyncio.run(traces_through([MOONCAKE], setup, []))
    oracle = found.schemes[-1]
    assert 100 * oracle.read / oracle.input == pytest.approx(37.4, abs=0.1)
