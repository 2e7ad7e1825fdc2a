from __future__ import annotations

import hashlib

from policies.compress.lingua_tables import TABLES, unpack


def test_tables_are_unpacked_once_where_tiktoken_looks_and_repaired(tmp_path):
    name = "cl100k_base"
    unpack(name, tmp_path)
    [file] = tmp_path.iterdir()
    assert file.name == "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == TABLES[name]
    born = file.stat().st_ino
    unpack(name, tmp_path)
    assert file.stat().st_ino == born
    file.write_bytes(file.read_bytes()[:1000])  # a crash of somebody else's making
    unpack(name, tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == [file.name]
    assert hashlib.sha256(file.read_bytes()).hexdigest() == TABLES[name]
