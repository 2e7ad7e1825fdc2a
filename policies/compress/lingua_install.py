"""Whether what LLMLingua-2 needs is on this machine, found out without loading any of it."""

from __future__ import annotations

import json
import re
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from policies.compress.lingua_model import family

_PACKAGES = ("llmlingua", "torch", "transformers")
_PARTS = {
    "weights": ("*.safetensors", "*.bin"),
    "tokenizer": ("tokenizer.json", "vocab.txt", "sentencepiece.bpe.model"),
}
_SAMPLE, _SAMPLES = 1 << 16, 64  # bytes of a file, and how many such parts of a large one
_is_id = re.compile(r"[\w.-]+/[\w.-]+").fullmatch
USUAL = "microsoft/llmlingua-2-bert-base-multilingual-cased-meetingbank"


def folder(model: str) -> Path:
    """The folder that the model is in: itself one, or the id of one in Hugging Face's cache.

    Raises `RuntimeError` that names the command to run. Takes half a second for an id.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise RuntimeError(
            f"{' and '.join(missing)} cannot be imported; run: pip install 'penstock[llmlingua]'"
        )
    found = Path(model).expanduser()
    if not found.is_dir():
        found = _cached(model)
    config = _config(found, model)
    for part, patterns in _PARTS.items():
        if not any(any(found.glob(pattern)) for pattern in patterns):
            raise RuntimeError(f"{found} has no {part} of a model; run: {_download(model)}")
    family(str(config.get("model_type")))
    return found


def fingerprint(found: Path) -> bytes:
    """16 bytes that tell models apart: of samples of their weights, and the smaller files.

    Forms are kept under it, so that another model in the same folder has forms of its own.
    """
    digest = blake2b(digest_size=16)
    for path in sorted(path for path in found.iterdir() if path.is_file()):
        size = path.stat().st_size
        digest.update(f"{path.name}:{size}".encode())
        with path.open("rb") as file:
            for at in range(0, size, max(_SAMPLE, size // _SAMPLES)):
                file.seek(at)
                digest.update(file.read(_SAMPLE))
    return digest.digest()


def _cached(model: str) -> Path:
    if _is_id(model):
        from huggingface_hub import snapshot_download  # noqa: PLC0415 - comes with the extra

        try:
            return Path(snapshot_download(model, local_files_only=True))
        except OSError:  # what it raises where the cache has no such model
            pass
    raise RuntimeError(
        f"the model '{model}' is neither a folder nor in Hugging Face's cache; "
        f"run: {_download(model)}"
    )


def _config(found: Path, model: str) -> dict[str, Any]:
    try:
        config = json.loads((found / "config.json").read_bytes())
    except FileNotFoundError:
        raise RuntimeError(f"there is no model in {found}; run: {_download(model)}") from None
    except ValueError:
        raise RuntimeError(f"{found / 'config.json'} is not JSON") from None
    return config if isinstance(config, dict) else {}


def _download(model: str) -> str:
    """The command that puts a model there."""
    if _is_id(model) and not Path(model).expanduser().exists():
        return f"hf download {model}"
    return f"hf download {USUAL} --local-dir {model}"
