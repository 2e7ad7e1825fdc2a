"""What Penstock costs a machine: import time, start time, memory at rest and after much work."""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from overhead_load import chat, request, wrk
from overhead_peers import PENSTOCK, ROOT, target
from overhead_process import BenchError, Program, Running, running, wait_for_answer

_IMPORT = "import time; t = time.perf_counter(); import proxy.app; print(time.perf_counter() - t)"
_MIX_CONNECTIONS = 32
_SETTLE = 3.0


def import_seconds(times: int) -> float:
    """Median seconds of `import proxy.app` in a fresh interpreter."""
    took = (
        subprocess.run(
            [sys.executable, "-c", _IMPORT], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout
        for _ in range(times)
    )
    return median(float(seconds) for seconds in took)


def start(upstream: Running, folder: Path, times: int) -> tuple[float, float]:
    """Start Penstock `times` times: median seconds to the first answer, and median idle MB."""
    seconds, memory = [], []
    for number in range(times):
        place = folder / f"start-{number}"
        place.mkdir()
        program = target(PENSTOCK, upstream.program.port, place)
        begun = time.perf_counter()
        with running(program, place) as penstock:
            wait_for_answer(penstock, chat(1024))
            seconds.append(time.perf_counter() - begun)
            time.sleep(_SETTLE)
            memory.append(penstock.resident_mb())
    return median(seconds), median(memory)


def soak(program: Program, folder: Path, early: int, late: int) -> tuple[float, float]:
    """Resident MB after `early` and after `late` mixed requests: misses, hits, streams, errors."""
    with running(program, folder) as penstock:
        wait_for_answer(penstock, chat(1024))
        mix = _mix(penstock)
        sent, memory = 0, []
        for goal in (early, late):
            while sent < goal:
                sample = wrk(penstock, mix, _MIX_CONNECTIONS, 1)
                sent += sample.requests
                if sample.failures > 0.2 * sample.requests + _MIX_CONNECTIONS:
                    raise BenchError(f"too many failures in the soak: {sample}")
            time.sleep(_SETTLE)
            memory.append(penstock.resident_mb())
    return memory[0], memory[1]


def _mix(penstock: Running) -> list[bytes]:
    """Of each 20 requests: 9 misses, 5 hits, 3 streams, 1 flaky upstream, 1 error, 1 not JSON."""
    miss, hit = chat(1024), chat(1024, "the same every time, hit")
    bodies = [miss, hit, miss, chat(1024, stream=True), miss, hit] * 3
    whole = [request(penstock, body) for body in bodies[:-1]]
    whole.append(request(penstock, chat(1024), (("x-bench-status", "flaky"),)))
    whole.append(request(penstock, chat(1024), (("x-bench-status", "404"),)))
    whole.append(request(penstock, miss[:-1] + b","))
    return whole
