import logging
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from policies.compress import lingua_classifier
from policies.compress.lingua_classifier import Classifier, Unavailable
from policies.compress.lingua_pipe import Shown

WORKER = Path(__file__).parents[2] / "fakes" / "lingua_worker.py"
TEXT = Shown(["a", "not", "b", "c"], b"\0\1\0\0")
JUDGED = b"\0\1\0\1"


@pytest.fixture
def classifier(tmp_path):
    made = []

    def make(*plan, window=0.0, pauses=(0.0, 0.0)):
        command = [sys.executable, str(WORKER), str(tmp_path), *plan]
        made.append(Classifier(command, window, pauses))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        one.close()


def lines(folder, name):
    path = folder / name
    return path.read_text().split() if path.exists() else []


def until(true):
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_there(pid):
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    return True


def test_texts_that_come_while_it_loads_are_judged_once_it_has(classifier):
    one = classifier("odd")
    assert one.judge(TEXT) == JUDGED
    assert one.judge(TEXT) == JUDGED


def test_texts_of_many_threads_are_judged_together(classifier, tmp_path):
    one = classifier("odd", window=0.3)
    one.judge(TEXT)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(one.judge, [TEXT] * 8))
    assert found == [JUDGED] * 8
    asked = list(map(int, lines(tmp_path, "asked")))
    assert sum(asked) == 9
    assert len(asked) < 9


def test_texts_that_come_while_it_judges_are_judged_together_without_a_window(classifier, tmp_path):
    one = classifier("odd", "slow0.5", "odd")
    one.judge(TEXT)
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(one.judge, TEXT)
        until(lambda: len(lines(tmp_path, "asked")) == 2)
        rest = [threads.submit(one.judge, TEXT) for _ in range(7)]
        assert {each.result() for each in (first, *rest)} == {JUDGED}
    assert list(map(int, lines(tmp_path, "asked")))[:2] == [1, 1]
    assert len(lines(tmp_path, "asked")) < 9


def test_no_more_words_are_judged_together_than_fit(classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(lingua_classifier, "_FULL", 8)
    one = classifier("odd", "slow0.3", "odd", window=0.1)
    one.judge(TEXT)
    with ThreadPoolExecutor(9) as threads:
        assert set(threads.map(one.judge, [TEXT] * 9)) == {JUDGED}
    assert max(map(int, lines(tmp_path, "asked"))) == 2


def test_a_text_of_which_nothing_can_be_said(classifier):
    assert classifier("cannot").judge(TEXT) is None


@pytest.mark.parametrize("plan", ["dies", "killed", "noise", "short"])
def test_a_process_that_fails_is_replaced(classifier, tmp_path, plan):
    one = classifier("odd", plan, "odd")
    assert one.judge(TEXT) == JUDGED
    with pytest.raises(Unavailable):
        one.judge(TEXT)
    until(lambda: not one.trouble)
    assert one.judge(TEXT) == JUDGED
    first, second = lines(tmp_path, "started")
    assert not is_there(first)
    assert is_there(second)


def test_a_process_that_ends_unasked_is_replaced_and_leaves_no_zombie(
    classifier, tmp_path, monkeypatch
):
    monkeypatch.setattr(lingua_classifier, "_LOOK", 0.01)
    one = classifier("odd")
    one.judge(TEXT)
    (first,) = lines(tmp_path, "started")
    os.kill(int(first), 9)
    until(lambda: len(lines(tmp_path, "started")) == 2)
    assert not is_there(first)
    until(lambda: not one.trouble)
    assert one.judge(TEXT) == JUDGED


def test_one_that_does_not_answer_in_time_is_replaced(classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(lingua_classifier, "_PATIENCE", 0.2)
    one = classifier("silent", "odd")
    with pytest.raises(Unavailable, match="in time"):
        one.judge(TEXT)
    until(lambda: not one.trouble)
    monkeypatch.setattr(lingua_classifier, "_PATIENCE", 30.0)
    assert one.judge(TEXT) == JUDGED
    assert not is_there(lines(tmp_path, "started")[0])


def test_after_several_failures_it_is_given_up_and_says_so(classifier, tmp_path, caplog):
    with caplog.at_level(logging.ERROR):
        one = classifier("fails")
        until(lambda: not one._thread.is_alive())
    assert one.trouble == "ValueError: no such model"
    assert len(lines(tmp_path, "started")) == 3
    assert caplog.messages[-1].endswith("ValueError: no such model; it is given up")
    with pytest.raises(Unavailable, match="no such model"):
        one.judge(TEXT)


def test_an_answer_in_between_starts_the_count_of_failures_anew(classifier, tmp_path):
    one = classifier(*["dies", "odd"] * 6)
    for _ in range(6):
        with pytest.raises(Unavailable):
            one.judge(TEXT)
        until(lambda: not one.trouble)
        assert one.judge(TEXT) == JUDGED


def test_who_waits_for_a_model_that_does_not_load_is_told(classifier):
    one = classifier("fails", pauses=(60.0,))
    with pytest.raises(Unavailable, match="no such model"):
        one.judge(TEXT)


@pytest.mark.parametrize("plan", [("loads for ever",), ("odd", "silent")])
def test_closing_ends_all_waits_and_the_process(classifier, tmp_path, plan):
    one = classifier(*plan)
    if plan[0] == "odd":
        one.judge(TEXT)
    with ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(one.judge, TEXT) for _ in range(2)]
        until(lambda: lines(tmp_path, "started"))
        one.close()
        for each in waiting:
            with pytest.raises(Unavailable):
                each.result()
    assert [pid for pid in lines(tmp_path, "started") if is_there(pid)] == []
    assert not one._thread.is_alive()
    with pytest.raises(Unavailable):
        one.judge(TEXT)


def test_a_fault_of_our_own_is_a_failure_like_others(classifier, monkeypatch):
    def judge(self, texts, seconds):
        raise ZeroDivisionError

    monkeypatch.setattr(lingua_classifier.Child, "judge", judge)
    with pytest.raises(Unavailable, match="ZeroDivisionError"):
        classifier("odd", pauses=(60.0,)).judge(TEXT)


def test_closing_twice_or_at_once_does_no_harm(classifier):
    one = classifier("odd")
    one.close()
    one.close()
    assert threading.active_count() >= 1


def test_one_that_was_never_started_is_unavailable(tmp_path):
    one = Classifier(["nothing"], 0.0)
    with pytest.raises(Unavailable, match="not running"):
        one.judge(TEXT)
    one.close()


def test_a_program_that_is_not_there_is_a_failure_like_others(tmp_path):
    one = Classifier([str(tmp_path / "nothing")], 0.0, (0.0,))
    one.start()
    until(lambda: not one._thread.is_alive())
    assert "cannot be started" in one.trouble
    one.close()
