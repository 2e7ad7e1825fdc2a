"""HTTP by hand over a socket, for tests in which every byte and its moment count."""

import contextlib
import http.client
import socket
from collections.abc import Iterable, Iterator

PATIENCE = 10  # seconds

__all__ = ["Peer", "accepted", "chunk", "connected", "head"]


class Peer:
    """One end of a connection, in a test's own thread."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.seen = b""
        sock.settimeout(PATIENCE)

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.sock.sendall(piece)

    def until(self, mark: bytes) -> bytes:
        """All that came up to and with `mark`; what is behind it is kept for the next call."""
        while mark not in self.seen:
            data = self.sock.recv(65536)
            assert data, f"the peer closed before {mark!r}; there is {self.seen[-200:]!r}"
            self.seen += data
        end = self.seen.index(mark) + len(mark)
        taken, self.seen = self.seen[:end], self.seen[end:]
        return taken

    def response(self, method: str = "GET") -> http.client.HTTPResponse:
        """The head of a reply; its body is there to be read."""
        assert not self.seen
        reply = http.client.HTTPResponse(self.sock, method=method)
        reply.begin()
        return reply

    def close(self) -> None:
        self.sock.close()


@contextlib.contextmanager
def connected(port: int) -> Iterator[Peer]:
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        yield Peer(sock)


@contextlib.contextmanager
def accepted(listener: socket.socket) -> Iterator[Peer]:
    listener.settimeout(PATIENCE)
    sock, _ = listener.accept()
    with sock:
        yield Peer(sock)


def head(
    method: str, target: str, headers: Iterable[tuple[str, str]] = (), length: int | None = None
) -> bytes:
    """The head of a request; `length` None: none is said."""
    lines = [f"{method} {target} HTTP/1.1", "Host: penstock.test"]
    lines += [f"{name}: {value}" for name, value in headers]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
