"""tiktoken's encodings without the network."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import tiktoken
from tiktoken_ext import openai_public

from policies.base.tiktoken_files import unpack


def encoding(name: str, folder: Path) -> tiktoken.Encoding:
    """The encoding `name`, its table unpacked into `folder` or else a temporary one.

    Takes about 0.4 s and 60 MB. Raises `OSError` when the table can be written nowhere and
    `ValueError` when the installed one is not what tiktoken expects.
    """
    try:
        place = unpack(name, folder)
    except OSError:  # a read-only data folder, or a full disk
        place = unpack(name, Path(tempfile.gettempdir()) / f"penstock-tiktoken-{os.getuid()}")
    before = os.environ.get("TIKTOKEN_CACHE_DIR")
    os.environ["TIKTOKEN_CACHE_DIR"] = str(place)
    try:
        terms = openai_public.ENCODING_CONSTRUCTORS[name]()
    finally:
        if before is None:
            del os.environ["TIKTOKEN_CACHE_DIR"]
        else:
            os.environ["TIKTOKEN_CACHE_DIR"] = before
    made = tiktoken.Encoding(**terms)
    terms["mergeable_ranks"].clear()  # 30 MB that only its constructor reads
    return made
