import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.compress import native
from policies.compress.json_compact import decode, encode
from policies.compress.json_exact import minified
from proxy.vocabulary import Vocabulary

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.fixture(scope="module")
def count():
    return Vocabulary("o200k_base").count


def rows(path):
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def repositories():
    return [json.loads((DATA / "json" / "github_repos.json").read_text())]


def webhooks():
    return [row["payload"] for row in rows(DATA / "json" / "github_webhooks.jsonl.gz")]


def tool_results():
    traces = rows(DATA / "traces" / "tau_airline.jsonl.gz")
    messages = [message for trace in traces for message in trace["messages"]]
    return [message["content"] for message in messages if message["role"] == "tool"]


def compact(documents):
    return [json.dumps(doc, separators=(",", ":"), ensure_ascii=False) for doc in documents]


def unfit(*_):
    raise native.Unfit


@pytest.mark.skipif(not DATA.exists(), reason="the data is not here")
@pytest.mark.parametrize(
    ("texts", "bar"),
    [
        (lambda: compact(repositories()), 0.66),
        (lambda: compact(webhooks()), 0.60),
        (tool_results, 0.65),
    ],
    ids=["repositories", "webhooks", "tool results"],
)
def test_real_payloads_shrink_and_come_back(texts, bar, count):
    before = after = 0
    for text in texts():
        encoded = encode(text, count)
        before += count(text)
        after += count(text if encoded is None else encoded)
        assert encoded is None or decode(encoded) == minified(text)
    assert after <= bar * before


def test_members_and_items_are_parted_by_spaces(count):
    text = '{"id": 7, "name": "Ann Lee", "zip": "78750", "tags": ["new", "null", null], "x": {}}'
    assert encode(text, count) == '{id:7 name:"Ann Lee" zip:"78750" tags:[new "null" null] x:{}}'


def test_a_string_beside_objects_is_not_taken_for_a_member(count):
    text = '{"a":[{"key":1},"b:c","d"],"e":["f:g","h"]}'
    assert encode(text, count) == '{a:[{key:1} "b:c" d] e:[f:g h]}'
    assert decode('{a:[{key:1} "b:c" d] e:[f:g h]}') == text


def test_arrays_of_like_objects_become_tables_within_the_document(count):
    flights = [{"from": "JFK", "to": "ATL", "day": 3}, {"from": "ATL", "to": "SEA", "day": 3}]
    text = json.dumps({"flights": flights, "total": 2})
    assert encode(text, count) == "{flights:[2]{from to day=3}\nJFK ATL\nATL SEA\n total:2}"


def test_what_recurs_is_named_once(count):
    user = {"login": "ann", "url": "https://api.example.org/users/ann", "admin": False}
    text = json.dumps({"owner": user, "sender": user, "at": 1, "reviewers": [user]})
    encoded = encode(text, count)
    assert encoded == (
        "$1={login:ann url:https://api.example.org/users/ann admin:false}\n"
        "{owner:$1 sender:$1 at:1 reviewers:[$1]}"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            '[{"a":"\\u00e9t\\u00e9 chaud","b":1},{"a":"\\u65e5\\u672c","b":2}]',
            "#non-ASCII as \\u\n",
        ),
        ('[{"a":"x\\/y","b":1},{"a":"z\\/w","b":2},{"a":"u\\/v","b":3}]', "#/ as \\/\n"),
    ],
)
def test_a_writer_who_escaped_more_is_told_at_the_top(text, line, count):
    encoded = encode(text, count)
    assert encoded.startswith(line)
    assert "\\" not in encoded[len(line) :]
    assert decode(encoded) == text


def test_the_form_with_fewest_counted_tokens_goes():
    text = '[{"a":1},{"a":2}]'
    assert encode(text, lambda text: 99 if "]{" in text else len(text)) == "[{a:1} {a:2}]"
    assert encode(text, lambda text: 0 if "]{" in text else 9) == "[2]{a}\n1\n2"


def test_json_stays_json_where_the_notation_spares_no_tokens():
    assert encode("[1,2]", lambda text: 1 if "," in text else 9) is None
    assert encode("[1, 2]", lambda text: 1 if "," in text else 9) == "[1,2]"


@pytest.mark.parametrize(
    "text",
    ["", "12", '"text"', "{}", "[]", "plain", '{"a":', '{"a":1}\n{"a":2}', 'See {"a":1}',
     "[" * 5000 + "]" * 5000, '{"a":"\ud800"}'],
)  # fmt: skip
def test_what_cannot_gain_is_left_alone(text):
    assert encode(text, len) is None


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', "[ -0 ]", '["é",  "\\u00e9"]'])
def test_odd_json_only_loses_its_white_space(text):
    assert encode(text, len) == minified(text)
    assert decode(encode(text, len)) == minified(text)


def test_large_documents_only_lose_their_white_space():
    text = '[ {"a": 1, "b": 2}, {"a": 3, "b": 4} ]'
    assert encode(text, len, limit=10) == '[{"a":1,"b":2},{"a":3,"b":4}]'
    assert encode(text, len, limit=4) is None


def test_deep_documents_only_lose_their_white_space():
    text = '{"a": ' * 100 + '[{"b": 1, "c": 1}, {"b": 2, "c": 1}]' + "}" * 100
    assert encode(text, len) == text.replace(" ", "")


def test_what_does_not_read_back_is_not_used(monkeypatch):
    text = '[{"a": 1, "b": 2}, {"a": 3, "b": 4}]'
    monkeypatch.setattr(native, "json_encode", unfit)
    assert encode(text, len) == "[2]{a b}\n1 2\n3 4"
    monkeypatch.setattr("policies.compress.json_compact.read", lambda _: "[]")
    assert encode(text, len) == '[{"a":1,"b":2},{"a":3,"b":4}]'


def test_what_tool_calls_may_quote_still_stands(count):
    if not DATA.exists():
        pytest.skip("the data is not here")
    for text in tool_results():
        encoded = encode(text, count)
        ids = re.findall(r'"((?=\w*\d)[\w-]{3,})"', text) if encoded else []
        assert all(found in encoded for found in ids)


def test_mixed_line_ends_between_tokens_go():
    assert decode(encode('{"a":\r\n[1,\n2],\r"b":"x\\r\\n"}', len)) == '{"a":[1,2],"b":"x\\r\\n"}'


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1  2]", "{a:1 b}", "[2]{a}\n1", "[1]{a b}\n1", "[2]{a}\n1\n2\n3", "{a:1}x",
     "[0]{a}", "[1]{a=1}", "[2]{a~<b>}\n1\n2", "[1][{a}]\n[1", "[1]{a\n1", "[1]{a b}\n1 ",
     "[1]{a~}\n1", "$1=aaaaaaaa\n", "[" * 10_000, "[9999999999]{a}\n1", "[1][x]\n1",
     "[1]{a b}\n{x:1}1", "[1 ]", "[1]{a}\n[2]{b}", "[1]{a}\n[1]{b}\n1", "[2]{a a}\n1 2\n3 4",
     "[2]{a b}\n1 2\n3", "[1]{a[{b c}]}\n[1]", "[1]{a=}\n1", "{a:-}", "[1]{a}x\n1"],
)  # fmt: skip
def test_foreign_text_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        decode(text)


def test_a_legend_that_stands_for_too_much_is_refused():
    names = "123456789abcdefghij"
    entries = [f"${a}={f'${b}' * 9}\n" for a, b in zip(names[1:], names, strict=False)]
    with pytest.raises(ValueError, match=r"too long"):
        decode("$1=" + "x" * 99 + "\n" + "".join(entries) + "[$j]")


def test_it_is_minified_where_the_shorter_notation_has_more_tokens():
    text = json.dumps({"enum": [f"5.7.mysql_aurora.2.{n}" for n in range(40)]}, indent=1)
    notation = encode(text, len)
    assert 0.75 * len(minified(text)) < len(notation) < 0.93 * len(minified(text))
    assert encode(text, lambda one: len(one) + 1000 * (one == notation)) == minified(text)


LINES = st.sampled_from(
    [
        "```sh\ncurl https://example.org/api/v1/things\n```",
        "@@ -1 +1 @@\n-open('https://example.org/api/v1/things')",
        "import os\nimport sys",
        "one line of https://example.org/api/v1/things",
        "https://example.org/api/v1/things/7",
    ]
)


@given(st.lists(st.fixed_dictionaries({"id": st.integers(0, 9), "a": LINES, "b": LINES})))
def test_strings_of_several_lines_stand_as_they_are(rows):
    for doc in (rows, {str(n): row for n, row in enumerate(rows)}):
        text = json.dumps(doc, indent=1)
        encoded = encode(text, len) or text
        texts = {row[name] for row in rows for name in ("a", "b")}
        assert all(json.dumps(each) in encoded for each in texts if "\n" in each)
        assert decode(encoded) == minified(text)
