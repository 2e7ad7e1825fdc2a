"""Reads requests from bytes, without I/O; llhttp does the parsing, as strict as it comes."""

from __future__ import annotations

from collections.abc import Callable

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpRequestParser,
)

from proxy.downstream.invalid import InvalidHttp
from proxy.downstream.request import Request, Scope, target

HEAD_LIMIT = 64 * 1024  # bytes of a head; also of trailers or chunk extensions in one stretch
HEADER_LIMIT = 256  # headers in one head

_NOTED = frozenset((b"connection", b"expect", b"transfer-encoding"))
_FRAMING = frozenset((b"content-length", b"transfer-encoding"))


class Reader:
    """Hands each request whose head is complete to `sink`, with its scope, which begins as `base`.

    `request` is the latest one, whose body may still be coming; `url` is not empty while
    the head of another is. An offer to upgrade is ignored. What is read does not depend on
    how the bytes were cut.
    """

    def __init__(self, base: Scope, sink: Callable[[Request, Scope], None]) -> None:
        self.request: Request | None = None
        self.url = b""
        self._base = base
        self._sink = sink
        self._parser = HttpRequestParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._noted: dict[bytes, bytes] = {}
        self._framing: bytes | None = None  # of a body that the parser will not read
        self._resuming = False  # the parser reads a head that we wrote
        self._ended = False  # the last request said that nothing follows
        self._span = 0  # bytes of all reads since the request under way began, or more
        self._barren = 0  # bytes of whole reads that completed nothing

    def feed(self, data: bytes) -> None:
        """Take bytes from the wire.

        Raises `InvalidHttp` if they are not HTTP or go over a limit, or whatever the sink
        raises; nothing may be fed any more then. Bytes after a last request are ignored.
        """
        size = len(data)
        if self._span or size > HEAD_LIMIT:  # else this is the start, and the limits are far
            self._span += size
            self._barren += size
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._stopped(error, data)
        request = self.request
        if request is not None and request.complete and not self.url:
            self._span = self._barren = 0
            return
        if self._barren == 0:
            self._span = size
        if self._barren > HEAD_LIMIT or len(self._headers) > HEADER_LIMIT:
            raise _head_too_large()

    def close(self) -> None:
        """Let go of the parser, which refers back to here."""
        del self._parser

    def _stopped(self, error: HttpParserError | HttpParserUpgrade, data: bytes) -> None:
        while isinstance(error, HttpParserUpgrade):
            data = data[error.args[0] :]
            try:
                self._resume()
                self._parser.feed_data(data)
            except (HttpParserError, HttpParserUpgrade) as another:
                error = another
            else:
                return
        if self._ended:
            return
        if isinstance(error, HttpParserCallbackError) and error.__context__:
            raise error.__context__ from None
        raise InvalidHttp(f"the request is not valid HTTP/1.1: {error}") from None

    def _resume(self) -> None:
        """Go on with a body that the parser takes for another protocol's bytes.

        It has let go of the request; a new one is told of the body's framing only.
        """
        framing, self._framing, self._resuming = self._framing or b"", None, True
        self._parser = HttpRequestParser(self)
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % framing)

    # What follows is called by the parser.

    def on_url(self, url: bytes) -> None:
        """Collect the request target, with which a head begins."""
        if self.url:
            self.url += url
        else:
            self.url = url
            self._barren = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header of the head; trailers are ignored."""
        if self.url:
            name = name.lower()
            self._headers.append((name, value.strip()))
            if name in _NOTED:
                self._note(name, value.strip().lower())

    def _note(self, name: bytes, value: bytes) -> None:
        if name == b"transfer-encoding" and value != b"chunked":
            raise InvalidHttp("the request is in a transfer coding that we cannot undo", 501)
        self._noted[name] = value

    def on_headers_complete(self) -> None:
        """Publish the request."""
        headers, url = self._headers, self.url
        if len(headers) > HEADER_LIMIT or self._span > HEAD_LIMIT:
            self._limit(url, headers)
        self._headers = []
        self.url = b""
        self._barren = 0
        if self._resuming:
            self._resuming = False
            return
        parser = self._parser
        path, raw, query = target(url)
        scope = self._base.copy()
        method = parser.get_method().decode("ascii")
        scope["method"] = method
        scope["path"] = path
        scope["raw_path"] = raw
        scope["query_string"] = query
        scope["headers"] = headers
        if root := scope["root_path"]:
            scope["path"] = root + path
            scope["raw_path"] = root.encode("ascii") + raw
        keep_alive = parser.should_keep_alive()
        request = Request(method, keep_alive)
        if self._noted or not keep_alive or self._ended:
            self._heed(request)
        scope["http_version"] = request.version
        if parser.should_upgrade():
            self._framing = b"".join(
                [b"%b: %b\r\n" % field for field in headers if field[0] in _FRAMING]
            )
        self._sink(request, scope)
        self.request = request

    def on_body(self, data: bytes) -> None:
        """Collect a piece of the body, if somebody wants it."""
        self._barren = 0
        request = self.request
        if request is not None:
            request.came += len(data)
            if not request.dropped:
                request.parts.append(data)
                request.unread += len(data)

    def on_message_complete(self) -> None:
        """Finish the request."""
        request = self.request
        if request is not None and self._framing is None:
            request.complete = True
            if not request.keep_alive:
                self._ended = True

    def _heed(self, request: Request) -> None:
        """Obey the version and the headers that say something about the connection.

        Only HTTP/1.1 keeps alive without a word of it, so that nobody else need ask for
        the version, which is dear.
        """
        if self._ended:
            raise InvalidHttp("a request follows the last one")
        noted, self._noted = self._noted, {}
        version = request.version = self._parser.get_http_version()
        if version == "1.1":
            request.expects = noted.get(b"expect") == b"100-continue"
        elif version != "1.0":
            raise InvalidHttp("only HTTP/1.1 and HTTP/1.0 are spoken here", 505)
        elif b"transfer-encoding" in noted:
            request.keep_alive = False  # such framing is not to be trusted twice (RFC 9112, 6.1)

    def _limit(self, url: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        size = len(url) + sum(len(name) + len(value) + 4 for name, value in headers)
        if len(headers) > HEADER_LIMIT or size > HEAD_LIMIT:
            raise _head_too_large()


def _head_too_large() -> InvalidHttp:
    kib = HEAD_LIMIT // 1024
    return InvalidHttp(f"a request's head is over {kib} KiB or {HEADER_LIMIT} headers", 431)
