"""What Penstock says of its work in the head of a reply. RFC 9211 for `Cache-Status`."""

from __future__ import annotations

import msgspec

from policies.base.call import Headers
from policies.base.plan import Plan
from policies.base.step import Answer, Skip
from policies.base.usage import Usage


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What is known when the head goes out. `stored` None: not yet known."""

    cache: str
    backend: str
    overhead: float  # seconds
    usage: Usage | None = None
    stored: bool | None = None


def cache_word(plan: Plan, *, collapsed: bool) -> str:
    """HIT, SEMANTIC_HIT, COALESCED, MISS, REFRESH or BYPASS."""
    if isinstance(plan.final, Answer):
        return "SEMANTIC_HIT" if plan.final.tier == "semantic" else "HIT"
    if collapsed:
        return "COALESCED"
    word = "BYPASS"
    for row in plan.rows:
        if row.policy.startswith("cache.") and row.mode == "on" and isinstance(row.step, Skip):
            if row.step.why == "refresh":
                return "REFRESH"
            if row.step.why == "miss":
                word = "MISS"
    return word


_FWD = {
    "MISS": (b"cache-status", b"penstock; fwd=uri-miss"),
    "COALESCED": (b"cache-status", b"penstock; fwd=uri-miss; collapsed"),
    "REFRESH": (b"cache-status", b"penstock; fwd=request"),
    "BYPASS": (b"cache-status", b"penstock; fwd=bypass"),
}
_STORED = {word: (name, value + b"; stored") for word, (name, value) in _FWD.items()}
_FREE = frozenset({"HIT", "SEMANTIC_HIT", "COALESCED"})  # nothing is paid for


def receipt(plan: Plan, facts: Facts) -> Headers:
    """The headers that Penstock adds to a reply."""
    headers = [
        (b"x-penstock-request-id", plan.call.id.encode()),
        (b"x-penstock-cache", facts.cache.encode()),
        (b"x-penstock-backend", facts.backend.encode()),
        (b"x-penstock-overhead-ms", b"%.2f" % (facts.overhead * 1000)),
    ]
    steps = [
        f"{row.policy}={_verdict(row.step, row.mode)}" for row in plan.rows if row.mode != "idle"
    ]
    if steps:
        headers.append((b"x-penstock-steps", ", ".join(steps).encode()))
    answer = plan.final if isinstance(plan.final, Answer) else None
    if answer is None:
        headers.append((_STORED if facts.stored else _FWD)[facts.cache])
    else:
        headers += _hit(answer)
    if facts.usage is not None:
        headers.append((b"x-penstock-tokens", _tokens(plan, facts.usage, facts.cache)))
    return tuple(headers)


def _hit(answer: Answer) -> Headers:
    status = f"penstock; hit; ttl={int(answer.ttl)}; detail={answer.tier}"
    headers = [(b"cache-status", status.encode()), (b"age", b"%d" % int(answer.age))]
    if answer.similarity is not None:
        headers.append((b"x-penstock-similarity", b"%.4f" % answer.similarity))
    return tuple(headers)


def _verdict(step: object, mode: str) -> str:
    """`miss`, `hit`, `edit`, …; in another mode than on, that too: `edit(shadow)`."""
    word = step.why.replace(" ", "-") if isinstance(step, Skip) else ""
    if isinstance(step, Answer):
        word = "hit"
    word = word or type(step).__name__.lower()
    return word if mode == "on" else f"{word}({mode})"


def _tokens(plan: Plan, usage: Usage, cache: str) -> bytes:
    """Input tokens: what the client's request would have sent, and what was sent."""
    after = 0 if cache in _FREE else usage.input
    return b"before=%d after=%d" % (usage.input + plan.removed, after)
