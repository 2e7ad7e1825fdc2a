"""The border between Python and the native compressors, and what happens without them."""

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from policies.compress import native, native_source

ROOT = Path(__file__).parents[3]
needs_it = pytest.mark.skipif(not native.built, reason="built without Rust")


@pytest.mark.skipif(not shutil.which("cargo"), reason="there is no Rust here")
def test_they_are_built_wherever_rust_is():
    assert native.built, "run scripts/install"


def loaded(tree, **files):
    """What a fresh process says of a copy of what loads the library, with these files changed."""
    for name in ("policies/base", "policies/compress", "native"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("target", "*.pyc"))
    (tree / "policies/__init__.py").touch()
    for name, change in files.items():
        change(tree / name)
    code = (
        "from policies.compress import json_compact, native\n"
        "print(native.built, json_compact.encode('{\"a\": [1, 2, 3]}', len))"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=tree, check=True, capture_output=True, text=True
    )


@needs_it
def test_a_library_older_than_its_sources_is_not_used(tmp_path):
    source = native_source.SOURCES / "src/lib.rs"
    change = {f"native/src/{source.name}": lambda path: path.write_text("// other\n")}
    found = loaded(tmp_path, **change)
    assert found.stdout == "False {a:[1 2 3]}\n"
    assert "run scripts/install" in found.stderr


def test_a_file_that_is_no_library_is_not_used(tmp_path):
    name = f"policies/compress/{native_source.LIBRARY.name}"
    found = loaded(tmp_path, **{name: lambda path: path.write_bytes(b"\x7fELF, but cut off")})
    assert found.stdout == "False {a:[1 2 3]}\n"
    assert "do not load" in found.stderr


def test_without_a_library_python_does_the_work_and_says_nothing(tmp_path):
    name = f"policies/compress/{native_source.LIBRARY.name}"
    found = loaded(tmp_path, **{name: lambda path: path.unlink(missing_ok=True)})
    assert found.stdout == "False {a:[1 2 3]}\n"
    assert not found.stderr


@needs_it
def test_bytes_that_are_no_utf_8_are_left_to_python():
    library = ctypes.CDLL(str(native_source.LIBRARY))
    out = native._Text()
    count = native._counter(len, [])
    assert library.penstock_json_encode(b'["\xff"]', 5, 100, count, ctypes.byref(out)) == 2


@needs_it
def test_lone_surrogates_are_left_to_python():
    with pytest.raises(native.Unfit):
        native.json_encode('["\ud800"]', len, 100)


@needs_it
def test_a_count_that_fails_is_left_to_python():
    def fails(text):
        raise RuntimeError(text)

    with pytest.raises(native.Unfit):
        native.json_encode('[{"a":"' + "x y " * 9 + '"}]', fails, 1000)


@needs_it
def test_an_interrupt_while_tokens_are_counted_is_not_lost(capfd):
    def interrupted(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        native.json_encode('[{"a":"' + "x y " * 9 + '"}]', interrupted, 1000)
    assert not capfd.readouterr().err


@needs_it
@pytest.mark.parametrize("wrong", [None, 1.5, -1])
def test_a_count_that_is_none_is_left_to_python(wrong, capfd):
    with pytest.raises(native.Unfit):
        native.json_encode('[{"a":"' + "x y " * 9 + '"}]', lambda _: wrong, 1000)
    assert not capfd.readouterr().err
