"""Replies as they stand on the wire, the ordinary and the odd, and what is to be read there.

Each connection ends after the bytes given. `peers` says where h11 or aiohttp are known to
read a case differently, and must therefore not be asked.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    wire: bytes
    body: bytes | None  # None: not a complete reply
    status: int = 200
    method: str = "GET"
    keep_alive: bool = True
    differs: frozenset[str] = field(default_factory=frozenset)


def _case(wire, body, **kw):
    kw["differs"] = frozenset(kw.pop("differs", "").split())
    return Case(wire.replace(b"\n", b"\r\n"), body, **kw)


SIZED = b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"
CHUNKED = b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n"

CASES = {
    "sized": _case(SIZED, b"hello"),
    "empty": _case(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", b""),
    "no reason": _case(b"HTTP/1.1 200\nContent-Length: 1\n\na", b"a"),
    "unknown status": _case(b"HTTP/1.1 599 Odd\nContent-Length: 1\n\na", b"a", status=599),
    "many headers": _case(
        b"HTTP/1.1 200 OK\n"
        + b"".join(b"X-%d: %d\n" % (i, i) for i in range(40))
        + b"Content-Length: 1\n\na",
        b"a",
    ),
    "repeated headers": _case(
        b"HTTP/1.1 200 OK\nSet-Cookie: a=1\nSet-Cookie: b=2\nContent-Length: 1\n\na", b"a"
    ),
    "spaces around value": _case(
        b"HTTP/1.1 200 OK\nX-A: \t b c \t \nX-B:\nContent-Length: 1\n\na", b"a"
    ),
    "latin-1 value": _case(
        b"HTTP/1.1 200 OK\nX-A: \xe9\xff\nContent-Length: 1\n\na", b"a", differs="aiohttp"
    ),
    "hop-by-hop": _case(
        b"HTTP/1.1 200 OK\nConnection: keep-alive, X-Gone\nX-Gone: 1\nKeep-Alive: timeout=5\n"
        b"Proxy-Authenticate: Basic\nUpgrade: h2c\nX-Kept: 1\nContent-Length: 1\n\na",
        b"a",
    ),
    "chunked": _case(CHUNKED + b"5\nhello\n1\n!\n0\n\n", b"hello!"),
    "chunked, empty": _case(CHUNKED + b"0\n\n", b""),
    "chunked, hex": _case(
        CHUNKED + b"00000A\n0123456789\n1f\n" + b"x" * 31 + b"\n0\n\n", b"0123456789" + b"x" * 31
    ),
    "chunk extensions": _case(CHUNKED + b'5;a=b;c="d e"\nhello\n0;last\n\n', b"hello"),
    "trailers": _case(CHUNKED + b"5\nhello\n0\nX-Sum: 1\nX-Empty:\n\n", b"hello"),
    "chunked in capitals": _case(
        b"HTTP/1.1 200 OK\nTRANSFER-ENCODING: Chunked\n\n1\na\n0\n\n", b"a"
    ),
    "body that looks like a head": _case(
        b"HTTP/1.1 200 OK\nContent-Length: 19\n\nHTTP/1.1 200 OK\n\n", b"HTTP/1.1 200 OK\r\n\r\n"
    ),
    "until close": _case(
        b"HTTP/1.1 200 OK\nContent-Type: text/plain\n\nhello", b"hello", keep_alive=False
    ),
    "until close, empty": _case(b"HTTP/1.1 200 OK\n\n", b"", keep_alive=False),
    "connection: close": _case(
        b"HTTP/1.1 200 OK\nConnection: close\nContent-Length: 5\n\nhello",
        b"hello",
        keep_alive=False,
    ),
    "1.0": _case(b"HTTP/1.0 200 OK\nContent-Length: 5\n\nhello", b"hello", keep_alive=False),
    "1.0 until close": _case(b"HTTP/1.0 200 OK\n\nhello", b"hello", keep_alive=False),
    "100 first": _case(b"HTTP/1.1 100 Continue\n\n" + SIZED, b"hello"),
    "103 and 102 first": _case(
        b"HTTP/1.1 103 Early Hints\nLink: </a>\n\nHTTP/1.1 102 Processing\n\n" + SIZED,
        b"hello",
        differs="aiohttp",  # takes 103 for the reply
    ),
    "HEAD": _case(
        b"HTTP/1.1 200 OK\nContent-Length: 500\n\n", b"", method="HEAD", keep_alive=False
    ),
    "HEAD, chunked": _case(CHUNKED, b"", method="HEAD", keep_alive=False),
    "204": _case(b"HTTP/1.1 204 No Content\n\n", b"", status=204),
    "304 with length": _case(b"HTTP/1.1 304 Not Modified\nContent-Length: 5\n\n", b"", status=304),
    "error": _case(
        b"HTTP/1.1 429 Slow Down\nRetry-After: 1\nContent-Length: 2\n\n{}", b"{}", status=429
    ),
    "two replies": _case(SIZED + SIZED, b"hello", keep_alive=False, differs="aiohttp"),
    "more than its length": _case(SIZED + b"!", b"hello", keep_alive=False, differs="aiohttp"),
    # not complete, or not HTTP
    "nothing": _case(b"", None),
    "half a head": _case(b"HTTP/1.1 200 OK\nContent-Le", None),
    "less than its length": _case(b"HTTP/1.1 200 OK\nContent-Length: 6\n\nhello", None),
    "half a chunk": _case(CHUNKED + b"5\nhel", None),
    "no last chunk": _case(CHUNKED + b"5\nhello\n", None),
    "half a last chunk": _case(CHUNKED + b"5\nhello\n0\n", None),
    "only interim": _case(b"HTTP/1.1 100 Continue\n\n", None),
    "101": _case(
        b"HTTP/1.1 101 Switching\nUpgrade: x\nConnection: upgrade\n\nabc", None, differs="aiohttp"
    ),
    "101, bare": _case(b"HTTP/1.1 101 Switching\n\nabc", None, differs="aiohttp"),
    "status 099": _case(b"HTTP/1.1 099 What\nContent-Length: 1\n\na", None, differs="aiohttp"),
    "status 2000": _case(b"HTTP/1.1 2000 OK\nContent-Length: 1\n\na", None),
    "HTML": _case(b"<html><body>no</body></html>", None),
    "TLS alert": _case(b"\x15\x03\x01\x00\x02\x02\x46", None),
    "bad chunk size": _case(CHUNKED + b"zz\nhello\n0\n\n", None),
    "negative chunk size": _case(CHUNKED + b"-5\nhello\n0\n\n", None),
    "chunk longer than its size": _case(CHUNKED + b"2\nhello\n0\n\n", None),
    "bad length": _case(b"HTTP/1.1 200 OK\nContent-Length: +5\n\nhello", None),
    "two lengths": _case(b"HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 6\n\nhello", None),
    "length and chunked": _case(
        b"HTTP/1.1 200 OK\nContent-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n",
        None,
        differs="h11",  # prefers the chunks, as a lenient reader may
    ),
    "other transfer coding": _case(
        b"HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked\n\n0\n\n", None, differs="aiohttp"
    ),
    "unlabelled transfer coding": _case(
        b"HTTP/1.1 200 OK\nTransfer-Encoding: gzip\n\nabc", None, differs="aiohttp"
    ),
    "NUL in a value": _case(
        b"HTTP/1.1 200 OK\nX-A: a\0b\nContent-Length: 1\n\na", None, differs="aiohttp"
    ),
    "space before colon": _case(
        b"HTTP/1.1 200 OK\nX-A : b\nContent-Length: 1\n\na", None, differs="aiohttp"
    ),
    "folded header": _case(
        b"HTTP/1.1 200 OK\nX-A: b\n c\nContent-Length: 1\n\na", None, differs="h11 aiohttp"
    ),
    "huge header": _case(
        b"HTTP/1.1 200 OK\nX-A: " + b"a" * 70_000 + b"\nContent-Length: 1\n\na",
        None,
        differs="h11",  # its limit depends on how the bytes are cut
    ),
}
CASES["bare LF"] = Case(
    b"HTTP/1.1 200 OK\nContent-Length: 1\n\na", None, differs=frozenset({"h11", "aiohttp"})
)
