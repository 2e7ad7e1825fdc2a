"""Which SQLite Python was built with, where that is too old."""

from __future__ import annotations

import sqlite3


def require(major: int, minor: int) -> None:
    """Raises `sqlite3.NotSupportedError` where SQLite is older than this."""
    if sqlite3.sqlite_version_info < (major, minor):
        raise sqlite3.NotSupportedError(
            f"SQLite {major}.{minor} or newer is needed and this Python has "
            f"{sqlite3.sqlite_version}: use one that brings its own, as those of uv and conda do"
        )
