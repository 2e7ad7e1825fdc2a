"""A call as the predictions see it: whose it is, its blocks, its parameters, where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from policies.base.call import Call, Dialect
from policies.base.prompt import Block, blocks, fields
from proxy.prediction.layout import Layout, Layouts
from proxy.prediction.memory import Key, Parameters

# Fields that set equal prompts apart: they are rendered into the prompt, or choose the machine.
PARAMETERS = (
    *("tool_choice", "parallel_tool_calls", "verbosity", "thinking", "reasoning"),
    *("reasoning_effort", "output_config", "context_management", "mcp_servers", "modalities"),
    *("web_search_options", "service_tier", "cache_salt", "prompt_cache_key"),
)


class Reading(msgspec.Struct, frozen=True):
    """One call's `key` (tenant, backend, model), `blocks`, `layout` and `parameters`."""

    key: Key
    blocks: Sequence[Block]
    layout: Layout
    parameters: Parameters

    @property
    def size(self) -> int:
        """Bytes of the prompt."""
        return sum([block.size for block in self.blocks])


class Reader:
    """Reads calls; remembers how seldom changed parts of bodies are laid out."""

    def __init__(self) -> None:
        self._layouts = Layouts(PARAMETERS)

    def read(self, call: Call) -> Reading | None:
        """None where the prompt's shape is not known, or where there are several prompts."""
        found, top = blocks(call), fields(call)
        if not found or top is None:
            return None
        if call.dialect is Dialect.COMPLETIONS and found[-1].index:
            return None
        raw = call.body.raw
        layout = self._layouts.of(raw, top, found)
        key = (call.tenant, call.backends[0], call.model)
        return Reading(key, found, layout, _parameters(raw, layout))


def _parameters(raw: bytes, layout: Layout) -> Parameters:
    values = layout.values
    return tuple(
        [
            (name, blake2b(raw[slice(*values[name])], digest_size=8).digest())
            for name in PARAMETERS
            if name in values
        ]
    )
