"""Reads requests from bytes, without I/O; llhttp does the parsing, as strict as it comes."""

from __future__ import annotations

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpRequestParser,
)

from proxy.downstream.invalid import InvalidHttp
from proxy.downstream.request import Headers, Request, target

HEAD_LIMIT = 64 * 1024  # bytes of a head; also of trailers or chunk extensions in one stretch
HEADER_LIMIT = 256  # headers in one head
PIPELINE_LIMIT = 1024  # requests in one read

_NOTED = frozenset((b"connection", b"content-length", b"expect", b"transfer-encoding"))


class Reader:
    """One request after another: `feed`, then look into `begun`, which is the caller's to empty.

    `request` is the latest one, whose body may still be coming. An offer to upgrade is
    ignored. What is read does not depend on how the bytes were cut.
    """

    def __init__(self) -> None:
        self.begun: list[Request] = []
        self.request: Request | None = None
        self.in_head = False
        self._parser = HttpRequestParser(self)
        self._url = b""
        self._headers: Headers = []
        self._expects = False
        self._framing = b""  # the header line that says how long the body is
        self._upgrading = False  # the parser thinks that HTTP ends with this head
        self._resuming = False  # the parser reads a head that we wrote
        self._ended = False  # the last request said that nothing follows
        self._steps = 0  # parts of requests that were completed
        self._barren = 0  # bytes of whole reads since the last of them
        self._span = 0  # at least the bytes that the head under way has taken

    def feed(self, data: bytes) -> None:
        """Take bytes from the wire.

        Raises `InvalidHttp` if they are not HTTP or go over a limit; what came before is
        in `begun`, and nothing may be fed any more. Bytes after a last request are ignored.
        """
        if self._ended:
            return
        size = len(data)
        steps = self._steps
        self._span += size
        self._parse(data)
        if self._steps != steps:
            self._span = size
            self._barren = 0
            if self.in_head and len(self._headers) > HEADER_LIMIT:
                raise _head_too_large()
            return
        self._barren += size
        if self._barren > HEAD_LIMIT:
            raise _head_too_large()

    def close(self) -> None:
        """Let go of the parser, which refers back to here."""
        self._ended = True
        del self._parser

    def _parse(self, data: bytes) -> None:
        while True:
            try:
                self._parser.feed_data(data)
            except HttpParserUpgrade as stop:
                data = data[stop.args[0] :]
                self._resume()
            except HttpParserError as error:
                if self._ended:
                    return
                if isinstance(error, HttpParserCallbackError) and error.__context__:
                    raise error.__context__ from None
                raise InvalidHttp(f"the request is not valid HTTP/1.1: {error}") from None
            else:
                return

    def _resume(self) -> None:
        """Go on with a body that the parser takes for another protocol's bytes.

        It has let go of the request; a new one is told of the body's framing only.
        """
        self._upgrading, self._resuming = False, True
        self._parser = HttpRequestParser(self)
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % self._framing)

    # What follows is called by the parser.

    def on_message_begin(self) -> None:
        """Start a head."""
        if self._resuming:
            return
        if self._ended:
            raise InvalidHttp("a request follows the last one")
        if len(self.begun) >= PIPELINE_LIMIT:
            raise InvalidHttp(f"over {PIPELINE_LIMIT} requests were sent at once")
        self._steps += 1
        self.in_head = True
        self._url = b""
        self._headers = []
        self._expects = False
        self._framing = b""

    def on_url(self, url: bytes) -> None:
        """Collect the request target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header of the head; trailers are ignored."""
        if not self.in_head:
            return
        name = name.lower()
        value = value.strip()
        self._headers.append((name, value))
        if name in _NOTED:
            self._note(name, value)

    def _note(self, name: bytes, value: bytes) -> None:
        if name == b"expect":
            self._expects = value.lower() == b"100-continue"
        elif name != b"connection":
            if name == b"transfer-encoding" and value.lower() != b"chunked":
                raise InvalidHttp("the request is in a transfer coding that we cannot undo", 501)
            self._framing = b"%b: %b\r\n" % (name, value)

    def on_headers_complete(self) -> None:
        """Publish the request."""
        if self._resuming:
            self._resuming = False
            return
        headers = self._headers
        if len(headers) > HEADER_LIMIT or (self._span > HEAD_LIMIT and self._size() > HEAD_LIMIT):
            raise _head_too_large()
        parser = self._parser
        version = parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise InvalidHttp("only HTTP/1.1 and HTTP/1.0 are spoken here", 505)
        method = parser.get_method().decode("ascii")
        path, raw, query = target(self._url)
        keep_alive = parser.should_keep_alive()
        expects = self._expects
        if version == "1.0":
            # RFC 9112 section 6.1: such framing is not to be trusted twice.
            keep_alive = keep_alive and not self._framing.startswith(b"t")
            expects = False
        request = Request(method, path, raw, query, version, headers, keep_alive, expects)
        self._upgrading = parser.should_upgrade()
        self.in_head = False
        self._steps += 1
        self.request = request
        self.begun.append(request)

    def on_body(self, data: bytes) -> None:
        """Collect a piece of the body, if somebody wants it."""
        self._steps += 1
        request = self.request
        if request is not None and not request.dropped:
            request.parts.append(data)
            request.unread += len(data)

    def on_message_complete(self) -> None:
        """Finish the request."""
        request = self.request
        if self._upgrading or request is None:
            return
        self._steps += 1
        request.complete = True
        self._ended = not request.keep_alive

    def _size(self) -> int:
        fields = sum(len(name) + len(value) + 4 for name, value in self._headers)
        return len(self._url) + fields


def _head_too_large() -> InvalidHttp:
    kib = HEAD_LIMIT // 1024
    return InvalidHttp(f"a request's head is over {kib} KiB or {HEADER_LIMIT} headers", 431)
