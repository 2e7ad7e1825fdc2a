from __future__ import annotations

import os
import sys
import threading
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiktoken import Encoding
from tiktoken_ext.openai_public import ENCODING_CONSTRUCTORS

from policies.compress.lingua_tables import TABLES, unpack
from proxy.vocabulary import Vocabulary

PLAIN = """
    " "a": don't 's 'LL / . ._- { }, x Word HTTPServer aB ABc 12345 ٣ é Ω 中 中国 🙂 <|endoftext|>
    https://a.b/ e\u0301 \u01c5 \u02b0 \u2167 \u00bd \u200d \u017f
"""
BLANKS = (
    " ",
    "  ",
    ' "',
    " 中",
    "\n",
    "\n\n",
    " \n",
    "\t",
    "\r\n",
    "\x1c",
    "\x85",
    "\xa0",
    "\u3000",
)
WORDS = st.sampled_from([*PLAIN.split(), *BLANKS, "\ud83d", "\ude42", "\ud800", "\udc00"])
TEXT = st.lists(WORDS | st.text(max_size=4), max_size=120).map("".join)
MONOTONOUS = ["a", " ", "\n", "=", "1", "的", "\U0001f642", "ab1\t", "Aa", "e\u0301", "\ud800"]


@pytest.fixture(scope="session", params=sorted(TABLES))
def name(request):
    return request.param


@pytest.fixture(scope="session")
def tiktoken(name, tmp_path_factory):
    folder = unpack(name, tmp_path_factory.mktemp("tiktoken"))
    with mock.patch.dict(os.environ, TIKTOKEN_CACHE_DIR=str(folder)):
        return Encoding(**ENCODING_CONSTRUCTORS[name]())


@pytest.fixture(scope="session")
def vocabulary(name):
    return Vocabulary(name)


def known(text: str) -> bool:
    """Unicode's newest letters are letters to one of the two only."""
    return all(ord(char) < 0x10000 or char == "\U0001f642" for char in text)


@given(text=TEXT.filter(known))
def test_tokens_are_those_of_tiktoken(tiktoken, vocabulary, text):
    expected = tiktoken.encode_ordinary(text)
    assert vocabulary.encode(text) == expected
    assert vocabulary.count(text) == len(expected)


@pytest.mark.parametrize("unit", MONOTONOUS)
def test_monotonous_texts_have_the_tokens_of_tiktoken(tiktoken, vocabulary, unit):
    for length in (1, 2, 3, 100, 2000):
        text = unit * (length // len(unit) + 1)
        assert vocabulary.encode(text) == tiktoken.encode_ordinary(text)
        assert vocabulary.count(text) == len(tiktoken.encode_ordinary(text))


@pytest.mark.parametrize("unit", MONOTONOUS)
def test_megabytes_without_a_word_are_counted(vocabulary, unit):
    whole = unit * (3_000_000 // len(unit))
    assert 1 < vocabulary.count(whole) <= 9_000_000


def test_many_threads_count_with_one_vocabulary(vocabulary):
    texts = [f"{number} is not {number + 1}, " * 5000 for number in range(4)]
    expected = [*map(vocabulary.count, texts)]
    found: list[int] = [0] * len(texts)

    def count(at: int) -> None:
        for _ in range(20):
            found[at] = vocabulary.count(texts[at])

    threads = [threading.Thread(target=count, args=(at,)) for at in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


def test_without_a_build_for_this_machine_it_says_so(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "toktok", None)
    with pytest.raises(ImportError):
        Vocabulary(name)
