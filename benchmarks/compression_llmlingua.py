"""`compress.llmlingua` on prose: the passages of Natural Questions, twenty at a time."""

import re
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from compression_sets import Count, Result, rows

from policies.compress.freeze_form import Short
from policies.compress.lingua_child import command
from policies.compress.lingua_classifier import Classifier
from policies.compress.lingua_install import folder
from policies.compress.lingua_pipe import Shown, Start
from policies.compress.prose_cut import cut, joined
from policies.compress_llmlingua import LLMLingua

PROSE = "NQ, 20 passages"
_PASSAGES, _TEXTS = 20, 20
_must = re.compile(r"\S*[0-9_/@]\S*|\b(?:not|no|never|without|must|should|may|can|and|or)\b")


class Prose:
    """Texts, and the answers that stand in each."""

    def __init__(self, data: Path) -> None:
        found = rows(data / "qa/nq_open_oracle.jsonl.gz")[: _PASSAGES * _TEXTS]
        groups = [found[at : at + _PASSAGES] for at in range(0, len(found), _PASSAGES)]
        self.texts = ["\n\n".join(c["text"] for row in g for c in row["ctxs"]) for g in groups]
        self.answers = [
            [answer for row in group for answer in row["answers"] if answer in text]
            for group, text in zip(groups, self.texts, strict=True)
        ]

    def kept(self, shorts: Sequence[str]) -> float:
        """The share of the answers that still stand in the shortened texts."""
        pairs = list(zip(self.answers, shorts, strict=True))
        left = sum(answer in short for answers, short in pairs for answer in answers)
        return left / sum(map(len, self.answers))

    def recall(self, shorts: Sequence[str]) -> float:
        """The same of words with a digit or a sign of addresses, negations, modals, `and`, `or`."""
        there = left = 0
        for text, short in zip(self.texts, shorts, strict=True):
            found = Counter(_must.findall(text))
            there += found.total()
            left += (found & Counter(_must.findall(short))).total()
        return left / there


def ours(texts: Sequence[str], model: Path, count: Count) -> tuple[Result, list[str]]:
    """What is left of each text at the defaults. Seconds are by the clock, one text at a time."""
    settings = LLMLingua.Settings()
    start = Start(str(folder(str(model))), settings.device, settings.rate, settings.batch)
    classifier = Classifier(command(start), 0.0)
    classifier.start()
    found, shorts = Result(), []
    try:
        classifier.judge(Shown(["warm"], b"\0"))
        for text in texts:
            begun = time.perf_counter()
            short = _shortened(classifier, text)
            found.seconds.append(time.perf_counter() - begun)
            found.size += len(text.encode())
            found.before.append(count(text))
            found.after.append(count(short.text))
            shorts.append(short.text)
    finally:
        classifier.close()
    return found, shorts


def _shortened(classifier: Classifier, text: str) -> Short:
    made = cut(text)
    verdict = classifier.judge(Shown(made.words, made.must))
    return Short(text) if verdict is None else joined(text, made, verdict)
