import re

import pytest

from policies.compress.prose_lines import paragraphs
from policies.compress.prose_words import ENGLISH, FRENCH, GERMAN

PROSE = (
    "The committee met in the afternoon and discussed the report that the members had received "
    "earlier in the week. After a long debate it was decided to postpone the vote until the "
    "next meeting, because some of the figures in the report were still in dispute.\n"
)
DEUTSCH = (
    "Der Ausschuss hat am Nachmittag getagt und über den Bericht gesprochen, den die Mitglieder "
    "am Anfang der Woche bekommen hatten. Nach einer langen Aussprache wurde die Abstimmung auf "
    "die nächste Sitzung verschoben, weil einige der Zahlen in dem Bericht umstritten waren.\n"
)
FRANCAIS = (
    "Le comité s'est réuni dans la matinée et a parlé du rapport que les membres avaient reçu au "
    "début de la semaine. Après une longue discussion, le vote a été remis à la prochaine séance "
    "parce que plusieurs des chiffres dans le rapport étaient encore contestés.\n"
)


def found(text):
    return [text[each.start : each.end] for each in paragraphs(text)]


@pytest.mark.parametrize(
    ("text", "language"), [(PROSE, ENGLISH), (DEUTSCH, GERMAN), (FRANCAIS, FRENCH)]
)
def test_a_paragraph_is_found_and_its_language(text, language):
    assert found(text) == [text]
    assert paragraphs(text)[0].language is language


def test_paragraphs_are_what_stands_between_blank_lines():
    assert found(PROSE + "\n" + DEUTSCH) == [PROSE, DEUTSCH]


def test_wrapped_lines_are_one_paragraph():
    wrapped = PROSE.replace(" ", "\n", 40).replace("\n", " ", 36)
    assert wrapped.count("\n") > 3
    assert found(wrapped) == [wrapped]


@pytest.mark.parametrize("mark", ["- ", "* ", "  • ", "7. ", "12) "])
def test_items_of_a_list_are_none_however_long(mark):
    assert found((mark + PROSE) * 3) == []
    assert found(PROSE + "\n" + mark + PROSE) == [PROSE]


def test_a_heading_is_none():
    assert found("# Minutes\n\nThe vote\n\n" + PROSE) == [PROSE]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n\n",
        "Short. Too short for the model.",
        '{"a": "' + PROSE.strip() + '"}',
        "[" + PROSE.strip() + "]",
        "<p>" + PROSE,
        "```\n" + PROSE + "```\n",
        PROSE + "\n```\ncode\n```\n",
        PROSE + "\ndiff --git a/x b/x\n@@ -1,2 +1,2 @@\n",
        "    " + PROSE,
        "> " + PROSE,
        "| " + PROSE,
        "2026-01-31 10:00:00 " + PROSE,
        "Jan 31 10:00:00 host daemon: " + PROSE,
        "[10:00] " + PROSE,
        "INFO the server is up and " + PROSE,
        PROSE.replace(" ", "\t"),
        PROSE.replace(". ", ".    "),
        re.sub(r"(\w) (\w+)", r"\1_\2", PROSE),
        "apples pears plums quinces cherries figs dates " * 8 + ".",
        PROSE.replace(".", ""),
        "委员会在下午开会并讨论了成员们在本周早些时候收到的报告 " * 30 + ".",
        "Komitet zebrał się po południu i omówił raport który członkowie otrzymali wcześniej " * 4,
        "def meet(report):\n    return report\n\nclass Vote:\n    pass\n\n" + PROSE,
    ],
)
def test_what_is_no_prose(text):
    assert found(text) == []


def test_a_table_between_two_paragraphs_stays_out():
    table = "name   | share\n-------|------\nalpha  | 0.5\n"
    assert found(PROSE + table + PROSE) == [PROSE, PROSE]
