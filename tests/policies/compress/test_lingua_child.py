import os
import sys
import threading
import time
from pathlib import Path

import pytest

from policies.compress.lingua_child import Child, Gone, command
from policies.compress.lingua_pipe import Shown, Start

WORKER = Path(__file__).parents[2] / "fakes" / "lingua_worker.py"
TEXT = Shown(["a", "not", "b", "c"], b"\0\1\0\0")


@pytest.fixture
def child(tmp_path):
    made = []

    def make(*plan):
        made.append(Child([sys.executable, str(WORKER), str(tmp_path), *plan]))
        return made[-1]

    yield make
    for one in made:
        one.release()


def is_there(pid):
    """Also as a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_judges_texts_until_it_is_closed(child):
    one = child("odd")
    assert one.ready(30) == "cpu"
    assert one.judge([TEXT, TEXT], 30) == [b"\0\1\0\1"] * 2
    assert one.judge([], 30) == []
    one.release()
    assert one.ended
    assert not is_there(one.pid)


def test_a_question_of_megabytes_passes_the_pipe(child):
    one = child("odd")
    one.ready(30)
    long = Shown(["word"] * 400_000, b"\0" * 400_000)
    assert one.judge([long], 30) == [b"\0\1" * 200_000]


def test_it_says_why_it_has_no_model(child):
    with pytest.raises(Gone, match="ValueError: no such model"):
        child("fails").ready(30)


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        ("dies", "ended with code 3"),
        ("killed", "killed by signal 9"),
        ("noise", "no answer"),
        ("endless", "no answer"),
        ("ready again", "something else"),
        ("fewer", "something else"),
        ("short", "other words"),
    ],
)
def test_what_goes_wrong_is_told(child, plan, why):
    one = child(plan)
    one.ready(30)
    with pytest.raises(Gone, match=why):
        one.judge([TEXT, TEXT], 30)


def test_it_has_so_much_time_to_answer(child):
    one = child("silent")
    one.ready(30)
    with pytest.raises(Gone, match="in time"):
        one.judge([TEXT], 0.05)


def test_it_has_so_much_time_to_read_the_question(child):
    one = child("stubborn")
    one.ready(30)
    with pytest.raises(Gone, match="in time"):
        one.judge([Shown(["word"] * 100_000, b"\0" * 100_000)], 0.05)


def test_one_that_will_not_end_is_killed(child, monkeypatch):
    monkeypatch.setattr("policies.compress.lingua_child._GRACE", 0.1)
    one = child("stubborn")
    one.ready(30)
    one.close()
    assert not is_there(one.pid)


def test_closing_ends_the_wait_of_another_thread(child):
    one = child("loads for ever")
    closing = threading.Timer(0.2, one.close)
    closing.start()
    with pytest.raises(Gone, match="signal 15"):
        one.ready(60)
    closing.join()


def test_it_ends_when_nobody_asks_any_more(child):
    one = child("odd")
    one.ready(30)
    os.close(os.dup(one._in))
    one._process.stdin.close()
    until = time.monotonic() + 30
    while not one.ended and time.monotonic() < until:
        time.sleep(0.01)
    assert one.end() == "it ended with code 0"


def test_one_that_cannot_be_started_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Child([str(tmp_path / "no python")])


def test_the_command_runs_this_python_and_our_worker():
    made = command(Start("folder", "cpu", 0.5, 16))
    assert made[:-1] == [sys.executable, "-P", "-m", "policies.compress.lingua_worker"]
    assert made[-1] == '{"model":"folder","device":"cpu","rate":0.5,"batch":16}'
