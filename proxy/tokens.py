"""Token counts for traffic whose upstream reports none: tiktoken, offline, off the loop.

One thread counts. What it has counted it remembers by content, since a conversation sends
its history again every turn.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from typing import Any

from policies.base.call import Dialect
from policies.base.usage import Usage
from proxy.texts import request_extra, request_texts
from proxy.token_pieces import Pieces

log = logging.getLogger("penstock.tokens")

_OLD = re.compile(
    r"(?:^|[/:])(?:gpt-4(?![.o\d])|gpt-3[.]?5|text-embedding-|davinci-002|babbage-002)"
)
_ENTRY = 160  # bytes that one remembered count takes
_WAITING = 256  # requests queued for the thread, beyond which counts are guessed
_BYTES_PER_TOKEN = 4


def encoding_name(model: str) -> str:
    """`cl100k_base` for OpenAI's models before GPT-4o; for all others `o200k_base`.

    For models of other makers that is an estimate.
    """
    return "cl100k_base" if _OLD.search(model.lower()[:256]) else "o200k_base"


class Tokens:
    """Counts tokens. `folder` is where vocabularies are unpacked; `memory` in bytes."""

    def __init__(self, folder: Path, memory: int = 8 << 20) -> None:
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="penstock-tokens")
        self._waiting = 0
        self._encodings: dict[str, Pieces | None] = {}
        self._counts: OrderedDict[bytes, int] = OrderedDict()
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._most = max(1, memory // _ENTRY)

    async def count_texts(self, model: str, texts: Sequence[str]) -> list[int]:
        """Tokens of each text; special tokens count as the text they are. Never raises.

        When too many requests wait, or the vocabulary cannot be had, a count is a guess at
        four bytes to the token.
        """
        return await self._counted(encoding_name(model), lambda: texts)

    def counter(self, model: str) -> Callable[[str], int]:
        """Counts one text as `count_texts` does, at once: for threads."""
        name = encoding_name(model)
        return lambda text: self._count(name, text)

    async def usage(
        self, model: str, dialect: Dialect, doc: Mapping[str, Any], reply: Sequence[str]
    ) -> Usage:
        """Estimated usage of a request `doc` and the texts of its reply, as if uncached."""
        name = encoding_name(model)
        prompt = await self._counted(name, lambda: request_texts(dialect, doc))
        output = await self._counted(name, lambda: reply)
        return Usage(
            uncached=sum(prompt) + request_extra(dialect, doc), output=sum(output), estimated=True
        )

    def close(self) -> None:
        """Drop what waits and end the thread once its present text is counted."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _counted(self, name: str, texts: Callable[[], Sequence[str]]) -> list[int]:
        if self._waiting >= _WAITING:
            return [_guess(text) for text in texts()]
        self._waiting += 1
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._thread, lambda: [self._count(name, text) for text in texts()]
            )
        finally:
            self._waiting -= 1

    def _count(self, name: str, text: str) -> int:
        data = text.encode("utf-8", "surrogatepass")
        key = blake2b(data, digest_size=16, person=name.encode()).digest()
        with self._lock:
            known = self._counts.get(key)
            if known is not None:
                self._counts.move_to_end(key)
                return known
        encoding = self._encoding(name)
        if encoding is None:
            return _guess(text)
        count = encoding.count(text)
        with self._lock:
            self._counts[key] = count
            if len(self._counts) > self._most:
                self._counts.popitem(last=False)
        return count

    def _encoding(self, name: str) -> Pieces | None:
        if name not in self._encodings:
            with self._loading:  # who comes second waits for the first
                if name not in self._encodings:
                    self._encodings[name] = self._loaded(name)
        return self._encodings[name]

    def _loaded(self, name: str) -> Pieces | None:
        from proxy.tiktoken_tables import encoding  # noqa: PLC0415 - an idle proxy stays small

        try:
            return Pieces(encoding(name, self._folder).encode_ordinary)
        except (OSError, ValueError) as error:
            log.warning("tokens are guessed, %s cannot be loaded: %s", name, error)
            return None


def _guess(text: str) -> int:
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN)
