"""LLMLingua-2 as the `llmlingua` package (0.2.2) has it, without what goes wrong in it.

Runs in a process of its own: making a `PromptCompressor` seeds every random generator anew.
The package is shown words that stand alone and that its tokenizer can spell, in chunks of one
window, and is only asked which of them it would keep: the text is put together elsewhere, from
its own bytes. So nothing is joined from half-words, lost for want of a letter in the
vocabulary, or taken for a repetition.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from policies.compress.lingua_chunks import Chunk, Label, Word, by_rate, chunks, read
from policies.compress.lingua_pipe import Shown, Start
from policies.compress.lingua_tables import unpack

# By `model_type` in config.json. llmlingua looks for one of the names in the model's path.
FAMILIES = {"bert": "bert-base-multilingual-cased", "xlm-roberta": "xlm-roberta-large"}
_BETWEEN, _BEFORE_LABEL = "\x1e", "\x1f"  # in no word that is shown
_LONGEST = 50  # pieces of a word
_KNOWN = 50_000  # words


class Model:
    """Takes seconds to make and 1 to 3 GB. Raises what the package raises."""

    def __init__(self, start: Start) -> None:
        from llmlingua import PromptCompressor  # noqa: PLC0415 - torch, two seconds

        self.device = _device(start.device)
        with TemporaryDirectory(prefix="penstock-tiktoken-") as folder:
            os.environ["TIKTOKEN_CACHE_DIR"] = str(unpack("cl100k_base", Path(folder)))
            compressor: Any = PromptCompressor(
                start.model,
                device_map=self.device,
                model_config={"trust_remote_code": False},  # never the default, which it writes to
                use_llmlingua2=True,
                llmlingua2_config={"max_batch_size": start.batch},
            )
        compressor.model.eval()
        compressor.model_name = family(compressor.model.config.model_type)
        self._compressor = compressor
        self._rate = start.rate
        self._word = lru_cache(_KNOWN)(self._spelled)

    def verdicts(self, texts: Sequence[Shown]) -> list[bytes | None]:
        """Which words of each text stay; see `lingua_pipe.Verdicts`."""
        kept = [bytearray(b"\1" * len(text.words)) for text in texts]
        places: list[list[int]] = []
        found: list[Chunk] = []
        for number, text in enumerate(texts):
            words, indexes = self._words(text)
            found += chunks(number, words, self._rate)
            places.append(indexes)
        for rate, group in by_rate(found):
            for chunk, verdict in zip(group, self._judged(group, rate), strict=True):
                for index, stays in enumerate(verdict, chunk.start):
                    kept[chunk.text][places[chunk.text][index]] = stays
        return list(map(bytes, kept))

    def _words(self, text: Shown) -> tuple[list[Word], list[int]]:
        """The words that the tokenizer can spell, and their numbers in the text."""
        words, indexes = [], []
        for index, (word, must) in enumerate(zip(text.words, text.must, strict=True)):
            pieces, weight = self._word(word)
            if pieces:
                words.append(Word(word, bool(must), pieces, weight))
                indexes.append(index)
        return words, indexes

    def _spelled(self, word: str) -> tuple[int, int]:
        """How many pieces and tokens the word has; none where the pieces are not the word."""
        tokenizer = self._compressor.tokenizer
        pieces = tokenizer.tokenize(word)
        spelled = "".join(piece.removeprefix("##").removeprefix("▁") for piece in pieces)
        if spelled != word or len(pieces) > _LONGEST:
            return 0, 0
        if tokenizer.unk_token_id in tokenizer.convert_tokens_to_ids(pieces):
            return 0, 0  # some tokenizers show what they do not know as it is written
        return len(pieces), len(self._compressor.oai_tokenizer.encode(word))

    def _judged(self, group: Sequence[Chunk], rate: float) -> list[bytes]:
        """What stays of chunks of this rate. All of one whose labels cannot be read."""
        try:
            return read(group, self._labels(group, rate), self._rate)
        except ValueError:
            if len(group) == 1:
                return [b"\1" * len(group[0].words)]
            return [self._judged([chunk], rate)[0] for chunk in group]

    def _labels(self, group: Sequence[Chunk], rate: float) -> list[Label]:
        made = self._compressor.compress_prompt_llmlingua2(
            [chunk.prompt for chunk in group],
            rate=rate,
            return_word_label=True,
            word_sep=_BETWEEN,
            label_sep=_BEFORE_LABEL,
        )
        pairs = (each.split(_BEFORE_LABEL) for each in made[_LABELLED].split(_BETWEEN))
        return [Label(word, label == "1") for word, label in pairs]


_LABELLED = "fn_labeled_original_prompt"


def family(model_type: str) -> str:
    """The name that llmlingua knows the type by. Raises `ValueError` for another type."""
    if model_type not in FAMILIES:
        raise ValueError(f"a model of the type {model_type} is no LLMLingua-2 model")
    return FAMILIES[model_type]


def _device(asked: str) -> str:
    import torch  # noqa: PLC0415 - as above

    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return asked
