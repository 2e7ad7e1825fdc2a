from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.base.tiktoken_files import TABLES
from proxy import token_pieces
from proxy.tiktoken_tables import encoding
from proxy.token_pieces import Pieces

PLAIN = """
    " "a": don't 's / . ._- { }, x Word HTTPServer 12345 ٣ é Ω 中 中国 🙂 <|endoftext|> https://a.b/
"""
BLANKS = (" ", "  ", ' "', " 中", "\n", "\t", "\r\n", "\x1c", "\xa0", "\u3000")
WORDS = st.sampled_from([*PLAIN.split(), *BLANKS, "e\u0301", "\ud800", "\udc00"])
TEXT = st.lists(WORDS | st.text(max_size=4), max_size=120).map("".join)


@pytest.fixture(scope="session", params=sorted(TABLES))
def plain(request, tmp_path_factory):
    return encoding(request.param, tmp_path_factory.mktemp("tiktoken")).encode_ordinary


@pytest.fixture(scope="session")
def counted(plain):
    return Pieces(plain)


@given(texts=st.lists(TEXT, min_size=1, max_size=3))
def test_counts_are_those_of_the_whole_text_whatever_is_remembered(plain, counted, texts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_pieces, "_SHORT", 8)  # else most of these texts are not cut
        for text in (*texts, *texts, "".join(texts)):
            assert counted.count(text) == len(plain(text))


def test_what_comes_again_is_not_encoded_again(plain):
    asked = []

    def encode(text):
        asked.append(text)
        return plain(text)

    counter = Pieces(encode)
    rows = [f'{{"id": {n}, "kind": "issue", "by": "user {n % 7}", "x": 1}}' for n in range(99)]
    whole = "\n".join(rows)
    for text in (whole, whole[::-1], whole + whole[::-1], whole):
        asked.clear()
        assert counter.count(text) == len(plain(text))
    assert len("".join(asked)) < len(whole) / 10


def test_long_texts_are_cut_in_strides_and_counted_whole(plain, counted, monkeypatch):
    monkeypatch.setattr(token_pieces, "_STRIDE", 200)
    for text in ("the end, and more " * 99, '{"a":"b","c":12,"d":"e f"},' * 99, "abc\n" * 999):
        assert counted.count(text) == len(plain(text))


def test_memory_is_bounded(plain, monkeypatch):
    monkeypatch.setattr(token_pieces, "_MOST", 50)
    counter = Pieces(plain)
    text = " ".join(f"word{n}" for n in range(400))
    assert counter.count(text) == len(plain(text))
    assert all(len(cut.known) <= 50 for cut in counter._cuts)
