from pathlib import Path

import pytest

from proxy.config import PRESETS, files
from proxy.config.files import config_file


@pytest.mark.parametrize(
    "name", ["default.yaml", "schema.json", *[f"presets/{p}.yaml" for p in PRESETS]]
)
def test_the_shipped_files_are_found(name):
    assert config_file(name).is_file()


def test_an_installed_package_has_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_HERE", tmp_path / "proxy")
    assert config_file("x") == tmp_path / "config" / "x"
    (tmp_path / "proxy" / "_config").mkdir(parents=True)
    assert config_file("x") == Path(tmp_path / "proxy" / "_config" / "x")
