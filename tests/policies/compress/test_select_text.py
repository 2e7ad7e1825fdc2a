import pytest

from policies.compress import native
from policies.compress.freeze_form import AS_IT_CAME, Rules
from policies.compress.select_choice import Limits
from policies.compress.select_text import form

TEXT = "\n\n".join(
    f"About {each}: it is dug {each} by {each}." for each in ["gold", "tin", "iron"] * 3
)
LIMITS = Limits(0.5, None)


def unfit(*_):
    raise native.Unfit


@pytest.mark.parametrize("natively", [True, False])
def test_a_text_is_counted_once_before_and_once_after(natively, monkeypatch):
    if not natively:
        monkeypatch.setattr(native, "select", unfit)
    counted = []

    def count(text):
        counted.append(text)
        return len(text.split())

    made = form(TEXT, "gold", LIMITS, count, Rules(1, 0.0), pasted=False)
    assert made.before == len(TEXT.split())
    assert made.after == len(made.text.split())
    assert made.left_out == 6
    assert made.text.count("About gold") == 2
    assert counted.count(TEXT) == 1
    assert counted.count(made.text) == 1


def test_where_nothing_is_asked_a_text_stays():
    assert form(TEXT, "who is it?", LIMITS, len, Rules(1, 0.0), pasted=False) == AS_IT_CAME


def test_without_documents_what_a_user_pastes_stays():
    assert form(TEXT, "gold", LIMITS, len, Rules(1, 0.0), pasted=True) == AS_IT_CAME
