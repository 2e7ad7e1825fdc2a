"""The payloads that compression is measured on, and what becomes of them."""

import gzip
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from prefix_bars import Bar

from policies.compress import json_compact
from policies.compress.freeze_form import Form, Rules, shortened
from policies.compress.json_exact import minified
from policies.compress.lossless_forms import form
from policies.compress.project_cut import projected
from policies.compress.project_places import Expression
from policies.compress.text_choice import choose, decode, normal
from policies.compress_lossless import Lossless

TAU, REPOS, HOOKS, LOGS = "tau_airline tool results", "github_repos", "github_webhooks", "logs"
LINES = 1000  # of a system's log
_TIMES = 3
_SHORT = 1000  # bytes: shorter logs are left out
Count = Callable[[str], int]


@dataclass
class Result:
    """A set's payloads: bytes, tokens before and after, seconds, and which do not come back."""

    size: int = 0
    before: list[int] = field(default_factory=list)
    after: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    broken: int = 0

    @property
    def share(self) -> float:
        """Tokens that are left, of all."""
        return sum(self.after) / sum(self.before)

    @property
    def median(self) -> float:
        """The same of the payload in the middle."""
        return median(a / b for a, b in zip(self.after, self.before, strict=True) if b)

    @property
    def speed(self) -> float:
        """Megabytes a second."""
        return self.size / 1e6 / max(sum(self.seconds), 1e-9)

    @property
    def pace(self) -> float:
        """Milliseconds per 100,000 tokens of the payload in the middle."""
        pairs = zip(self.seconds, self.before, strict=True)
        return 1e8 * median(seconds / tokens for seconds, tokens in pairs if tokens)


def sets(data: Path, logs: Sequence[Path]) -> dict[str, list[str]]:
    """Payloads by the name of their set: compact JSON, and what else is there as it came."""
    messages = [m for row in rows(data / "traces/tau_airline.jsonl.gz") for m in row["messages"]]
    hooks = rows(data / "json/github_webhooks.jsonl.gz")
    found = {
        TAU: [m["content"] for m in messages if m["role"] == "tool"],
        REPOS: [_compact(json.loads((data / "json/github_repos.json").read_text()))],
        HOOKS: [_compact(row["payload"]) for row in hooks],
    }
    texts = list(map(_first_lines, logs))
    return {**found, LOGS: texts} if texts else found


def system_logs() -> list[Path]:
    """Logs of this machine with as many lines as are taken."""
    found = [path for path in sorted(Path("/var/log").rglob("*.log")) if _readable(path)]
    return [path for path in found if path.read_bytes().count(b"\n") >= LINES]


def _readable(path: Path) -> bool:
    try:
        with path.open("rb"):
            return path.stat().st_size > _SHORT
    except OSError:
        return False


def _first_lines(path: Path) -> str:
    text = path.read_bytes().decode(errors="replace")
    return "\n".join(text.split("\n", LINES)[:LINES]) + "\n"


def rows(path: Path) -> list[Any]:
    """All rows of a gzipped file of JSON lines."""
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def _compact(document: object) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def penstock(texts: Sequence[str], count: Count, others: Sequence[str]) -> Result:
    """Each payload by `compress.lossless` at its defaults; then read back and compared.

    Each time after other texts, which are not timed: it is the payload that is new, not the
    process. Of three times the one in the middle counts; nothing native is remembered.
    """
    settings = Lossless.Settings()
    rules = Rules(settings.min_tokens, settings.min_gain)
    took: dict[str, list[float]] = {text: [] for text in texts}
    made: dict[str, Form] = {}
    for _ in range(_TIMES):
        for text in others:
            form(text, count, rules, pasted=False)
        for text, seconds in took.items():
            begun = time.process_time()
            made[text] = form(text, count, rules, pasted=False)
            seconds.append(time.process_time() - begun)
    found = Result()
    for text in texts:
        short = made[text]
        found.seconds.append(median(took[text]))
        found.size += len(text.encode())
        found.before.append(count(text))
        found.after.append(count(text if short.text is None else short.text))
        found.broken += not comes_back(text, short, count)
    return found


_RULES = {
    REPOS: (["[].id", "[].name", "[].owner.login", "[].description"], []),
    HOOKS: (["action", "repository.full_name", "sender.login"], []),
    TAU: ([], ["payment_methods", "address", "*.price"]),
}


def projection(texts: dict[str, list[str]], count: Count) -> list[Result]:
    """What `compress.project` takes by a rule for each set."""
    found = []
    for name, rule in _RULES.items():
        keep, drop = (list(map(Expression, listed)) for listed in rule)

        def make(text: str, keep: list[Expression] = keep, drop: list[Expression] = drop) -> Form:
            return shortened(text, count, Rules(1, 0.0), partial(projected, text, keep, drop))

        found.append(timed([text for text in texts[name] if text], make, count))
    return found


def timed(texts: Sequence[str], make: Callable[[str], object], count: Count) -> Result:
    """How long each of these texts takes: of three times the one in the middle."""
    took = [[_seconds(make, text) for text in texts] for _ in range(_TIMES)]
    sizes = [count(text) for text in texts]
    seconds = [median(each) for each in zip(*took, strict=True)]
    return Result(sum(len(text.encode()) for text in texts), sizes, sizes, seconds)


def _seconds(make: Callable[[str], object], text: str) -> float:
    begun = time.process_time()
    make(text)
    return time.process_time() - begun


def pace_bars(name: str, found: Sequence[Result]) -> list[Bar]:
    """Of the slowest set."""
    speed, pace = min(each.speed for each in found), max(each.pace for each in found)
    return [
        Bar(f"{name}: first sight", speed, ">=", 10, "MB/s"),
        Bar(f"{name}: first sight, 100k tokens, p50", pace, "<=", 10, "ms"),
    ]


def comes_back(text: str, made: Form, count: Count) -> bool:
    """Whether the decoders restore the JSON, or the normal form of other text."""
    if made.text is None:
        return True
    exact = minified(text)
    if exact is not None:
        return json_compact.decode(made.text) == exact
    chosen = choose(text, count)
    return chosen.text == made.text and decode(chosen) == normal(text)
