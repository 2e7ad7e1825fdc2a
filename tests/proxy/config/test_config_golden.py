"""Bad files and, to the letter, what is said of them.

PENSTOCK_WRITE_GOLDEN=1 writes the answers anew; read them before they are kept.
"""

import os
from pathlib import Path

import pytest

from proxy.errors import ConfigError
from tests.fakes.config_kinds import made

FOLDER = Path(__file__).parent / "golden"
ENV = {"SHARED": "sk-secret-one", "OTHER": "sk-secret-two", "THIRD": "sk-secret-3", "EMPTY": ""}
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_bad_file_gets_exactly_these_lines(file):
    with pytest.raises(ConfigError) as caught:
        made(file.read_bytes(), ENV, file.name)
    said = "\n".join(caught.value.problems) + "\n"
    golden = file.with_suffix(".txt")
    if os.environ.get("PENSTOCK_WRITE_GOLDEN"):
        golden.write_text(said)
    assert said == golden.read_text()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_secret_is_repeated(file):
    said = file.with_suffix(".txt").read_text()
    assert "sk-" not in said
    assert "in-the-file" not in said
    assert "pw@" not in said
