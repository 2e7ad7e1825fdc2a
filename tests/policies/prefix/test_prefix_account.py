from hypothesis import given
from hypothesis import strategies as st

from policies.base.terms import Terms
from policies.base.usage import Usage
from policies.prefix.account import Account, Bill, unwritten_risk, written_risk
from policies.prefix.placing import Point
from policies.prefix.traffic import Visit
from policies.prefix.venture import Sent, booked

CLAUDE = Terms(rule="anthropic_marks", read=0.1, write=1.25, minimum=1024)
GPT = Terms(rule="openai_breakpoints", read=0.1, write=1.25, minimum=1024)
NOW = 1e9


def test_nothing_is_ventured_before_anything_is_shown():
    assert not Account().covers(1.0, NOW)
    assert Account().covers(1.0, NOW, shown=2.0)


def test_savings_cover_a_venture_and_others_under_way_count():
    account = Account()
    account.book(1000.0, 100.0)
    assert account.covers(900.0, NOW)
    account.venture(500.0)
    assert not account.covers(500.0, NOW)
    account.close(500.0)
    assert account.covers(500.0, NOW)


def test_nothing_is_owed_once_all_have_been_answered():
    account = Account()
    for risk in (0.1, 0.2, 0.7):  # sums of fractions do not come back to nought by themselves
        account.venture(risk)
    assert not account.lends(1.0, NOW + 86400.0)
    for risk in (0.7, 0.1, 0.2):
        account.close(risk)
    assert account.lends(1.0, NOW)
    account.close(0.0)
    account.close(1.0)  # of an account that was forgotten meanwhile
    assert account.lends(1.0, NOW)


def test_the_one_venture_is_made_once_it_is_answered_and_not_if_it_failed():
    account = Account()
    account.venture(100.0, guess=True)
    assert account.ventured
    account.close(100.0, guess=True)
    assert not account.ventured
    account.spend()
    assert account.ventured


def test_a_little_is_lent_while_nothing_is_owed():
    account = Account()
    assert account.lends(1000.0, NOW)
    assert not account.lends(1e6, NOW)
    account.book(4000.0, 5000.0)
    assert not account.lends(1000.0, NOW)


def test_what_may_have_to_be_paid_after_all_covers_nothing_yet():
    account = Account()
    account.save(1000.0, 800.0, NOW, 300.0)
    assert not account.covers(200.0, NOW + 299)
    assert account.covers(200.0, NOW + 330)
    account.save(1000.0, 1200.0, NOW, 300.0)  # a loss counts at once
    assert not account.covers(1.0, NOW + 330)


def test_savings_of_a_lifetime_take_little_memory():
    account = Account()
    for number in range(10_000):
        account.save(2.0, 1.0, NOW + number / 100, 300.0)
    assert len(account._unripe) < 20
    assert account.covers(10_000.0, NOW + 1000)


ventures = st.lists(st.tuples(st.floats(10, 1000), st.booleans(), st.booleans()), max_size=200)


@given(ventures)
def test_losses_are_bounded_whatever_comes(requests):
    """Each a prompt of so many tokens, whether its like was seen, whether it is read again."""
    account, paid, direct, most = Account(), 0.0, 0.0, 0.0
    for tokens, seen, read in requests:
        risk = 0.25 * tokens
        most = max(most, risk)
        direct += tokens
        cost = tokens
        if account.covers(risk, NOW, 0.65 * tokens if seen else 0.0):
            cost = 0.1 * tokens if read else 1.25 * tokens
        account.book(tokens, cost)
        paid += cost
    assert paid <= 1.005 * direct + 5 * most + 1e-6


def point(block, tokens, **more):
    return Point(block, tokens, 0.5, **more)


def test_a_mark_risks_its_write_less_what_is_read():
    cold, warm = point(1, 4000.0), point(0, 2000.0, warm=True)
    assert written_risk((), (), CLAUDE) == 0.0
    assert written_risk((cold,), (cold,), CLAUDE) == 1000.0
    assert written_risk((cold,), (warm, cold), CLAUDE) == 500.0 - 1800.0


def test_a_tail_left_unwritten_risks_that_it_would_have_been_read():
    tail = point(3, 5000.0)
    assert unwritten_risk((), tail, GPT) == 4500.0
    assert unwritten_risk((point(0, 3000.0),), tail, GPT) == 1800.0


def visit(**more):
    usual = {
        "keys": (b"a", b"b"),
        "tokens": (2000.0, 5000.0),
        "tail": 1,
        "previous": -1,
        "head": 0,
        "kind": "opening",
        "now": NOW,
        "size": 20_000,
        "warm": -1,
        "shards": 1,
        "seen": 0.0,
        "lead": 0.0,
        "whole": 5000.0,
    }
    return Visit(**(usual | more))


def test_direct_caches_nothing_without_marks():
    usage = Usage(uncached=100, read=4000, write=900, output=1)
    sent = Sent(visit(), frozenset(), True, CLAUDE)
    assert booked(sent, usage) == (5000.0, 100 + 400 + 1125.0)


def test_direct_writes_the_tail_where_openai_marks_it():
    usage = Usage(uncached=5000, output=1)
    sent = Sent(visit(), frozenset(), False, GPT)
    assert booked(sent, usage) == (6250.0, 5000.0)
    lost = Sent(visit(lead=4000.0), frozenset(), False, GPT)
    assert booked(lost, usage) == (400 + 1250.0, 5000.0)


def test_what_only_marks_make_readable_is_gained():
    usage = Usage(uncached=0, read=2000, write=3000, output=1)
    sent = Sent(visit(warm=0), frozenset({0, 1}), True, GPT)
    direct, paid = booked(sent, usage)
    assert (paid, direct) == (200 + 3750.0, 6250.0)
    same = Sent(visit(warm=0, lead=2000.0), frozenset({0, 1}), True, GPT)
    assert booked(same, usage) == (paid, paid)


def test_without_a_report_it_is_taken_to_come_as_expected():
    sent = Sent(visit(warm=0), frozenset({1}), True, CLAUDE)
    assert booked(sent, None) == (5000.0, Bill(0.0, 2000.0, 3000.0).paid(CLAUDE))
