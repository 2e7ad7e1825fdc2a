"""What the application sees and does, over real sockets."""

import asyncio
import contextlib
import gc
import json
import logging

import pytest
from asgi_server import answer, body_of, echo, error_of, responses, serving, turns, until

from proxy.outlet import outlet
from proxy.send import CLIENT

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


def counting(site, log):
    """Have each write of the newest connection logged."""
    transport = site.made[-1].transport

    class Counted:
        def __getattr__(self, name):
            return getattr(transport, name)

        def write(self, data):
            log.append(bytes(data))
            transport.write(data)

        def writelines(self, parts):
            log.append(b"".join(parts))
            transport.writelines(parts)

    connection = site.made[-1]
    connection.outlet = outlet(Counted(), connection.loop)


@pytest.mark.parametrize("size", [0, 700, 10**6])
@pytest.mark.parametrize("length", [True, False])
async def test_a_response_is_one_write(size, length):
    async def app(scope, receive, send):
        await answer(send, b"x" * size, length=length)

    async with serving(app) as site:
        _, writer = await site.connect()
        await until(lambda: site.made)
        writes = []
        counting(site, writes)
        for number in (1, 2):
            writer.write(GET)
            await until(lambda number=number: site.state.total_requests == number)
            assert len(writes) == number
            assert responses(writes[-1], ["GET"])[0][2] == b"x" * size
        writer.close()


async def test_the_head_goes_out_at_once_when_the_body_is_slow():
    gate = asyncio.Event()

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
        await gate.wait()
        await send({"type": "http.response.body", "body": b"data: x\n\n", "more_body": True})
        await gate.wait()
        await send({"type": "http.response.body", "body": b"end"})

    async with serving(app) as site:
        reader, writer = await site.connect()
        writer.write(LAST)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 200 OK\r\na: b\r\n")
        gate.set()
        assert await reader.read() == b"9\r\ndata: x\n\n\r\n3\r\nend\r\n0\r\n\r\n"
        writer.close()


async def test_an_iterator_of_headers_and_the_servers_own():
    async def app(scope, receive, send):
        headers = ((name, b"1") for name in (b"a", b"b"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body"})

    async with serving(app) as site:
        site.state.default_headers = [(b"server", b"x")]
        ((status, headers, body),) = responses(await site.talk(LAST), ["GET"])
        assert (status, body) == (200, b"")
        assert {b"a": b"1", b"b": b"1", b"server": b"x"}.items() <= headers.items()


async def test_bodies_come_as_they_arrive():
    seen = []

    async def app(scope, receive, send):
        while True:
            message = await receive()
            seen.append((message["body"], message["more_body"]))
            if not message["more_body"]:
                break
        await answer(send)
        assert (await receive())["type"] == "http.disconnect"

    async with serving(app) as site:
        reader, writer = await site.connect()
        writer.write(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (b"a", b"bc"):
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await until(lambda piece=piece: seen and seen[-1][0] == piece)
        writer.write(b"0\r\n\r\n")
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        assert seen == [(b"a", True), (b"bc", True), (b"", False)]
        writer.close()


async def test_continue_is_said_when_the_body_is_asked_for():
    gate = asyncio.Event()

    async def app(scope, receive, send):
        await gate.wait()
        await answer(send, await body_of(receive))

    async with serving(app) as site:
        reader, writer = await site.connect()
        writer.write(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        await until(lambda: site.state.tasks)
        await turns()
        assert not reader._buffer
        gate.set()
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ab" + LAST)
        assert (await reader.readuntil(b"\r\n\r\nab")).startswith(b"HTTP/1.1 200 OK")
        writer.close()


async def test_without_being_asked_for_the_body_the_connection_ends():
    async def app(scope, receive, send):
        await answer(send, status=413)

    async with serving(app) as site:
        text = await site.talk(
            b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        assert text.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in text


async def test_version_1_0_is_kept_alive_where_the_length_is_known():
    async def app(scope, receive, send):
        await answer(send, scope["path"].encode(), length=scope["path"] != "/3")

    async with serving(app) as site:
        line = b"GET /%d HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        text = await site.talk(line % 1 + line % 2 + line % 3 + line % 4)
        assert text.count(b"connection: keep-alive") == 2
        assert text.endswith(b"connection: close\r\n\r\n/3")


async def test_pipelined_requests_are_served_one_at_a_time_in_order():
    running = 0

    async def app(scope, receive, send):
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0)
        running -= 1
        await answer(send, scope["path"].encode())

    async with serving(app) as site:
        data = b"".join(b"GET /%d HTTP/1.1\r\n\r\n" % n for n in range(200))
        read = responses(await site.talk(data + LAST), ["GET"] * 201)
        assert [body for _, _, body in read] == [b"/%d" % n for n in range(200)] + [b"/"]


async def test_the_requests_before_a_bad_one_are_served_first():
    async with serving(echo) as site:
        text = await site.talk(GET + GET + b"nonsense\r\n\r\n")
        assert [status for status, _, _ in responses(text, ["GET"] * 3)] == [200, 200, 400]


@pytest.mark.parametrize("rest", [b"nonsense\r\n\r\n", b"\0" * 13, GET + b"nonsense\r\n\r\n"])
async def test_a_body_whose_end_comes_with_nonsense_is_waited_for_no_longer(rest):
    async with serving(echo) as site:
        head = b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n"
        read = responses(await site.talk(head, b"body" + rest), ["POST", "GET", "GET"])
        statuses = [status for status, _, _ in read]
        assert statuses == [200] * (1 + rest.startswith(GET)) + [400]


async def test_a_request_that_breaks_in_its_body():
    started, told = [], []

    async def app(scope, receive, send):
        started.append(scope["path"])
        if scope["path"] == "/begun":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
        message = {"more_body": True}
        while message.get("more_body"):
            message = await receive()
        told.append(message["type"])
        await answer(send)

    async with serving(app) as site:
        head = b"POST %b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"
        assert error_of(await site.talk(head % b"/", b"zz\r\n"))[0] == 400
        assert told == ["http.disconnect"]
        text = await site.talk(head % b"/begun", b"zz\r\n")
        assert text.endswith(b"4\r\nhalf\r\n")
        await until(lambda: told == ["http.disconnect"] * 2)
        read = responses(await site.talk(GET + head % b"/never" + b"zz"), ["GET", "POST"])
        assert [status for status, _, _ in read] == [200, 400]
        assert started == ["/", "/begun", "/"]


async def test_an_application_that_raises(caplog):
    async def app(scope, receive, send):
        raise ValueError("the prompt")

    async with serving(app) as site:
        status, error = error_of(await site.talk(GET))
    assert (status, error["type"]) == (500, "server_error")
    (record,) = caplog.records
    assert record.getMessage().startswith("ValueError in ")
    assert "test_downstream_exchange.py" in record.getMessage()
    assert "the prompt" not in caplog.text


async def test_an_application_that_raises_after_a_head_that_was_not_sent(caplog):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async with serving(app) as site:
        assert error_of(await site.talk(GET))[0] == 500
    assert "RuntimeError" in caplog.text


async def test_a_head_that_smuggles_is_not_sent(caplog):
    async def app(scope, receive, send):
        await answer(send, headers=[(b"a", b"b\r\nset-cookie: evil")])

    async with serving(app) as site:
        text = await site.talk(GET)
    assert error_of(text)[0] == 500
    assert b"evil" not in text
    assert caplog.text.count("ValueError") == 1


async def begun_and(send, how):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    if how == "raises":
        raise ValueError("the prompt")


@pytest.mark.parametrize(("how", "lines"), [("returns", 0), ("raises", 1)])
async def test_a_response_that_was_begun_is_cut(how, lines, caplog):
    async def app(scope, receive, send):
        await begun_and(send, how)

    async with serving(app) as site:
        text = await site.talk(GET)
    assert text.endswith(b"\r\n\r\n4\r\nhalf\r\n")
    assert len(caplog.records) == lines


@pytest.mark.parametrize("how", ["returns", "raises"])
async def test_version_1_0_learns_of_a_cut_from_a_reset(how):
    async def app(scope, receive, send):
        await begun_and(send, how)

    async with serving(app) as site:
        with pytest.raises(ConnectionResetError):
            await site.talk(b"GET / HTTP/1.0\r\n\r\n")


@pytest.mark.parametrize("body", [b"", b"ab", b"abcd"])
async def test_a_body_of_another_length_closes_the_connection(body, caplog):
    async def app(scope, receive, send):
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]}
        )
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": body})
        await send({"type": "http.response.body", "body": b"more"})  # nobody is there: no error

    async with serving(app) as site:
        text = await site.talk(GET)
    assert len(text.partition(b"\r\n\r\n")[2]) < 3
    assert len(caplog.records) == 1


async def test_an_application_that_says_nothing(caplog):
    async def app(scope, receive, send):
        pass

    async with serving(app) as site:
        assert error_of(await site.talk(GET))[0] == 500
    assert len(caplog.records) == 1


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_a_hang_up_is_told_in_both_ways(how):
    told = []

    async def app(scope, receive, send):
        scope["extensions"][CLIENT].on_disconnect(lambda _: told.append("called"))
        await body_of(receive)
        told.append((await receive())["type"])
        scope["extensions"][CLIENT].on_disconnect(lambda _: told.append("late"))
        await answer(send, b"still here")

    async with serving(app) as site:
        _, writer = await site.connect()
        writer.write(LAST)
        await until(lambda: site.state.tasks)
        if how == "abort":
            writer.transport.abort()
        else:
            writer.close()
        await until(lambda: len(told) == 3)
        assert sorted(told) == ["called", "http.disconnect", "late"]
        await until(lambda: not site.state.connections)
        assert not site.state.tasks


@contextlib.asynccontextmanager
async def half_closed(*, streams, ask=LAST):
    """`(goes on, told, reader)` of an application whose client has just closed its half."""
    go, told = asyncio.Event(), []

    async def app(scope, receive, send):
        scope["extensions"][CLIENT].on_disconnect(lambda _: told.append("called"))
        await body_of(receive)
        if streams:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"begun, ", "more_body": True})
        await go.wait()
        if not streams:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"still here"})

    async with serving(app) as site:
        reader, writer = await site.connect()
        writer.write(ask)
        await until(lambda: site.state.tasks)
        await turns()
        writer.write_eof()
        yield go, told, reader
        await until(lambda: not site.state.connections)
        writer.close()


@pytest.mark.parametrize(
    ("streams", "body"), [(False, b"still here"), (True, b"begun, still here")]
)
@pytest.mark.parametrize("pause", [0.0, 0.1])
async def test_who_closes_one_half_is_answered(streams, body, pause):
    async with half_closed(streams=streams) as (go, told, reader):
        await asyncio.sleep(pause)  # in which the client is asked whether it is there
        go.set()
        text = await asyncio.wait_for(reader.read(), 10)
    assert told == []
    assert (b"100 Continue" in text) is not streams
    ((status, _, got),) = responses(text, ["GET"])
    assert (status, got) == (200, body)


async def test_who_cannot_be_asked_has_hung_up():
    old = b"GET / HTTP/1.0\r\n\r\n"
    async with half_closed(streams=False, ask=old) as (go, told, reader):
        await until(lambda: told)
        go.set()
        assert (await reader.read()).endswith(b"still here")  # what is sent all the same goes out


async def test_a_half_close_does_not_lose_the_requests_before_it():
    async with serving(echo) as site:
        text = await site.talk(GET * 3, half_close=True)
        text = text.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
        assert [status for status, _, _ in responses(text, ["GET"] * 3)] == [200] * 3


async def test_a_half_close_within_a_request_ends_it():
    told = []

    async def app(scope, receive, send):
        told.append(await receive())
        told.append(await receive())

    async with serving(app) as site:
        head = b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"
        assert await site.talk(head, half_close=True) == b""
        await until(lambda: len(told) == 2)
        assert told[1] == {"type": "http.disconnect"}


async def test_no_listener_is_called_after_the_response_or_when_taken_back():
    told = []

    async def app(scope, receive, send):
        listen = scope["extensions"][CLIENT].on_disconnect
        listen(lambda _: told.append("called"))
        if scope["path"] == "/back":
            listen(None)
            await asyncio.sleep(0.01)
        else:
            await answer(send)

    async with serving(app) as site:
        await site.talk(LAST)
        _, writer = await site.connect()
        writer.write(b"GET /back HTTP/1.1\r\n\r\n")
        await until(lambda: site.state.tasks)
        writer.transport.abort()
        await until(lambda: not site.state.tasks)
        assert told == []


async def test_who_goes_with_the_whole_response_cancels_nothing_any_more():
    """The loop was told of the hang-up first, and comes to it when the response is complete."""
    told, ended = [], []

    async def app(scope, receive, send):
        client = scope["extensions"][CLIENT]
        client.on_disconnect(told.append)
        site.made[-1]._current.hung_up()
        client.respond(200, ((b"content-length", b"2"),), b"ok")
        await until(lambda: told)
        told[0]()
        await asyncio.sleep(0.01)  # it has yet to do its books
        ended.append(True)

    async with serving(app) as site:
        assert (await site.talk(LAST)).endswith(b"ok")
        await until(lambda: ended)


async def test_sending_after_the_client_has_gone_is_silent(caplog):
    done = asyncio.Event()

    async def app(scope, receive, send):
        await body_of(receive)
        await receive()
        await asyncio.sleep(0.01)
        await answer(send, headers=[(b"a", b"\n")])  # would be refused
        done.set()

    async with serving(app) as site:
        _, writer = await site.connect()
        writer.write(GET)
        await until(lambda: site.state.tasks)
        writer.transport.abort()
        # Closed, not reset: the half that is left shows nothing until it is written to.
        if site.made[-1].transport.is_closing():
            await asyncio.wait_for(done.wait(), 5)
        await until(lambda: not site.state.tasks)
    assert caplog.text.count("Error") <= 1


async def test_a_request_leaves_nothing_for_the_collector():
    async def app(scope, receive, send):
        await answer(send, await body_of(receive))

    async with serving(app) as site:
        reader, writer = await site.connect()
        post = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab"
        for count in (10, 200):
            gc.collect()
            gc.disable()
            try:
                for _ in range(count):
                    writer.write(post)
                    await reader.readuntil(b"\r\n\r\nab")
            finally:
                gc.enable()
            found = gc.collect()
        assert found < 200
        writer.close()


async def test_scope_extensions_and_addresses():
    seen = {}

    async def app(scope, receive, send):
        seen.update(scope)
        await answer(send)

    async with serving(app, root_path="/root") as site:
        await site.talk(b"GET /a%2Fb?c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert seen["server"] == ("127.0.0.1", site.port)
    assert seen["client"][0] == "127.0.0.1"
    assert (seen["type"], seen["scheme"], seen["http_version"]) == ("http", "http", "1.1")
    assert (seen["path"], seen["raw_path"]) == ("/root/a/b", b"/root/a%2Fb")
    assert seen["asgi"]["version"] == "3.0"
    assert seen["state"] == {"x": 1}
    assert logging.getLogger("penstock.downstream").name
    assert json.dumps(seen["root_path"]) == '"/root"'
