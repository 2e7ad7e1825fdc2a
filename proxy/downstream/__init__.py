"""Penstock's own HTTP/1.1 server side: `uvicorn.Config(http=Connection, ...)`."""

from proxy.downstream.connection import Connection
from proxy.downstream.exchange import ON_DISCONNECT

__all__ = ["ON_DISCONNECT", "Connection"]
