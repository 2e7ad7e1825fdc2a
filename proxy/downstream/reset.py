"""An end of a connection that nobody can take for an orderly one."""

from __future__ import annotations

import asyncio
import socket
import struct


def reset(transport: asyncio.Transport) -> None:
    """Break a connection whose orderly end would be taken for that of a whole response."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
