import contextlib
import os
import resource
import stat
import struct
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.stores.presence import Presence, bits_for
from proxy.stores.tier import digest
from tests.fakes.stores import slot

BITS = 1 << 15
digests = st.lists(st.binary(min_size=16, max_size=16), max_size=30)
lawful = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.presence"


def key(number):
    return digest(slot(number))


def made(path, bits=BITS, inode=1):
    """A filter that is complete."""
    presence = Presence(path, bits, inode)
    presence.clear()
    presence.complete()
    return presence


@lawful
@given(adds=st.lists(st.tuples(st.integers(0, 1), digests)), data=st.data())
def test_what_any_process_added_is_never_missed_by_another(path, adds, data):
    both = made(path), Presence(path, BITS, 1)
    added = set()
    for who, found in adds:
        both[who].add(found)
        added.update(found)
        for presence in both:
            assert all(presence.may_hold(key) for key in added)
    stranger = data.draw(st.binary(min_size=16, max_size=16))
    assert both[0].may_hold(stranger) == both[1].may_hold(stranger)


@lawful
@given(before=digests, rows=digests, meanwhile=digests)
def test_making_it_anew_forgets_only_what_is_gone(path, before, rows, meanwhile):
    presence = made(path)
    presence.add(before)
    presence.clear()
    presence.add(rows)
    Presence(path, BITS, 1).add(meanwhile)
    presence.complete()
    assert all(presence.may_hold(key) for key in [*rows, *meanwhile])
    fresh = made(path.with_suffix(".other"))
    fresh.add([*rows, *meanwhile])
    assert [presence.may_hold(key) for key in before] == [fresh.may_hold(key) for key in before]


def test_a_clearing_between_adding_and_commit_is_made_good(path):
    one, two = made(path), Presence(path, BITS, 1)
    with one.adding([key(1)]):
        assert two.may_hold(key(1))
        two.clear()
    two.complete()
    assert one.may_hold(key(1))


def test_few_absent_slots_are_taken_for_present(path):
    presence = made(path, bits_for(1_000_000))
    presence.add(key(number) for number in range(1000))  # 1 KB each
    wrong = sum(presence.may_hold(key(number)) for number in range(1000, 51_000))
    assert wrong < 50  # 10 are to be expected
    assert not presence.is_due(int)


@pytest.mark.parametrize(("bound", "size"), [(0, 4096), (10**9, 4 << 20), (10**15, 256 << 20)])
def test_the_size_follows_the_bound_of_the_database(bound, size):
    assert bits_for(bound) == 8 * size


def test_until_it_is_complete_everything_may_be_there(path):
    presence = Presence(path, BITS, 1)
    assert presence.is_due(int)
    assert presence.may_hold(key(1))
    presence.clear()
    presence.complete()
    assert not presence.is_due(int)
    assert not presence.may_hold(key(1))
    presence.clear()  # and there its process was killed
    assert Presence(path, BITS, 1).may_hold(key(1))


def test_it_outlives_its_process_even_a_killed_one(path):
    made(path)
    code = (
        "import sys, os, signal; from pathlib import Path; from proxy.stores.presence import *\n"
        f"Presence(Path(sys.argv[1]), {BITS}, 1).add([b'0123456789abcdef'])\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code, path], env=environment, check=False, timeout=30)
    assert Presence(path, BITS, 1).may_hold(b"0123456789abcdef")
    assert not Presence(path, BITS, 1).may_hold(key(1))


def test_it_belongs_to_one_database(path):
    made(path, inode=1)
    other = Presence(path, BITS, inode=2)
    assert other.may_hold(key(1))
    assert other.is_due(int)


def test_where_it_is_doubted_it_is_due(path):
    presence = made(path)
    presence.doubt()
    assert presence.is_due(int)
    assert Presence(path, BITS, 1).may_hold(key(1))


def test_who_rebuilds_from_a_database_that_was_replaced_completes_nothing(path):
    late = Presence(path, BITS, inode=1)
    late.clear()
    Presence(path, BITS, inode=2)
    late.complete()
    assert not late.is_complete()


def test_a_larger_file_is_kept_and_a_smaller_one_replaced(path):
    old = made(path)
    old.add([key(1)])
    assert not Presence(path, BITS // 2, 1).may_hold(key(2))
    assert old.in_place()
    assert Presence(path, BITS * 2, 1).may_hold(key(2))
    assert not old.in_place()
    assert old.may_hold(key(1))
    assert path.stat().st_size == 4096 + BITS * 2 // 8
    assert list(path.parent.iterdir()) == [path]


DAMAGE = {
    "empty": lambda whole: b"",
    "cut": lambda whole: whole[:-1],
    "longer": lambda whole: whole + b"\0",
    "head only": lambda whole: whole[:20],
    "zeros": lambda whole: bytes(len(whole)),
    "other magic": lambda whole: b"PENSTCK1" + whole[8:],
    "odd bits": lambda whole: whole[:8] + struct.pack("<Q", BITS + 8) + whole[16:] + b"\0",
    "huge": lambda whole: whole[:8] + struct.pack("<Q", 1 << 63) + whole[16:],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_replaced_by_an_incomplete_one(path, damage):
    made(path)
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    presence = Presence(path, BITS, 1)
    assert presence.is_due(int)
    assert presence.may_hold(key(1))
    assert path.stat().st_size == 4096 + BITS // 8


def test_nobody_else_may_read_it(path):
    made(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_all_its_blocks_are_taken_at_the_start(path):
    Presence(path, 1 << 23, 1)
    assert path.stat().st_blocks * 512 >= path.stat().st_size


@contextlib.contextmanager
def full_disk(size):
    """No file of this process may grow beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_an_error_and_leaves_nothing(path):
    with full_disk(100_000), pytest.raises(OSError, match="large"):
        Presence(path, 1 << 21, 1)
    assert list(path.parent.iterdir()) == []
    with full_disk(100_000):
        Presence(path, BITS, 1)


def test_a_place_that_cannot_be_had_is_an_error(path):
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        Presence(path, BITS, 1)
    assert list(path.parent.iterdir()) == [path]


def test_a_crowded_one_is_due_where_that_would_help(path):
    presence = made(path)
    presence.add(key(number) for number in range(5000))
    assert not presence.is_due(lambda: 0)
    presence.add(key(number) for number in range(5000, 6000))
    assert presence.is_due(lambda: 0)
    assert presence.is_due(lambda: 3000)
    assert not presence.is_due(lambda: 6000)


def test_one_at_a_time_makes_it_anew(path):
    one, two = made(path), Presence(path, BITS, 1)
    with one.rebuilding() as first, two.rebuilding() as second:
        assert first
        assert not second
    with two.rebuilding() as first:
        assert first
    path.unlink()
    with one.rebuilding() as first:
        assert not first
