import pytest
from backends import call

from policies.base.call import Effect
from policies.base.plan import Plan, Row
from policies.base.reply import Recording
from policies.base.step import Answer, Edit, Skip
from policies.base.usage import Usage
from proxy.receipt import Facts, cache_word, receipt

HIT = Answer(Recording(200, (), b"{}", False), Effect.EXACT, "hit", 12.7, 99.9, "exact")


def plan(*rows, final=None):
    return Plan(call(), call(), tuple(rows), final, "default")


def row(step, policy="cache.exact", mode="on"):
    return Row(policy, step, 0.0, mode == "on", mode, call())


@pytest.mark.parametrize(
    ("rows", "collapsed", "word"),
    [
        ([row(Skip("miss", b"k"))], False, "MISS"),
        ([row(Skip("miss"))], False, "MISS"),
        ([row(Skip("refresh", b"k"))], False, "REFRESH"),
        ([row(Skip("sampled"))], False, "BYPASS"),
        ([row(Skip("miss", b"k"), mode="shadow")], False, "BYPASS"),
        ([row(Skip("bypassed by request"), mode="bypass")], False, "BYPASS"),
        ([], False, "BYPASS"),
        ([row(Skip("miss", b"k"))], True, "COALESCED"),
        ([], True, "COALESCED"),
    ],
)
def test_the_word_for_what_caches_did(rows, collapsed, word):
    assert cache_word(plan(*rows), collapsed=collapsed) == word


def test_the_word_for_an_answer():
    assert cache_word(plan(row(HIT), final=HIT), collapsed=False) == "HIT"


def test_a_miss_that_will_be_stored():
    made = plan(row(Skip("miss", b"k")))
    headers = dict(receipt(made, Facts("MISS", "openai", 0.00123, Usage(90, 10, 0, 5), True)))
    assert headers == {
        b"x-penstock-request-id": b"1",
        b"x-penstock-cache": b"MISS",
        b"x-penstock-backend": b"openai",
        b"x-penstock-overhead-ms": b"1.23",
        b"x-penstock-steps": b"cache.exact=miss",
        b"cache-status": b"penstock; fwd=uri-miss; stored",
        b"x-penstock-tokens": b"before=100 after=100",
    }


def test_a_hit_says_age_and_lifetime_and_that_nothing_was_sent():
    headers = dict(receipt(plan(row(HIT), final=HIT), Facts("HIT", "none", 0.0, Usage(7))))
    assert headers[b"cache-status"] == b"penstock; hit; ttl=99; detail=exact"
    assert headers[b"age"] == b"12"
    assert headers[b"x-penstock-tokens"] == b"before=7 after=0"


def test_tokens_count_the_applied_edits_only():
    edits = [
        row(Edit(call().body, Effect.LOSSLESS, "x", 100, 60), "compress.a"),
        row(Edit(call().body, Effect.LOSSLESS, "x", 60, 10), "compress.b", "shadow"),
    ]
    headers = dict(receipt(plan(*edits), Facts("BYPASS", "a", 0.0, Usage(60))))
    assert headers[b"x-penstock-tokens"] == b"before=100 after=60"
    assert headers[b"x-penstock-steps"] == b"compress.a=edit, compress.b=edit(shadow)"


def test_nothing_is_said_of_tokens_that_are_not_known():
    headers = dict(receipt(plan(), Facts("BYPASS", "a", 0.0)))
    assert b"x-penstock-tokens" not in headers
    assert headers[b"cache-status"] == b"penstock; fwd=bypass"
