"""The native `compress.select` leaves out what the one in Python does,
and writes the same text."""

from itertools import pairwise, product
from pathlib import Path

import pytest

from policies.compress import native, select_text
from policies.compress.select_choice import Limits, chosen
from policies.compress.select_passages import passages
from policies.compress.select_rank import lexical

pytestmark = pytest.mark.skipif(not native.built, reason="built without Rust")
ROOT = Path(__file__).parents[3]


def words(text):
    return len(text.split())


def told(*_, **__):
    raise AssertionError("it is left to Python")


def same(text, question, share=None, tokens=None, *, pasted=False, alone=True, fit=True):
    """What both leave. `alone`: Python is asked for nothing but stems; not `fit`: or for all."""
    limits = Limits(share, tokens)
    split = passages(text, pasted=pasted)
    theirs = split and chosen(text, split, question, limits, (lexical, words))
    with pytest.MonkeyPatch.context() as patch:
        if fit:
            patch.setattr(select_text, "passages", told)
        if fit and alone:
            for name in ("looks_like_code_or_diff", "troubled", "factual", "names", "plain"):
                patch.setattr(select_text, name, told)
        ours = select_text.selected(text, question, limits, words, pasted=pasted)
    assert ours == theirs
    return ours


def page(*texts):
    """Passages that are neither the first nor the last, nor near what is asked."""
    return "\n\n".join(("Gold lies deep.", *texts, "Gold, gold.", "The end of it."))


def kept(passage, question="gold", tokens=None, **how):
    """Whether a passage stays among others."""
    made = same(page(passage, "Soup of leeks is made."), question, tokens=tokens, **how)
    return made is None or passage.strip() in made.text


BESIDE = ["", " ", "x", "X", "_", "7", ".", "-", ":", "'", "(", "\n", "\t> ", "é", "→"]
TROUBLE = """
    ERROR|FATAL|CRITICAL|SEVERE|PANIC|FAIL|FAILED|FAILURE|ALERT|EMERG|Error:|Exception :|Failure:
    Fault:|Warning:|errors:|FATAL :|exceptions:|failure:|panic:|warnings :|aError|aException
    "error":
    'errors' :|error[|error TS12|error ABCD12345|error ABCDE12|error A1|error A123456|exit 1|exited
    exit with status 2|EXITED code: -3|exit  4|exit =5|exit code  = 5|return code 1
    returned_code"=2
    errorcode 3|status code: 4|with code -1|exit_code' : 1|rc=1|rc = 2|RC : -3|rc:  4|rc 4
    returned 1
    returned -12|returned 123|returned 1234|returned 1.|Returned a non-zero|returned nonzero
    returned a non zero|err!|ERR!|errno 3|Errno -3|ERR_X|ERR_x|ENOENT|EACCES|EPERM|ETIMEDOUT|ECONNX
    ECONN|enoent|level=err|Level" : 'FATAL|level: panic|level emerg|status 503|status":404
    status=45
    STATUS: 512|status  503|HTTP 404|HTTP/1.1 500|HTTP/1.10 500|http 404|HTTP/ 500|404 Not Found
    500 Internal Server|502 Bad |403 Forbidden|401 Unauthorized|503 Service Unavailable
    504 Gateway Time
    429 Too Many|304 Not Found|5022 Bad |backtrace|Panicked at|OOMKilled|oomkilled|not ok 1
    Not ok 1
    undefined reference|undefined symbol|undefined|curl: (|*** [|permission denied|Access Denied
    connection refused|connection reset|no such file|command not found|segmentation fault
    core dumped
    out of memory|timed out|syntax error|assertion failed|unhandled|stack trace|StackTrace
    : error in|: Error |access is denied|Stack smashing|assertion `x|CrashLoopBackOff|pbackoff
    ImagePullBackOff|cannot open shared|Cannot allocate memory|not resolve host|unable to connect
    Invalid argument|operation not permitted|no space left|broken pipe|address already in use
    too many open files|no route to host|unreachable|deadline exceeded|1 failed|0 failed,|1 Failed
    1  failed|one failed
    OOMKill|OOMKilling|OOMKiller|ORA-01234|ORA-123456|ORA-1234|SQLSTATE|Sqlstate|ErrImagePull
    ErrImagePullx|CrashLoopBackOff|ImagePullBackOff|BackOff|make: *** N|make[1]: *** N|*** N
    [error] a|[err]|[Crit  ] a|[core:emerg] a|[Core:emerg]|[a:b:fail]|[failed]|[erred]|[error](a)
    [severe]\n|[fatal|[alert>|<error>|<Panic>|<err]|<erred>|:01:02 err |:01:02,123 Error:
    :01:02.123456789Z] fatal]|:01:02.1234567890 fatal |1:02 err |:01:02. err |:01:02Z  err
    :01:02 failed |:01:02 errors |:01:02 err.|:1:02 err |x:01:02 CRIT |kern.err |local7.crit a
    local8.crit |authpriv.alert |cron.emerg|xkern.err |kern.error |1 ERR |A ERR]|a ERR |:ERR:|> ERR]
    [ERR: |-ERR |: ERR x|ERR a|] ERR a
"""
FRAMES = """
    Traceback (most|Traceback|File "|File|Caused by:|Caused by|at a.b(|at a/b :|at é$<>(|at  (|at (
    at a b|#0 a|#12  _|#1|# 1 a|#1 A|goroutine 1|goroutine a|E: |E   |E  |E1234 12:|F1234 12:
    G1234 12:
    E123 12:|✗|✘|\u00d7|✖|❌|✓|Failed|Failedx|Failed_|Killed|Killed.
    Aborted|Aborted.|Aborted (|#1 /a|#1 {main}|#1 [a|at async a(|at new a.b:|at async(|at new (
    at async  a(|at news a(|at new a b|from a:1:in|from /a/b.rb:12:in `x'|from :1:in|from a:in
    from a:1:inx|from a:1: in|from a b:1:in|from é:1:in|/a.go:1 +0x|/.go:12 +0xf|a.go:1 +0x
    /a.go: +0x|/a.go:1 0x|/a b.go:1 +0x|/a:b.go:1 +0x|/é.go:1 +0x1
    ✕|✙|at async a.b(|at new A (|at async file:///a:1|at async (|at new (|at new new A(
    at a [as b](|at a  [as b](|at async a[as b](|at [as b]|at news a(|... 1 more|... 12 more.
    ... more|... 12  more|... 3 common frames omitted|.. 1 more|... 1 common frames
"""
FACTS = """
    1|https://|:/|www.|xwww.|a@b|@b|a@ |-@-|a/b|a/.|a/~|~/|/usr|(/usr|a /|x"/y|a\\b|\\b|C:\\|a:\\|_a
    a_b|a_
    aB|AB|f()|f(|()|a::b|::b|a::|a.b|A.b|a.B|.b|isn't|isn\u2019t|n't|isn'tx|IS N'T|no|No|not
    NEVER|none
    nor|neither|nothing|nobody|nowhere|non|cannot|without|unless|except|hardly|unable|unavailable
    unknown|unsupported|known|note|snow|error|exceptional|fails|fatal|panics|traceback|denied
    refused
    invalid|missing|aborted|crashes|warned|critical|timeout|timed out|timed
"""


def listed(texts):
    return [each for line in texts.strip("\n").split("\n") for each in line.strip().split("|")]


@pytest.mark.parametrize("sign", [*listed(TROUBLE), *listed(FRAMES)])
def test_what_always_stays(sign):
    for before, after in product(BESIDE, BESIDE):
        kept(f"So {before}{sign}{after} it", tokens=1)
    for before, after in product(("", " ", "\t>", "x"), BESIDE):
        kept(f"so\n{before}{sign}{after}", tokens=1)


@pytest.mark.parametrize("sign", listed(FACTS))
def test_facts(sign):
    for before, after in product(BESIDE, BESIDE):
        kept(f"So {before}{sign}{after} it")


@pytest.mark.parametrize(
    ("sign", "stays"),
    [("ERROR", True), ("exit 1", True), ("the exit", False), ("HTTPError: x", True)],
)
def test_trouble_stays_and_prose_does_not(sign, stays):
    assert kept(f"so it is {sign}", tokens=1) is stays


RARE = "\u0130\u0131\u017f\u212a\u0301\u02bc\u0591\u0660\u0e01\u2167\xbd\u01c5\U0001d400"


@pytest.mark.parametrize("sign", RARE)
def test_rare_signs_beside_what_is_looked_for(sign):
    texts = "ERROR{}|{}ERROR|at {}(|{}/a|a{}@b|no{}|{}no|e{}it 1|Failed{}|warn{}ng:"
    for text in texts.split("|"):
        for passage in (text.format(sign), f"x\n{text.format(sign)}"):
            kept(passage, tokens=1, alone=False)
            kept(passage, alone=False)


@pytest.mark.parametrize(
    "name", ["ORD-7", "user_id", "a.b.py", "12.5", "http://x.y/z", "é_1", "KIT_K", "$12", "a::b"]
)
def test_names_of_the_question(name):
    forms = (name, name.upper(), name.swapcase(), name.replace("K", "\u212a"))
    for before, said, after in product(BESIDE, forms, BESIDE):
        kept(f"so {before}{said}{after} it", f"gold {name}", tokens=1, alone=False)
    alone = name.isascii()
    assert kept(f"so {name.swapcase()} it", f"gold {name}", tokens=1, alone=alone)


def numbered(texts, label="Document [{}]", between="\n"):
    return between.join(label.format(n) + text for n, text in enumerate(texts, 1))


def test_every_sign_in_words():
    """Of each what it is to words: a letter, another letter, none, or nothing at all."""
    signs = [chr(code) for code in [*range(0x3100), *range(0xA700, 0xA800), *range(0xF900,
    0x10000),
                                    *range(0x1D400, 0x1D500), *range(0x1F300, 0x1F700)]
             if not 0xD800 <= code < 0xE000]  # fmt: skip
    for at in range(0, len(signs), 40):
        some = signs[at : at + 40]
        texts = [f"{sign}gold a{sign}b {sign.upper()}x7{sign} A{sign}" for sign in some]
        text = numbered(texts, "Document [{}] ")
        for question in (" ".join(texts[::3]), "agold ab bx x7", "gold" + "".join(texts[1::9])):
            same(text, question, 0.3, pasted=True, alone=False)


QUESTIONS = [
    "moons of Jupiter", "superbowl", "superbowls superb bowling", "white house white",
    "getUserName HTTP2",
    "cities city cities' citing", "a x of 5", "gold " * 80,
    " ".join(f"word{n}" for n in range(80)),
    "going generalizations hopefulness conditional rational", "日本 東京都 gold", "Pokémon éx Ærø",
    "is it", "", "?!", "goe go going gone", "championship champion champions championing",
]  # fmt: skip
WORDY = [
    "The moons of Jupiter are moonlit.", "Super Bowl, superb owls; SuperBowl's SUPERBOWL",
    "white White-House",
    "getUserName(http2, HTTP2) user name", "a city's cities, citing", "x of 5 X", "gold " * 30,
    "word1 word2 word63 word64 word79", "go going goes gone goers", "東京都 日本語 gold",
    "Pokemon ex Ærø ærø",
    "champion championship championships", "don't dont do n't",
    "general rationally ration conditionals", "",
]  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS)
def test_words_in_other_forms_in_pieces_and_side_by_side(question):
    under = "\n\n".join(f"# {one}\n{two}" for one, two in pairwise(WORDY))
    for share in (None, 0.2, 0.6):
        same(numbered(WORDY, "Document [{}] "), question, share, pasted=True, alone=False)
        same("\n\n".join(WORDY), question, share, alone=False)
        same(under, question, share, alone=False)


def test_words_wherever_they_stand():
    for size in range(120):
        texts = [f"{'a' * size}Gold tin", f"{'a' * size} golds", "x" * size, "gold", "soup"]
        same(numbered(texts, "Document [{}] "), "gold", 0.4, pasted=True)


def test_bounds():
    text = page(*(f"Soup {'of leeks ' * n} gold" for n in range(12)), "ERROR: tin")
    found = {same(text, "gold soup", share / 50, 40) for share in range(1, 50)}
    found |= {same(text, "gold soup", share / 50) for share in range(1, 50)}
    found |= {same(text, "gold soup", tokens=tokens) for tokens in range(1, 150, 3)}
    assert len(found) > 9


def test_the_pages_and_what_is_asked_of_them():
    for path in sorted((ROOT / "docs").rglob("*.md"))[::3]:
        text = path.read_text(encoding="utf-8")
        question = text.lstrip("# \n").partition("\n")[0]
        same(text, question, alone=False)
        same(text, question, 0.3, alone=False)


def golden(count=words):
    text = page("tin", "golds")
    return select_text.selected(text, "gold", Limits(0.1, None), count, pasted=False)


def test_what_fails_is_left_to_python(capfd):
    def fails(_):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        golden(fails)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(select_text, "stem", fails)
        assert golden() is not None
    assert not capfd.readouterr().err


def test_an_interrupt_in_between_is_not_lost(capfd, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(select_text, "stem", interrupted)
    with pytest.raises(KeyboardInterrupt):
        golden()
    assert not capfd.readouterr().err


@pytest.mark.parametrize("head", ["", "- - -", "x - -\ngold", "- -\ngold", "- - - pasted\ngold"])
def test_what_is_not_asked_so_is_left_to_python(head):
    with pytest.raises(native.Unfit):
        native.select(head, "text", [told] * 9)


@pytest.mark.parametrize("stems", ["", "gold", "gold mine lore", "gold  mine"])
def test_other_than_a_stem_for_each_word_is_no_answer(stems):
    with pytest.raises(native.Unfit):
        native.select("- - -\ngold mine", "text", [lambda _: stems] * 9)
