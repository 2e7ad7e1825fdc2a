from policies.compress.freeze_form import (
    AS_IT_CAME,
    UNKNOWN,
    Form,
    Rules,
    Short,
    joined,
    restored,
    shortened,
    stored,
)

RULES = Rules(min_tokens=10, min_gain=0.2)


def made(text, short, left_out=0):
    return shortened(text, len, RULES, lambda: None if short is None else Short(short, left_out))


def test_a_shorter_text_is_taken_with_both_counts_and_what_is_left_out():
    assert made("a" * 20, "b" * 16, 3) == Form("b" * 16, 20, 16, left_out=3)


def test_what_gains_too_little_or_is_too_short_or_empty_stays():
    for text, short in (("a" * 20, "b" * 17), ("a" * 9, "b"), ("a" * 20, " "), ("a" * 20, None)):
        assert made(text, short) == AS_IT_CAME


def test_what_fails_stays():
    assert shortened("a" * 20, len, RULES, lambda: 1 / 0) == AS_IT_CAME
    assert shortened("a" * 20, lambda text: 1 / 0, RULES, lambda: Short("b")) == AS_IT_CAME


def test_a_form_comes_back_from_the_store_and_damage_is_no_form():
    one = Form("short", 9, 5, (b"12345678",))
    assert restored(stored(one)) == one
    assert restored(stored(AS_IT_CAME)) == AS_IT_CAME
    for damaged in (b"", b"\xff", stored(one)[:-4], b"\x95\xa1\xff\x01\x01\x90\xc3"):
        assert restored(damaged) == UNKNOWN


def test_what_two_workers_know_is_joined_and_the_first_is_right():
    one, other = Form("a", 9, 5), Form("b", 9, 4, (b"there",))
    assert joined(one, other) == Form("a", 9, 5, (b"there",))
    assert joined(UNKNOWN.without(b"here"), other) == Form("b", 9, 4, (b"here", b"there"))


def test_the_latest_conversations_in_which_a_text_was_late_are_known():
    one = UNKNOWN
    assert not one.missed(b"x")
    for number in range(200):
        one = one.without(b"%d" % number)
        assert one.missed(b"%d" % number)
    assert one.missed(b"72")
    assert not one.missed(b"71")
    assert one.without(b"72") == joined(UNKNOWN, one) == joined(one, UNKNOWN) == one
    assert joined(one, UNKNOWN.without(b"x")).missed(b"x")
