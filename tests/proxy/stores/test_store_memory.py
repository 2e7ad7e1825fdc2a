import asyncio
import time
from collections import OrderedDict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from policies.base.ports import Entry
from proxy.stores.memory import LARGEST, OVERHEAD, MemoryTier
from proxy.stores.tier import Match, Purge, Slot

BOUND = 20 * OVERHEAD


def cost(slot, entry):
    return len(slot.key) + len(entry.value) + OVERHEAD


class AgainstADict(RuleBasedStateMachine):
    """The tier and a plain ordered dict, side by side."""

    slots = st.builds(
        Slot, st.sampled_from("sS"), st.sampled_from("tT"), st.binary(min_size=1, max_size=1)
    )

    def __init__(self):
        super().__init__()
        self.tier = MemoryTier(BOUND)
        self.model: OrderedDict[Slot, Entry] = OrderedDict()

    @rule(slot=slots, size=st.integers(0, BOUND // 6), expired=st.booleans())
    def put(self, slot, size, expired):
        now = time.time()
        entry = Entry(b"x" * size, now, now - 1 if expired else 0.0)
        asyncio.run(self.tier.put(slot, entry))
        self.model.pop(slot, None)
        if cost(slot, entry) <= BOUND // LARGEST:
            self.model[slot] = entry
            while sum(cost(*item) for item in self.model.items()) > BOUND:
                self.model.popitem(last=False)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def get_what_is_there(self, data):
        self.get(data.draw(st.sampled_from(list(self.model))))

    @rule(slot=slots)
    def get(self, slot):
        entry = self.model.get(slot)
        if entry is not None and entry.expires:
            del self.model[slot]
            entry = None
        elif entry is not None:
            self.model.move_to_end(slot)
        assert asyncio.run(self.tier.get(slot)) == entry

    @rule(slot=slots)
    def delete(self, slot):
        asyncio.run(self.tier.delete(slot))
        self.model.pop(slot, None)

    @rule(tenant=st.sampled_from("tTx"))
    def purge(self, tenant):
        meant = [slot for slot in self.model if slot.tenant == tenant]
        assert asyncio.run(self.tier.purge(Match(tenant=tenant))) == len(meant)
        for slot in meant:
            del self.model[slot]

    @invariant()
    def holds_what_the_model_holds_within_the_bound(self):
        entries, held = asyncio.run(self.tier.size())
        assert entries == len(self.model)
        assert held == sum(cost(*item) for item in self.model.items()) <= BOUND


AgainstADict.TestCase.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
TestAgainstADict = AgainstADict.TestCase


async def test_an_entry_over_an_eighth_of_the_bound_replaces_but_is_not_kept():
    tier = MemoryTier(80_000)
    slot = Slot("s", "t", b"k")
    await tier.put(slot, Entry(b"x" * (10_000 - OVERHEAD - 1), 0.0, 0.0))
    assert await tier.get(slot) is not None
    await tier.put(slot, Entry(b"x" * (10_000 - OVERHEAD), 0.0, 0.0))
    assert await tier.get(slot) is None
    assert await tier.size() == (0, 0)


async def test_a_late_purge_spares_what_was_put_after_it():
    tier = MemoryTier(1_000_000)
    for number in range(10):
        await tier.put(Slot("s", "t", b"%d" % number), Entry(b"", float(number), 0.0))
    assert await tier.apply(Purge(Match(), 4.0)) == 5
    assert await tier.apply(Purge(Match(older_than=1.0), 7.0)) == 2
    assert (await tier.size())[0] == 3


async def test_a_long_purge_lets_others_run_and_spares_what_they_put():
    tier = MemoryTier(100_000_000)
    slots = [Slot("s", "t", b"%d" % number) for number in range(5000)]
    for slot in slots:
        await tier.put(slot, Entry(b"old", time.time(), 0.0))
    purge = asyncio.create_task(tier.purge(Match()))
    await asyncio.sleep(0)
    await tier.put(slots[-1], Entry(b"new", time.time(), 0.0))
    assert not purge.done()
    assert await purge == 4999
    assert await tier.get(slots[-1]) is not None


async def test_without_room_nothing_is_kept():
    tier = MemoryTier(0)
    await tier.put(Slot("s", "t", b"k"), Entry(b"", 0.0, 0.0))
    assert await tier.size() == (0, 0)
