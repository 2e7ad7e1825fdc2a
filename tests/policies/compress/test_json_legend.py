from collections import Counter

from policies.compress.json_legend import add, expand


def test_beginnings_of_addresses_are_named_in_terms_of_each_other():
    text = "{" + " ".join(
        f"a{n}:https://api.example.org/{kind}/{n}"
        for kind in ("repos/ann/one", "users/ben")
        for n in range(5)
    ) + "}"  # fmt: skip
    found = add(text, Counter(), lambda text: len(text) // 4)
    assert found.startswith("$2=$1/repos/ann/one\n$1=https://api.example.org\n{a0:$2/0 a1:$2/1")
    assert "a3:$1/users/ben/3" in found
    assert expand(found) == text


def test_nothing_is_named_that_spares_no_tokens():
    text = "{a:https://example.org/x b:https://example.org/y}"
    assert add(text, Counter({"{a:b}": 5}), lambda _: 1) == text


def test_a_mark_that_the_text_has_is_not_used():
    address = "https://api.example.org/users/ann"
    text = f'{{a:"costs $1" b:{address}/1 c:{address}/2 d:{address}/3}}'
    found = add(text, Counter(), len)
    assert found.startswith("^1=")
    assert expand(found) == text


def test_a_text_that_has_all_marks_gets_no_legend():
    text = "{a:$1 b:^1 c:%1 " + "d:https://api.example.org/users/ann " * 3 + "}"
    assert add(text, Counter(), len) == text
