"""Penstock's own HTTP/1.1 server side: `uvicorn.Config(http=Connection, ...)`."""

from proxy.downstream.connection import Connection

__all__ = ["Connection"]
