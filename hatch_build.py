"""Builds the native compressors, where there is Rust's cargo; Penstock works without them too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from runpy import run_path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# By path: the package needs what is not installed yet.
_source = run_path(str(Path(__file__).parent / "policies/compress/native_source.py"))
LIBRARY: Path = _source["LIBRARY"]
SOURCES: Path = _source["SOURCES"]
_BUILT = {"darwin": "libpenstock_native.dylib", "win32": "penstock_native.dll"}
_WITHOUT = (
    "Penstock will compress in Python, several times slower at the first sight of a text. "
    "To have it native, install Rust (cargo 1.63 or newer), then Penstock again."
)


class NativeCompressors(BuildHookInterface[Any]):
    """Puts the library where `policies.compress.native` loads it from, and into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """See hatchling."""
        if self.target_name != "wheel":
            return
        homes = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{Path.home() / '.cargo/bin'}"
        cargo = shutil.which("cargo", path=homes)
        if cargo is None:
            self.app.display_warning(f"cargo was not found. {_WITHOUT}")
            return
        try:
            self._compile(cargo)
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", "")
            self.app.display_warning(f"{said}{error}\ncargo failed. {_WITHOUT}")
            return
        build_data["artifacts"].append(LIBRARY.relative_to(self.root).as_posix())
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"

    def _compile(self, cargo: str) -> None:
        target = Path(self.root) / "build/native"
        command = [cargo, "build", "--release", "--offline", "--quiet", "--target-dir", str(target)]
        env = {**os.environ, "PENSTOCK_BUILD": _source["digest"]()}
        subprocess.run(  # noqa: S603 - cargo, on our own sources
            command, cwd=SOURCES, check=True, env=env, capture_output=True, errors="replace"
        )
        built = _BUILT.get(sys.platform, "libpenstock_native.so")
        fresh = LIBRARY.with_suffix(".new")  # a running server goes on with the one it has
        shutil.copyfile(target / "release" / built, fresh)
        fresh.replace(LIBRARY)
