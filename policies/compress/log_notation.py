"""The written form of a log's entries: a list of templates, then one short line an entry.

A={t} status half-installed {0}:amd64 {1}        a template; {t} is the time
 {t} status unpacked {0}:amd64 {1}               its second line, after a space
---
@2026-01-31 10:00:59                             sets the time
A libc6 2.36-9                                   template A with two values
10:01:02A libfoo1 ^                              the time's end changed; ^: as last time
 any other line                                  after a space
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, product
from string import ascii_letters

from policies.compress.log_entries import RAW, Entries
from policies.compress.log_stamps import MARK, change, changed, cuts
from policies.compress.log_templates import Template

_END = "---"
_DITTO = "^"
_ENTRY = re.compile(r"([0-9:.,]*)([A-Za-z]+)(?: ([^\n]*))?")
_FORM = re.compile(r"([A-Za-z]+)=([^\n]*)")
_GAP = re.compile(r"\{([0-9]+)\}")


def write(entries: Entries, templates: Sequence[Template]) -> str:
    """The list of templates that are used, and the entries."""
    used = Counter(entries.templates)
    del used[RAW]
    names = dict(zip((number for number, _ in used.most_common()), _names(), strict=False))
    legend = [f"{name}={_shown(templates[number])}" for number, name in names.items()]
    return "\n".join([*legend, _END, *_body(entries, names)])


def _names() -> Iterator[str]:
    letters = ascii_letters[26:] + ascii_letters[:26]
    return map("".join, chain.from_iterable(product(letters, repeat=size) for size in (1, 2, 3)))


def _shown(template: Template) -> str:
    literals = [
        text.replace("{", "{{").replace("}", "}}").replace(MARK, "{t}").replace("\n", "\n ")
        for text in template.literals
    ]
    gaps = [f"{{{slot}}}" for slot in template.slots]
    return "".join(chain.from_iterable(zip(literals, [*gaps, ""], strict=True)))


def _body(entries: Entries, names: dict[int, str]) -> Iterator[str]:
    now = ""
    places: tuple[int, ...] = ()
    last: dict[int, tuple[str, ...]] = {}
    for number, values, stamp in zip(*entries[:3], strict=True):
        if number == RAW:
            yield values[0] and " " + values[0]
            continue
        head = names[number]
        if stamp is not None and stamp != now:
            if len(stamp) != len(now):
                places = cuts(stamp)
            tail = change(now, stamp, places)
            if tail is None:
                yield "@" + stamp
            else:
                head = tail + head
            now = stamp
        before = last.get(number)
        last[number] = values
        if before is None:
            yield " ".join((head, *values))
            continue
        both = zip(values, before, strict=True)
        yield " ".join((head, *[_DITTO if a == b and a else a for a, b in both]))


def read(text: str) -> str:
    """The inverse of `write`, with the templates filled. Raises `ValueError`."""
    lines = iter(text.split("\n"))
    forms = _forms(lines)
    out = []
    now = ""
    last: dict[str, Sequence[str]] = {}
    for line in lines:
        if not line or line[0] == " ":
            out.append(line[1:])
        elif line[0] == "@":
            now = line[1:]
        else:
            found = _ENTRY.fullmatch(line)
            if found is None or found[2] not in forms:
                raise ValueError("no entry of a log")
            tail, name, rest = found.groups()
            width, form = forms[name]
            values = [] if rest is None else rest.split(" ", width - 1)
            if len(values) != width:
                raise ValueError("an entry of a log with another number of values")
            if tail:
                now = changed(now, tail)
            if _DITTO in values:
                old = last.get(name, ())
                values = [b if a == _DITTO else a for a, b in zip(values, old, strict=True)]
            last[name] = values
            out.append(form.format(*values, t=now))
    return "\n".join(out)


def _forms(lines: Iterator[str]) -> dict[str, tuple[int, str]]:
    forms: dict[str, tuple[int, str]] = {}
    name = ""
    for line in lines:
        if line == _END:
            return forms
        if line.startswith(" ") and name:
            text = forms[name][1] + "\n" + line[1:]
        else:
            found = _FORM.fullmatch(line)
            if found is None:
                raise ValueError("no template of a log")
            name, text = found.groups()
        bare = text.replace("{{", "").replace("}}", "")
        slots = [int(slot) for slot in _GAP.findall(bare)]
        if "{" in (rest := _GAP.sub("", bare).replace("{t}", "")) or "}" in rest:
            raise ValueError("a template with other braces")
        width = len(set(slots))
        if any(slot >= width for slot in slots):
            raise ValueError("a template with a gap left out")
        forms[name] = (width, text)
    raise ValueError("no end of the list of templates")
