"""Laws of cutting prose: whatever a model says, what must stay does, in order and unchanged."""

import random
import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compress.prose_cut import cut, joined

lawful = settings(max_examples=150, deadline=None)


def words(text):
    return text.split()


PLAIN = words("""the a of to in that was were had been with committee report afternoon debate vote
    members week meeting figures city river station village season painter bridge garden music""")
FIRM = words("""not no never neither nor without cannot must shall should may might can could will
    would and or but unless except only if twenty million three half""")
NAMES = words("Anna Oslo Müller NASA iPhone McDonald O'Brien")
ERRORS = [
    "error: the disk of the host was full",
    "FATAL the server has failed in the night",
    "exit code 1",
]
MUST = re.compile(rf"\"[^\"\n]*\"|\S*[0-9/_.%$]\S*|\b[A-Z]\S*|\b(?:{'|'.join(FIRM)})\b")


class Writer:
    """Writes documents by chance: of paragraphs and errors, with all that must stay in them."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def document(self):
        parts = []
        for _ in range(self.rng.randint(1, 5)):
            error = self.rng.random() < 0.2
            parts.append(self.rng.choice(ERRORS) if error else self.paragraph())
        return parts

    def paragraph(self):
        return " ".join(self.sentence() for _ in range(self.rng.randint(3, 8)))

    def sentence(self):
        count = self.rng.randint(4, 20)
        return " ".join([*(self.word() for _ in range(count)), "there."])

    def word(self):
        return self.rng.choice(PLAIN) if self.rng.random() < 0.75 else self.kept()

    def kept(self):
        number = self.rng.randrange(10**9)
        return self.rng.choice(
            [
                self.rng.choice(FIRM),
                self.rng.choice(NAMES),
                str(number),
                f"{number / 1000:.2f}",
                f"{number % 100}%",
                f"${number:,}",
                f"{number:x}{number:08x}",
                f"{self.letters()}_{self.letters()}{number % 10}",
                f"/{self.letters()}/{self.letters()}.{self.letters()}",
                f"https://{self.letters()}.org/{self.letters()}?q={number}",
                f'"{" ".join(self.rng.choices(PLAIN, k=4))}"',
            ]
        )

    def letters(self):
        return "".join(self.rng.choices(string.ascii_lowercase, k=5))


documents = st.integers(0, 2**32).map(lambda seed: Writer(seed).document())


def rendered(document):
    return "\n\n".join(document) + "\n"


@lawful
@given(documents, st.randoms(use_true_random=False))
def test_all_that_must_stay_stays_in_order(document, rng):
    text = rendered(document)
    made = cut(text)
    verdict = bytes(rng.randrange(2) for _ in made.words)
    short = joined(text, made, verdict).text
    assert MUST.findall(short) == MUST.findall(text)
    assert [line for line in short.split("\n") if line in ERRORS] == [
        line for line in document if line in ERRORS
    ]


@lawful
@given(documents)
def test_the_worst_verdict_takes_only_words_of_letters(document):
    text = rendered(document)
    made = cut(text)
    short = joined(text, made, bytes(len(made.words))).text
    left = iter(short.split())
    gone = []
    expected = next(left, None)
    for word in text.split():
        if word == expected:
            expected = next(left, None)
        else:
            gone.append(word)
    assert expected is None
    assert all(word.rstrip(",").isalpha() for word in gone)
    assert joined(text, made, bytes(len(made.words))).left_out == len(gone)


@lawful
@given(st.text(max_size=400), st.randoms(use_true_random=False))
def test_any_text_loses_whole_words_and_blanks_alone(noise, rng):
    text = f"{noise} the report of the committee was on the table in the room of the house. {noise}"
    made = cut(text)
    assert made == cut(text)
    assert all(text[a:b] == word for word, (a, b) in zip(made.words, made.spans, strict=True))
    short = joined(text, made, bytes(rng.randrange(2) for _ in made.words))
    words = iter(text.split())
    assert all(word in words for word in short.text.split())
    assert len(text.split()) - len(short.text.split()) == short.left_out
    if not short.left_out:
        assert short.text == text


@lawful
@given(documents)
def test_lines_stay_apart(document):
    text = rendered(document)
    made = cut(text)
    short = joined(text, made, bytes(len(made.words))).text
    assert len([line for line in short.split("\n\n") if line.strip()]) == len(document)


SIGNS = [
    '"',
    "'",
    "“",
    "«",
    "`",
    ".",
    "..a",
    " ",
    "\n",
    "\t",
    "a ",
    "A ",
    "1 ",
    "a.",
    "error ",
    "a_",
]


@pytest.mark.parametrize("sign", [*SIGNS, "\u2018a"])
def test_long_texts_that_are_hard_on_patterns_are_cut(sign):
    """A pattern that is worse than linear would take hours."""
    start = "the report of the committee was on the table in the room of the house. " * 3
    text = start + sign * (200_000 // len(sign)) + start
    made = cut(text)
    short = joined(text, made, bytes(len(made.words)))
    assert len(short.text) <= len(text)
