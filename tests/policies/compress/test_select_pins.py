import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compress.select_pins import (
    _FRAME,
    _PHRASES,
    _TROUBLE,
    _may_trouble,
    factual,
    named,
    names,
    troubled,
)

SAID = """ERROR FAILED EMERG Fault: Exception: warnings: ERR! Err! stacktrace STACK TRACE backtrace
    panicked exit exited with code status 1 return returned HTTP/1.1 503 ACCESS denied connection
    reset no such file command not found core dumped out of memory timed syntax assertion failed
    unhandled AssertionError ERR_X errno 3 rc:1 ENOENT ECONNRESET ETIMEDOUT EPERM EACCES error[ TS1
    "error" level=err level=alert *** [ OOMKilled not ok undefined reference symbol curl: ( rc=1
    with code status 503 404 Not Found 500 Internal Server 502 Bad Forbidden Unauthorized Gateway
    Timeout Too Many non-zero Killed Aborted failed 7 is denied smashing assertion ` loopbackoff
    ImagePullBackOff cannot open shared allocate memory resolve host unable to connect invalid
    argument operation permitted no space left broken pipe address already in use open files route
    to network unreachable deadline exceeded : error
    Timeout Too Many non-zero Killed [err] <fatal> [core:crit] [severe ] :01:02 emerg kern.err A
    |ERR| ORA-01234 SQLSTATE OOMKill OOMKilling ErrImagePull CrashLoopBackOff ImagePullBackOff make:
    *** alert fail"""
PARTS = SAID.split()
PARTS = [*PARTS, *(f"{part} " for part in PARTS), " ", ":", "="]


@pytest.mark.parametrize(
    "text",
    [
        "ERROR: it broke",
        "error: cannot find module",
        "ValueError: bad literal",
        "java.lang.NullPointerException: x",
        "Traceback (most recent call last):",
        '  File "/app/x.py", line 3, in f',
        "    at com.example.Main.run(Main.java:7)",
        "   at Object.<anonymous> (/app/index.js:1:7)",
        "Caused by: other",
        "#0  0x00007f in raise ()",
        "goroutine 1 [running]:",
        "thread 'main' panicked at src/main.rs:2",
        "Process exited with code 1",
        "exit code: 0",
        "exit status 2",
        "returned code 7",
        "npm ERR! missing script",
        "HTTP/1.1 503 Service Unavailable",
        "bash: foo: command not found",
        "open x: no such file or directory",
        "Segmentation fault (core dumped)",
        "1 test FAILED",
        "E: Unable to locate package x",
        "E   assert 1 == 2",
        "AssertionError",
        "net::ERR_CONNECTION_REFUSED",
        "connect ECONNREFUSED 10.0.0.7:80",
        "ENOENT, open 'x'",
        "main.o: undefined reference to `foo'",
        "make: *** [all] stopped",
        "error TS2322: Type 'x' is not assignable",
        "src/a.rs:1:2: error[E0382] borrow of moved value",
        "[Errno 13] x",
        "not ok 3 - adds",
        '"errors": ["x"]',
        'time=1 level=error msg="x"',
        "E0102 10:00:00.1 1 a.go:1] boom",
        "curl: (7) no route",
        "rc=1",
        "the hook returned 1",
        "Process finished with code 1",
        "answered with status 503",
        "404 Not Found",
        "429 Too Many Requests",
        "OOMKilled",
        "Killed",
        "✗ adds",
        "Failed to start unit",
        "Aborted",
        "\t/srv/app/main.go:10 +0x1d",
        "\tfrom /srv/app/x.rb:12:in `call'",
        "#0 /var/www/x.php(12): call()",
        "#2 {main}",
        "    at async load (file:///app/x.mjs:3:7)",
        "    at new Store (/app/x.js:3:7)",
        "dpkg: error processing package x (--configure):",
        "1 failed, 3 passed in 0.12s",
        "Access is denied.",
        "*** stack smashing detected ***: terminated",
        "x.c:7: f: Assertion `p != NULL' failed.",
        "pod is in CrashLoopBackOff",
        "Back-off: ImagePullBackOff",
        "libx.so.1: cannot open shared object file",
        "mmap: Cannot allocate memory",
        "could not resolve host x.example",
        "unable to connect to 10.0.0.7",
        "ioctl: Invalid argument",
        "chown: Operation not permitted",
        "write: No space left on device",
        "write: broken pipe",
        "bind: Address already in use",
        "accept: Too many open files",
        "connect: No route to host",
        "connect: Network is unreachable",
        "rpc: context deadline exceeded",
        "    at async run (/app/x.js:1:2)",
        "    at new Pool (/app/pool.js:7:9)",
        "    at Object.get [as name] (/app/x.js:1:2)",
        "    at async file:///app/x.mjs:1:2",
        "    at async Promise.all (index 0)",
        "\t... 12 more",
        "    ... 7 common frames omitted",
        "  ✕ adds (3 ms)",
        "2024/01/01 00:00:00 [error] 12#0: *1 open() failed",
        "[Mon Jan 01 00:00:00 2024] [proxy:error] [pid 1] refused",
        "2024-01-01 [error    ] no file [app]",
        "[app][crit] disk",
        "<error>no such order</error>",
        "2024-01-01 00:00:00,123 error disk full",
        "2024-01-01T00:00:00.123456Z emerg disk full",
        "[2024-01-01 00:00:00] fail disk full",
        "Jan  1 00:00:00 2024 daemon.err sshd[7]: no route",
        "[00:00:00 ERR] no route",
        "3:04PM ERR no route",
        "app | ERR | no route",
        "ORA-00942: table or view",
        "SQLSTATE[42S02]: base table",
        "web-1  0/1  CrashLoopBackOff  7",
        "web-1  0/1  ImagePullBackOff  0",
        "web-1  0/1  ErrImagePull  0",
        "Warning  OOMKilling  3m",
        "make[1]: *** No rule to make target 'x'",
        "panic: runtime error: index out of range",
        "x.c:12:3: error: expected ';'",
        "x.c:1:10: fatal error: x.h",
        "make: *** [Makefile:2: all] Error 1",
    ],
)
def test_errors_exit_codes_and_stack_frames_are_trouble(text):
    assert troubled(f"all is well\n{text}\nand goes on")


@pytest.mark.parametrize(
    "text",
    [
        "He made an error of judgement in his youth.",
        "The failure of the harvest led to famine.",
        "They met at (or near) the river.",
        "The exit was closed.",
        "It is an exception to the rule.",
        "Of the twelve that tried, two failed.",
        "Aborted attempts are not told of.",
        "from here: 12 miles",
        "#1 Best of the year",
        "To err is human, and [Error](https://x.example/error) says why.",
        "See `Vec<Error>` and errors[err] of the table | error | text |.",
        "The Estonian broadcaster (ERR) told it; ERR is its name, the ERR news.",
        "At 10:30 panic broke out; ratio 1:20 error rates.",
        "At new heights of fame, they met\nat new York.",
        "...and 12 more\n... 12 more results",
        "The user.err field, a back-off, an aurora-12 of five.",
    ],
)
def test_prose_about_failure_is_no_trouble(text):
    assert not troubled(text)


@pytest.mark.parametrize(
    "text",
    [
        "in 1984", "https://x.example", "see www.x", "me@x", "in src/app", "~/notes", "C:\\temp",
        "user_id", "getUser", "run()", "std::vector", "app.py", "It is not so", "isn't",
        "isn\u2019t", "without it", "it is unable to", "an invalid one",
    ],
)  # fmt: skip
def test_facts(text):
    assert factual(f"words {text} words")


@pytest.mark.parametrize("text", ["Water flows down the hill.", "North and south, day and night."])
def test_plain_words_are_no_facts(text):
    assert not factual(text)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("who won in 1984?", "It was 1984."),
        ("what of user_id and getUser?", "call GetUser()"),
        ("look at src/app.py please", "in src/app.py:7"),
        ("order #ORD-77.", "ord-77 is late"),
        ("how about $12.50?", "costs $12.50"),
        ("see https://x.example/a?b=1", "from https://x.example/a?b=1 on"),
        ("flight HAT001", "HAT001 leaves"),
    ],
)
def test_numbers_and_identifiers_of_a_question_are_found(question, text):
    assert names(question).search(text)


@pytest.mark.parametrize(
    ("question", "text"),
    [("in 1984", "in 19840"), ("app.py", "myapp.py"), ("HAT001", "HAT0011"), ("12 of", "3.12")],
)
def test_names_are_whole(question, text):
    assert not names(question).search(text)


@settings(max_examples=1000, deadline=None)
@given(st.text(" aB0_@\\/:.,-*'(#%\n", max_size=12))
def test_no_name_of_a_question_is_passed_over(question):
    # A letter that is not of ASCII, apart, has every word looked at.
    assert named(question) == named(f"{question} \u00e9")


@pytest.mark.parametrize(
    "question", ["", "who is it?", "the 5 best", "in the U.S., e.g. NASA", "?!"]
)
def test_plain_questions_have_none(question):
    assert names(question) is None


@pytest.mark.parametrize(
    "text",
    [
        " " * 500_000, "a" * 500_000, "at " * 200_000, "error " * 90_000, "#" * 500_000,
        "1" * 500_000, "a_" * 250_000, "exit " * 100_000, "/" * 500_000, "\n" * 500_000,
        "> " * 250_000, "." * 500_000,
    ],
)  # fmt: skip
def test_hostile_texts_end(text):
    troubled(text)
    factual(text)
    found = names(text)
    if found is not None:
        found.search(text)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=6).map("".join))
def test_the_signs_are_in_all_that_the_pattern_matches(text):
    for signs, pattern in _TROUBLE.items():
        if pattern.search(text):
            assert any(sign in text.lower() for sign in signs)


PATTERNS = [_FRAME, *_TROUBLE.values(), *(re.compile(f"(?i){each}") for each in _PHRASES)]
BESIDE = st.sampled_from(["", "x", " ", "\n", "\u0301", "\u00bd", "\u2167", "\ud800", "_"])


OTHERS = st.sampled_from([{}, str.maketrans("iIsk", "\u0131\u0130\u017f\u212a")])  # other cases


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.pattern[:40])
@settings(max_examples=200, deadline=None)
@given(st.data(), BESIDE, BESIDE, OTHERS)
def test_nothing_is_screened_out_that_a_pattern_matches(pattern, data, before, after, others):
    text = before + data.draw(st.from_regex(pattern)).translate(others) + after
    if pattern.search(text):
        assert _may_trouble(text.removeprefix("\n") if pattern is _FRAME else text)
