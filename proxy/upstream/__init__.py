"""Penstock's own HTTP/1.1 client: `Client.send(Request) -> Response`."""

from proxy.upstream.client import Client
from proxy.upstream.failures import ConnectTimeout, NoReply
from proxy.upstream.message import Request, Timeouts
from proxy.upstream.origin import proxy_for
from proxy.upstream.reply import BodyChunks, Response

__all__ = [
    "BodyChunks",
    "Client",
    "ConnectTimeout",
    "NoReply",
    "Request",
    "Response",
    "Timeouts",
    "proxy_for",
]
