"""The vocabularies of tiktoken, unpacked from the wheel `bpe-openai` for it to find as its cache.

tiktoken fetches them on first use and blocks on it; the wheel has the same tables, gzipped.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

# Encoding -> SHA-256 of its table, as tiktoken itself demands it.
TABLES = {
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
}
_URL = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"


def unpack(name: str, folder: Path) -> Path:
    """Put the table of `name` into `folder` unless it is there, whole. Returns `folder`.

    The file is named as tiktoken looks for it, by the SHA-1 of its address, and it appears
    at once or not at all, whatever other processes do. Raises `OSError` or `ValueError`.
    """
    key = hashlib.sha1(_URL.format(name).encode(), usedforsecurity=False).hexdigest()
    target = folder / key
    if target.exists() and _is(name, target.read_bytes()):
        return folder
    table = gzip.decompress((_wheel() / f"{name}.tiktoken.gz").read_bytes())
    if not _is(name, table):
        raise ValueError(f"the installed table of {name} is not the one tiktoken expects")
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=folder, prefix=f"{key}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(table)
        Path(draft).replace(target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return folder


def _is(name: str, table: bytes) -> bool:
    return hashlib.sha256(table).hexdigest() == TABLES[name]


def _wheel() -> Path:
    """Where the wheel keeps its tables; found without importing its 70 MB library."""
    spec = find_spec("bpe_openai")
    if spec is None or spec.origin is None:
        raise OSError("bpe-openai is not installed")
    return Path(spec.origin).parent / "data"
