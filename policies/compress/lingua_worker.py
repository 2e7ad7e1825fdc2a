"""The process that holds the model: `python -m policies.compress.lingua_worker START`.

Reads questions from its standard input and answers on its standard output, see `lingua_pipe`;
what libraries print goes to standard error. Ends when its input does.
"""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

import msgspec

from policies.compress.lingua_model import Model
from policies.compress.lingua_pipe import (
    LENGTH,
    Answer,
    Ask,
    Failed,
    Ready,
    Start,
    Verdicts,
    ask,
    framed,
    length,
)

_NICE = 5  # requests come first
_LONGEST_WHY = 500  # characters


def main() -> int:
    """Exit code 0 when the input ended, 1 when the model cannot be loaded."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.nice(_NICE)
    start = msgspec.json.decode(sys.argv[1], type=Start)
    try:
        model = Model(start)
    except Exception as error:  # noqa: BLE001 - whatever it is, Penstock has to say why
        why = f"{type(error).__name__}: {error}"[:_LONGEST_WHY]
        _say(answers, Failed(why))
        return 1
    _say(answers, Ready(model.device))
    while question := _read(sys.stdin.buffer):
        _say(answers, _verdicts(model, question))
    return 0


def _say(pipe: BinaryIO, message: Answer) -> None:
    pipe.write(framed(message))
    pipe.flush()


def _read(pipe: BinaryIO) -> Ask | None:
    """The next question; None at the end."""
    head = pipe.read(LENGTH)
    if len(head) < LENGTH:
        return None
    size = length(head)
    payload = pipe.read(size)
    return ask(payload) if len(payload) == size else None


def _verdicts(model: Model, question: Ask) -> Verdicts:
    """Nothing can be said of texts that are too much for the device's memory."""
    try:
        return Verdicts(model.verdicts(question.texts))
    except RuntimeError as error:  # as torch says it
        print(f"lingua_worker: {type(error).__name__}", file=sys.stderr)  # noqa: T201 - its log
        return Verdicts([None] * len(question.texts))


if __name__ == "__main__":
    sys.exit(main())
