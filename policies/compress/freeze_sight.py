"""What is done with texts at first sight: found again in the store, or given a form in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from time import perf_counter
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from policies.base.call import Call, Dialect
from policies.base.ports import Count, Store, View
from policies.compress.freeze_form import (
    UNKNOWN,
    Form,
    Rules,
    joined,
)
from policies.compress.freeze_memory import Generations
from policies.compress.freeze_places import Listing, Message, Spot
from policies.compress.freeze_sent import UNCHANGED, Read, Sent, sent_as
from policies.compress.freeze_shared import tell, told
from policies.compress.freeze_work import Task, Workshop

_INLINE = 64 * 1024  # bytes that may be worked on in the event loop
_MODELS = 256  # whose vocabularies are known to be loaded
_SENT = 0.05  # seconds after which a request that was planned is on its way
_AT_ONCE = 4_000_000  # bytes of messages that one request may have read
_READING = 0.008  # seconds that reading may take when there is no time left to make forms
NEVER = 0.0  # a time by which nothing new can have a form
_encode = msgspec.msgpack.Encoder().encode
T = TypeVar("T")


class Recipe(Protocol):
    """What one compressor differs in from others: where its texts are, and what they become.

    `version`: all that a form depends on besides the text, what it is about, the rules and the
    model. `piece`: one of those that are left out. `contextual`: `spots` looks at the messages
    before.
    """

    version: tuple[object, ...]
    rules: Rules
    piece: str
    contextual: bool

    def signs(self, dialect: Dialect) -> tuple[bytes, ...]:
        """What to look for in a message: without any of it there is nothing to change."""

    def spots(self, dialect: Dialect, raw: bytes, earlier: Sequence[bytes]) -> list[Spot]:
        """The texts of a message that may change, given those before it. Never raises."""

    def form(self, spot: Spot, count: Count) -> Form:
        """What a text becomes: a function of text and `about`. In a thread; never raises.

        A form that is not `known` is for when it could not be made: the text goes as it came.
        """


class Learnt(NamedTuple):
    """Forms that are not in the store yet, or not for long any more, by their keys.

    `unread`: messages among all those of the conversation `here`, whose texts are late there.
    """

    forms: Mapping[bytes, Form]
    here: bytes
    unread: tuple[Listing, Sequence[Message]]


class FirstSight:
    """Knows the forms of texts in `memory` bytes; those it does not know are made in a thread."""

    def __init__(self, recipe: Recipe, memory: int, ttl: float, threads: int) -> None:
        self._recipe = recipe
        self._ttl = ttl
        self._forms: Generations[tuple[str, bytes], Form] = Generations(memory)
        self._workshop = Workshop(threads)
        self._prepared: set[str] = set()
        self._counted: set[str] = set()

    def prepared(self, model: str) -> bool:
        """Whether tokens of this model are counted, or have been."""
        return model in self._prepared

    def prepare(self, model: str, count: Count) -> None:
        """Have a vocabulary loaded: that takes longer than the first text may wait for it.

        Soon: while it loads everything stands still, and the request at hand is to be sent first.
        """
        _note(self._prepared, model)
        self._workshop.start(_SENT, partial(count, ""))

    async def counting(self, model: str, count: Count) -> float:
        """Have tokens of this model counted: for how many seconds that had to be waited for."""
        if model in self._counted:
            return 0.0
        begun = perf_counter()
        await asyncio.to_thread(_tried, count)
        _note(self._counted, model)
        return perf_counter() - begun

    async def look(
        self,
        call: Call,
        view: View,
        there: tuple[Listing, Sequence[Message]],
        here: bytes,
        until: float,
    ) -> tuple[list[Sent], Learnt | None]:
        """What each message is sent as in the conversation `here`, and what is to be stored.

        `there`: all messages, and those that are new. `until` in seconds of `perf_counter`:
        what has no form by then goes as it came. By `NEVER` none is made.
        """
        listed, messages = there
        size, few = 0, 0
        for message in messages:
            size += len(message.raw)
            few += size <= _AT_ONCE
        read = partial(self._read, call, (listed, messages[:few]), here, until)
        found = await _apart(size, read)
        texts = {
            key: spot for each in found for spot, key in zip(each.spots, each.keys, strict=True)
        }
        places = _places(found)
        known, news = await self._remembered(call, view, places)
        unknown = {key: one for key, one in known.items() if not one.known}
        wanted = {key for key, one in unknown.items() if not all(map(one.missed, places[key]))}
        if wanted:
            spots = {key: spot for key, spot in texts.items() if key in wanted}
            late = {key: known[key].without(*places[key]) for key in wanted}
            made = await self._made(call, view, spots, late, until)
            fresh = {
                key: joined(made[key], known[key]) if _known(made, key) else late[key]
                for key in wanted
            }
            known |= fresh
            news |= fresh
            if not view.trial:
                for key, one in fresh.items():
                    self._keep(call.tenant, key, one)
        size = sum(len(known[key].text or "") for key in texts)
        sent = await _apart(size, partial(sent_as, found, known))
        sent += [UNCHANGED] * (len(messages) - len(found))
        unread = messages[len(found) : few]
        return sent, Learnt(news, here, (listed, unread)) if news or unread else None

    def _read(
        self, call: Call, there: tuple[Listing, Sequence[Message]], here: bytes, until: float
    ) -> list[Read]:
        """The texts of messages that may change, as many as there is time for."""
        recipe, (listed, messages) = self._recipe, there
        head = (*recipe.version, *recipe.rules, call.model)
        latest = max(until, perf_counter()) + _READING
        found = []
        for message in messages:
            if until > NEVER and latest < perf_counter():
                break
            fit = len(message.raw) >= recipe.rules.min_tokens  # a token has a byte at least
            earlier = listed.raws[: message.number] if recipe.contextual else ()
            texts = recipe.spots(call.dialect, message.raw, earlier) if fit else []
            keys = [_key(head, spot) for spot in texts]
            places = [_place(here, message.number, spot.call) for spot in texts]
            found.append(Read(message, texts, keys, places))
        return found

    async def _remembered(
        self, call: Call, view: View, places: Mapping[bytes, Sequence[bytes]]
    ) -> tuple[dict[bytes, Form], dict[bytes, Form]]:
        """What is known of each text, and what of it the store has not or not for long."""
        old: dict[bytes, Form] = {}

        async def looked_up(key: bytes) -> Form:
            mine = self._forms.get((call.tenant, key))
            elsewhere, entry = await told(view.store, key, places[key] if mine else ())
            here = mine or UNKNOWN
            found = joined(here, elsewhere)  # another worker may have made it, or have been late
            if entry is not None or elsewhere.late:
                self._keep(call.tenant, key, found)
            goes = entry is not None and 0 < entry.expires < view.now + self._ttl / 2
            if goes or found.known > elsewhere.known or not {*here.late} <= {*elsewhere.late}:
                old[key] = found
            return found

        answers = await asyncio.gather(*map(looked_up, places))
        return dict(zip(places, answers, strict=True)), old

    async def _made(
        self,
        call: Call,
        view: View,
        spots: Mapping[bytes, Spot],
        late: Mapping[bytes, Form],
        until: float,
    ) -> Mapping[bytes, Form]:
        """The forms that were made in time."""
        tenant = call.tenant

        def afterwards(forms: Mapping[bytes, Form]) -> None:
            for key, one in forms.items() if not view.trial else ():
                self._keep(tenant, key, joined(self._forms.get((tenant, key)) or late[key], one))

        if not view.trial:
            _note(self._prepared, call.model)
        if until <= NEVER:
            return {}
        count = view.counter(call.model)
        tasks = [Task(key, partial(self._recipe.form, spot, count)) for key, spot in spots.items()]
        try:
            return await self._workshop.made(tasks, until - perf_counter(), afterwards)
        except asyncio.CancelledError:  # the engine goes on without this policy
            for key, one in late.items() if not view.trial else ():
                self._keep(tenant, key, one)
            raise

    def _keep(self, tenant: str, key: bytes, one: Form) -> None:
        self._forms.put((tenant, key), one, len(one.text or ""))

    async def store(self, call: Call, learnt: Learnt, store: Store) -> None:
        """Keep what was learnt, joined to what other workers have stored meanwhile."""
        forms = dict(learnt.forms)
        if learnt.unread[1]:
            unread = await asyncio.to_thread(self._read, call, learnt.unread, learnt.here, NEVER)
            for key, places in _places(unread).items():
                known = self._forms.get((call.tenant, key)) or UNKNOWN
                if not all(map(known.missed, places)):
                    forms[key] = forms.get(key, known).without(*places)
        for key, one in forms.items():
            latest = joined(one, self._forms.get((call.tenant, key)) or one)
            self._keep(call.tenant, key, await tell(store, key, latest, self._ttl, call.model))

    def close(self) -> None:
        """End the threads."""
        self._workshop.close()


def _note(models: set[str], model: str) -> None:
    if len(models) >= _MODELS:
        models.clear()
    models.add(model)


def _tried(count: Count) -> None:
    with suppress(Exception):  # whoever counts a text meets it again
        count("")


async def _apart(size: int, work: Callable[[], T]) -> T:
    """The result of `work` on `size` bytes, in a thread where that takes long."""
    return work() if size <= _INLINE else await asyncio.to_thread(work)


def _known(made: Mapping[bytes, Form], key: bytes) -> bool:
    """Whether a form was made in time, and could be."""
    return key in made and made[key].known


def _place(here: bytes, number: int, call: str) -> bytes:
    """A text may have been late at one place of a conversation and in time at another.

    Also at that number of another branch, where it answers another call.
    """
    return blake2b(_encode((here, number, call)), digest_size=8).digest()


def _places(found: Iterable[Read]) -> dict[bytes, list[bytes]]:
    """Where each text stands, by its key."""
    places: dict[bytes, list[bytes]] = {}
    for each in found:
        for key, place in zip(each.keys, each.places, strict=True):
            places.setdefault(key, []).append(place)
    return places


def _key(head: tuple[object, ...], spot: Spot) -> bytes:
    digest = blake2b(_encode((*head, spot.about)), digest_size=32)
    digest.update(spot.text.encode())
    return digest.digest()
