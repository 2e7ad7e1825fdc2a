"""Whatever JSON comes, in whatever spelling, the exact form comes back."""

import json
import re
import string
from collections import Counter
from zlib import crc32

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from policies.compress import native
from policies.compress.json_compact import _encoded, decode, encode
from policies.compress.json_exact import exact, minified
from policies.compress.json_legend import add, expand
from policies.compress.json_reader import read
from policies.compress.json_writer import Writer

ODD = [
    "", "-", "true", "false", "null", "0", "-0", "1e5", "007", "+1", ".5", "NaN", "$1", "$1=a",
    "$1/b", "^1", "%1", "%s", "%(a)s", "#/ as \\/", "[2]{a b}", "{a:1}", "[1 2]", "a,b", "a b",
    "a:b", "a=b", "a~*", "*", "<a>", "<name>", "{/x}", "a{/x}", "a{b", "a}", "~", "=", "\n",
    "\\", '"', 'a"b', "\x00", "\x7f", "\u2028", "\u200b", "\xa0", "é", "😀", "日本", "/", "a/b",
    "https://a.example/users/ann", "https://a.example/users/ann/home", "2024-05-20T10:00:00Z",
    "{login:ann url:https://a.example/users/ann}",
]  # fmt: skip
NUMBERS = [
    "0", "-0", "-0.0", "1", "-1", "1.0", "1.50", "1e5", "1E+5", "1e-400", "1E400", "0.1",
    "18446744073709551616", "-9223372036854775809", "9" * 40, "123456789.000000000001",
]  # fmt: skip

texts = st.one_of(
    st.sampled_from(ODD),
    st.text(st.sampled_from(string.printable + "é😀\u2028\x00"), max_size=8),
    st.text(st.sampled_from("ab/-_:12 "), min_size=1, max_size=12),
    st.builds("https://api.example/{}/{}".format, st.sampled_from("abc"), st.sampled_from("xyz")),
)
names = st.one_of(st.sampled_from("abcdef"), texts)


@st.composite
def strings(draw, source=texts):
    return json.dumps(draw(source), ensure_ascii=draw(st.booleans()))


@st.composite
def objects(draw, values):
    members = draw(st.lists(st.tuples(strings(names), values), max_size=5))
    return "{" + ",".join(f"{key}:{value}" for key, value in members) + "}"


@st.composite
def records(draw, values):
    """An array of objects of one shape, some members lacking here and there."""
    keys = draw(st.lists(strings(names), min_size=1, max_size=5, unique=True))
    rows = draw(st.integers(1, 6))
    columns = [
        draw(st.lists(draw(st.sampled_from([values, st.just(draw(values)), strings()])),
                      min_size=rows, max_size=rows))
        for _ in keys
    ]  # fmt: skip
    full = draw(st.booleans())
    texts = []
    for row in zip(*columns, strict=True):
        kept = [f"{k}:{v}" for k, v in zip(keys, row, strict=True)
                if full or draw(st.integers(0, 5))]  # fmt: skip
        texts.append("{" + ",".join(kept) + "}")
    return "[" + ",".join(texts) + "]"


def arrays(values):
    return st.lists(values, max_size=5).map(lambda items: "[" + ",".join(items) + "]")


@st.composite
def related(draw):
    """An array of objects whose strings share beginnings, ends and one another's values."""
    head, middle, tail = draw(st.lists(texts, min_size=3, max_size=3))
    pieces = draw(st.lists(texts, min_size=2, max_size=6))
    long = draw(st.booleans()) * "https://api.example/words of them/"
    rows = [
        {"a": piece, "b": n * 77, "c": f"{head}{piece}{tail}", "d": f"{head}{n * 77}{middle}{n}",
         "e": f"{long}{head}{piece}{middle}", "f": draw(st.sampled_from([None, long + piece]))}
        for n, piece in enumerate(pieces)
    ]  # fmt: skip
    return json.dumps(rows, ensure_ascii=draw(st.booleans()))


scalars = st.one_of(strings(), st.sampled_from([*NUMBERS, "true", "false", "null"]))
documents = st.recursive(
    scalars, lambda inner: st.one_of(arrays(inner), objects(inner), records(inner)), max_leaves=25
)
spaced = st.text(st.sampled_from(" \n\r\t"), max_size=3)


def bare(text):
    """The text without white space outside strings, written the slow way."""
    kept, inside, escaped = [], False, False
    for char in text:
        if inside:
            kept.append(char)
            inside = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char not in " \n\r\t":
            kept.append(char)
            inside = char == '"'
    return "".join(kept)


@settings(max_examples=200, deadline=None)
@given(documents, spaced)
@example('[{"a":"-","b":1},{"a":"null","b":2},{"a":null,"b":3}]', "")
@example('[{"a":"é","b":"/"},{"a":"\\u00e9","b":"\\/"}]', "")
@example('{"a":[{"b":1},{"b":1}],"a":[{"b":1},{"b":1}]}', " ")
def test_what_is_encoded_decodes_to_the_exact_form(document, space):
    text = space + document.replace(",", "," + space) if '"' not in document else document
    encoded = encode(text, len)
    if encoded is not None:
        assert decode(encoded) == bare(text)
        assert len(encoded) <= len(text)


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(arrays(documents), objects(documents), records(scalars), records(records(scalars)))
)
@example('[[1],"a:b",["c:d"],"e"]')
@example('[[{"b":{}},{"a":[],"b":{}}]]')
@example('[{"a":[{"b":1}]},{"c":[{"d":""}],"a":[{"b":2}]}]')
def test_the_reader_undoes_the_writer_even_where_tables_cost_more(document):
    found = exact(document)
    if found is not None:
        text = Writer(lambda text: "\n" not in text).write(found.doc)
        assert read(text) == found.plain


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(texts, st.sampled_from([" ", "{", "}", ":"])), max_size=30), st.data())
def test_a_legend_is_undone_whatever_it_names(parts, data):
    text = "".join(part.replace("\n", " ").replace("\0", "") for part in parts)
    objects = Counter(data.draw(st.lists(st.sampled_from(["", *parts]), max_size=20)))
    objects = Counter({part: seen for part, seen in objects.items() if "\n" not in part})
    assume(not re.match(r"[$^%][1-9a-z]=", text))
    short = add(text, objects, lambda text: 99 * len(text))
    assert expand(short) == replaced(short) == text


def replaced(text):
    """What a legend stands for, one name after the other."""
    while found := re.match(r"([$^%][1-9a-z])=([^\n]+)\n", text):
        text = text[found.end() :].replace(*found.groups())
    return text


@pytest.mark.skipif(not native.built, reason="built without Rust")
@settings(max_examples=300, deadline=None)
@given(
    st.one_of(documents, related(), arrays(related()), records(records(scalars))),
    st.sampled_from([len, lambda text: crc32(text.encode()), lambda text: len(text.split())]),
    st.sampled_from([1 << 20, 60]),
    st.data(),
)
def test_native_and_python_make_the_same(document, count, limit, data):
    cut = data.draw(st.integers(0, len(document)))
    put = data.draw(
        st.sampled_from(["", " ", "\n", ",", '"', "\\", "\\u00e9", "/", "0", "\x1f", "]"])
    )
    spaced_out = document.replace(",", " ,\n") if data.draw(st.booleans()) else document
    slashed = document.replace("/", "\\/")
    for text in (
        document,
        spaced_out,
        slashed,
        document[:cut] + put,
        document[:cut] + put + document[cut:],
    ):
        try:
            made = native.json_encode(text, count, limit)
        except native.Unfit:
            continue
        assert made == _encoded(text, count, limit)


@settings(max_examples=100, deadline=None)
@given(documents, documents)
def test_two_documents_never_share_an_encoding(one, other):
    pair = encode(one, len) or one, encode(other, len) or other
    if pair[0] == pair[1]:
        assert minified(one) == minified(other)


@settings(max_examples=120, deadline=None)
@given(documents, st.data())
def test_broken_json_is_left_alone_or_restored(document, data):
    cut = data.draw(st.integers(0, len(document)))
    ends = st.sampled_from(["", "\n{}", "\r\n", "]", " and prose", "\\ud800", '"', "\ud800"])
    for text in (document[:cut] + data.draw(ends), document[cut:]):
        encoded = encode(text, len)
        if encoded is not None:
            json.loads(text)
            assert decode(encoded) == bare(text)


@settings(max_examples=500, deadline=None)
@given(
    st.one_of(
        st.text(st.sampled_from('{}[]"\\ \n,:=~<>*$1234ab-#'), max_size=40),
        st.lists(st.sampled_from(["[2]{a b}", "\n", "1 2", "[2][{a}]", "{a:", "}", "~*<a>", "]",
                                  "[", " ", '"x"', "$1=a\n", "$1", "-", "=1", "{"]), max_size=14,
                 ).map("".join),
    )
)  # fmt: skip
@example('"\n"')
def test_foreign_text_is_refused_with_value_error_or_read_as_json(text):
    try:
        found = decode(text)
    except ValueError:
        return
    assert minified(found) == found
