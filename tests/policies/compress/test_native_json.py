"""The native `json_compact.encode` gives what the one in Python does, byte for byte."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from policies.compress import native
from policies.compress.json_compact import _encoded, encode
from proxy.vocabulary import Vocabulary
from tests.policies.compress.test_json_compact import DATA, repositories, tool_results, webhooks

pytestmark = pytest.mark.skipif(not native.built, reason="built without Rust")
LIMIT = 1 << 20


def same(text, count=len, limit=LIMIT):
    """What both make of a text."""
    made = native.json_encode(text, count, limit)
    assert made == _encoded(text, count, limit)
    return made


def spelled(document):
    """A document in the spellings of common writers."""
    yield json.dumps(document)
    yield json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    yield json.dumps(document, ensure_ascii=False, indent=2)
    yield json.dumps(document).replace("/", "\\/")


@pytest.mark.skipif(not DATA.exists(), reason="the data is not here")
@pytest.mark.parametrize("set_of", [repositories, webhooks, lambda: tool_results()[::5]])
def test_real_payloads(set_of):
    count = Vocabulary("o200k_base").count
    made = 0
    for document in set_of():
        if isinstance(document, str):
            made += document[:1] in ("{", "[") and same(document, count) is not None
        else:
            made += sum(same(text, count) is not None for text in spelled(document))
    assert made


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}', "[-0]", '["\\u0041"]', '["\\u00E9"]', '["é","\\u00e9"]', '["/","\\/"]',
        '["\\u007f \\ud83d\\ude00"]', '["\\ud83d"]', '["\\udc00"]',
        '["\\ud83d\\u0041"]', '["\\x41"]', '["\\', '["\\u12', '["\t"]', '["\0"]', "[\0]",
        '["\\u0000\\u001f\\b\\f\\n\\r\\t\\"\\\\"]', '["\\u001F"]', '["\\u000a"]',
        "[1.,2]", "[.5]", "[01]", "[+1]", "[1e]", "[1e+]", "[1E400,1e-400,-0.0]", "[NaN]",
        "[" + "9" * 640 + "]", "[1,]", '{"a":1,}', "[,1]", "{,}", '{"a"}', "{1:2}", "[1]]", "[1",
        " [1, 2]\n", "\x0b[1]", "\ufeff[1]", "[1]\x00", "[tru]", "[nul", '{"a":tru}',
        "[" * 40 + "]" * 40, '[[{"a":1}],[{"a":2},{"a":3}]]', '[{"a":"x\\ny"},{"a":"x\\nz"}]',
    ],
)  # fmt: skip
def test_odd_and_broken_json(text):
    same(text)


@pytest.mark.parametrize(
    "odd", ["é", "日本", "\u2028", "\xa0", "\u200b", "\u3000", "😀", "\x7f", "\0"]
)
def test_odd_signs_in_every_place(odd):
    rows = [{"name": f"{odd}{n}", "url": f"https://a.example/{odd}/{n}", odd: n} for n in range(5)]
    for text in spelled({"rows": rows, odd: [odd, f"a{odd}b", {odd: odd}], "again": [rows[0]] * 2}):
        assert same(text) is not None
    beside = [f"https://a.example/words/{odd}" + "ab"[n % 2] + f"{n} of them" for n in range(5)]
    try:
        same(json.dumps([{"a": text} for text in beside]))
    except native.Unfit:
        assert odd not in "é日本\u2028😀\x7f\0"  # letters and signs that it knows


def test_every_sign_where_what_strings_share_may_end():
    unfit = []
    for sign in map(chr, [*range(0x80, 0x3100), *range(0xFE00, 0x10000), *range(0x1F000, 0x1FB00)]):
        rows = [f"shared words {sign}{n}a{sign}{sign}" for n in range(3)]
        try:
            same(json.dumps([{"a": row} for row in rows], ensure_ascii=False))
        except native.Unfit:
            unfit.append(sign)
    assert not {*"°€·“”…→✓█■日ーはโकé🚀🇩\u2013\u2019\uff01\uff1f\ufe0f\u0301"} & {*unfit}


def test_every_sign_that_may_show_as_nothing():
    signs = [chr(code) for code in [*range(0x3100), 0xFEFF, 0xFF00, 0x1F600]]
    assert same(json.dumps(signs, ensure_ascii=False)) is not None
    assert same(json.dumps(dict.fromkeys(signs, 1), ensure_ascii=False)) is not None


@pytest.mark.parametrize(
    "strings",
    [
        ["ab-cd-efg", "ab-xy-zzz", "ab-cd-efg"],
        ["ann", "ben1", "cyd21", "danb1"],
        ["ann1", "ben21", "cydb1", "dan1"],
    ],
)
def test_references_that_fit_only_some_rows(strings):
    rows = [
        {"a": f"ann{n}" if n % 2 else "ab", "b": text, "c": text[:3], "d": f"{text[:3]}-{n}",
         "e": text, "f": f"/{text}/{text[:3]}"}
        for n, text in enumerate(strings)
    ]  # fmt: skip
    same(json.dumps(rows))
    same(json.dumps([{"a": text[:3], "b": text} for text in strings]))
    longer = [{"w": "words" if n != 1 else "other", "x": "word" if n != 1 else "oth", "y": "wor"
               if n != 1 else "ot", "z": text, "all": f"words of {text}"}
              for n, text in enumerate(strings)]  # fmt: skip
    same(json.dumps(longer))


def test_what_recurs_very_often_counts_no_more():
    texts = ["a" * 12] * 70 + ["b" * 20] * 40
    assert same(json.dumps(texts)).startswith("$2=aaaaaaaaaaaa\n$1=bbb")


def test_columns_that_refer_to_earlier_ones_and_rows_that_lack_some():
    people = ["ann", "ben", "cyd", "dan"]
    rows = [
        {"login": p, "id": n * 7, "url": f"https://x.example/{p}", "home": f"https://x.example/{p}/"
         f"{n * 7}", "tag": f"{n}-{p}!", "note": None if n == 2 else f"a long beginning {n}",
         "inner": {"of": p, "same": 1}, "list": [{"k": i, "v": p} for i in range(n)]}
        for n, p in enumerate(people)
    ]  # fmt: skip
    made = same(json.dumps(rows))
    assert "url~https://x.example/<login>" in made
    assert "list[{k v}]" in made
    del rows[1]["id"], rows[3]["note"]
    assert " - " in same(json.dumps(rows))
    same(json.dumps([dict(reversed(row.items())) if "id" in row else row for row in rows]))


def test_what_does_not_read_back_is_not_used():
    assert same('"a:b"') is None  # at the top it reads as a member


def test_the_limit_is_in_characters():
    text = json.dumps([{"a": "日本"}, {"a": "語"}], ensure_ascii=False, indent=1)
    short = len(json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":")))
    assert same(text, limit=short) == "[2]{a}\n日本\n語"
    assert same(text, limit=short - 1).startswith("[{")


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000 + "]" * 100_000, '{"a":' * 100 + "1" + "}" * 100, "[" + "9" * 641 + "]",
     '["\ud800"]'],
)  # fmt: skip
def test_what_is_left_to_python_comes_out_all_the_same(text):
    with pytest.raises(native.Unfit):
        native.json_encode(text, len, LIMIT)
    assert encode(text, len) == _encoded(text, len, LIMIT)


def test_a_count_that_raises_is_heard():
    def fails(_):
        raise RuntimeError("no vocabulary")

    with pytest.raises(RuntimeError, match="no vocabulary"):
        encode('[{"a":"' + "x y " * 9 + '"}]', fails)


def test_long_texts():
    rows = [{"id": n, "at": f"2024-05-{n % 30:02}T10:00:00Z", "who": f"user {n % 97}"}
            for n in range(320_000)]  # fmt: skip
    text = json.dumps(rows)
    assert len(text) > 20_000_000
    made = encode(text, len, limit=len(text))
    assert made.startswith("[320000]{")
    assert len(made) < len(text) / 2


@pytest.mark.parametrize(
    "text",
    [
        "[" + ",".join(f'{{"k{n}":1}}' for n in range(60_000)) + "]",
        "{" + ",".join(f'"k{n}":1' for n in range(60_000)) + "}",
        '["' + "a" * 500_000 + '","' + "a" * 499_999 + 'b"]',
        "[" + ",".join(['"' + "a/" * 200 + '"'] * 2000) + "]",
        "[" + ",".join(['{"a":"' + "a" * 300 + str(n % 9) + '"}' for n in range(2000)]) + "]",
        '["' + '\\"' * 300_000 + '"]',
        '["' + '\\"' * 300_000,
    ],
    ids=["kinds", "names", "runs", "beginnings", "objects", "escapes", "open"],
)
def test_texts_made_to_take_long(text):
    same(text)


def test_the_deepest_texts_need_little_stack():
    objects = ['{"a":' * 62 + str(n) + "}" * 62 for n in range(3)]
    lists = '[[{"b":1},{"b":"x y"}],[{"b":2}]]'
    for _ in range(29):
        lists = f"[{lists},[1]]"
    texts = ["[" * 64 + "]" * 64, "[" * 31 + '"a{b"' + "]" * 31, f"[{','.join(objects)}]", lists]
    code = (
        "import threading\nfrom policies.compress import native\nthreading.stack_size(1 << 17)\n"
        f"run = lambda: [print(native.json_encode(text, len, {LIMIT})) for text in {texts!r}]\n"
        "thread = threading.Thread(target=run)\nthread.start()\nthread.join()"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == "\n".join(str(same(text)) for text in texts).splitlines()


def test_two_threads_at_once():
    texts = [json.dumps([{"id": n + i, "who": f"user {n}"} for i in range(50)]) for n in range(200)]
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda text: native.json_encode(text, len, LIMIT), texts * 2))
    assert made == [_encoded(text, len, LIMIT) for text in texts] * 2
