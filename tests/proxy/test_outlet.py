"""Held writes go out in order, together, and never into a closed transport."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from proxy.outlet import outlet


class Wire:
    def __init__(self):
        self.writes = []
        self.closed = False

    def write(self, data):
        assert not self.closed
        self.writes.append(bytes(data))

    def writelines(self, parts):
        self.write(b"".join(parts))

    def is_closing(self):
        return self.closed


async def test_what_is_held_goes_out_as_one_write_at_the_end_of_the_turn():
    wire = Wire()
    out = outlet(wire, asyncio.get_running_loop())
    out.hold(b"a")
    out.hold(b"b")
    assert wire.writes == []
    await asyncio.sleep(0)
    assert wire.writes == [b"ab"]
    await asyncio.sleep(0)
    assert wire.writes == [b"ab"]


async def test_outlets_of_one_loop_are_flushed_in_the_order_in_which_they_held():
    loop, order = asyncio.get_running_loop(), []

    class Ordered(Wire):
        def write(self, data):
            order.append(data)

    first, second = outlet(Ordered(), loop), outlet(Ordered(), loop)
    second.hold(b"2")
    first.hold(b"1")
    await asyncio.sleep(0)
    assert order == [b"2", b"1"]


async def test_a_closed_transport_is_not_written_to():
    wire = Wire()
    out = outlet(wire, asyncio.get_running_loop())
    out.hold(b"late")
    wire.closed = True
    await asyncio.sleep(0)
    assert wire.writes == []


async def test_much_is_not_held():
    wire = Wire()
    out = outlet(wire, asyncio.get_running_loop())
    out.hold(b"x" * 70_000)
    assert len(wire.writes) == 1


@given(
    st.lists(st.tuples(st.sampled_from(["hold", "write", "both", "turn"]), st.binary(min_size=1)))
)
def test_bytes_keep_their_order_however_they_are_written(steps):
    async def run():
        wire = Wire()
        out = outlet(wire, asyncio.get_running_loop())
        for how, data in steps:
            if how == "hold":
                out.hold(data)
            elif how == "write":
                out.write(data)
            elif how == "both":
                out.write(data[:1], data[1:])
            else:
                out.hold(data)
                await asyncio.sleep(0)
        out.flush()
        assert b"".join(wire.writes) == b"".join(data for _, data in steps)

    asyncio.run(run())
