"""A replay as a picture: what each scheme pays for its input, by kind of token."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from proxy.replay.run import Comparison

_KINDS = (("uncached", "#4c566a"), ("write", "#d08770"), ("read", "#88c0d0"))
_WORDS = {"uncached": "uncached", "write": "written", "read": "read"}


def missing() -> str | None:
    """Why no picture can be drawn; None where one can."""
    if find_spec("matplotlib") is not None:
        return None
    return "--plot needs matplotlib: pip install 'penstock[plot]'"


def draw(found: Comparison, path: Path) -> None:
    """Write the picture in the format that the file's name says. Raises `OSError`, `ValueError`."""
    figure: Any = import_module("matplotlib.figure").Figure(figsize=(11, 5), layout="constrained")
    tokens, paid = figure.subplots(1, 2)
    names = [one.name for one in found.schemes]
    price = {"uncached": 1.0, "write": found.price.write, "read": found.price.read}
    below = [[0.0] * len(names), [0.0] * len(names)]
    for kind, colour in _KINDS:
        counts = [float(getattr(one, kind)) for one in found.schemes]
        for axes, start, heights in (
            (tokens, below[0], counts),
            (paid, below[1], [count * price[kind] for count in counts]),
        ):
            axes.bar(names, heights, bottom=list(start), color=colour, label=_WORDS[kind])
            start[:] = [a + b for a, b in zip(start, heights, strict=True)]
    for place, one in enumerate(found.schemes):
        if one.usd is not None:
            paid.annotate(f"${one.usd:,.2f}", (place, below[1][place]), ha="center", va="bottom")
    tokens.set_title("input tokens")
    paid.set_title("what they cost, in uncached tokens (USD with output)")
    for axes, heights in ((tokens, below[0]), (paid, below[1])):
        axes.set_ylim(0, 1.1 * max([*heights, 1.0]))
        axes.yaxis.set_major_formatter("{x:,.0f}")
    figure.legend(*tokens.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle(f"{found.model}, {found.price.rule}")
    figure.savefig(path, dpi=120)
