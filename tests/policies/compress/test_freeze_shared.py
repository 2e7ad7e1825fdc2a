from policies.base.ports import Entry
from policies.compress.freeze_form import UNKNOWN, Form
from policies.compress.freeze_shared import tell, told

MADE = Form("short", 9, 4)


class Shelf:
    """A worker's memory in front of what all share: what it holds is not asked for again."""

    def __init__(self, shared):
        self.kept = {}
        self.shared = shared
        self.asked = []

    async def get(self, key):
        self.asked.append(key)
        found = self.kept.get(key) or self.shared.get(key)
        if found is not None:
            self.kept[key] = found
        return found

    async def put(self, key, value, ttl, model=""):
        self.kept[key] = self.shared[key] = Entry(value, 0.0, ttl, model)


async def tells(shelf, form):
    return await tell(shelf, b"key", form, 1.0, "m")


async def test_a_worker_learns_where_another_was_late_though_it_has_the_form_itself():
    shared = {}
    one, other = Shelf(shared), Shelf(shared)
    assert await tells(one, MADE) == MADE
    assert await tells(other, UNKNOWN.without(b"here")) == MADE.without(b"here")
    assert (await told(one, b"key"))[0] == MADE
    form, entry = await told(one, b"key", (b"there", b"here"))
    assert form == MADE.without(b"here")
    assert entry.model == "m"


async def test_a_worker_that_was_late_learns_of_the_form_that_another_has_made():
    shared = {}
    one, other = Shelf(shared), Shelf(shared)
    await tells(one, UNKNOWN.without(b"here"))
    await tells(other, MADE)
    form, _ = await told(one, b"key", (b"there",))
    assert form == MADE.without(b"here")


async def test_of_a_text_that_is_new_to_a_worker_there_is_one_question():
    shelf = Shelf({})
    assert await told(shelf, b"key") == (UNKNOWN, None)
    assert shelf.asked == [b"key"]
    await tells(shelf, MADE)
    assert list(shelf.shared) == [b"key"]
