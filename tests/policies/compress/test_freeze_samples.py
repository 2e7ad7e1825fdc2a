import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.compress.freeze_samples import LONG, Samples

ROOT = Path(__file__).parents[3]


def words(text):
    return text.count(" ")


def test_texts_that_are_not_long_are_counted_whole():
    asked = []
    assert Samples(lambda text: asked.append(text) or 7)("x" * LONG) == 7
    assert list(map(len, asked)) == [LONG]


@pytest.mark.parametrize("size", [LONG + 1, 1_000_000])
def test_of_long_ones_a_part_is_counted_once(size):
    asked = []
    samples = Samples(lambda text: asked.append(text) or 1)
    samples("x" * size)
    samples("x" * size)
    assert 0 < sum(map(len, asked)) <= LONG // 2


def test_long_texts_have_about_the_tokens_that_they_have():
    text = "".join(path.read_text() for path in sorted(ROOT.glob("docs/*.md")))
    table = json.dumps([{"id": n, "name": f"row {n}"} for n in range(9_000)], indent=2)
    for each in (text, table, text + table, table + text):
        assert len(each) > LONG
        assert Samples(words)(each) == pytest.approx(words(each), rel=0.1)


@given(st.text(min_size=1, max_size=40), st.integers(1, 40))
def test_no_period_misleads_them(piece, more):
    """What repeats is met at every place of it."""
    text = (piece + "y" * more + " ") * (2 * LONG // (len(piece) + more + 1))
    assert Samples(words)(text) == pytest.approx(words(text), rel=0.1)
    assert Samples(words)(text) == Samples(words)(text)
