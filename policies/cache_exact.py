"""Answer a request that was answered before, down to its last generation field."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from pydantic import Field

from policies.base.call import CacheMode, Call, Effect
from policies.base.fingerprint import fingerprint, is_sampled, is_stateful
from policies.base.plan import Outcome
from policies.base.policy import Base, Strict, policy
from policies.base.ports import Store, View
from policies.base.reply import Recording
from policies.base.step import Answer, Skip, Step
from policies.base.units import Duration, Size

_OFF, _REFRESH, _READ_ONLY = CacheMode.OFF, CacheMode.REFRESH, CacheMode.READ_ONLY
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Recording).decode


@policy("cache.exact")
class ExactCache(Base):
    """Key: `fingerprint`. Stores complete replies only, under their first-choice backend."""

    effect: ClassVar = Effect.EXACT

    class Settings(Strict):
        """`sampled`: what to do with requests that ask for chance (temperature, n)."""

        ttl: Annotated[Duration, Field(gt=0)] = 3600.0
        sampled: Literal["bypass", "reuse"] = "bypass"
        max_entry: Size = 4 * 1024 * 1024

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def plan(self, call: Call, view: View) -> Step:
        """`Answer` on a hit; else `Skip` with the key as memo where the reply may be kept."""
        unfit = self._unfit(call)
        if unfit is not None:
            return Skip(unfit)
        key = fingerprint(call)
        if key is None:
            return Skip("not strict JSON")
        mode = call.controls.cache
        if mode is _REFRESH:
            return Skip("refresh", key, self.settings.max_entry)
        found = await self._find(key, call, view)
        if found is not None:
            return found
        if mode is _READ_ONLY:
            return Skip("miss")
        return Skip("miss", key, self.settings.max_entry)

    def _unfit(self, call: Call) -> str | None:
        """Why the cache must leave this request alone, if it must."""
        if call.controls.cache is _OFF or call.controls.ttl == 0:
            return "off by request"
        if is_stateful(call):
            return "stateful"
        if self.settings.sampled == "bypass" and is_sampled(call):
            return "sampled"
        return None

    async def _find(self, key: bytes, call: Call, view: View) -> Answer | None:
        entry = await view.store.get(key)
        if entry is None:
            return None
        age = max(0.0, view.now - entry.stored)
        limits = (self._ttl(call), call.controls.max_age)
        if any(limit is not None and age > limit for limit in limits):
            return None
        try:
            recording = _decode(entry.value)
        except msgspec.MsgspecError:
            return None
        left = max(0.0, entry.expires - view.now) if entry.expires else self._ttl(call)
        return Answer(recording, Effect.EXACT, "hit", age=age, ttl=left, tier="exact")

    async def settle(self, call: Call, step: Step, outcome: Outcome, store: Store) -> None:
        """Keep a complete reply of the backend that the key names."""
        recording = outcome.recording
        if not isinstance(step, Skip) or not isinstance(step.memo, bytes) or recording is None:
            return
        if outcome.collapsed and await store.get(step.memo) is not None:
            return  # the request that made the upstream call has stored it
        if outcome.backend == call.backends[0] and len(recording.body) <= self.settings.max_entry:
            await store.put(step.memo, _encode(recording), self._ttl(call), call.model)

    def _ttl(self, call: Call) -> float:
        asked = call.controls.ttl
        return self.settings.ttl if asked is None else min(asked, self.settings.ttl)
