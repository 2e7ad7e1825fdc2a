"""JSON in fewer tokens: the share of o200k tokens left, and the speed, per set of payloads.

    python benchmarks/compression_json.py

The payloads lie below the data folder, which is `--data`, PENSTOCK_DATA or `../shared/data`
beside this project. Times are of one thread's processor, first with the tokens that choosing
counts, then for reading back. Exit code 0: every payload came back exactly; 1: one did not;
2: no data.
"""

import argparse
import gzip
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from policies.compress.json_compact import decode, encode
from policies.compress.json_exact import minified
from proxy.tiktoken_tables import encoding

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
BARS = {"github_repos": 0.66, "github_webhooks": 0.85, "tau_airline tool results": 0.76}


@dataclass
class Sum:
    """Sums over a set of payloads: bytes, tokens, seconds, and how many did not come back."""

    payloads: int = 0
    size: int = 0
    before: int = 0
    after: int = 0
    encoding: float = 0.0
    decoding: float = 0.0
    broken: int = 0


def measured(texts: Sequence[str], count: Callable[[str], int]) -> Sum:
    """Each payload encoded and decoded once."""
    total = Sum(len(texts))
    for text in texts:
        start = time.process_time()
        encoded = encode(text, count)
        middle = time.process_time()
        back = None if encoded is None else decode(encoded)
        total.decoding += time.process_time() - middle
        total.encoding += middle - start
        total.broken += back is not None and back != minified(text)
        total.size += len(text.encode())
        total.before += count(text)
        total.after += count(text if encoded is None else encoded)
    return total


def payloads(data: Path) -> dict[str, list[str]]:
    """The sets, by name: compact JSON, and tool results as they came."""
    traces = _rows(data / "traces" / "tau_airline.jsonl.gz")
    messages = [message for trace in traces for message in trace["messages"]]
    return {
        "github_repos": [_compact(json.loads((data / "json" / "github_repos.json").read_text()))],
        "github_webhooks": [
            _compact(row["payload"]) for row in _rows(data / "json" / "github_webhooks.jsonl.gz")
        ],
        "tau_airline tool results": [m["content"] for m in messages if m["role"] == "tool"],
    }


def _rows(path: Path) -> list[Any]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def _compact(document: object) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def main() -> int:
    """Print the table; see the module for the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=os.environ.get("PENSTOCK_DATA", DATA))
    data = Path(parser.parse_args().data)
    if not data.exists():
        print(f"no data in {data}", file=sys.stderr)
        return 2
    table = Table("payloads", "n", "tokens", "left", "bar", "encode MB/s", "decode MB/s", "broken")
    broken = 0
    with tempfile.TemporaryDirectory() as folder:
        vocabulary = encoding("o200k_base", Path(folder))
        for name, texts in payloads(data).items():
            total = measured(texts, lambda text: len(vocabulary.encode_ordinary(text)))
            broken += total.broken
            megabytes = total.size / 1e6
            table.add_row(
                name,
                str(total.payloads),
                str(total.before),
                f"{total.after / total.before:.3f}",
                f"{BARS[name]:.2f}",
                f"{megabytes / total.encoding:.1f}",
                f"{megabytes / total.decoding:.1f}",
                str(total.broken),
            )
    Console().print(table)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
