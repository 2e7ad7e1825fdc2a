import io
import random

import pytest

from policies.compress import lingua_worker
from policies.compress.lingua_child import Child, Gone, command
from policies.compress.lingua_pipe import Ask, Shown, Start, Verdicts, framed

ASKED = Ask([Shown(["a"], b"\0"), Shown(["b"], b"\1")])


class Model:
    def __init__(self, error=None):
        self.error = error

    def verdicts(self, texts):
        if self.error:
            raise self.error
        return [text.must for text in texts]


def test_a_question_is_read_to_its_end():
    assert lingua_worker._read(io.BytesIO(framed(ASKED) + b"more")) == ASKED


@pytest.mark.parametrize("cut", range(len(framed(ASKED))))
def test_an_input_that_ends_is_the_end(cut):
    assert lingua_worker._read(io.BytesIO(framed(ASKED)[:cut])) is None


def test_each_text_has_a_verdict():
    assert lingua_worker._verdicts(Model(), ASKED) == Verdicts([b"\0", b"\1"])


def test_texts_that_are_too_much_for_the_device_have_none(capsys):
    error = RuntimeError("CUDA out of memory: some text")
    assert lingua_worker._verdicts(Model(error), ASKED) == Verdicts([None, None])
    assert capsys.readouterr().err == "lingua_worker: RuntimeError\n"


def test_without_a_model_the_process_says_why_and_ends(tmp_path):
    before = random.getstate()
    child = Child(command(Start(str(tmp_path / "none"), "cpu", 0.5, 1)))
    with pytest.raises(Gone, match="Error: "):
        child.ready(120)
    assert child.end() == "it ended with code 1"
    child.release()
    assert random.getstate() == before
