"""A client that goes away takes its upstream call with it, unless others follow that call."""

import socket
import time

import pytest

from tests.fakes.misbehaving import Misbehaving
from tests.fakes.misbehaviours import chat_body, chat_events
from tests.fakes.penstock import running
from tests.fakes.raw_http import connected, head

YAML = """
backends:
  fake: {use: http, base_url: "${FAKE}/v1", retry: {attempts: 3}, breaker: {failures: 0}}
routes: [{send: fake, pipeline: safe}]
"""
SEVERAL = """
backends:
  one: {use: http, base_url: "${FAKE}/v1"}
  two: {use: http, base_url: "${FAKE}/v1"}
"""
CHAT = "/v1/chat/completions"
BOUND = 2.0  # seconds; the aim is 0.1, which a busy machine may miss
STILL = 0.3  # seconds in which nothing must happen


@pytest.fixture(scope="module")
def fake():
    with Misbehaving() as server:
        yield server


@pytest.fixture(scope="module")
def penstock(fake):
    with running(YAML, env={"FAKE": fake.url}) as server:
        yield server


def ask(client, behaviour, body=b"", path=CHAT, method="POST"):
    client.send(head(method, path, [("x-fake", behaviour)], len(body)), body)


def body_of(request, stream="false"):
    name = request.node.name.encode().hex()
    return f'{{"model":"m","stream":{stream},"user":"{name}"}}'.encode()


def arrived(fake, calls):
    """The upstream call after so many, once it is there."""
    until = time.monotonic() + 10
    while fake.calls <= calls:
        assert time.monotonic() < until
        time.sleep(0.002)
    return fake.requests[calls]


def cancelled(seen, since, what):
    assert seen.left.wait(BOUND), f"{what}: the upstream call goes on"
    print(f"{what}: cancelled after {1000 * (seen.gone - since):.0f} ms")


def in_flight(fake, calls):
    time.sleep(STILL)
    assert fake.calls == calls + 1


def test_while_waiting_for_a_plain_reply(penstock, fake, request):
    calls = fake.calls
    with connected(penstock.port) as client:
        ask(client, "hang", body_of(request))
        seen = arrived(fake, calls)
    cancelled(seen, time.monotonic(), "plain")
    in_flight(fake, calls)


def test_while_reading_a_stream(penstock, fake, request):
    calls = fake.calls
    with connected(penstock.port) as client:
        ask(client, "hang-body", body_of(request, "true"))
        client.until(b"data:")
        seen = arrived(fake, calls)
    cancelled(seen, time.monotonic(), "streamed")
    in_flight(fake, calls)


@pytest.mark.parametrize("behaviour", ["hang", "hang-body"])
def test_while_downloading(penstock, fake, behaviour):
    calls = fake.calls
    with connected(penstock.port) as client:
        ask(client, behaviour, path="/v1/files/x/content", method="GET")
        seen = arrived(fake, calls)
        if behaviour == "hang-body":
            client.until(b"data:")
    cancelled(seen, time.monotonic(), f"pass-through, {behaviour}")


def test_while_uploading(penstock, fake):
    calls = fake.calls
    with connected(penstock.port) as client:
        client.send(head("POST", "/v1/files", [("x-fake", "hang")], 10**6), b"a part of it")
        seen = arrived(fake, calls)
    cancelled(seen, time.monotonic(), "upload")


@pytest.mark.parametrize("behaviour", ["hang", "hang-body"])
def test_while_a_list_of_models_is_merged(fake, behaviour):
    with running(SEVERAL, env={"FAKE": fake.url}) as server, connected(server.port) as client:
        calls = fake.calls
        ask(client, behaviour, path="/v1/models", method="GET")
        seen = [arrived(fake, calls), arrived(fake, calls + 1)]
        time.sleep(0.05)  # a reply has begun
        since = time.monotonic()
        client.close()
        for one in seen:
            cancelled(one, since, f"a list, {behaviour}")


@pytest.mark.parametrize("first_leaves", [True, False])
def test_others_who_follow_keep_the_call_alive(penstock, fake, request, first_leaves):
    calls = fake.calls
    with connected(penstock.port) as one, connected(penstock.port) as two:
        for client in (one, two):
            ask(client, "hang-body", body_of(request, "true"))
            client.until(b"data:")
        seen = arrived(fake, calls)
        assert fake.calls == calls + 1
        leaver, stayer = (one, two) if first_leaves else (two, one)
        leaver.close()
        assert not seen.left.wait(STILL)
        stayer.close()
        cancelled(seen, time.monotonic(), "the last of two")


@pytest.mark.parametrize(("behaviour", "stream"), [("late:0.7", "false"), ("slow:0.15", "true")])
def test_who_closes_one_half_gets_the_answer(penstock, fake, request, behaviour, stream):
    calls = fake.calls
    with connected(penstock.port) as client:
        ask(client, behaviour, body_of(request, stream))
        client.sock.shutdown(socket.SHUT_WR)
        reply = client.response("POST")
        assert reply.status == 200
        assert reply.read() == (chat_body() if stream == "false" else b"".join(chat_events()))
    assert fake.calls == calls + 1


@pytest.mark.parametrize("behaviour", ["hang", "hang-body"])
def test_who_closes_one_half_and_then_the_other_has_gone(penstock, fake, request, behaviour):
    calls = fake.calls
    with connected(penstock.port) as client:
        ask(client, behaviour, body_of(request, "true"))
        seen = arrived(fake, calls)
        client.sock.shutdown(socket.SHUT_WR)
        assert not seen.left.wait(0.02)
    cancelled(seen, time.monotonic(), f"one half and then the other, {behaviour}")


def test_a_request_after_a_hang_up_is_answered(penstock, fake, request):
    calls = fake.calls
    with connected(penstock.port) as client:
        ask(client, "hang", body_of(request))
        seen = arrived(fake, calls)
    cancelled(seen, time.monotonic(), "before another")
    with connected(penstock.port) as client:
        ask(client, "chat", body_of(request))
        assert client.response().status == 200


def test_the_server_is_unharmed(penstock):
    assert penstock.process.poll() is None
    assert "Traceback" not in penstock.output()
