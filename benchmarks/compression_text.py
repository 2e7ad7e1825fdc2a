"""Tokens and time of the lossless codecs for logs and other output of programs.

    python benchmarks/compression_text.py [FILE…]

Of each file the first 1,000 lines are taken; without files, those of the system's logs that
can be read. Tokens are o200k. Time is a process's own, at first sight, counting excluded;
the way back is taken and compared each time.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median
from tempfile import gettempdir

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from policies.compress.text_choice import choose, decode, normal  # noqa: E402 - path above
from proxy.tiktoken_tables import encoding  # noqa: E402 - path above

LINES = 1000
ROUNDS = 5


def system_logs() -> list[Path]:
    """What a machine's log folder holds, without what is compressed or empty."""
    found = sorted(Path("/var/log").rglob("*.log"))
    return [path for path in found if path.stat().st_size > 1000]


def seconds(text: str) -> float:
    """The shortest of some times that choosing takes, with characters for tokens."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        choose(text, len)
        best = min(best, time.process_time() - start)
    return best


def main(paths: list[Path]) -> None:
    """Print a row a file, and the median of the shares."""
    tokens = encoding("o200k_base", Path(gettempdir()) / "penstock-benchmark-tiktoken")

    def count(text: str) -> int:
        return len(tokens.encode_ordinary(text))

    shares = []
    print(f"{'file':32} {'tokens':>8} {'after':>8} {'share':>6} {'MB/s':>6}  by")
    for path in paths:
        lines = path.read_bytes().decode(errors="replace").split("\n", LINES)[:LINES]
        text = "\n".join(lines) + "\n"
        chosen = choose(text, count)
        if decode(chosen) != normal(text):
            raise SystemExit(f"{path} does not come back")
        before, after = count(text), count(chosen.text)
        shares.append(after / before)
        speed = len(text) / max(seconds(text), 1e-9) / 1e6
        print(
            f"{path.name:32} {before:8} {after:8} {shares[-1]:6.3f} {speed:6.1f}  "
            + " ".join(chosen.codecs)
        )
    if shares:
        print(f"{'median':32} {'':8} {'':8} {median(shares):6.3f}")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or system_logs())
