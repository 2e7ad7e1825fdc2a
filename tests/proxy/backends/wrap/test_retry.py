import time
from email.utils import formatdate

import pytest
from backends import JSON, Scripted, call, whole
from hypothesis import given
from hypothesis import strategies as st

from policies.base.body import Body
from proxy.backends.wrap.breaker import Breaker, BreakerSettings
from proxy.backends.wrap.fallback import Fallback
from proxy.backends.wrap.retry import Retry, RetrySettings, retry_after
from proxy.errors import BrokenReply, ConnectFailed, Overloaded, UpstreamTimeout
from proxy.upstream import NoReply

QUICK = RetrySettings(attempts=3, backoff=0.001)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529])
async def test_what_may_pass_is_tried_again(status):
    inner = Scripted(whole(status=status), whole(b"fine"))
    reply = await Retry(inner, QUICK).send(call())
    assert (reply.status, reply.whole, reply.attempts) == (200, b"fine", 2)


@pytest.mark.parametrize("error", [ConnectFailed("no"), NoReply("hung up")])
async def test_errors_before_the_first_byte_are_tried_again(error):
    inner = Scripted(error, error, whole(b"fine"))
    assert (await Retry(inner, QUICK).send(call())).attempts == 3


@pytest.mark.parametrize("error", [UpstreamTimeout("slow"), BrokenReply("half")])
async def test_errors_after_which_work_may_be_under_way_are_not(error):
    inner = Scripted(error, whole())
    with pytest.raises(type(error)):
        await Retry(inner, QUICK).send(call())
    assert len(inner.calls) == 1


@pytest.mark.parametrize("status", [200, 400, 401, 404, 422])
async def test_answers_are_final(status):
    inner = Scripted(whole(status=status), whole())
    assert (await Retry(inner, QUICK).send(call())).status == status
    assert len(inner.calls) == 1


async def test_the_last_answer_is_passed_on_as_it_is():
    inner = Scripted(*[whole(b"busy", status=429)] * 3)
    reply = await Retry(inner, QUICK).send(call())
    assert (reply.status, reply.whole, len(inner.calls)) == (429, b"busy", 3)


async def test_an_upstream_that_asks_for_too_much_patience_is_passed_on():
    headers = (*JSON, (b"retry-after", b"3600"))
    inner = Scripted(whole(status=429, headers=headers), whole())
    assert (await Retry(inner, QUICK).send(call())).status == 429
    assert len(inner.calls) == 1


SENT = "Sun, 06 Nov 1994 08:49:37 GMT"
SOON = [SENT.replace(":37", ":40"), "Sunday, 06-Nov-94 08:49:40 GMT", "Sun Nov  6 08:49:40 1994"]


def dated(*fields):
    return whole(headers=tuple((name.encode(), value.encode()) for name, value in fields))


@pytest.mark.parametrize("until", SOON)
def test_a_date_counts_from_the_upstreams_own(until):
    assert retry_after(dated(("date", SENT), ("retry-after", until))) == 3.0
    assert retry_after(dated(("retry-after", until))) == 0.0  # long ago by our clock
    assert retry_after(dated(("retry-after-ms", "soon"), ("retry-after", "7"))) == 7.0


def test_a_date_without_a_clock_counts_from_now():
    until = formatdate(time.time() + 100, usegmt=True)
    assert 90 < retry_after(dated(("retry-after", until), ("date", "today"))) <= 100


@given(st.text(st.characters(max_codepoint=255)), st.text(st.characters(max_codepoint=255)))
def test_any_words_are_a_time_to_wait_or_none(value, date):
    fields = ((b"retry-after", value.encode("latin-1")), (b"date", date.encode("latin-1")))
    found = retry_after(whole(headers=fields))
    assert found is None or found >= 0


async def test_a_date_too_far_off_is_passed_on():
    until = formatdate(time.time() + 3600, usegmt=True).encode()
    inner = Scripted(whole(status=429, headers=(*JSON, (b"retry-after", until))), whole())
    assert (await Retry(inner, QUICK).send(call())).status == 429


async def test_an_upload_is_never_sent_twice():
    for first in (whole(status=429), whole(status=503)):
        inner = Scripted(first, whole())
        assert (await Retry(inner, QUICK).send(call(upload=object()))) is first
    with pytest.raises(NoReply):
        await Retry(Scripted(NoReply("hung up"), whole()), QUICK).send(call(upload=object()))


@pytest.mark.parametrize("upload", [None, object()])
async def test_what_was_never_sent_is_sent_again(upload):
    inner = Scripted(ConnectFailed("no"), whole())
    write = call(upload=upload, body=Body(b"", b'{"input_file_id":"f"}'))
    assert (await Retry(inner, QUICK).send(write)).attempts == 2


@pytest.mark.parametrize(("status", "attempts"), [(429, 2), (500, 1), (503, 1)])
async def test_a_write_is_sent_again_only_if_it_was_turned_away(status, attempts):
    inner = Scripted(whole(status=status), whole())
    reply = await Retry(inner, QUICK).send(call(body=Body(b"", b'{"input_file_id":"f"}')))
    assert reply.attempts == attempts


async def test_an_answer_on_which_the_breaker_opens_is_still_the_clients():
    inner = Scripted(whole(b"down", status=503), whole())
    chain = Retry(Breaker(inner, BreakerSettings(failures=1)), QUICK)
    reply = await chain.send(call())
    assert (reply.status, reply.whole, reply.attempts) == (503, b"down", 1)
    with pytest.raises(Overloaded):
        await chain.send(call())


async def test_an_error_on_which_the_breaker_opens_is_told_as_it_is():
    chain = Retry(Breaker(Scripted(ConnectFailed("no")), BreakerSettings(failures=1)), QUICK)
    with pytest.raises(ConnectFailed):
        await chain.send(call())


async def test_retries_stop_when_the_budget_is_spent():
    inner = Scripted(*[whole(status=503)] * 300)
    retry = Retry(inner, RetrySettings(attempts=3, backoff=0.0, budget=0.1))
    for _ in range(100):
        await retry.send(call())
    assert len(inner.calls) <= 100 + 10 + 10


async def test_the_breaker_opens_rests_and_probes(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("proxy.backends.wrap.breaker.time.monotonic", lambda: now[0])
    inner = Scripted(ConnectFailed("1"), whole(status=500), ConnectFailed("3"), whole(), whole())
    breaker = Breaker(inner, BreakerSettings(failures=2, rest=10.0))
    with pytest.raises(ConnectFailed):
        await breaker.send(call())
    await breaker.send(call())
    with pytest.raises(Overloaded) as refused:
        await breaker.send(call())
    assert refused.value.retry_after == 10.0
    now[0] = 10.1
    with pytest.raises(ConnectFailed):
        await breaker.send(call())  # the probe fails
    with pytest.raises(Overloaded):
        await breaker.send(call())
    now[0] = 20.3
    assert (await breaker.send(call())).status == 200
    assert (await breaker.send(call())).status == 200
    assert len(inner.calls) == 5


async def test_the_breaker_does_not_mind_callers_who_are_limited():
    inner = Scripted(*[whole(status=429)] * 20)
    breaker = Breaker(inner, BreakerSettings(failures=2))
    assert [(await breaker.send(call())).status for _ in range(20)] == [429] * 20


@pytest.mark.parametrize(
    "first", [ConnectFailed("no"), Overloaded("resting"), UpstreamTimeout("slow")]
)
async def test_the_next_backend_is_asked_when_the_first_fails(first):
    backends = [Scripted(first), Scripted(whole(b"fine", backend="b"), name="b")]
    assert (await Fallback(backends).send(call())).backend == "b"


async def test_the_last_backends_answer_counts():
    backends = [Scripted(whole(status=503)), Scripted(whole(b"no", status=500), name="b")]
    reply = await Fallback(backends).send(call())
    assert (reply.status, reply.whole) == (500, b"no")


async def test_a_request_that_is_wrong_is_not_sent_on():
    backends = [Scripted(whole(status=400)), Scripted(whole())]
    assert (await Fallback(backends).send(call())).status == 400
    assert not backends[1].calls
