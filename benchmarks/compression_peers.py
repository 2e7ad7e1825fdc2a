"""The same payloads through Headroom (`scripts/bench-peers`) and through llmlingua, offline."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from compression_sets import Count, Result
from overhead_process import BenchError

from policies.compress.lingua_tables import TABLES, unpack

HERE = Path(__file__).resolve().parent
PYTHON = HERE.parent / ".bench/headroom/bin/python"
MODES = {"Headroom lossless": "agent", "Headroom default": ""}


def headroom(texts: Sequence[str], mode: str, count: Count, folder: Path) -> Result:
    """Each payload as the result of one tool call. Raises `BenchError`."""
    if not PYTHON.exists():
        raise BenchError("Headroom is not installed; run scripts/bench-peers")
    for name in TABLES:
        unpack(name, folder)
    environment = {
        **os.environ,
        "HOME": str(folder),
        "HEADROOM_OFFLINE": "1",
        "HF_HUB_OFFLINE": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "TIKTOKEN_CACHE_DIR": str(folder),
    }
    command = [str(PYTHON), str(HERE / "compression_peer_headroom.py"), mode]
    return _asked(command, texts, count, environment)[0]


def llmlingua(
    texts: Sequence[str], model: Path, count: Count, folder: Path
) -> tuple[Result, list[str]]:
    """Each payload by the package itself, and what is left of it. Raises `BenchError`."""
    if find_spec("llmlingua") is None:
        raise BenchError("llmlingua is not installed; run: pip install 'penstock[llmlingua]'")
    unpack("cl100k_base", folder)
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "TIKTOKEN_CACHE_DIR": str(folder),
    }
    command = [sys.executable, str(HERE / "compression_peer_llmlingua.py"), str(model)]
    return _asked(command, texts, count, environment)


def _asked(
    command: Sequence[str], texts: Sequence[str], count: Count, environment: dict[str, str]
) -> tuple[Result, list[str]]:
    """What the peer's process makes of the texts."""
    name = Path(command[1]).stem
    asked = "".join(json.dumps(text) + "\n" for text in texts)
    done = subprocess.run(
        command, input=asked, capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise BenchError(f"{name} failed: {done.stderr[-500:]}")
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    if len(answers) != len(texts):
        raise BenchError(f"{name} did not answer for every payload")
    found = Result(sum(len(text.encode()) for text in texts))
    for text, (short, seconds) in zip(texts, answers, strict=True):
        found.before.append(count(text))
        found.after.append(count(short))
        found.seconds.append(seconds)
    return found, [short for short, _ in answers]
