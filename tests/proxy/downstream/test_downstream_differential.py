"""The same bytes to uvicorn's own protocol and to ours, whole and cut at every boundary."""

import asyncio

import pytest
from asgi_server import echo, error_of, responses, serving
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from proxy.downstream import Connection

_LAST = b"GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
_BODY = b"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
_CHUNKED = (
    b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;ext=1\r\nabc\r\n0002\r\nde\r\n0\r\n\r\n"
)

STREAMS = {
    "plain": (b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", ["GET"]),
    "target": (b"GET /a%20b/%2F%C3%A9?c=d?e&f=%20 HTTP/1.1\r\nHost: h\r\n\r\n", ["GET"]),
    "no query": (b"GET /a? HTTP/1.1\r\n\r\n", ["GET"]),
    "fragment": (b"GET /a?b#c HTTP/1.1\r\n\r\n", ["GET"]),
    "slashes": (b"GET //a//b HTTP/1.1\r\n\r\n", ["GET"]),
    "absolute": (b"GET http://h:80/a/b?c HTTP/1.1\r\nHost: h\r\n\r\n", ["GET"]),
    "star": (b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", ["OPTIONS"]),
    "length": (_BODY, ["POST"]),
    "chunks": (_CHUNKED, ["POST"]),
    "spaces": (b"\r\n\r\nGET /  HTTP/1.1\r\nA:b\r\nC: \t d  e \t\r\nF:\r\n\r\n", ["GET"]),
    "pipeline": (_BODY + _CHUNKED + _BODY, ["POST"] * 3),
    "repeated headers": (b"GET / HTTP/1.1\r\nA: b\r\na: c\r\n\r\n", ["GET"]),
    "head": (b"HEAD /chunked HTTP/1.1\r\nHost: h\r\n\r\n", ["HEAD"]),
    "head with length": (b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", ["HEAD"]),
    "reply in chunks": (b"GET /chunked HTTP/1.1\r\nHost: h\r\n\r\n", ["GET"]),
    "no content": (b"GET /empty/204 HTTP/1.1\r\nHost: h\r\n\r\n", ["GET"]),
    "not modified": (b"GET /empty/304 HTTP/1.1\r\nHost: h\r\n\r\n", ["GET"]),
    "version 1.0": (b"GET / HTTP/1.0\r\nA: b\r\n\r\n", ["GET"]),
    "expect": (b"POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\nab", ["POST"]),
}


def bare(read):
    """Without what may differ: how a connection is kept or closed."""
    return [
        (status, {n: v for n, v in headers.items() if n != b"connection"}, body)
        for status, headers, body in read
    ]


@pytest.mark.parametrize("name", STREAMS)
async def test_ours_answers_as_uvicorns_wherever_the_bytes_are_cut(name):
    data, methods = STREAMS[name]
    if b"close" not in data and b"1.0" not in data:
        data, methods = data + _LAST, [*methods, "GET"]
    async with serving(echo, HttpToolsProtocol, date_header=False) as theirs:
        want = bare(responses(await theirs.talk(data), methods))
    assert len(want) == len(methods)
    async with serving(echo, date_header=False) as ours:
        for start in range(0, len(data), 64):
            cuts = range(start, min(start + 64, len(data)))
            got = await asyncio.gather(*(ours.talk(data[:cut], data[cut:]) for cut in cuts))
            for cut, text in zip(cuts, got, strict=True):
                assert bare(responses(text, methods)) == want, cut


async def test_what_comes_with_a_last_request_is_not_served():
    data = _LAST + b"GET /never HTTP/1.1\r\n\r\n"
    for protocol in (HttpToolsProtocol, Connection):
        async with serving(echo, protocol) as site:
            assert len(responses(await site.talk(data), ["GET", "GET"])) == 1


async def test_byte_by_byte_is_the_same_too():
    data = _BODY + _CHUNKED + _LAST
    async with serving(echo) as ours:
        whole, bytewise = await ours.talk(data), await ours.talk(*(bytes([b]) for b in data))
    assert whole == bytewise
    assert len(responses(whole, ["POST", "POST", "GET"])) == 3


@pytest.mark.parametrize(
    "data",
    [
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header: x\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nA : b\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\0\r\n\r\n",
        b"GET / HTTP/1.1\nA: b\n\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.7\r\n\r\n",
        b"CONNECT h:1 HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_both_refuse_what_could_be_read_in_two_ways(data):
    async with serving(echo, HttpToolsProtocol) as theirs:
        assert (await theirs.talk(data)).startswith(b"HTTP/1.1 400 ")
    async with serving(echo) as ours:
        status, error = error_of(await ours.talk(data))
    assert (status, error["code"]) == (400, "invalid_http")
