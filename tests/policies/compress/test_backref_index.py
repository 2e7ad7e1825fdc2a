from policies.compress import backref_index
from policies.compress.backref_index import LineIndex

TEXT = "a line of sixteen or more\nshort\n" * 9


def test_long_lines_are_known_by_their_first_places():
    assert LineIndex().places(TEXT) == {"a line of sixteen or more": [0, 2, 4, 6]}


def test_a_text_is_read_once(monkeypatch):
    index = LineIndex()
    first = index.places(TEXT)
    monkeypatch.setattr(backref_index, "_places", None)
    assert index.places(TEXT) is first


def test_the_texts_used_last_are_kept_within_the_limit(monkeypatch):
    index = LineIndex(limit=2 * len(TEXT) + 10)
    first = index.places(TEXT)
    index.places(TEXT + "x")
    assert index.places(TEXT) is first
    index.places(TEXT + "y")
    assert index.places(TEXT) is first
    read = []
    monkeypatch.setattr(backref_index, "_places", lambda text: read.append(text) or {})
    index.places(TEXT + "x")
    assert read == [TEXT + "x"]


def test_a_text_over_the_limit_is_read_and_forgotten():
    index = LineIndex(limit=10)
    assert index.places(TEXT) is not index.places(TEXT)
    assert index.places("\ud800" * 16) == {"\ud800" * 16: [0]}
