import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compress import stash_extract
from policies.compress.stash_extract import _TOLD, _may_tell

WORDS = st.sampled_from(
    ["ok", "Error: x", "exit code 3", '"error": null,', "\n", " ", ", ", "0123456789" * 9, "}", "é"]
)
TEXTS = st.lists(WORDS, max_size=80).map("".join)


def extract(text, size, *, names=False):
    return stash_extract.extract(text, size, names=names)


def test_begin_end_and_what_went_wrong():
    lines = [f"line {n}" for n in range(100)]
    lines[30] = "java.lang.IllegalStateException: gone"
    lines[31] = "    at com.example.Main.run(Main.java:7)"
    lines[50] = "process exited with status 137"
    lines[51] = "0 errors"
    lines[52] = '"errors": 0, "failed": false'
    told, shown, of = extract("\n".join(lines), 40)
    assert told.splitlines() == [
        "line 0",
        "line 1",
        "[... 28 left out ...]",
        *lines[30:32],
        "[... 18 left out ...]",
        "process exited with status 137",
        "0 errors",
        "[... 46 left out ...]",
        "line 98",
        "line 99",
    ]
    assert (shown, of) == (8, 100)


def test_notes_name_what_is_left_out():
    lines = [f"worker {n} did item_{n % 5} of /srv/{n % 3}" for n in range(30)]
    lines[10] = "exit code 5"
    told, _, _ = extract("\n".join(lines), 80, names=True)
    assert told.splitlines() == [
        lines[0],
        "[... 9 left out, with 1 item_1 /srv/1 2 item_2 3 item_3 4 6 7 8 9 ...]",
        "exit code 5",
        f"[... 18 left out, with {' '.join(str(n) for n in range(11, 29))} ...]",
        lines[29],
    ]


def test_what_is_told_twice_is_kept_once():
    told, _, _ = extract("x\n" * 50 + "  timeout\n" * 50 + "x\n" * 50, 8)
    assert told.count("timeout") == 1


def test_one_long_line_is_cut_at_its_borders():
    text = ",".join(f'{{"id":{n},"name":"n{n}"}}' for n in range(500)) + ',{"failed":"n9"}'
    told, shown, of = extract(text, 600)
    assert shown < of
    assert '"failed":"n9"' in told
    assert all(line.endswith((",", "}", "...]")) for line in told.splitlines())


@given(text=TEXTS, size=st.integers(0, 500), names=st.booleans())
def test_it_is_made_of_the_text(text, size, names):
    told, shown, of = extract(text, size, names=names)
    assert 0 <= shown <= of
    at = 0
    for line in told.splitlines():
        if line.startswith("[... "):
            continue
        found = text.find(line, at)
        assert found >= 0
        at = found + len(line)
    if shown == of:
        assert told == text


@given(text=TEXTS)
def test_failures_and_statuses_are_always_there(text):
    told, _, _ = extract(text, 0)
    for sign in ("Error: x", "exit code 3"):
        assert (sign in told) == (sign in text) or "0123456789" in text


@pytest.mark.parametrize(
    "line",
    [
        "goroutine 1 [running]:",
        "\t/srv/app/main.go:10 +0x1d",
        "from /srv/app/x.rb:12:in `call'",
        "#0 /var/www/x.php(12): call()",
        "#2 {main}",
        "--- FAIL: TestAdd (0.00s)",
        "FAIL\texample.com/add\t0.012s",
        "rc=1",
        "HTTP/1.1 503 Service Unavailable",
        "ORA-00942: table or view does not exist",
        "*** stack smashing detected ***: terminated",
        "ioctl: Invalid argument",
        "write: No space left on device",
    ],
)
def test_a_line_of_failure_is_always_there(line):
    about = "all goes well here\n" * 30
    for made in (extract, stash_extract.made):
        assert line in made(f"{about}{line}\n{about}", 0, names=False)[0]


OTHERS = st.sampled_from([{}, str.maketrans("iIsk", "\u0131\u0130\u017f\u212a")])  # other cases
BESIDE = st.sampled_from(["", "x", " ", "\n", "\u0301", "\u00bd", "\ud800"])


@settings(max_examples=2000, deadline=None)
@given(st.from_regex(_TOLD), OTHERS, BESIDE, BESIDE)
def test_nothing_is_screened_out_that_tells_of_a_failure(text, others, before, after):
    text = before + text.translate(others) + after
    assert _may_tell(text.lower()) or not _TOLD.search(text)


@pytest.mark.parametrize("extract", [stash_extract.extract, stash_extract.made])
def test_adversarial_texts(extract):
    for piece in (
        "error",
        "exit ",
        "exit code ",
        '"error"  :',
        " at ",
        'File "',
        "e" * 11,
        ",",
        "n",
        "no ",
        "1:",
        "\\/",
        "_/",
        "a.",
        "\\\\",
        "\\t",
        "\\u00e9",
        "never",
        "time out",
    ):
        extract(piece * (500_000 // len(piece)), 1200, names=True)
        extract('{"' + piece * (500_000 // len(piece)), 1200, names=True)
