"""Say in the log that Penstock itself failed, without quoting anybody."""

from __future__ import annotations

import logging
import traceback

log = logging.getLogger("penstock")


def note(error: Exception) -> None:
    """Log the type and place of an error: its message may quote a prompt."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    log.error("%s in %s:%s", type(error).__name__, where.filename, where.lineno)
