"""Programs under measurement: started on a free port, watched by /proc, stopped at the end."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
CHAT = "/v1/chat/completions"


class BenchError(Exception):
    """The measurement cannot be made, or would not mean what it says."""


@dataclass(frozen=True)
class Program:
    """A command to run: its port, the environment it adds and the headers its callers send."""

    name: str
    port: int
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Running:
    """A started program."""

    program: Program
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def name(self) -> str:
        """The name it goes by in tables."""
        return self.program.name

    def resident_mb(self) -> float:
        """Resident memory of the process and its descendants, in MB of 10^6 bytes."""
        pages = sum(
            int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            for pid in _tree(self.process.pid)
        )
        return pages * _PAGE / 1e6

    def cpu_seconds(self) -> float:
        """CPU time used so far by the process and its descendants, in seconds."""
        fields = (_stat(pid) for pid in _tree(self.process.pid))
        return sum(int(f[11]) + int(f[12]) for f in fields) / _TICK

    def get(self, path: str) -> str:
        """The body of a GET, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.program.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().read().decode()

    def post(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send one chat request on a connection of its own; returns status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.program.port, timeout=60)
        headers = {"content-type": "application/json", "authorization": "Bearer sk-bench"}
        with contextlib.closing(connection):
            connection.request("POST", CHAT, body, headers | dict(self.program.headers))
            reply = connection.getresponse()
            names = {name.lower(): value for name, value in reply.getheaders()}
            return reply.status, names, reply.read()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(program: Program, folder: Path, core: str = "") -> Iterator[Running]:
    """Start a program with its log in `folder`, on the CPU cores of the list `core` if given.

    It is stopped with its whole process group on leaving.
    """
    log = folder / f"{program.port}.log"
    pinned = ("taskset", "-c", core, *program.command) if core else program.command
    with log.open("wb") as out:
        process = subprocess.Popen(
            pinned,
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=folder,
            env={**os.environ, **program.environment},
            start_new_session=True,
        )
    try:
        yield Running(program, process, log)
    finally:
        _stop(process)


def wait_for_answer(target: Running, body: bytes, seconds: float = 180) -> float:
    """Post `body` until the answer is 200; returns the seconds that took.

    Raises BenchError with the end of the program's log if it dies or never answers.
    """
    begun = time.perf_counter()
    last = "no connection"
    while time.perf_counter() - begun < seconds:
        if target.process.poll() is not None:
            break
        with contextlib.suppress(ConnectionError):
            status, _, text = target.post(body)
            if status == 200:
                return time.perf_counter() - begun
            last = f"{status} {text[:300]!r}"
        time.sleep(0.002)
    tail = target.log.read_text(errors="replace")[-1500:]
    raise BenchError(f"{target.name} gives no answer ({last}); its log ends:\n{tail}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
            return


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, which may itself hold spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def _tree(root: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int(_stat(int(entry.name))[1])
    tree = [root]
    for pid in tree:
        tree.extend(child for child, parent in parents.items() if parent == pid)
    return tree
