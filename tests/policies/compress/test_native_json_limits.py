"""The native JSON turns where the one in Python does, on both sides of every number."""

import json

import pytest

from policies.compress import native
from tests.policies.compress.test_native_json import same

pytestmark = pytest.mark.skipif(not native.built, reason="built without Rust")
NEAR = range(-2, 3)


def test_widest_tables():
    for width in (256 + by for by in NEAR):
        rows = [{f"k{k}": k * n for k in range(width)} for n in range(3)]
        same(json.dumps(rows))
        same(json.dumps([dict(list(row.items())[n % 2 :]) for n, row in enumerate(rows)]))


def test_kinds_of_rows():
    for kinds in (16 + by for by in NEAR):
        for rows in (2 * kinds - 3, 2 * kinds - 2, 2 * kinds - 1, 60):
            same(json.dumps([{f"a{k}": 1 for k in range(25) if k != n % kinds}
                             for n in range(rows)]))  # fmt: skip


def test_shares_of_cells_that_are_filled():
    for rows in range(2, 13):
        for full in range(rows + 1):
            for beside in range(4):
                more = dict.fromkeys("abcd"[:beside], 5)
                same(json.dumps([more | ({"x": n, "y": n} if n < full else {})
                                 for n in range(rows)]))  # fmt: skip


@pytest.mark.parametrize("sign", ["a", "é", "😀"])
def test_sizes_of_objects_that_recur(sign):
    for size in [*range(24, 32), *range(16_376, 16_384)]:
        whole = {"a": sign * size}
        same(json.dumps([whole, 1, whole], ensure_ascii=False))


@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"a":', "}"), ("[1,", "]")])
def test_depths(opens, closes):
    for depth in [*range(29, 35), *range(60, 65)]:
        same(opens * depth + "1" + closes * depth)
        cells = (f'{{"x":{n},"y":{opens * (depth - 2)}{n}{closes * (depth - 2)}}}' for n in "123")
        same(f"[{','.join(cells)}]")


def test_columns_that_later_ones_may_refer_to():
    for width in (64 + by for by in NEAR):
        rows = [{f"k{k:02}": f"val{k}-{n}" for k in range(width)}
                | {"z": f"https://x/val{width - 1}-{n}/y", "y": f"https://x/val0-{n}/y"}
                for n in range(4)]  # fmt: skip
        same(json.dumps(rows))
    for tried in range(2, 6):
        rows = [{f"k{k}": "abcdefgh"[k:] + (str(k) * 2 if n == 1 else "x") for k in range(tried)}
                | {"last": f"efgh{n}", "all": f"abcdefghx {'efgh'}{n}"}
                for n in (0, 1, 0)]  # fmt: skip
        same(json.dumps(rows))


@pytest.mark.parametrize("sign", ["a", "é"])
def test_what_a_pattern_has_to_spare(sign):
    for size in range(2, 8):
        same(json.dumps([{"a": f"{sign}bcdefghi/{'x' * size}{n}"} for n in range(3)]))
    for size in range(20):
        for rows in range(2, 8):
            for end in ("", "/", " 9", f"/{sign}"):
                texts = [f"{sign * size} {'bcd'[n % 3] * 13}{n}{end}" for n in range(rows)]
                same(json.dumps([{"a": text} for text in texts]))
                same(json.dumps([{"a": f"{sign * 3}/{text[:n % 2 + 14]}"}
                                 for n, text in enumerate(texts)]))  # fmt: skip
                same(json.dumps([{"a": text[:9], "b": f"u {text[:9]}{end}"} for text in texts]))


def test_what_an_entry_of_a_legend_has_to_spare():
    for size in range(6, 64):
        for uses in range(1, 7):
            same(json.dumps(["a" * size] * uses + ["z"]), lambda _: 1)
    for many in range(14, 20):
        texts = [f"https://{n:02}.example.org/{'ab' * n}" for n in range(many)]
        objects = [{"a": n, "text": "of one object " * (n % 5 + 1)} for n in range(many)]
        same(json.dumps([*texts * 3, *objects * 3]), lambda text: len(text) // 4)


def test_from_where_on_fewer_characters_are_surely_fewer_tokens():
    rows = [{"name": n, "other": n} for n in range(4)]
    found = {same(json.dumps([*rows, {"name": 9, "other": "a" * size}]), lambda _: 1)[:4]
             for size in range(2, 200)}  # fmt: skip
    assert found == {"[5]{", '[{"n'}
