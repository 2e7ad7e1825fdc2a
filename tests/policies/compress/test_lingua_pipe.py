import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.compress import lingua_pipe as pipe

texts = st.lists(st.builds(pipe.Shown, st.lists(st.text()), st.binary()), max_size=4)
answers = st.one_of(
    st.builds(pipe.Ready, st.text()),
    st.builds(pipe.Failed, st.text()),
    st.builds(pipe.Verdicts, st.lists(st.none() | st.binary(), max_size=4)),
)


def payload(frame):
    head, rest = frame[: pipe.LENGTH], frame[pipe.LENGTH :]
    assert pipe.length(head) == len(rest)
    return rest


@given(texts)
def test_a_question_comes_back(shown):
    assert pipe.ask(payload(pipe.framed(pipe.Ask(shown)))) == pipe.Ask(shown)


@given(answers)
def test_an_answer_comes_back(said):
    assert pipe.answer(payload(pipe.framed(said))) == said


@given(st.binary(max_size=80))
def test_foreign_bytes_are_an_answer_or_a_value_error(noise):
    try:
        said = pipe.answer(noise)
    except ValueError:
        return
    assert isinstance(said, pipe.Ready | pipe.Failed | pipe.Verdicts)


def test_a_question_is_no_answer():
    with pytest.raises(ValueError, match="ask"):
        pipe.answer(payload(pipe.framed(pipe.Ask([]))))


def test_no_frame_is_longer_than_may_be(monkeypatch):
    monkeypatch.setattr(pipe, "LARGEST", 100)
    with pytest.raises(ValueError, match="more than a frame holds"):
        pipe.framed(pipe.Failed("x" * 100))
    with pytest.raises(ValueError, match="no frame"):
        pipe.length((101).to_bytes(4, "big"))
