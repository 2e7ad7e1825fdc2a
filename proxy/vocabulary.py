"""The vocabularies of OpenAI's models: a text's tokens, counted or listed, offline."""

from __future__ import annotations

from typing import Protocol


class _Table(Protocol):
    def count(self, text: str) -> int: ...
    def encode_ordinary(self, text: str) -> list[int]: ...


class Vocabulary:
    """`o200k_base` or `cl100k_base`. For any thread, without holding up others.

    Its making takes 0.4 s and 50 MB, while other threads stand still. Raises `ImportError`
    where there is no build of `toktok` for this machine. Special tokens are the text they are.
    """

    def __init__(self, name: str) -> None:
        import toktok  # noqa: PLC0415 - an idle proxy stays small

        self._table: _Table = toktok._encoding(name)  # noqa: SLF001 - its own page says so

    def count(self, text: str) -> int:
        """How many tokens."""
        try:
            return self._table.count(text)
        except UnicodeEncodeError:
            return self._table.count(_paired(text))

    def encode(self, text: str) -> list[int]:
        """Which tokens."""
        try:
            return self._table.encode_ordinary(text)
        except UnicodeEncodeError:
            return self._table.encode_ordinary(_paired(text))


def _paired(text: str) -> str:
    """Surrogates in pairs as the characters they stand for, lone ones as tiktoken has them."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
