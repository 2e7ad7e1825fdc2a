"""Where policies keep entries: memory, SQLite and Redis behind one port."""

from proxy.stores.open import open_store

__all__ = ["open_store"]
