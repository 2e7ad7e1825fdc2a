import json
from time import perf_counter

from backends import call

from policies.base.ports import View
from policies.compress.backref_again import Again
from policies.compress.freeze import FreezeSettings, There
from policies.compress.freeze_places import listing

PAGE = "\n".join(f"line {n} of what was read, with {n * 7919 % 1000}" for n in range(60))


class Nothing:
    async def get(self, key):
        return None


def there(notes, *texts):
    results = [{"role": "tool", "tool_call_id": "1", "content": text} for text in texts]
    one = call({"messages": results})
    listed = listing(one.dialect, one.body.raw)
    return one, There(listed, listed.holding((b'"tool"',)), notes, b"")


async def references(again, one, so):
    found, _ = await again.forms(one, View(Nothing(), 0.0), so, perf_counter() + 30)
    return {message.number: json.loads(sent.raw)["content"] for message, sent in found}


async def test_what_is_noted_of_other_results_does_not_count():
    again, notes = Again(FreezeSettings()), {}
    first = await references(again, *there(notes, PAGE, "short", PAGE))
    assert first[2].startswith("[lines 1-60 of message 1 stand here again")
    assert await references(again, *there(notes, PAGE, "short", PAGE, "more")) == first
    changed = await references(again, *there(notes, "other", PAGE, PAGE, "more"))
    assert changed[2].startswith("[lines 1-60 of message 2 stand here again")
    assert await references(again, *there(notes, PAGE)) == {}
    await again.aclose()
