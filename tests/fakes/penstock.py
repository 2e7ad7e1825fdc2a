"""A real `penstock serve` in a process of its own, on a port of its choice, in a clean environment.

    with running("backends: {a: {use: simulated}}") as penstock:
        httpx2.get(penstock.url + "/livez")

Nothing of the developer's environment that could steer it (keys, proxies, home) gets in.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Penstock", "command", "environment", "free_port", "running"]

_ROOT = Path(__file__).parents[2]
_PATIENCE = 60.0  # seconds; a busy machine starts slowly
_GREETING = re.compile(r"^Penstock \S+: http://\S+:(\d+)/v1$", re.MULTILINE)
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Penstock:
    """A server that answers. `data` is its data folder, `log` what it printed, both on disk."""

    url: str  # without a slash at its end, and without /v1
    port: int
    data: Path
    log: Path
    config: Path
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def output(self) -> str:
        """What it has printed so far."""
        return self.log.read_text("utf-8", "replace")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Tell it to stop, wait, and kill its whole group if it will not; the exit status."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        try:
            status = self.process.wait(10)
        except subprocess.TimeoutExpired:
            status = -signal.SIGKILL
        self.kill()
        return status

    def kill(self) -> None:
        """SIGKILL to it and to its workers."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def rss(self, field: str = "VmRSS") -> int:
        """Resident memory in bytes; `VmHWM`: its highest so far."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = dict(line.split(":", 1) for line in status.splitlines())
        return int(found[field].split()[0]) * 1024


def command(*args: str) -> list[str]:
    """The command line of `penstock` with these arguments, in this interpreter."""
    return [sys.executable, "-c", "from proxy.cli import main; main()", *args]


def environment(home: Path, more: dict[str, str] | None = None) -> dict[str, str]:
    """The least that a process needs, and `more`."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(_ROOT),
        "PYTHONWARNINGS": "default",
        "PYTHONUNBUFFERED": "1",
    } | (more or {})


def free_port() -> int:
    """A port that nobody listened at a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def running(
    yaml: str = "", *, env: dict[str, str] | None = None, args: tuple[str, ...] = ()
) -> Iterator[Penstock]:
    """Serve `yaml` until the block ends.

    `version`, `listen` and `data` are filled in where the text leaves them out. An empty text
    starts it without any file. Raises `RuntimeError` with its output if it does not come up.
    """
    with tempfile.TemporaryDirectory(prefix="penstock-test-") as name:
        folder = Path(name)
        home = folder / "home"
        home.mkdir()
        data = home / ".local" / "share" / "penstock"
        config = folder / "penstock.yaml"
        if yaml:
            config.write_text(_whole(yaml, data))
        options = ("--config", str(config)) if yaml else ()
        penstock = _start(("serve", *options, *args), environment(home, env), folder, data)
        try:
            _wait(penstock)
            yield penstock
        finally:
            if penstock.process.poll() is None:
                penstock.stop()
            penstock.kill()


def _whole(yaml: str, data: Path) -> str:
    given = {line.partition(":")[0] for line in yaml.splitlines()}
    lines = [] if "version" in given else ["version: 1"]
    if "data" not in given:
        lines.append(f"data: {data}")
    return "\n".join([*lines, yaml])


def _start(args: tuple[str, ...], env: dict[str, str], folder: Path, data: Path) -> Penstock:
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command(*args, "--port", "0"),
            env=env,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Penstock("", 0, data, log, folder / "penstock.yaml", process)


def _wait(penstock: Penstock) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and penstock.process.poll() is None:
        told = _GREETING.search(penstock.output())
        if told is None:
            time.sleep(0.02)
            continue
        penstock.port = int(told[1])
        penstock.url = f"http://127.0.0.1:{penstock.port}"
        try:
            with _direct.open(penstock.url + "/livez", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.02)
    raise RuntimeError(f"Penstock did not start:\n{penstock.output()}")
