"""One request with all that its reply is written from."""

from __future__ import annotations

from typing import Any

import msgspec

from proxy.simulation.rule import Charge
from proxy.simulation.turn import Ask, Turn

EPOCH = 1_750_000_000  # replies are dated within a day of this, by their request


class Exchange(msgspec.Struct, frozen=True):
    """`key` is 32 hex digits of the request's canonical body: ids and times come from it.

    `said[i]` answers `asks[i]`. `deepseek`: usage is written in DeepSeek's form as well.
    """

    doc: dict[str, Any]
    key: str
    asks: list[Ask]
    said: list[list[Turn]]
    charge: Charge
    deepseek: bool = False

    @property
    def created(self) -> int:
        """Unix seconds."""
        return EPOCH + int(self.key[:8], 16) % 86_400

    @property
    def turns(self) -> list[Turn]:
        """All answers in the order of their choices."""
        return [turn for turns in self.said for turn in turns]

    @property
    def output(self) -> int:
        """Output tokens of all answers."""
        return sum(turn.tokens for turn in self.turns)

    def id(self, prefix: str, *place: int) -> str:
        """An id of this reply, or of the part of it at `place`."""
        return prefix + self.key[:24] + "".join(f"{index:02x}" for index in place)

    def usage(self) -> dict[str, Any]:
        """As chat and completions report it."""
        charge, output = self.charge, self.output
        usage: dict[str, Any] = {
            "prompt_tokens": charge.total,
            "completion_tokens": output,
            "total_tokens": charge.total + output,
            "prompt_tokens_details": {
                "cached_tokens": charge.read,
                "cache_write_tokens": charge.write,
                "audio_tokens": 0,
            },
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }
        if self.deepseek:
            usage["prompt_cache_hit_tokens"] = charge.read
            usage["prompt_cache_miss_tokens"] = charge.total - charge.read
        return usage
