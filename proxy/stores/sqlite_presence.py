"""Making the filter anew from the rows, a step at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from proxy.stores import sqlite_rows as rows
from proxy.stores.presence import Presence


def rebuild(presence: Presence, connection: sqlite3.Connection) -> Iterator[bool]:
    """Clear the filter, walk the rows, complete it, True after each step that is not the last.

    Does nothing while another process is at it. No row is left out: what is committed before
    the clearing ends is met on the walk, for a slot keeps its place in the order; what is
    committed after it sets its bits itself, see `Presence.adding`. Left half-way, for whatever
    reason, it leaves a filter that says yes to all and is due.
    """
    with presence.rebuilding() as alone:
        if not alone:
            return
        presence.clear()
        last = b""
        while found := rows.digests(connection, last):
            presence.add(found)
            last = found[-1]
            yield True
        presence.complete()
