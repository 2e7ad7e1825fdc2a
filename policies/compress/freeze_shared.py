"""What workers tell each other of texts through the store: forms, and where they came too late.

A store may answer from this worker's memory, in which an entry stays what it was when another
worker has written it anew. So each place where a text was late has an entry of its own, too, as
has a form that took the place of nothing but such places.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from policies.base.ports import Entry, Reader, Store
from policies.compress.freeze_form import UNKNOWN, Form, joined, restored, stored

_FORM = b"form"
_LATE = b"late"


async def told(
    store: Reader, key: bytes, places: Sequence[bytes] = ()
) -> tuple[Form, Entry | None]:
    """What the store knows of a text, and the entry of its form, if there is one.

    `places`: where another worker may have been late since this one has read that entry. It may
    have made the form as well.
    """
    entry = await store.get(key)
    form = restored(entry.value) if entry is not None else UNKNOWN
    if not places:
        return form, entry
    if not form.known:
        made = await store.get(key + _FORM)
        form = form if made is None else joined(restored(made.value), form)
    marks = await asyncio.gather(*[store.get(key + place) for place in places])
    late = [place for place, mark in zip(places, marks, strict=True) if mark is not None]
    return form.without(*late), entry


async def tell(store: Store, key: bytes, form: Form, ttl: float, model: str) -> Form:
    """Keep a form for `ttl` seconds, joined to what other workers have stored meanwhile."""
    known, entry = await told(store, key)
    latest = form if entry is None else joined(known, form)
    await store.put(key, stored(latest), ttl, model)
    if latest.known and entry is not None and not known.known:
        await store.put(key + _FORM, stored(latest), ttl, model)
    for place in latest.late:
        if place not in known.late:
            await store.put(key + place, _LATE, ttl, model)
    return latest
