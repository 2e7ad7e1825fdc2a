"""The native `project_cut.projected` gives what the one in Python does, byte for byte."""

import json
import threading

import pytest

from policies.compress import native
from policies.compress.project_cut import _projected, projected
from policies.compress.project_places import Expression
from tests.policies.compress.test_json_compact import DATA, repositories, tool_results, webhooks

pytestmark = pytest.mark.skipif(not native.built, reason="built without Rust")
TEXT = json.dumps(
    {
        "items": [
            {"id": 1, "tags": ["a", "b"], "by": {"name": "Ann", "id": 7}, "x": None},
            {"id": 2, "tags": [], "by": None},
            {"id": 3.50, "by": {"name": "Bo"}, "tags": [["c"], [["d"]], {}]},
        ],
        "pages": [[1, 2], [3], 4, [], [[5, 6], [7]]],
        "meta": {"x": {"n": 1}, "y": {"n": 2}, "z": 3, "items": True},
        'odd "key\\\n': "é\u0001",
        "é": [False],
    }
)  # fmt: skip


def made(text, keep=(), drop=()):
    rules = [[*map(Expression, listed)] for listed in (keep, drop)]
    found = native.project(text, *("\n".join(each.steps for each in rule) for rule in rules))
    theirs = _projected(text, *rules)
    assert found == (theirs and tuple(theirs))
    return found


@pytest.mark.parametrize(
    "expression",
    [
        "items", "items[].id", "items[*].by.name", "items[].by.*", "*", "*.*", "*.*.*", "@",
        "[]", "@.items", "nothing", "items.id", "meta[0]", "meta.x.n.more",
        '"odd \\"key\\\\\\n"', '"\\u00e9"', '"\\u00e9"[0]', "items[0]", "items[2]", "items[3]",
        "items[-1]", "items[-3]", "items[-4]", "pages[1:]", "pages[:-1]", "pages[::2]",
        "pages[::-1]", "pages[::-2]", "pages[3:0:-1]", "pages[9:]", "pages[-9:2]", "pages[:9]",
        "pages[:-9]", "pages[9::-1]", "pages[-9::-1]", "pages[:-9:-1]", "pages[:9:-1]",
        "pages[2:2]", "pages[::9]", "pages[::-9]", "pages[-2:-1]", "pages[][]", "pages[][][]",
        "pages[*][0]", "pages[0:2][1]", "pages[][0]", "pages[*] | [1]", "items[].tags",
        "items[].tags[]", "items[].tags[][]", "items[*].tags[*]", "items[*].tags[0]",
        "items[*].tags[*] | [0]", "items[*].tags[*] | []", "items[*].tags[*] | [][0]",
        "items[].id | [-1]", "items[*].x | [0]", "items[*].x | [1]",
        "items[].[id, by.id] | [0]", "items[].[id, by.id] | [1][0]",
        "items[].[by.id, x, no] | [].[@]", "[meta, pages][0].x", "[meta, pages] | [0].x",
        "[no, meta] | [0]", "[meta, [pages, no]] | []", "[meta, [pages, no]] | [1][0]",
        "[no].x", "no.[@]", "no.[@] | [0]", "no.*", "no[]", "no[] | []", "no[1:]",
        "[no[], meta] | [1]", "[no[], meta] | []", "meta.*[]", "meta.* | [2]",
        "meta.*.n | [1:]", "*.items", "[*.n, *.items] | [1]", "[meta][*].*", "[meta].*",
        "[no.*, meta] | [0].x", "[meta.z.*, meta] | [0].x", "[pages.*, meta] | [0].x",
    ],
)  # fmt: skip
def test_expressions(expression):
    kept, dropped = made(TEXT, [expression]), made(TEXT, drop=[expression])
    if kept is not None and dropped is not None:
        assert kept[1] + dropped[1] == _leaves(json.loads(TEXT))
    made(TEXT, ["items", expression], ["items[0].tags"])
    made(TEXT, ["meta"], [expression, "pages[0]"])
    made(f"[{TEXT}, {TEXT}]", [f"[0].[{expression}]"], ["[1]"])


def _leaves(value):
    if isinstance(value, dict | list):
        return sum(map(_leaves, value.values() if isinstance(value, dict) else value))
    return 1


def test_what_is_kept_and_dropped_around_one_another():
    text = '{"a": {"b": {"c": 1, "d": [2, 3]}, "e": 4}, "f": {}}'
    assert made(text, ["a.b", "a.b.c"]) == ('{"a":{"b":{"c":1,"d":[2,3]}}}', 1)
    assert made(text, ["a.b.c", "a"]) == ('{"a":{"b":{"c":1,"d":[2,3]},"e":4}}', 0)
    assert made(text, ["a.b.c", "f"], ["a.b"]) == ('{"a":{},"f":{}}', 4)
    assert made(text, ["a.b.d[0]"], ["a.b.d[1]"]) == ('{"a":{"b":{"d":[2]}}}', 3)
    assert made(text, ["a.e"], ["a"]) == ("{}", 4)
    assert made(text, ["@", "a.e"], ["a.b.d[]"]) == ('{"a":{"b":{"c":1,"d":[]},"e":4},"f":{}}', 2)
    assert made(text, drop=["f"]) == ('{"a":{"b":{"c":1,"d":[2,3]},"e":4}}', 0)
    for keep, drop in [([], ["@"]), (["a"], ["@"]), (["a", "f"], []), (["b"], ["a"]), ([], ["b"])]:
        assert made(text, keep, drop) is None


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "no JSON", "7", "null", '"a"', "[]", " {} ", "[1, 2", "[1]]", "\ufeff[1]",
        "[1]\0", "\0[1]",
        '{"a": 1, "a": 2}', '{"b": [{"a": 1, "a": 2}]}', '[{"a": 1}, {"a": 2}]', '{"a": NaN}',
        '{"a": "\\ud800"}', '{"\\ud800": 1}', '{"a":1,}', '{"a": "\x01"}', '{"a": 01}', "[tru]",
        ' { "a" : [ 1 , -0 , 1e400 , 1.50 , true , false , null ] , "b" : "\\u00e9é\\/" } ',
        '{"\\u0061": 1, "b": {"\\u0061": 2}}', '{"\\ud83d\\ude00": 1, "\\n\\u0000\\/\\"\\\\": 2}',
        '{"\\u00E9": 1, "\\u00e8": 2}', '{"a\\\\": 1, "\\\\u0061": 2}', '{"": {"": 1}}',
        "[" * 64 + "1" + "]" * 64, '{"a":' * 64 + "1" + "}" * 64, "[" + "9" * 640 + "]",
    ],
)  # fmt: skip
def test_odd_and_broken_json(text):
    for each in ["a", '"\\u0061"', "a.a.a.a.a.a.a", "[0][0][0]", "*.a", "[0]", "[].a", "*", "b",
                 '"😀"', '"\\n\\u0000/\\"\\\\"', '"\\u00e9"', '""', '"a\\\\"',
                 '"\\\\u0061"']:  # fmt: skip
        made(text, [each])
        made(text, drop=[each])


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ('{"a": 1, "\\u0061": 2}', "b"),
        ('[{"a": 1}, {"\\u0061": 2}]', "[].a"),
        ("[" * 65 + "]" * 65, "[0]"),
        ("[" + "9" * 641 + "]", "[0]"),
        ('["\ud800", 1]', "[0]"),
        ("[1, 2]", "[2147483648]"),
        ("[1, 2]", "[:-2147483649]"),
        ('{"a": [{"b": 1}]}', "a[?b]"),
        ('{"a": [{"b": 1}]}', "a[].[b[?c]]"),
        ('{"a": 1}', "a" + ".a" * 99),
        ('{"a": 1}', '"\\ud800"'),
        ("[1, 2]", "[@, @]" + " | [@, @]" * 10),
        ("[1, 2]", "[@, @, @, @]" + " | [] | [@, @, @, @]" * 6),
        ("[1, 2]", "[@, @, @, @]" + " | [] | [@, @, @, @]" * 6 + " | [0][0]"),
        (f"[{'1, ' * 199}1]", "[@, @, @, @]" + " | [*].[@, @, @, @]" * 2 + " | [*][*][*][0]"),
    ],
)
def test_what_is_left_to_python(text, expression):
    with pytest.raises(native.Unfit):
        made(text, [expression])
    with pytest.raises(native.Unfit):
        made(text, drop=["x", expression])
    found, theirs = (each(text, [Expression(expression)], []) for each in (projected, _projected))
    assert found == theirs


def test_what_is_just_not_left_to_python():
    made("[1, 2]", ["[2147483647]", "[0:2147483647]", "[:-2147483648]", "[::-2147483648]"])
    assert made('{"a": 1, "b": 2}', ["a" + ".a" * 98, "b"]) == ('{"b":2}', 1)
    assert made("[1, 2]", drop=["[@, @]" + " | [] | [@, @]" * 3 + " | [0][1]"])


@pytest.mark.parametrize(
    "given", ["", "[1]", "\0[1]", "x\0\0[1]", "field 0\0\0[1]", 'field 1 "a"\0\0[1]',
              'field x "a"\0\0[1]', "projection 0 null\0\0[1]", "index 0 x\0\0[1]",
              "slice 0 [null, null, 0]\0\0[1]", "slice 0 [null]\0\0[1]"],
)  # fmt: skip
def test_what_is_not_asked_so_is_left_to_python(given):
    with pytest.raises(native.Unfit):
        native._made(native._project, given)


@pytest.mark.skipif(not DATA.exists(), reason="the data is not here")
@pytest.mark.parametrize("set_of", [repositories, webhooks, lambda: tool_results()[::5]])
def test_real_payloads(set_of):
    rules = [
        (["[].id", "[].owner.login", "action", "*.full_name", "*.price", "user_id"], []),
        ([], ["[].owner", "repository.*", "sender", "payment_methods", "*[].seat", "[::2].id"]),
        (["*", "[:20]"], ["*.[id, url, *.url]", "[].[owner | *, id]", "[3]"]),
    ]
    shorter = 0
    for document in set_of():
        text = document if isinstance(document, str) else json.dumps(document)
        shorter += sum(made(text, *rule) is not None for rule in rules)
    assert shorter


@pytest.mark.parametrize(
    "text",
    [
        "[" + ",".join(f'{{"k{n}":1}}' for n in range(60_000)) + "]",
        "{" + ",".join(f'"k{n}":[1]' for n in range(60_000)) + "}",
        "[" + ",".join("[[1],2]" for n in range(30_000)) + "]",
    ],
    ids=["kinds", "names", "lists"],
)
def test_texts_made_to_take_long(text):
    made(text, ["*.k1", "[].k59999", "[-1]", "[::-2]", "*[0]", "k1", "[][0]"], ["[][]", "k7"])


def test_the_deepest_texts_and_rules_need_little_stack():
    text = "[" * 64 + "1,2" + "]" * 64
    rules = ["[0]" * 63 + "[-1]", "@" + "|@" * 49, "@" + ".[@]" * 49, "[" * 50 + "@" + "]" * 50,
             "(" * 90 + "@" + "[]" * 30 + ")" * 90]  # fmt: skip
    want = [made(text, [rule]) for rule in rules]
    found = []
    threading.stack_size(96 * 1024)
    try:
        steps = [Expression(rule).steps for rule in rules]
        thread = threading.Thread(
            target=lambda: found.extend(native.project(text, each, "") for each in steps)
        )
        thread.start()
        thread.join()
    finally:
        threading.stack_size(0)
    assert found == want
