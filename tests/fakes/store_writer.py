"""A process that puts entries until it is killed: `store_writer.py FILE FIRST`.

Prints `ready` once the store is open. Each value can be told from its key, so that
whoever reads it back knows whether it is whole.
"""

import asyncio
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

from policies.base.ports import Entry
from proxy.stores.sqlite import SqliteTier
from proxy.stores.tier import Slot

BOUND = 50_000_000


def slot(number: int) -> Slot:
    return Slot("cache.exact", f"team-{number % 3}", b"%d" % number)


def value(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest() * (1 + number % 700)


def start_writer(path, first):
    """A process that puts entries, numbered from `first`, until it is killed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    writer = subprocess.Popen(
        [sys.executable, __file__, path, str(first)], stdout=subprocess.PIPE, env=environment
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"ready\n"
    return writer


async def main(path: Path, number: int) -> None:
    tier = SqliteTier(path, BOUND)
    await tier.setup()
    print("ready", flush=True)
    while True:
        for following in range(number, number + 10):
            await tier.put(slot(following), Entry(value(following), time.time(), 0.0, "m"))
        await asyncio.sleep(0.004)
        number += 10


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
