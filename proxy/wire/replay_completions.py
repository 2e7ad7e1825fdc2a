"""Completions: a plain reply from chunks, and chunks from a plain reply."""

from __future__ import annotations

from collections.abc import Iterator

from proxy.wire.replay_choices import Members, add_common, fold, unfold
from proxy.wire.replay_merge import documents, grow, number, pieces, text
from proxy.wire.sse import Event


def plain(events: list[Event]) -> Members:
    """The `text_completion` that a stream of chunks amounts to."""
    return fold(documents(events), _add, "text_completion")


def stream(doc: Members, include_usage: bool) -> bytes:
    """The event stream that says what a plain reply says."""
    return unfold(doc, "text_completion", _split, include_usage)


def _add(choice: Members, piece: Members) -> None:
    add_common(choice, piece, ("index", "text"))
    choice["text"] = grow(choice.get("text", ""), text(piece.get("text", "")))


def _split(choice: Members) -> Iterator[Members]:
    """Text first, with all log probabilities in the first chunk; then the end."""
    at = number(choice.get("index"))
    quiet: Members = {"logprobs": None} if "logprobs" in choice else {}
    said: Members = {"logprobs": choice["logprobs"]} if "logprobs" in choice else {}
    for piece in pieces(text(choice.get("text"))):
        yield {"index": at, "text": piece, **said, "finish_reason": None}
        said = quiet
    rest = {name: choice[name] for name in choice if name not in ("index", "text", "logprobs")}
    yield {"index": at, "text": "", **said, "finish_reason": None, **rest}
