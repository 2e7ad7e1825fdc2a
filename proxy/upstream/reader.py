"""Reads replies from bytes, without I/O; llhttp does the parsing."""

from __future__ import annotations

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from proxy.errors import BrokenReply
from proxy.upstream.failures import NoReply
from proxy.upstream.message import Headers

HEAD_LIMIT = 64 * 1024  # bytes of interim replies and head; later, of trailers in one stretch

_HOP_BY_HOP = frozenset(
    b"connection keep-alive te trailer transfer-encoding upgrade proxy-authenticate "
    b"proxy-authentication-info proxy-authorization proxy-connection".split()
)


class Reader:
    """One reply after another: `begin`, then `feed` until `complete`.

    `status` is 0 until the final head has arrived; `body` collects what was read and is
    the caller's to empty. The result does not depend on how the bytes were cut.
    """

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.begin()

    def begin(self, *, bodiless: bool = False) -> None:
        """Expect a reply; `bodiless` if its request was HEAD or CONNECT."""
        self.status = 0
        self.headers: Headers = ()
        self.body: list[bytes] = []
        self.complete = False
        self.keep_alive = False  # known when complete: the connection can carry another
        self._bodiless = bodiless
        self._chunked = False
        self._fields: list[tuple[bytes, bytes]] = []
        self._named: list[bytes] = []
        self._room = HEAD_LIMIT

    def feed(self, data: bytes) -> None:
        """Take bytes from the wire.

        Raises `BrokenReply` if they are not HTTP; `status`, `headers` and `body` then hold
        what came before. Bytes after a complete reply only forbid the connection's reuse.
        """
        if self.status:
            before = len(self.body)
            self._parse(data)
            self._room = HEAD_LIMIT if len(self.body) > before else self._room - len(data)
            if self._room < 0 and not self.complete:
                raise BrokenReply("the upstream's trailers are over 64 KiB")
            return
        head = data[: self._room]
        self._room -= len(head)
        self._parse(head)
        if len(head) < len(data):
            if not self.status:
                raise BrokenReply("the head of the upstream's reply is over 64 KiB")
            self._parse(data[len(head) :])

    def eof(self, *, clean: bool) -> None:
        """The connection has ended, `clean` unless by an error.

        That completes a body without length; any other raises `BrokenReply`, or `NoReply`
        where nothing had come.
        """
        if self.complete:
            return
        if not self.status:
            if self._room == HEAD_LIMIT:
                raise NoReply("the upstream hung up without a reply")
            raise BrokenReply("the upstream hung up within the head of its reply")
        sized = self._chunked or any(name == b"content-length" for name, _ in self.headers)
        if sized or not clean:
            raise BrokenReply("the upstream hung up within the body of its reply")
        self.complete = True

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            if self.complete:
                self.keep_alive = False
            elif isinstance(error.__context__, BrokenReply):
                raise error.__context__ from None
            else:
                raise BrokenReply(f"the upstream's reply is not HTTP/1.1: {error}") from None

    # What follows is called by the parser.

    def on_message_begin(self) -> None:
        """Refuse a reply that nobody asked for."""
        if self.complete:
            raise BrokenReply("the upstream sent more than its reply")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header of the head that is for the caller; trailers are ignored."""
        if self.status:
            return
        name = name.lower()
        if name not in _HOP_BY_HOP:
            self._fields.append((name, value.strip()))
        elif name == b"connection":
            self._named += value.lower().split(b",")
        elif name == b"transfer-encoding":
            if self._chunked or value.strip().lower() != b"chunked":
                raise BrokenReply(
                    "the upstream's reply is in a transfer coding that we cannot undo"
                )
            self._chunked = True

    def on_headers_complete(self) -> None:
        """Publish the head, unless it is an interim one."""
        status = self._parser.get_status_code()
        fields, named = self._fields, self._named
        if status < 200:
            if status < 100 or status == 101:
                raise BrokenReply(f"the upstream answered with status {status}")
            self._fields, self._named, self._chunked = [], [], False
            return
        if named:
            hidden = {token.strip() for token in named}
            fields = [field for field in fields if field[0] not in hidden]
        self.headers = tuple(fields)
        self.status = status
        # The parser cannot be told that a reply to HEAD ends here: it is of no more use,
        # and with it the connection.
        self.complete = self._bodiless

    def on_body(self, data: bytes) -> None:
        """Collect a piece of the body."""
        if not self._bodiless:
            self.body.append(data)

    def on_message_complete(self) -> None:
        """Finish, unless an interim reply has ended."""
        if self.status:
            self.complete = True
            self.keep_alive = not self._bodiless and self._parser.should_keep_alive()
