from policies.compress.text_choice import choose, decode, normal

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


def test_code_loses_only_its_colours():
    code = "import os\n\n\n\ndef f(x):  \n    return os.path.join(x)\n"
    assert choose(code, len) == (code, ())
    assert choose(f"\x1b[33m{code}\x1b[0m", len) == (code, ())
    assert choose(f"\x1b[33m{code}\x1b[0m", len).text == normal(f"\x1b[33m{code}\x1b[0m")


def test_prose_stays_as_it_is():
    text = "The quick brown fox jumps over the lazy dog.\nIt was not amused.\n"
    assert choose(text, len) == (text, ())


def test_the_fewest_counted_tokens_win():
    log = LOG[:4000]
    assert choose(log, len).codecs != ()
    assert choose(log, lambda text: 1).codecs == ()
