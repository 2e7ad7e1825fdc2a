"""The native compressors as a file: what it is called, and the sources it was built from."""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "native"  # in a source tree only
_ENDINGS = {"darwin": ".dylib", "win32": ".dll"}
LIBRARY = Path(__file__).with_name("_native" + _ENDINGS.get(sys.platform, ".so"))


def digest() -> str | None:
    """Of the sources; None where there are none, as in an installed package."""
    files = [SOURCES / "Cargo.toml", *sorted(SOURCES.glob("src/**/*.rs"))]
    if not files[0].exists():
        return None
    found = sha256()
    for path in files:
        found.update(f"{path.relative_to(SOURCES).as_posix()}\0".encode() + path.read_bytes())
    return found.hexdigest()
