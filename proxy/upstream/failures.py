"""Upstream errors narrow enough to tell whether another attempt is safe."""

from __future__ import annotations

from proxy.errors import BrokenReply, ConnectFailed, UpstreamTimeout


class NoReply(BrokenReply):
    """The connection ended before any byte of a reply; the request may have been read."""


class ConnectTimeout(ConnectFailed, UpstreamTimeout):
    """No connection within the connect timeout; nothing was sent."""

    status = UpstreamTimeout.status
    code = UpstreamTimeout.code
