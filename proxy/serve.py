"""One process that serves, or several under a supervisor that keeps them alive."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import uvicorn

from proxy.config import Config
from proxy.downstream import Connection
from proxy.metrics import mark_dead
from proxy.start import application

_GRACE = 30  # seconds that requests have to finish at a shutdown
_STARTED_BADLY = 3  # uvicorn's exit status when the application did not start
_TOO_SOON = 2.0  # seconds; a worker that dies younger is not started again at once


class _Quiet(logging.Filter):
    """Drops uvicorn's complaint about replies that we cut off on purpose."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "without completing response" not in record.getMessage()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(4096)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    sock.set_inheritable(True)
    return sock


def run_one(path: Path | None, config: Config, sock: socket.socket) -> int:
    """Serve until told to stop; the process's exit status."""
    logging.getLogger("uvicorn.error").addFilter(_Quiet())
    app = application(path, config)
    settings = uvicorn.Config(
        app,
        http=Connection,
        interface="asgi3",
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=120,
        timeout_graceful_shutdown=_GRACE,
    )
    server = uvicorn.Server(settings)
    # When it has shut down, uvicorn raises the signal again: being told to stop is no failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)
    collect_rarely()
    server.run(sockets=[sock])
    return 0 if server.started else _STARTED_BADLY


def collect_rarely() -> None:
    """What start-up made stays, and need not be walked again by the collector of garbage.

    Requests make few cycles, so it may come by less often.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _outlive_not(alive: int) -> None:
    """Stop this worker in an orderly way once nobody can write to the pipe any more."""
    os.read(alive, 1)
    os.kill(os.getpid(), signal.SIGTERM)


class Supervisor:
    """Forks workers that share one socket; restarts those that die; passes signals on."""

    def __init__(self, path: Path | None, config: Config, sock: socket.socket) -> None:
        self._path = path
        self._config = config
        self._sock = sock
        self._born: dict[int, float] = {}
        self._stopping = False
        self._alive = os.pipe()  # ends when this process does, however it ends

    def run(self, workers: int) -> int:
        """Serve until told to stop; the exit status."""
        folder = tempfile.mkdtemp(prefix="penstock-metrics-")
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        os.environ["PENSTOCK_SUPERVISOR"] = str(os.getpid())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._pass_on)
        try:
            for _ in range(workers):
                self._fork()
            return self._look_after()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _fork(self) -> None:
        pid = os.fork()
        if pid == 0:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            os.close(self._alive[1])
            threading.Thread(target=_outlive_not, args=self._alive[:1], daemon=True).start()
            os._exit(run_one(self._path, self._config, self._sock))
        self._born[pid] = time.monotonic()

    def _look_after(self) -> int:
        status = 0
        while self._born:
            pid, waited = os.wait()
            age = time.monotonic() - self._born.pop(pid, 0.0)
            mark_dead(pid)  # it has nothing in flight any more
            code = os.waitstatus_to_exitcode(waited)
            if self._stopping:
                continue
            if code == _STARTED_BADLY:
                status = 1
                self._stop(signal.SIGTERM)
                continue
            if age < _TOO_SOON:
                time.sleep(_TOO_SOON - age)
            if not self._stopping:
                self._fork()
        return status

    def _pass_on(self, number: int, _: object) -> None:
        if number == signal.SIGHUP:
            self._signal(number)
        else:
            self._stop(number)

    def _stop(self, number: int) -> None:
        self._stopping = True
        self._signal(number)

    def _signal(self, number: int) -> None:
        for pid in list(self._born):
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(pid, number)
