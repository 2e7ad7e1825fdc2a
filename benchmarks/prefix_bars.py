"""Requirements and whether they are met, as a table and as JSON."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from operator import ge, le, lt
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

_SIGNS: dict[str, Callable[[float, float], bool]] = {"<": lt, "<=": le, ">=": ge}


@dataclass(frozen=True)
class Bar:
    """One requirement: `value` stands to `bound`, both in `unit`, as `sign` says."""

    what: str
    value: float
    sign: str
    bound: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether the value is on the right side of the bound."""
        return _SIGNS[self.sign](self.value, self.bound)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "met": self.met}


def table(bars: list[Bar]) -> Table:
    """One line a bar."""
    made = Table(title="Prefix caching", title_justify="left", box=SIMPLE_HEAD)
    for head in ("what", "measured", "bar", ""):
        made.add_column(head, justify="right" if head in ("measured", "bar") else "left")
    for bar in bars:
        shown = (f"{bar.value:.4f} {bar.unit}", f"{bar.sign} {bar.bound:g} {bar.unit}")
        verdict = "met" if bar.met else "MISSED"
        made.add_row(bar.what, *shown, verdict, style="" if bar.met else "red")
    return made
