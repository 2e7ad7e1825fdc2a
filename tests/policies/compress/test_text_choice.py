import pytest

from policies.compress.text_choice import checked, choose, decode, normal

LOG = "".join(
    f"2026-01-31 10:{n // 60:02}:{n % 60:02} status installed lib{n * 7919 % 1000}:amd64 1.{n}\n"
    for n in range(200)
)


def test_a_log_is_rewritten_a_repetition_noted_and_both_where_both_pay():
    assert choose(LOG, len).codecs == ("log",)
    assert choose("ready to accept connections on port 8484\n" * 9, len).codecs == ("repeats",)
    both = choose(LOG + "2026-01-31 10:09:00 waiting for the lock of the package list\n" * 90, len)
    assert both.codecs == ("log", "repeats")
    assert "more times]" in both.text


def test_the_way_back_leads_to_what_a_person_sees():
    text = "\x1b[1mbuild\x1b[0m 1%\rbuild 99%\n\n\n\n" + LOG
    chosen = choose(text, len)
    assert len(chosen.text) < len(text) / 2
    assert decode(chosen) == normal(text) == "build 99%\n\n" + LOG


CODE = "import os\n\n\n\ndef f(x):  \n    return os.path.join(x)\n"
DIFF = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a  \n-b\n+c\t\n\n\n\n"


@pytest.mark.parametrize(
    "text",
    [
        CODE,
        DIFF,
        f"\x1b[33m{CODE}\x1b[0m",
        "".join(f"\x1b[1m{line}\x1b[m\n" for line in DIFF.split("\n")),
        f"50 %\r100 %\n{DIFF}",
        "\x1b[32mok\x1b[0m  \n\n\n\n```\n1\r2\n```\n",
        'BAR = "10 %\r"\nimport os\n\n\ndef f():\n    return BAR  \n',
    ],
)
def test_code_diffs_and_fenced_blocks_stay_as_they_came(text):
    assert choose(text, len) == (text, ())
    assert normal(text) == text
    assert checked(text, len) is None


def test_prose_stays_as_it_is():
    text = "The quick brown fox jumps over the lazy dog.\nIt was not amused.\n"
    assert choose(text, len) == (text, ())


def test_the_fewest_counted_tokens_win():
    log = LOG[:4000]
    assert choose(log, len).codecs != ()
    assert choose(log, lambda text: 1).codecs == ()
