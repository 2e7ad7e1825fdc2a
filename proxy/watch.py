"""Notice that a client has gone, soon enough to spare the upstream the rest."""

from __future__ import annotations

import asyncio

from proxy.edge import Upload
from proxy.send import Receive

_PATIENCE = 0.02  # seconds; most replies are done by then and need no watching


class Watch:
    """Cancels `task` once the client has hung up. `gone` tells that from other cancels.

    ASGI tells of a hang-up only to whoever asks, and asking costs a task: so it asks late.
    """

    def __init__(self, receive: Receive, task: asyncio.Task[object], upload: Upload | None) -> None:
        self.gone = False
        self._upload = upload  # while it is read, whoever reads it learns of a hang-up
        self._receive = receive
        self._task = task
        self._asking: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(_PATIENCE, self._begin)

    def _begin(self) -> None:
        if self._upload is not None and not self._upload.received:
            self._timer = self._loop.call_later(_PATIENCE, self._begin)
            return
        self._asking = self._loop.create_task(self._ask())

    async def _ask(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        self._task.cancel()

    def stop(self) -> None:
        """The reply is out: stop watching."""
        self._timer.cancel()
        if self._asking is not None:
            self._asking.cancel()
