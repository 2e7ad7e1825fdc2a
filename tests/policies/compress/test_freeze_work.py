import asyncio
import threading
import weakref

import pytest

from policies.compress.freeze_form import AS_IT_CAME, Form
from policies.compress.freeze_work import Task, Workshop


@pytest.fixture
def workshop():
    shop = Workshop()
    yield shop
    shop.close()


async def test_all_forms_are_there_as_soon_as_they_are_made(workshop):
    late = []
    tasks = [Task(b"%d" % n, lambda n=n: Form(str(n))) for n in range(20)]
    made = await workshop.made(tasks, 60.0, late.append)
    assert made == {b"%d" % n: Form(str(n)) for n in range(20)}
    assert late == []


async def test_what_is_late_is_told_and_what_was_not_begun_is_never_made(workshop):
    slow, begun, late = threading.Event(), [], asyncio.get_running_loop().create_future()

    def second():
        begun.append("second")
        slow.wait()
        return Form("second")

    tasks = [
        Task(b"1", lambda: Form("first")),
        Task(b"2", second),
        Task(b"3", lambda: begun.append("third") or AS_IT_CAME),
    ]
    made = await workshop.made(tasks, 0.05, late.set_result)
    assert made == {b"1": Form("first")}
    slow.set()
    assert await late == {b"2": Form("second")}
    assert made == {b"1": Form("first")}
    assert begun == ["second"]


async def test_who_waits_may_be_cancelled(workshop):
    slow, late = threading.Event(), asyncio.get_running_loop().create_future()
    task = Task(b"1", lambda: Form(str(slow.wait())))
    waiting = asyncio.create_task(workshop.made([task], 60.0, late.set_result))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    slow.set()
    assert await late == {b"1": Form("True")}


async def test_what_waits_for_a_thread_in_vain_holds_no_texts(workshop):
    class Text:
        def __call__(self):
            return AS_IT_CAME

    busy = threading.Event()
    for _ in range(2):
        workshop.start(0.0, busy.wait)
    await asyncio.sleep(0.01)
    text = Text()
    known = weakref.ref(text)
    found = await workshop.made([Task(b"1", text)], 0.01, lambda _: None)
    del text
    held = known()
    busy.set()
    assert (found, held) == ({}, None)


async def test_one_request_has_half_of_the_threads():
    many = Workshop(8)
    together = threading.Barrier(4)
    tasks = [Task(b"%d" % n, lambda: Form(str(together.wait(60) >= 0))) for n in range(8)]
    assert set((await many.made(tasks, 60.0, lambda forms: None)).values()) == {Form("True")}
    begun = set()
    slow = threading.Event()
    tasks = [
        Task(b"%d" % n, lambda n=n: begun.add(n) or Form(str(slow.wait(60)))) for n in range(8)
    ]
    assert await many.made(tasks, 0.2, lambda forms: None) == {}
    assert len(begun) == 4
    slow.set()
    many.close()
