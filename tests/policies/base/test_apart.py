import asyncio
import threading
import time

import pytest

from policies.base.apart import apart


async def test_one_at_a_time_and_not_on_the_event_loop():
    under_way, most = set(), []

    def work(name):
        under_way.add(name)
        most.append(len(under_way))
        time.sleep(0.01)
        under_way.remove(name)
        return name, threading.current_thread() is threading.main_thread()

    found = await asyncio.gather(*(apart(work, name) for name in "abc"))
    assert found == [("a", False), ("b", False), ("c", False)]
    assert most == [1, 1, 1]


async def test_what_it_raises_is_raised():
    with pytest.raises(ValueError, match="not a number"):
        await apart(_fails)
    assert await apart(int, "7", base=8) == 7


def _fails():
    raise ValueError("not a number")
