import os
import subprocess
import sys
from pathlib import Path

import pytest

from policies.compress import log_codec

ROOT = Path(__file__).parents[3]
LOG = "".join(
    f"2026-01-31 10:{n // 60:02}:{n % 60:02} status {('installed', 'unpacked')[n % 2]} "
    f"lib{n * 7919 % 1000}:{('amd64', 'all', 'i386')[n % 3]} 1.{n}\n"
    for n in range(300)
)


@pytest.mark.parametrize(
    "text",
    [
        LOG,
        LOG[:-1],
        LOG + "\n\n",
        "\n" + LOG,
        LOG.replace("\n", "\r\n"),
        LOG.replace("\n", "\r\n", 100),
        LOG.replace("status", "{status}"),
        LOG.replace("lib", "^ lib"),
        LOG + "last {0} line\r",
        LOG.replace("status", "été ☃ \U0001f600"),
        LOG + "\ud800\n",
    ],
)
def test_every_character_comes_back(text):
    encoded = log_codec.encode(text, len)
    assert encoded is not None
    assert len(encoded) < 0.7 * len(text)
    assert log_codec.decode(encoded) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n" * 50,
        "one\ntwo\n",
        LOG[:300],
        f"\x01{LOG}",
        f"\0{LOG}",
        "prose of many words\nnone alike",
    ],
)
def test_what_is_no_log_is_left_alone(text):
    assert log_codec.encode(text, len) is None


def test_the_counted_tokens_decide():
    log = LOG[:4000]
    assert log_codec.encode(log, len) is not None
    assert log_codec.encode(log, lambda text: 1) is None


def test_a_longer_text_is_left_alone(monkeypatch):
    monkeypatch.setattr(log_codec, "LONGEST", len(LOG) - 1)
    assert log_codec.encode(LOG, len) is None


def test_a_long_text_is_tried_at_its_start_first(monkeypatch):
    tried = []
    whole = log_codec._written
    monkeypatch.setattr(log_codec, "_written", lambda text: tried.append(text) or whole(text))
    prose = "".join(f"{os.urandom(9).hex()} {os.urandom(9).hex()}x\n" for _ in range(3000))
    assert log_codec.rewritten(prose) is None
    assert sum(map(len, tried)) < len(prose) / 10


def test_lines_with_nothing_in_common_are_told_by_a_few_of_them(monkeypatch):
    seen = []
    whole = log_codec.groups
    monkeypatch.setattr(log_codec, "groups", lambda words: seen.append(len(words)) or whole(words))
    monkeypatch.setattr(log_codec, "_written", None)
    words = [f"{n * 7919 % 10007}" for n in range(12_000)]
    prose = "".join(f"{' '.join(words[at : at + 3 + at % 9])}\n" for at in range(0, 12_000, 12))
    assert log_codec.rewritten(prose) is None
    assert sum(seen) <= 100


@pytest.mark.parametrize("share", [3, 4])
def test_a_few_lines_that_are_alike_are_enough_to_try(share):
    lines = LOG.replace("2026-01-31 ", "on ").split("\n")
    words = [f"{n * 7919 % 10007} {'x' * (n % 7)}{n}" for n in range(300)]
    text = "\n".join(words[n] if n % share else lines[n] for n in range(300))
    encoded = log_codec.encode(text, len)
    assert encoded is not None
    assert log_codec.decode(encoded) == text


@pytest.mark.parametrize("text", ["", "x", LOG, "[log of 3 lines]\nA=x\n---\nA"])
def test_what_is_no_rewritten_log_is_an_error(text):
    with pytest.raises(ValueError, match="head"):
        log_codec.decode(text)


def test_the_same_text_has_the_same_form_in_every_process():
    program = (
        "import sys; sys.path[:0] = ['.', 'tests/policies/compress']\n"
        "from test_log_codec import LOG\n"
        "from policies.compress import log_codec\n"
        "print(log_codec.encode(LOG, len))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
