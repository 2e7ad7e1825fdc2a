"""The next backend of a route, when one cannot be reached or keeps failing."""

from __future__ import annotations

from collections.abc import Sequence

from policies.base.call import Call
from policies.base.ports import Backend
from policies.base.reply import Reply
from proxy.errors import ConnectFailed, Overloaded, UpstreamError

_STATUSES = frozenset({429, 500, 502, 503, 504, 529})


class Fallback:
    """Asks each backend in turn until one answers usefully; the last one's answer counts."""

    def __init__(self, backends: Sequence[Backend]) -> None:
        self.name = backends[0].name
        self._backends = backends

    async def send(self, call: Call) -> Reply:
        """Raises what the last backend raised."""
        *first, last = self._backends
        for backend in first:
            try:
                reply = await backend.send(call)
            except (ConnectFailed, Overloaded):
                continue
            except UpstreamError:
                if call.upload is not None:
                    raise  # part of the streamed body is gone
                continue
            if reply.status not in _STATUSES or call.upload is not None:
                return reply
            await reply.chunks.aclose()
        return await last.send(call)

    async def aclose(self) -> None:
        """The backends are shared with other routes; their owner closes them."""
