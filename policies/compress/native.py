"""The native compressors: the same texts as those in Python make, made without the interpreter.

They are there where Rust was when Penstock was installed, and do not hold the GIL. Whatever they
cannot do raises `Unfit`, and the Python that they are twins of does it.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Sequence
from ctypes import (
    POINTER,
    byref,
    c_bool,
    c_char_p,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_void_p,
    string_at,
)
from operator import index

from policies.base.ports import Count
from policies.compress.native_source import LIBRARY, digest

log = logging.getLogger("penstock.compress")

_MADE, _UNFIT = 1, 2
_Counter = ctypes.CFUNCTYPE(c_int64, c_void_p, c_size_t)
_Asker = ctypes.CFUNCTYPE(c_int32, c_uint32, c_void_p, c_size_t, c_void_p)


class Unfit(Exception):
    """For what is left to Python."""


class _Text(ctypes.Structure):
    _fields_ = (("start", c_void_p), ("size", c_size_t))


def _loaded() -> ctypes.CDLL | None:
    if not LIBRARY.exists():
        return None
    try:
        library = ctypes.CDLL(str(LIBRARY))
        library.penstock_build.restype = c_char_p
        if digest() not in (None, library.penstock_build().decode()):
            log.warning("the native compressors are older than their sources: run scripts/install")
            return None
        library.penstock_free.argtypes = (c_void_p, c_size_t)
        library.penstock_free.restype = None
        library.penstock_answer.argtypes = (c_void_p, c_char_p, c_size_t)
        library.penstock_answer.restype = None
    except (OSError, AttributeError) as error:
        log.warning("the native compressors do not load: %s", error)
        return None
    return library


_library = _loaded()
built = _library is not None


def _operation(name: str, *kinds: type) -> Callable[..., int]:
    """The function of that name; where there is no library, one that is not called."""
    if _library is None:
        return lambda *_: _UNFIT
    function: Callable[..., int] = getattr(_library, name)
    function.argtypes = (c_char_p, c_size_t, *kinds, POINTER(_Text))  # type: ignore[attr-defined]
    function.restype = c_int32  # type: ignore[attr-defined]
    return function


def _made(operation: Callable[..., int], text: str, *rest: object) -> str | None:
    """What an operation makes of a text; None where the text stays. Raises `Unfit`."""
    if _library is None:
        raise Unfit
    try:
        given = text.encode()
    except UnicodeEncodeError as error:
        raise Unfit from error
    found = _Text()
    kind = operation(given, len(given), *rest, byref(found))
    if kind == _UNFIT:
        raise Unfit
    if kind != _MADE:
        return None
    try:
        return string_at(found.start, found.size).decode()
    finally:
        _library.penstock_free(found.start, found.size)


def _counter(count: Count, interrupts: list[BaseException]) -> object:
    """`count`, to be called from Rust. What must not be lost when it fails is put aside."""

    def counted(start: int, size: int) -> int:
        try:
            return index(count(string_at(start, size).decode()))
        except Exception:  # noqa: BLE001 - Python does it again, and meets the same where it may be raised
            return -1
        except BaseException as error:  # noqa: BLE001 - ctypes would print and drop it
            interrupts.append(error)
            return -1

    return _Counter(counted)


def _asker(answers: Sequence[Callable[[str], str]], interrupts: list[BaseException]) -> object:
    """What answers Rust; the same of failures."""

    def answered(number: int, start: int, size: int, answer: int) -> int:
        try:
            given = answers[number](string_at(start, size).decode()).encode()
        except Exception:  # noqa: BLE001 - as above
            return 1
        except BaseException as error:  # noqa: BLE001 - as above
            interrupts.append(error)
            return 1
        if _library is not None:
            _library.penstock_answer(answer, given, len(given))
        return 0

    return _Asker(answered)


_json_encode = _operation("penstock_json_encode", c_size_t, _Counter)


def json_encode(text: str, count: Count, limit: int) -> str | None:
    """See `json_compact.encode`. Raises `Unfit`."""
    interrupts: list[BaseException] = []
    try:
        return _made(_json_encode, text, limit, _counter(count, interrupts))
    finally:
        for error in interrupts:
            raise error


_log_encode = _operation("penstock_log_encode")
_log_decode = _operation("penstock_log_decode")


def log_encode(text: str) -> str | None:
    """See `log_codec.rewritten`. Raises `Unfit`."""
    return _made(_log_encode, text)


def log_decode(encoded: str) -> str:
    """See `log_codec.restored`. Raises `Unfit`."""
    return _made(_log_decode, encoded) or ""


_records = _operation("penstock_records")


def records(text: str) -> bool:
    """See `text_records.records`. Raises `Unfit`."""
    return _made(_records, text) is not None


_protected = _operation("penstock_protected")


def protected(text: str) -> bool:
    """See `text_protected.is_code_or_diff`, of one text. Raises `Unfit`."""
    return _made(_protected, text) is not None


_shown = _operation("penstock_shown")
_screen = _operation("penstock_screen")
_repeats = _operation("penstock_repeats")


def shown(text: str) -> str:
    """See `text_screen.shown`. Raises `Unfit`."""
    made = _made(_shown, text)
    return text if made is None else made


def screen(text: str) -> str:
    """See `text_screen.screen`. Raises `Unfit`."""
    made = _made(_screen, text)
    return text if made is None else made


def repeats(text: str) -> str | None:
    """See `text_repeats.noted`. Raises `Unfit`."""
    return _made(_repeats, text)


_project = _operation("penstock_project")


def project(text: str, keep: str, drop: str) -> tuple[str, int] | None:
    """See `project_cut.projected`, by what `Expression.steps` says. Raises `Unfit`."""
    made = _made(_project, f"{keep}\0{drop}\0{text}")
    if made is None:
        return None
    short, _, gone = made.rpartition("\0")
    return short, int(gone)


_select = _operation("penstock_select", c_char_p, c_size_t, _Asker)
_select_asked = _operation("penstock_select_asked")


def select(asked: str, text: str, answers: Sequence[Callable[[str], str]]) -> str | None:
    """See `select_text.selected`: how many passages are left out, NUL, and the text without them.

    What Rust asks for by a number is answered by the function of that number. Raises `Unfit`.
    """
    try:
        head = asked.encode()
    except UnicodeEncodeError as error:
        raise Unfit from error
    interrupts: list[BaseException] = []
    try:
        return _made(_select, text, head, len(head), _asker(answers, interrupts))
    finally:
        for interrupt in interrupts:
            raise interrupt


def select_asked(text: str) -> str | None:
    """See `select_question.asked`. Raises `Unfit`."""
    return _made(_select_asked, text)


_extract = _operation("penstock_extract", c_size_t, c_bool)


def extract(text: str, size: int, *, names: bool) -> tuple[str, int, int]:
    """See `stash_extract.extract`. Raises `Unfit`."""
    made = _made(_extract, text, min(size, 2 * len(text)), names) or ""
    numbers, _, told = made.partition("\0")
    shown, of = map(int, numbers.split())
    return told, shown, of
