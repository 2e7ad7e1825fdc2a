"""Clients that keep others waiting: idle, or stopped in the middle of sending or reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.downstream.invalid import InvalidHttp
from proxy.downstream.ticker import NEVER

if TYPE_CHECKING:  # a cycle: the connection asks here
    from proxy.downstream.connection import Connection
    from proxy.downstream.exchange import Exchange
    from proxy.downstream.request import Request


def sending(connection: Connection, request: Request) -> None:
    """From now on more of the request's body must come, if there is more."""
    connection.deadline = NEVER
    if not request.complete:
        connection.came = request.came
        connection.deadline = connection.loop.time() + connection.head_timeout


def reading(connection: Connection) -> None:
    """From now on the client must read some of what it was sent."""
    connection.unsent = connection.transport.get_write_buffer_size()
    patience = connection.head_timeout if connection.deaf else connection.keep_alive
    connection.deadline = connection.loop.time() + patience


def expired(connection: Connection, exchange: Exchange | None) -> None:
    """The connection's deadline has passed; `exchange` is under way, if there is one."""
    if exchange is not None and connection.drained is None:
        request = exchange.request
        if exchange.waiting and request.came == connection.came and not request.complete:
            connection.refuse(InvalidHttp("the rest of the request's body did not come", 408))
        else:
            sending(connection, request)
    elif 0 < connection.transport.get_write_buffer_size() < connection.unsent:
        reading(connection)
    elif connection.deaf:
        connection.transport.abort()
    else:
        connection.close()
