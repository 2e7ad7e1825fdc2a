import gzip
import json
import re
from pathlib import Path

import pytest

from policies.compress import json_compact, text_choice
from policies.compress import lossless_forms as forms
from policies.compress.freeze_form import AS_IT_CAME, Rules
from policies.compress.json_exact import minified
from policies.compress.lossless_forms import form
from policies.compress.text_choice import choose, decode, normal

RULES = Rules(min_tokens=10, min_gain=0.05)
ROWS = json.dumps([{"id": n, "name": f"item {n}", "state": "open"} for n in range(30)], indent=1)
LOG = "".join(
    f"2026-01-31 10:{n // 60:02}:{n % 60:02} status installed lib{n * 7919 % 1000}:amd64 1.{n}\n"
    for n in range(200)
)
DATA = Path(__file__).parents[4] / "shared" / "data"


def made(text, rules=RULES, *, pasted=False, count=len):
    return form(text, count, rules, pasted=pasted)


def test_json_and_logs_get_a_shorter_form_with_both_counts():
    for text in (ROWS, LOG):
        found = made(text)
        assert found.text is not None
        assert (found.before, found.after) == (len(text), len(found.text))
        assert found.after < 0.7 * found.before


def test_json_comes_back_exactly():
    assert json_compact.decode(made(ROWS).text) == minified(ROWS)


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox jumps over the lazy dog. It was not amused.",
        "import os\n\n\ndef f(x):\n    return os.path.join(x)\n\n\ndef g():\n    return 1\n" * 3,
        "--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n-b   \n+c   \n" * 5,
        "see\n```json\n[1,   2,   3,   4]\n```\n" * 5,
        '["' + "x" * 40 + '"]',
        ROWS[:-3].replace("\n", ""),
        "",
        " " * 500,
    ],
)
def test_what_has_nothing_to_lose_stays(text):
    assert made(text) == AS_IT_CAME


def test_a_long_text_is_counted_whole():
    def words(text):
        return len(re.findall(r"\w+|[^\w\s]", text))

    found = made(LOG + "retrying\n" * 99 + LOG.replace("a", "."), count=words)
    assert found.text is not None
    assert found.before == words(LOG + "retrying\n" * 99 + LOG.replace("a", "."))
    assert found.after == words(found.text)


def test_too_few_tokens_and_too_little_gain_leave_the_text():
    assert made(ROWS, Rules(len(ROWS) + 1, 0.05)) == AS_IT_CAME
    gain = 1 - made(ROWS).after / len(ROWS)
    assert made(ROWS, Rules(10, gain + 0.01)) == AS_IT_CAME
    assert made(ROWS, Rules(10, gain - 0.01)).text is not None


def test_a_form_with_as_many_tokens_is_none():
    assert made(ROWS, Rules(1, 0.0), count=lambda text: 1) == AS_IT_CAME


@pytest.mark.parametrize(
    "text",
    [LOG + "Why did it fail?", LOG + "\n\nWhy?\n", "Why? " + LOG, "Why did it fail?\n" + LOG],
)
def test_what_a_user_says_beside_a_log_is_no_part_of_it(text):
    assert made(text, pasted=True) == AS_IT_CAME
    assert made(text).text is not None


def test_a_log_whose_times_do_not_begin_its_lines_is_one():
    served = re.sub("(?m)^(?=2)", "host-7 nginx: ", LOG)
    assert made(served, pasted=True) == made(served) != AS_IT_CAME


def test_of_what_a_user_pasted_only_json_and_logs_change():
    assert made(ROWS, pasted=True) == made(ROWS)
    assert made(LOG, pasted=True) == made(LOG)
    repeats = "ready to accept connections on port 8484\n" * 20
    assert made(repeats).text is not None
    for text in (repeats, f"What is this?\n{ROWS}", "Hello,\n\nplease look at this:\n" + LOG):
        assert made(text, pasted=True) == AS_IT_CAME


def test_a_codec_that_fails_leaves_the_text(monkeypatch):
    monkeypatch.setattr(forms.json_compact, "encode", lambda *_: 1 / 0)
    assert made(ROWS) == AS_IT_CAME


def test_a_text_that_does_not_come_back_stays(monkeypatch):
    monkeypatch.setattr(text_choice, "decode", lambda chosen: chosen.text + "x")
    assert made(LOG) == AS_IT_CAME


def test_texts_that_are_too_long_are_left_alone(monkeypatch):
    monkeypatch.setattr(forms, "LARGEST", 1000)
    assert made(LOG) == AS_IT_CAME
    assert made(ROWS).text is not None
    assert made(json.dumps([{"id": n} for n in range(90_000)], indent=20)) == AS_IT_CAME


def test_json_beyond_the_compact_notation_loses_its_white_space():
    text = json.dumps([{"id": n, "state": "open"} for n in range(20_000)], indent=4)
    assert made(text).text == minified(text)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 50_000, "\x1b[" * 100_000, "a\r" * 90_000]
)
def test_hostile_texts_end(text):
    found = made(text)
    assert found.text is None or len(found.text) < len(text)


@pytest.mark.parametrize("name", ["tau_airline", "swe_agent"])
def test_every_tool_result_of_the_traces_comes_back(name):
    path = DATA / "traces" / f"{name}.jsonl.gz"
    if not path.exists():
        pytest.skip("no data here")
    messages = [
        message
        for line in gzip.decompress(path.read_bytes()).splitlines()
        for message in json.loads(line)["messages"]
    ]
    texts = {message["content"] for message in messages if message["role"] in ("tool", "user")}
    shorter = {text: form.text for text in texts if (form := made(text, count=thirds)).text}
    assert shorter
    for text, short in shorter.items():
        exact = minified(text)
        if exact is None:
            chosen = choose(text, thirds)
            assert (chosen.text, decode(chosen)) == (short, normal(text))
        else:
            assert json_compact.decode(short) == exact


def thirds(text):
    return len(text) // 3
