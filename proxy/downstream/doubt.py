"""Whether a client that will send no more still reads: see docs/decisions/0011."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a cycle: the connection asks here
    from proxy.downstream.connection import Connection
    from proxy.downstream.exchange import Exchange

_PROBES = (0.005, 0.05, 0.5)  # seconds; a write fails once an earlier one has been there and back


def doubt(connection: Connection, exchange: Exchange) -> None:
    """Find out whether the client still reads; the exchange hears of it where it does not.

    Closing a socket and closing half of it look the same until something is sent: to who
    has closed it all, that makes a later write fail, and the connection is lost.
    """
    if not exchange.probe():
        exchange.hung_up()
        return
    for pause in _PROBES:
        connection.loop.call_later(pause, _again, connection, exchange)


def _again(connection: Connection, exchange: Exchange) -> None:
    if not (exchange.complete or exchange.over or connection.transport.is_closing()):
        exchange.probe()
