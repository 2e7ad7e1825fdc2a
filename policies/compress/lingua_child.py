"""One process with the model in it, as Penstock sees it. All of it is for a thread of its own."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic

import msgspec

from policies.compress.lingua_pipe import (
    LENGTH,
    Answer,
    Ask,
    Failed,
    Ready,
    Shown,
    Start,
    Verdicts,
    answer,
    framed,
    length,
)

_PART = 1 << 16  # bytes that are read at once
_GRACE = 2.0  # seconds to end in


class Gone(Exception):
    """The process has ended, or does not do what it should; it says why."""


def command(start: Start) -> list[str]:
    """What runs the process: this Python, without looking for modules in the current folder."""
    module = "policies.compress.lingua_worker"
    return [sys.executable, "-P", "-m", module, msgspec.json.encode(start).decode()]


class Child:
    """Started when it is made. `close` may be called from any thread, and ends every wait."""

    def __init__(self, command: Sequence[str]) -> None:
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # of libraries; what matters comes as `Failed`
            env=environment,
            bufsize=0,
            process_group=0,  # an interrupt at the terminal is Penstock's to act on
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in = self._process.stdin.fileno()
        self._out = self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it has ended; if so, it is no zombie any more."""
        return self._process.poll() is not None

    def ready(self, seconds: float) -> str:
        """The device that the model is on, once it is. Raises `Gone`."""
        said = self._read(monotonic() + seconds)
        if isinstance(said, Ready):
            return said.device
        raise Gone(said.why if isinstance(said, Failed) else "it answers before it is asked")

    def judge(self, texts: Sequence[Shown], seconds: float) -> Sequence[bytes | None]:
        """Which words of the texts stay. Raises `Gone`, also for an answer of another shape."""
        until = monotonic() + seconds
        self._write(framed(Ask(texts)), until)
        said = self._read(until)
        if not isinstance(said, Verdicts) or len(said.texts) != len(texts):
            raise Gone("it answers something else than it was asked")
        for shown, verdict in zip(texts, said.texts, strict=True):
            if verdict is not None and len(verdict) != len(shown.words):
                raise Gone("it answers about other words than it was shown")
        return said.texts

    def end(self) -> str:
        """How it ended, once it has."""
        try:
            code = self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            return "it has closed its pipe"
        return f"it was killed by signal {-code}" if code < 0 else f"it ended with code {code}"

    def close(self) -> None:
        """End the process at once. Leaves no zombie behind."""
        self._process.terminate()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def release(self) -> None:
        """End the process and close the pipes; for the thread that reads them."""
        self.close()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was not written yet goes nowhere
                    pipe.close()

    def _read(self, until: float) -> Answer:
        try:
            return answer(self._exactly(length(self._exactly(LENGTH, until)), until))
        except ValueError as error:
            raise Gone("what it says is no answer") from error

    def _exactly(self, size: int, until: float) -> bytes:
        """The next `size` bytes."""
        parts = bytearray()
        while len(parts) < size:
            self._wait(self._out, until, reading=True)
            part = os.read(self._out, min(_PART, size - len(parts)))
            if not part:
                raise Gone(self.end())
            parts += part
        return bytes(parts)

    def _write(self, frame: bytes, until: float) -> None:
        rest = memoryview(frame)
        while rest:
            self._wait(self._in, until, reading=False)
            try:
                rest = rest[os.write(self._in, rest[:_PART]) :]
            except BrokenPipeError as error:
                raise Gone(self.end()) from error

    def _wait(self, pipe: int, until: float, *, reading: bool) -> None:
        poll = select.poll()
        poll.register(pipe, select.POLLIN if reading else select.POLLOUT)
        if not poll.poll(max(0.0, until - monotonic()) * 1000):
            raise Gone("it did not answer in time")
