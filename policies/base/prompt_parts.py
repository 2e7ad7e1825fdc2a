"""The parts of one tool list, instruction or message: what identifies each, marks aside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Raw

from policies.base.call import Dialect
from policies.base.spans import Path

MARKS = frozenset({"cache_control", "prompt_cache_breakpoint"})

# Content parts by the JSON text of their type: those that take a mark, and those known besides.
_MARKABLE = {
    Dialect.CHAT: frozenset({b'"text"', b'"image_url"', b'"input_audio"', b'"file"'}),
    Dialect.RESPONSES: frozenset({b'"input_text"', b'"input_image"', b'"input_file"'}),
    Dialect.MESSAGES: frozenset(
        {b'"text"', b'"image"', b'"document"', b'"search_result"', b'"tool_use"', b'"tool_result"'}
    ),
}
_BARE = {
    Dialect.CHAT: frozenset({b'"refusal"'}),
    Dialect.RESPONSES: frozenset({b'"output_text"', b'"refusal"'}),
    Dialect.MESSAGES: frozenset(
        {
            *(b'"thinking"', b'"redacted_thinking"', b'"server_tool_use"', b'"container_upload"'),
            *(
                b'"web_search_tool_result"',
                b'"web_fetch_tool_result"',
                b'"tool_search_tool_result"',
            ),
            *(b'"code_execution_tool_result"', b'"bash_code_execution_tool_result"'),
            b'"text_editor_code_execution_tool_result"',
        }
    ),
}
_ROLES = {
    Dialect.CHAT: frozenset(
        {
            *(b'"system"', b'"developer"', b'"user"', b'"assistant"'),
            *(b'"tool"', b'"function"'),
        }
    ),
    Dialect.RESPONSES: frozenset({b'"system"', b'"developer"', b'"user"', b'"assistant"'}),
    Dialect.MESSAGES: frozenset({b'"system"', b'"user"', b'"assistant"'}),
}
_INSTRUCTING = frozenset({b'"system"', b'"developer"'})
_TEXTS = frozenset({b'"text"', b'"input_text"', b'"output_text"'})
_ITEMS = frozenset(
    {
        *(b'"function_call"', b'"custom_tool_call"', b'"reasoning"', b'"item_reference"'),
        *(b'"web_search_call"', b'"file_search_call"', b'"computer_call"', b'"mcp_call"'),
        *(b'"code_interpreter_call"', b'"image_generation_call"', b'"local_shell_call"'),
        *(b'"shell_call"', b'"apply_patch_call"', b'"mcp_list_tools"', b'"compaction"'),
        *(b'"mcp_approval_request"', b'"mcp_approval_response"', b'"tool_search_call"'),
    }
)
_OUTPUTS = frozenset(
    {
        *(b'"function_call_output"', b'"custom_tool_call_output"', b'"computer_call_output"'),
        *(b'"local_shell_call_output"', b'"shell_call_output"', b'"apply_patch_call_output"'),
        b'"tool_search_output"',
    }
)
_BLANK = b'" \\nrt'  # what the JSON text of a string of white space is made of

# A message whose other values are plain, up to its content and after it: the usual ones.
_plain = rb'\s*"(?!content")[^"\\]*"\s*:\s*(?:"[^"\\]*"|null|true|false)\s*'
_opening = re.compile(rb"\{(?:" + _plain + rb',)*\s*"content"\s*:\s*')
_closing = re.compile(rb"\s*(?:," + _plain + rb")*\}")

_object = msgspec.json.Decoder(dict[str, Raw]).decode
_list = msgspec.json.Decoder(list[Raw]).decode
_decode = msgspec.json.Decoder(float_hook=Raw).decode  # more digits than a float has stay
_encode = msgspec.json.Encoder().encode
_LONGEST = 1_000_000  # bytes: nobody else runs meanwhile, for 4 ms


class Unknown(Exception):
    """A shape that is not known, so that nothing may be said of the prompt."""


class Part(msgspec.Struct, frozen=True, gc=False):
    """One block to be. `path` is below the value it was read from; `index` that of a tool.

    `instructs`: part of a message by the system or developer. `offset`: see `Block`.
    """

    identity: tuple[bytes, ...]
    path: Path
    size: int
    markable: bool = False
    marked: bool = False
    turn_end: bool = False
    index: int | None = None
    instructs: bool = False
    offset: int | None = None


def tools(dialect: Dialect, raw: Raw) -> Sequence[Part]:
    """Tool definitions; Anthropic alone takes marks on them."""
    return tuple(_tool(dialect, index, each) for index, each in enumerate(_listed(raw)))


def _tool(dialect: Dialect, index: int, raw: Raw) -> Part:
    tool = _object(raw)
    identity, marked = _pairs(tool)
    markable = dialect is Dialect.MESSAGES and "defer_loading" not in tool
    size = sum(map(len, identity))
    return Part((b"tool", *identity), (index,), size, markable, marked, index=index)


def _listed(raw: Raw) -> Sequence[Raw]:
    return () if bytes(raw) == b"null" else _list(raw)


def _pairs(values: dict[str, Raw]) -> tuple[list[bytes], bool]:
    """Keys and values without marks; whether there was one."""
    found: list[bytes] = []
    marked = False
    for key, raw in values.items():
        text = bytes(raw)
        if key in MARKS:
            marked = marked or text != b"null"
        else:
            found += (key.encode(), written(text))
    return found, marked


def written(text: bytes) -> bytes:
    """A JSON text in the one way that msgspec writes it, if it can be read and may be another.

    Some clients write the same messages otherwise in every turn: the model reads the same. Numbers
    with fractions, and long texts, stay as they are.
    """
    plain = text[:1] not in (b'"', b"[", b"{") or (text[:1] == b'"' and b"\\" not in text)
    if plain or len(text) > _LONGEST:
        return text
    try:
        return _encode(_decode(text))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return text


def system(dialect: Dialect, raw: Raw) -> Sequence[Part]:
    """Anthropic's `system`, a string or text parts; Responses' `instructions`, a string."""
    text = bytes(raw)
    if text == b"null":
        return ()
    if text[:1] == b'"':
        return (_text((b"system",), text, (), markable=dialect is Dialect.MESSAGES),)
    if text[:1] != b"[" or dialect is not Dialect.MESSAGES:
        raise Unknown
    return tuple(_content(dialect, (b"system",), _list(text), ()))


def _text(head: tuple[bytes, ...], text: bytes, path: Path, *, markable: bool = True) -> Part:
    """A text that stands alone. Anthropic refuses marks on blank texts, and blank parts."""
    markable = markable and bool(text.strip(_BLANK))
    return Part((*head, b"t", written(text)), path, len(text), markable)


def message(dialect: Dialect, raw: Raw) -> Sequence[Part]:
    """A message of chat, of Anthropic, or of the kind `message` in Responses."""
    values = _object(raw)
    role = bytes(values.get("role", b""))
    if role not in _ROLES[dialect]:
        raise Unknown
    content = bytes(values.pop("content", b"null"))
    calls = _listed(values.pop("tool_calls", Raw(b"null"))) if dialect is Dialect.CHAT else ()
    rest, marked = _pairs(values)
    head = (b"message", *rest)
    parts: list[Part] = []
    if content[:1] == b'"':
        # A reply is sent back as it was received, and a function's result is always a text.
        markable = role not in (b'"assistant"', b'"function"')
        plain = _text(head, content, ("content",), markable=markable)
        parts.append(msgspec.structs.replace(plain, offset=_offset(bytes(raw), content)))
    elif content[:1] == b"[":
        parts += _content(dialect, head, _list(content), ("content",))
    elif content != b"null" or dialect is not Dialect.CHAT:
        raise Unknown
    for index, call in enumerate(calls):
        opening = () if parts else head
        pairs, own = _pairs(_object(call))
        size = sum(map(len, pairs))
        identity = (*opening, b"call", *pairs)
        parts.append(Part(identity, ("tool_calls", index), size, marked=own))
    if not parts:
        parts.append(Part(head, (), sum(map(len, rest))))
    ends = role in (b'"user"', b'"tool"')
    if ends or marked:
        last = parts[-1]
        parts[-1] = msgspec.structs.replace(last, turn_end=ends, marked=marked or last.marked)
    if role in _INSTRUCTING and dialect is not Dialect.MESSAGES:
        return [msgspec.structs.replace(part, instructs=True) for part in parts]
    return parts


def _offset(text: bytes, content: bytes) -> int | None:
    """Where the content of a message begins, if its other values are plain."""
    opening = _opening.match(text)
    if opening is None or not text.startswith(content, opening.end()):
        return None
    closing = _closing.match(text, opening.end() + len(content))
    return opening.end() if closing is not None and closing.end() == len(text) else None


def _content(
    dialect: Dialect, head: tuple[bytes, ...], raws: Sequence[Raw], at: Path
) -> Iterator[Part]:
    """Content parts; `head`, which tells whose they are, counts with the first."""
    for index, raw in enumerate(raws):
        yield _part(dialect, head, _object(raw), (*at, index))
        head = ()


def _part(dialect: Dialect, head: tuple[bytes, ...], values: dict[str, Raw], path: Path) -> Part:
    kind = bytes(values.get("type", b""))
    takes = kind in _MARKABLE[dialect]
    if not takes and kind not in _BARE[dialect]:
        raise Unknown
    nested = _unnest(values, "content")
    if bytes(values.get("source", b""))[:1] == b"{":
        source = _object(values["source"])
        nested = _unnest(source, "content") or nested
        values["source"] = Raw(b"\1".join(_pairs(source)[0]))
    rest, marked = _pairs(values)
    text = bytes(values.get("text", b""))
    if kind in _TEXTS and len(rest) == 4 and text[:1] == b'"':
        plain = _text(head, text, path, markable=takes)
        return msgspec.structs.replace(plain, marked=True) if marked else plain
    if kind in _TEXTS and not text.strip(_BLANK):
        takes = False
    return Part((*head, *rest), path, sum(map(len, rest)), takes, marked or nested)


def _unnest(values: dict[str, Raw], name: str) -> bool:
    """Put the parts that a part holds in a form without marks; whether there were any."""
    text = bytes(values.get(name, b""))
    if text[:1] != b"[":
        return False
    found: list[bytes] = []
    marked = False
    for raw in _list(text):
        pairs, own = _pairs(_object(raw))
        marked = marked or own
        found += (b"part", *pairs)
    values[name] = Raw(b"\1".join(found))  # no JSON text holds this byte
    return marked


def item(dialect: Dialect, raw: Raw) -> Sequence[Part]:
    """An input item of Responses."""
    values = _object(raw)
    kind = bytes(values.get("type", b'"message"'))
    if kind == b'"message"':
        return message(dialect, raw)
    output = kind in _OUTPUTS
    if not output and kind not in _ITEMS:
        raise Unknown
    nested = _unnest(values, "output") if output else False
    rest, marked = _pairs(values)
    identity = (b"item", *rest)
    return (Part(identity, (), sum(map(len, rest)), False, marked or nested, output),)
