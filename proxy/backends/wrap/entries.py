"""Where a provider's prompt cache keeps an entry of a prompt, and where it looks for one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from policies.base.call import Call
from policies.base.prompt import Block, blocks, fields
from policies.base.terms import Terms

BYTES_PER_TOKEN = 4.0  # of JSON text: an estimate, for comparisons with a minimum only

_UNSET = (b"", b"null")
_WRITTEN = 4  # marks that count: Anthropic takes four, OpenAI the latest four
_LOOK_BACK = 20  # blocks in which Anthropic looks for an entry, the marked one counted

Prefix = tuple[bytes, float]  # the chain of a prompt's beginning, its tokens by estimate


def written(call: Call, terms: Terms) -> list[Prefix]:
    """The prefixes that others can read once this call's reply has begun, shortest first.

    Sources: Anthropic's `cache_control` (at most 4 marks, or one for the whole request),
    OpenAI's breakpoints from gpt-5.6 on (the latest explicit ones and, unless the mode is
    `explicit`, the latest user or tool message); any block where a rule needs no mark.
    """
    found = blocks(call)
    if not found or terms.rule == "none":
        return []
    if terms.rule == "anthropic_marks":
        return _prefixes(found, _marked(call, found)[-_WRITTEN:], terms)
    if terms.rule == "openai_breakpoints":
        last = next((at for at in reversed(range(len(found))) if found[at].turn_end), None)
        turn = [] if last is None or not _implicit(call) else [last]
        marked = _marked(call, found)[-_WRITTEN + len(turn) :]
        return _prefixes(found, sorted({*marked, *turn}), terms)
    return _prefixes(found, range(len(found)), terms)


def matched(call: Call, terms: Terms) -> list[Prefix]:
    """The prefixes at which this call can read what others have written, shortest first."""
    found = blocks(call)
    if not found or terms.rule == "none":
        return []
    if terms.rule == "anthropic_marks":
        near: set[int] = set()
        for mark in _marked(call, found):
            near.update(range(max(0, mark - _LOOK_BACK + 1), mark + 1))
        return _prefixes(found, sorted(near), terms)
    if terms.rule == "openai_breakpoints":
        turns = [at for at, block in enumerate(found) if block.turn_end] if _implicit(call) else []
        return _prefixes(found, sorted({*_marked(call, found), *turns}), terms)
    return _prefixes(found, range(len(found)), terms)


def _marked(call: Call, found: Sequence[Block]) -> list[int]:
    """The blocks with marks; Anthropic's top-level `cache_control` marks the last one."""
    marked = [at for at, block in enumerate(found) if block.marked]
    top = fields(call)
    if top is not None and bytes(top.cache_control) not in _UNSET:
        marked.append(len(found) - 1)
    return marked


def _implicit(call: Call) -> bool:
    """Whether OpenAI sets breakpoints by itself."""
    top = fields(call)
    return top is None or b'"explicit"' not in bytes(top.prompt_cache_options)


def _prefixes(found: Sequence[Block], ends: Sequence[int], terms: Terms) -> list[Prefix]:
    """Those that reach the provider's minimum."""
    if not ends:
        return []
    least = terms.minimum * BYTES_PER_TOKEN
    sizes = list(accumulate([block.size for block in found[: ends[-1] + 1]]))
    return [(found[at].chain, sizes[at] / BYTES_PER_TOKEN) for at in ends if sizes[at] >= least]
