"""Opens connections: TCP, TLS, Unix sockets, and through a proxy."""

from __future__ import annotations

import asyncio
import re
import ssl
from functools import cache
from typing import cast

from proxy.errors import ConnectFailed
from proxy.upstream.connection import Connection
from proxy.upstream.origin import Origin, Proxy

_accepted = re.compile(rb"HTTP/1\.\d 2\d\d[ \r]")


@cache
def default_tls() -> ssl.SSLContext:
    """The system's certificate authorities, verification on; built once, on first use."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def dial(
    connection: Connection, origin: Origin, proxy: Proxy | None, tls: ssl.SSLContext | None
) -> None:
    """Connect. Raises `ConnectFailed`; `tls` is used for https origins."""
    loop = asyncio.get_running_loop()
    context = (tls or default_tls()) if origin.tls else None
    try:
        if origin.path:
            await loop.create_unix_connection(lambda: connection, origin.path)
        elif proxy is None:
            await loop.create_connection(lambda: connection, origin.host, origin.port, ssl=context)
        elif context is None:
            await loop.create_connection(lambda: connection, proxy.host, proxy.port)
        else:
            await _tunnel(connection, origin, proxy, context)
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise ConnectFailed(f"cannot connect to {origin.name}: {reason}") from error


async def _tunnel(
    connection: Connection, origin: Origin, proxy: Proxy, context: ssl.SSLContext
) -> None:
    """TLS to the origin inside a CONNECT tunnel."""
    loop = asyncio.get_running_loop()
    answer = asyncio.StreamReader()
    transport, _ = await loop.create_connection(
        lambda: asyncio.StreamReaderProtocol(answer), proxy.host, proxy.port
    )
    try:
        where = origin.name.encode()
        lines = (b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n" % (where, where), proxy.credentials)
        transport.write(b"%b%b\r\n" % lines)
        _accept(await answer.readuntil(b"\r\n\r\n"))
        connection.connection_made(transport)  # to be told if the handshake fails
        secure = await loop.start_tls(transport, connection, context, server_hostname=origin.host)
        connection.connection_made(cast("asyncio.Transport", secure))
    except (EOFError, asyncio.LimitOverrunError) as error:
        transport.abort()
        raise ConnectionError("the proxy did not answer") from error
    except BaseException:
        transport.abort()
        raise


def _accept(answer: bytes) -> None:
    if not _accepted.match(answer):
        raise ConnectionError(f"the proxy answered {answer[:12].decode('latin-1')!r}")
