"""`penstock replay` as a process of its own, on small traces."""

import gzip
import json
import subprocess

import pytest

from tests.fakes.penstock import command, environment

LONG = "Never give a seat away twice. " * 400
TOOL = {"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}


def conversation(number, turns=3):
    said = [{"role": "system", "content": LONG}]
    for turn in range(turns):
        said.append({"role": "user", "content": f"Question {number}, {turn}"})
        said.append({"role": "assistant", "content": f"Answer {number}, {turn}"})
    return json.dumps({"id": str(number), "model": "gpt-6-sol", "tools": [TOOL], "messages": said})


def logged(number):
    said = [{"role": "user", "content": f"{LONG} {number}"}]
    return json.dumps({"model": "gpt-6-sol", "messages": said, "timestamp": 1_760_000_000 + number})


MALFORMED = {3: "{broken", 5: "[1, 2]", 6: '{"neither": 1}', 8: '{"messages": [{"role": 1}]}'}


def lines():
    """Four bad lines among five good ones."""
    good = iter([conversation(number) for number in range(5)])
    return [MALFORMED.get(number) or next(good) for number in range(1, 10)]


@pytest.fixture
def run(tmp_path):
    def replay(*arguments, stdin=None):
        return subprocess.run(
            command("replay", *map(str, arguments)),
            env=environment(tmp_path),
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            check=False,
        )

    return replay


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "trace.jsonl"
    path.write_text("\n".join(lines()) + "\n")
    return path


def test_json_of_a_trace_with_malformed_lines(run, trace):
    done = run(trace, "--preset", "safe", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["model"], found["rule"]) == ("gpt-6-sol", "openai_breakpoints")
    assert found["malformed"]["count"] == len(MALFORMED)
    assert [text.split(":")[1] for text in found["malformed"]["first"]] == [
        str(number) for number in MALFORMED
    ]
    told = done.stderr.decode()
    assert all(f"trace.jsonl:{number}: " in told for number in MALFORMED)
    assert "4 lines were left out" in told
    assert list(found["schemes"]) == ["direct", "safe", "oracle"]
    for scheme in found["schemes"].values():
        assert scheme["requests"] == 15
        assert scheme["violations"] == 0
    costs = [found["schemes"][name]["usd"] for name in ("oracle", "safe", "direct")]
    assert costs == sorted(costs)
    assert LONG[:30] not in told


def test_the_table_and_the_json_tell_the_same(run, trace):
    table = run(trace, "--as", "claude-sonnet-5", "--preset", "safe")
    found = json.loads(run(trace, "--as", "claude-sonnet-5", "--preset", "safe", "--json").stdout)
    assert table.returncode == 0
    shown = table.stdout.decode()
    for scheme in found["schemes"].values():
        assert f"{scheme['uncached']:,}" in shown
        assert f"{scheme['usd']:,.4f}" in shown


def test_gzipped_traces_standard_input_and_a_trace_with_times(run, trace, tmp_path):
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(trace.read_bytes()))
    log = "\n".join(map(logged, range(4))).encode()
    options = ("--preset", "safe", "--json")
    plain = json.loads(run(trace, *options).stdout)["schemes"]
    assert json.loads(run(packed, *options).stdout)["schemes"] == plain
    done = run("-", *options, stdin=log)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["schemes"]["safe"]["requests"] == 4


def test_a_gzipped_trace_that_is_cut_off_counts_what_came_before(run, trace, tmp_path):
    packed = tmp_path / "cut.jsonl.gz"
    whole = gzip.compress("\n".join(conversation(n) for n in range(60)).encode())
    packed.write_bytes(whole[: len(whole) * 2 // 3])
    done = run(packed, "--preset", "safe", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["malformed"]["count"] >= 1
    assert 0 < found["schemes"]["direct"]["requests"] < 180


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere.jsonl",), "there is no such file"),
        (("trace.jsonl", "--preset", "nobody"), "there is no preset or pipeline 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(run, trace, arguments, words):
    done = run(*arguments)
    assert done.returncode == 2
    assert words in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_a_trace_without_any_request(run, tmp_path):
    (tmp_path / "bad.jsonl").write_text("\n".join(MALFORMED.values()))
    done = run("bad.jsonl", "--as", "gpt-5")
    assert done.returncode == 1
    assert "there is no request in these traces" in done.stderr.decode()
