"""A process that speaks as `policies.compress.lingua_worker` does, without a model.

    python lingua_worker.py FOLDER [what it does when it is asked for the nth time]…

What it does: `odd` keeps every other word that may go, `none` keeps nothing at all, `cannot`
judges nothing, and the rest goes wrong. The last goes on for ever. FOLDER remembers, from one
process to the next: `asked` has a line for each question, with its number of texts; `started` a
line for each process, with its id.
"""

import os
import signal
import sys
import time
from pathlib import Path

from policies.compress.lingua_pipe import LENGTH, Failed, Ready, Verdicts, ask, framed, length

FOLDER, *PLAN = sys.argv[1:]
ASKED = Path(FOLDER, "asked")
STARTED = Path(FOLDER, "started")


def judged(text, plan):
    if plan == "cannot":
        return None
    if plan == "short":
        return b"\1"
    if plan == "none":
        return b"\0" * len(text.words)
    return bytes(fixed or index % 2 for index, fixed in enumerate(text.must))


def say(raw):
    sys.stdout.buffer.write(raw)
    sys.stdout.buffer.flush()


def answer(question, plan):
    if plan == "dies":
        os._exit(3)
    if plan == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if plan == "silent":
        time.sleep(600)
    if plan.startswith("slow"):
        time.sleep(float(plan.removeprefix("slow")))
    if plan == "noise":
        return b"\0\0\0\3abc"
    if plan == "endless":
        return b"\xff\xff\xff\xff"
    if plan == "ready again":
        return framed(Ready("cpu"))
    texts = question.texts[1:] if plan == "fewer" else question.texts
    return framed(Verdicts([judged(text, plan) for text in texts]))


def main():
    with STARTED.open("a") as file:
        file.write(f"{os.getpid()}\n")
    if PLAN == ["fails"]:
        say(framed(Failed("ValueError: no such model")))
        return
    if PLAN == ["stubborn"]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        say(framed(Ready("cpu")))
        time.sleep(600)
    if PLAN == ["loads for ever"]:
        time.sleep(600)
    say(framed(Ready("cpu")))
    while len(head := sys.stdin.buffer.read(LENGTH)) == LENGTH:
        question = ask(sys.stdin.buffer.read(length(head)))
        with ASKED.open("a") as file:
            file.write(f"{len(question.texts)}\n")
        number = len(ASKED.read_text().splitlines())
        say(answer(question, PLAN[min(number, len(PLAN)) - 1]))


if __name__ == "__main__":
    main()
