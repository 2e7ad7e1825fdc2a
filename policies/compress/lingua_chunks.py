"""Texts in chunks of one window each, the rate of a chunk, and a model's labels read back.

llmlingua cuts a long text where its window ends, and takes the same share of every chunk,
however dense. So texts are cut here, into chunks of much the same size that end with a sentence,
and each has a rate of its own: what must stay in it counts as kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

WINDOW = 500  # pieces of words; the model reads 512, two of them its own
_LOOK_BACK = 5  # a fifth of a chunk may be given up to end with a sentence
_STEPS = 40  # rates are multiples of 1/40, so that chunks share a call
_SPARE = 0.01  # what llmlingua's rounding may take beyond a rate
_MISSED = 0.1  # of the words that may go: a chunk that loses so many more stays whole


class Word(NamedTuple):
    """`pieces`: into how many the tokenizer cuts it; `weight`: tokens that llmlingua counts."""

    text: str
    must: bool
    pieces: int
    weight: int


class Chunk(NamedTuple):
    """Words of the text with this number, from the one at `start`."""

    text: int
    start: int
    words: Sequence[Word]
    rate: float

    @property
    def prompt(self) -> str:
        """What the model reads."""
        return " ".join(word.text for word in self.words)


class Label(NamedTuple):
    """A word as llmlingua cuts it, which may be a part of one of ours, and whether it stays."""

    text: str
    kept: bool


def chunks(number: int, words: Sequence[Word], rate: float) -> Iterator[Chunk]:
    """The chunks of a text that have anything to lose.

    Of the words that may go at least the share `rate` shall stay, by weight.
    """
    for start, end in _cuts(words):
        part = words[start:end]
        total = sum(word.weight for word in part)
        free = sum(word.weight for word in part if not word.must)
        if free:
            share = (total - free * (1 - rate)) / total + _SPARE
            rounded = -(-share * _STEPS // 1) / _STEPS
            if rounded < 1:
                yield Chunk(number, start, part, rounded)


def _cuts(words: Sequence[Word]) -> Iterator[tuple[int, int]]:
    """Where chunks begin and end; every word is in one."""
    total = sum(word.pieces for word in words)
    size = -(-total // max(1, -(-total // WINDOW)))  # as even as can be
    start = held = 0
    sentence, behind = 0, 0  # the word after the last end of a sentence, and pieces from there on
    for index, word in enumerate(words):
        if held and held + word.pieces > size:
            if start < sentence and behind * _LOOK_BACK <= held:
                yield start, sentence
                start, held = sentence, behind
            else:
                yield start, index
                start, held = index, 0
        held += word.pieces
        behind += word.pieces
        if word.text[-1] in ".!?":
            sentence, behind = index + 1, 0
    if start < len(words):
        yield start, len(words)


def by_rate(found: Sequence[Chunk]) -> Iterator[tuple[float, list[Chunk]]]:
    """Chunks that can share a call."""
    for rate, group in groupby(sorted(found, key=_rate), key=_rate):
        yield rate, list(group)


def _rate(chunk: Chunk) -> float:
    return chunk.rate


def read(found: Sequence[Chunk], labels: Sequence[Label], rate: float) -> list[bytes]:
    """Which words of each chunk stay: a byte for each.

    A word stays if any part of it with a letter or digit does. A chunk that lost more than it
    should stays whole. Raises `ValueError` where the labels are of other words.
    """
    at = 0
    made = []
    for chunk in found:
        kept = bytearray()
        for word in chunk.words:
            spelled, stays = "", word.must
            while len(spelled) < len(word.text) and at < len(labels):
                part, label = labels[at]
                spelled += part
                stays = stays or (label and part[:1].isalnum())
                at += 1
            if spelled != word.text:
                raise ValueError("labels of other words")
            kept.append(stays)
        made.append(_checked(chunk, bytes(kept), rate))
    if at != len(labels):
        raise ValueError("labels of more words")
    return made


def _checked(chunk: Chunk, kept: bytes, rate: float) -> bytes:
    free = stay = 0
    for word, stays in zip(chunk.words, kept, strict=True):
        if not word.must:
            free += word.weight
            stay += word.weight * stays
    return kept if stay >= (rate - _MISSED) * free else b"\1" * len(kept)
