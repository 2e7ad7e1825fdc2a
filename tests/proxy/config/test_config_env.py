from hypothesis import given
from hypothesis import strategies as st

from proxy.config.env import fill


def test_references_are_replaced():
    filled = fill("a ${ONE} b ${TWO} $ONE $$ ${ONE}", {"ONE": "1", "TWO": "${ONE}"})
    assert filled.value == "a 1 b ${ONE} $ONE $$ 1"
    assert filled.literal
    assert dict(filled.taken) == {"ONE": "1", "TWO": "${ONE}"}
    assert not filled.problems


def test_a_default_stands_in_for_an_unset_or_empty_variable():
    assert fill("${A:-x y}", {}).value == "x y"
    assert fill("${A:-x}", {"A": ""}).value == "x"
    assert fill("${A:-x}", {"A": "a"}).value == "a"
    assert fill("${A:-}", {}).value == ""
    assert fill("${A}", {"A": ""}).value == ""


def test_a_doubled_sign_escapes():
    assert fill("$${A} $$${A}", {"A": "a"}).value == "${A} $${A}"
    assert fill("$${A}", {}).literal


def test_only_the_environment_makes_a_secret():
    assert not fill("${A}${B:-}", {"A": "a"}).literal
    assert not fill("${A:-spare}", {"A": "a"}).literal
    assert fill("${A:-spare}", {}).literal
    assert fill("sk-${A}", {"A": "a"}).literal


def test_what_is_wrong_is_said_without_values():
    assert fill("${A}", {}).problems == ("the environment variable A is not set",)
    assert fill("${A}", {"A": "\udc80"}).problems == (
        "the environment variable A is not UTF-8 text",
    )
    for bad in ("${", "${}", "${1}", "${A", "${A-x}", "${A:-${B}}", "${A B}"):
        (problem,) = fill(bad, {"A": "a"}).problems
        assert problem.startswith("'${' begins no reference")


@given(st.text())
def test_text_without_references_stays(text):
    if "${" not in text:
        assert fill(text, {}).value == text


@given(st.text())
def test_escaped_text_comes_out_as_it_was(text):
    text = text.replace("$", "")
    assert fill("$${" + text, {}).value == "${" + text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_values_are_never_read_again(value):
    assert fill("<${A}>", {"A": value}).value == f"<{value}>"
