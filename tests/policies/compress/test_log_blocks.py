import random

from policies.compress.log_blocks import _best, _frequent, _rule, joined
from policies.compress.log_entries import RAW, Entries, Forms, entries
from policies.compress.log_stamps import MARK


def filled(listed, forms):
    return "\n".join(
        values[0] if number == RAW else forms.templates[number].fill(values)
        for number, values in zip(listed.templates, listed.values, strict=True)
    )


def test_lines_that_follow_each_other_with_the_same_values_become_one():
    text = "\n".join(f"unpack p{n}x {n}.0\nset up p{n}x\nready p{n}x {n}.0" for n in range(40))
    forms = Forms()
    listed = entries(text, forms)
    assert len(listed.values) == 120
    short = joined(listed, forms)
    assert len(short.values) == 40
    assert len(short.values[7]) == 2
    assert filled(short, forms) == text


def test_values_that_differ_keep_their_lines_apart():
    rows = [(f"p{n}x", f"p{n}x" if n % 5 else f"q{n}y") for n in range(40)]
    text = "\n".join(f"unpack {a}\nset up {b}" for a, b in rows)
    forms = Forms()
    short = joined(entries(text, forms), forms)
    assert 8 <= len(short.values) <= 48
    assert filled(short, forms) == text


def test_a_change_of_time_is_not_hidden_in_a_block():
    text = "\n".join(f"10:00:{n:02} unpack p{n}x\n10:00:{n + 1:02} set up p{n}x" for n in range(40))
    forms = Forms()
    listed = joined(entries(text, forms), forms)
    times = [
        line.replace(MARK, stamp)[:8]
        for number, values, stamp in zip(*listed[:3], strict=True)
        for line in forms.templates[number].fill(values).split("\n")
    ]
    assert times == [line[:8] for line in text.split("\n")]


def test_few_pairs_stay_pairs():
    text = "\n".join(f"unpack p{n}x\nset up p{n}x" for n in range(3))
    forms = Forms()
    assert joined(entries(text, forms), forms) == entries(text, forms)


def test_nothing_is_nothing():
    nothing = Entries([RAW], [("x",)], [None], [True])
    assert joined(nothing, Forms()) == nothing


def test_the_pairs_that_gain_most_are_taken_first_each_template_once():
    rng = random.Random(7)
    blocks = ["open {0}x\nread {1} of {0}x\nclose {0}x", "send {0}q\nsent {0}q", "read {1} of {0}x"]
    values = [(rng.randint(0, 99), rng.randint(0, 9)) for _ in range(300)]
    text = "\n".join(rng.choice(blocks).format(*pair) for pair in values)
    forms = Forms()
    listed = entries(text, forms)
    found = _frequent(listed, forms.templates)
    gains = []
    for order, (pair, places, most) in enumerate(found):
        left, right = (forms.templates[one] for one in pair)
        rule = _rule(places, listed.values, left, right)
        assert rule.gain <= max(0, most)
        gains.append((-rule.gain, order, set(pair), rule))
    wanted, taken = [], set()
    for gain, _, pair, rule in sorted(gains, key=lambda each: each[:2]):
        if gain < 0 and not pair & taken:
            taken |= pair
            wanted.append(rule)
    assert len(wanted) > 1
    assert [rule for _, rule in _best(found, listed.values, forms.templates, {})] == wanted
