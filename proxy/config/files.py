"""Where the files of `config/` are: beside the packages in a checkout, inside the wheel."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parents[1]


def config_file(name: str) -> Path:
    """The path of a shipped file, such as `default.yaml` or `presets/safe.yaml`."""
    packaged = _HERE / "_config"
    return (packaged if packaged.is_dir() else _HERE.parent / "config") / name
