"""Lines of files that are whole, compressed, cut off or not text at all."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.replay import lines as under_test
from proxy.replay.lines import Problems, is_sqlite, lines

TEXT = b"one\n\n  \ntwo\nthree"


def read(path):
    problems = Problems()
    return list(lines(path, problems)), problems


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_lines_are_numbered_and_blank_ones_left_out(tmp_path, pack):
    path = tmp_path / "trace"
    path.write_bytes(pack(TEXT))
    assert read(path)[0] == [(1, b"one\n"), (4, b"two\n"), (5, b"three")]


def test_a_truncated_file_gives_its_whole_lines_and_one_problem(tmp_path):
    rows = b"".join(b"%d %s\n" % (n, bytes([n % 251]).hex().encode() * 40) for n in range(5000))
    path = tmp_path / "trace.gz"
    path.write_bytes(gzip.compress(rows)[:-2000])
    found, problems = read(path)
    assert 0 < len(found) < 5000
    assert problems.count == 1
    assert problems.first[0].startswith(f"trace.gz:{found[-1][0] + 1}: ")


def test_a_line_beyond_the_bound_is_left_out_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(under_test, "LONGEST", 100)
    path = tmp_path / "trace"
    path.write_bytes(b"a\n" + b"b" * 1000 + b"\nc\n" + b"d" * 100 + b"\n")
    found, problems = read(path)
    assert found == [(1, b"a\n"), (3, b"c\n")]
    assert problems.count == 2


def test_what_has_been_read_adds_up_to_the_file(tmp_path):
    path = tmp_path / "trace"
    path.write_bytes(b"line\n" * 10_000)
    sizes = []
    assert sum(1 for _ in lines(path, Problems(), sizes.append)) == 10_000
    assert sum(sizes) == path.stat().st_size


def test_problems_are_all_counted_and_the_first_kept():
    problems = Problems()
    for number in range(1000):
        problems.add(f"trace:{number}", "bad")
    assert problems.count == 1000
    assert len(problems.first) == 20


@given(data=st.binary(max_size=300), zipped=st.booleans(), cut=st.integers(0, 40))
def test_no_bytes_are_fatal(tmp_path_factory, data, zipped, cut):
    path = tmp_path_factory.mktemp("lines") / "trace"
    path.write_bytes((gzip.compress(data) if zipped else b"\x1f\x8b" + data)[: 10_000 - cut])
    found, problems = read(path)
    assert found or problems.count or not data.strip()


def test_a_database_is_known_by_its_first_bytes(tmp_path):
    path = tmp_path / "any"
    path.write_bytes(b"SQLite format 3\x00...")
    assert is_sqlite(path)
    path.write_bytes(b"{}")
    assert not is_sqlite(path)
