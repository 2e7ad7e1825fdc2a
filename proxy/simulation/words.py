"""What the simulated model says: plain sentences that take up a few of the user's words."""

from __future__ import annotations

import re
from random import Random

WORDS = tuple(
    """the a one this that each every order answer case detail part plan step result change point
    reason place time note value table list record page line request account service customer
    system model check question start end first second later early small large clear simple open
    steady useful current common whole short long ready right shows keeps gives takes needs
    moves holds finds makes leaves means follows helps brings and with from before after under
    over between without because while until where when here there often again still also rather
    mostly together""".split()  # noqa: SIM905 - a list of quoted words reads worse
)
_openings = ("You asked about", "Regarding", "On the matter of", "To begin with", "Concerning")
_word = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")


def speech(dice: Random, prompted_by: str) -> str:
    """Two to five sentences; the first quotes up to six words of `prompted_by`."""
    # A long text is quoted from its beginning; no need to read all of it.
    quoted = _word.findall(prompted_by[:400])[:6]
    opening = f'{dice.choice(_openings)} "{" ".join(quoted) or "this"}": '
    said = [_sentence(dice) for _ in range(dice.randint(2, 5))]
    return opening + " ".join(said)


def _sentence(dice: Random) -> str:
    words = dice.choices(WORDS, k=dice.randint(5, 12))
    return " ".join([words[0].capitalize(), *words[1:]]) + "."
