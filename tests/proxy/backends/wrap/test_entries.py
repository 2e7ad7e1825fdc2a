import pytest
from backends import call

from policies.base.call import Dialect
from policies.base.prompt import blocks
from policies.base.terms import Terms
from proxy.backends.wrap.entries import matched, written

ANTHROPIC = {"cache_control": {"type": "ephemeral"}}
OPENAI = {"prompt_cache_breakpoint": {"mode": "explicit"}}


def terms(rule, minimum=0):
    return Terms(rule=rule, minimum=minimum)


def part(text, mark=None):
    return {"type": "text", "text": text} | (mark or {})


def user(*parts):
    return {"role": "user", "content": list(parts)}


def ends(found, prefixes):
    """Which blocks the prefixes end with."""
    chains = [block.chain for block in blocks(found)]
    return [chains.index(chain) for chain, _ in prefixes]


def anthropic(*parts, **doc):
    return call({"messages": [user(*parts)], **doc}, dialect=Dialect.MESSAGES)


def test_anthropic_writes_at_marks_and_reads_up_to_twenty_blocks_before_them():
    parts = [part(str(at), ANTHROPIC if at in (3, 40) else None) for at in range(50)]
    one = anthropic(*parts)
    assert ends(one, written(one, terms("anthropic_marks"))) == [3, 40]
    assert ends(one, matched(one, terms("anthropic_marks"))) == [0, 1, 2, 3, *range(21, 41)]


def test_anthropic_counts_four_marks_and_one_for_the_whole_request():
    one = anthropic(*[part(str(at), ANTHROPIC) for at in range(6)])
    assert ends(one, written(one, terms("anthropic_marks"))) == [2, 3, 4, 5]
    whole = anthropic(part("a"), part("b"), **ANTHROPIC)
    assert ends(whole, written(whole, terms("anthropic_marks"))) == [1]
    assert written(anthropic(part("a")), terms("anthropic_marks")) == []
    assert matched(anthropic(part("a")), terms("anthropic_marks")) == []


def openai(*messages, **doc):
    return call({"messages": list(messages), **doc})


def test_openai_writes_at_the_latest_breakpoints_and_at_the_latest_turn():
    marked = [user(part(str(at), OPENAI), part("x")) for at in range(5)]
    one = openai(*marked)
    rule = terms("openai_breakpoints")
    assert ends(one, written(one, rule)) == [4, 6, 8, 9]
    assert ends(one, matched(one, rule)) == list(range(10))
    explicit = openai(*marked, prompt_cache_options={"mode": "explicit"})
    assert ends(explicit, written(explicit, rule)) == [2, 4, 6, 8]
    assert ends(explicit, matched(explicit, rule)) == [0, 2, 4, 6, 8]


@pytest.mark.parametrize(
    "rule", ["openai_steps", "vllm_blocks", "gemini_implicit", "deepseek_units"]
)
def test_rules_without_marks_keep_and_find_any_block(rule):
    one = openai(user(part("a"), part("b")), user(part("c")))
    assert ends(one, written(one, terms(rule))) == [0, 1, 2]
    assert written(one, terms(rule)) == matched(one, terms(rule))


def test_lengths_are_counted_from_the_start_and_reach_the_minimum():
    one = openai(user(part("a" * 398)), user(part("b" * 398)))
    assert [tokens for _, tokens in written(one, terms("openai_steps"))] == [100, 200]
    assert ends(one, written(one, terms("openai_steps", 101))) == [1]


def test_nothing_is_kept_without_a_rule_or_of_a_prompt_of_unknown_shape():
    odd = openai({"role": "nobody"})
    assert written(openai(user(part("a"))), terms("none")) == []
    assert matched(openai(user(part("a"))), terms("none")) == []
    for rule in ("openai_steps", "anthropic_marks", "openai_breakpoints"):
        assert written(odd, terms(rule)) == matched(odd, terms(rule)) == []
