"""Token counts for traffic whose upstream reports none: exact, offline, off the event loop."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from policies.base.call import Dialect
from policies.base.usage import Usage
from proxy.texts import request_extra, request_texts
from proxy.vocabulary import Vocabulary

log = logging.getLogger("penstock.tokens")

_OLD = re.compile(
    r"(?:^|[/:])(?:gpt-4(?![.o\d])|gpt-3[.]?5|text-embedding-|davinci-002|babbage-002)"
)
_WAITING = 256  # requests queued for the thread, beyond which counts are guessed
_BYTES_PER_TOKEN = 4


def encoding_name(model: str) -> str:
    """`cl100k_base` for OpenAI's models before GPT-4o; for all others `o200k_base`.

    For models of other makers that is an estimate.
    """
    return "cl100k_base" if _OLD.search(model.lower()[:256]) else "o200k_base"


class Tokens:
    """Counts tokens."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="penstock-tokens")
        self._waiting = 0
        self._counters: dict[str, Callable[[str], int]] = {}
        self._loading = threading.Lock()

    async def count_texts(self, model: str, texts: Sequence[str]) -> list[int]:
        """Tokens of each text; special tokens count as the text they are. Never raises.

        When too many requests wait, or the vocabulary cannot be had, a count is a guess at
        four bytes to the token.
        """
        return await self._counted(encoding_name(model), lambda: texts)

    def counter(self, model: str) -> Callable[[str], int]:
        """Counts one text as `count_texts` does, at once: for threads."""
        name = encoding_name(model)

        def count(text: str) -> int:  # the vocabulary is loaded where it is first used
            return self._counter(name)(text)

        return self._counters.get(name, count)

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
                self._thread, lambda: [*map(self._counter(name), texts())]
            )
        finally:
            self._waiting -= 1

    def _counter(self, name: str) -> Callable[[str], int]:
        if name not in self._counters:
            with self._loading:  # who comes second waits for the first
                if name not in self._counters:
                    self._counters[name] = _loaded(name)
        return self._counters[name]


def _loaded(name: str) -> Callable[[str], int]:
    try:
        return Vocabulary(name).count
    except ImportError as error:
        log.warning("tokens are guessed, %s cannot be loaded: %s", name, error)
        return _guess


def _guess(text: str) -> int:
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN)
