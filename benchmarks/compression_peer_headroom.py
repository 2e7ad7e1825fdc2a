"""Headroom's `compress` on tool results: JSON strings in, `[text, seconds]` out, line by line.

Runs in Headroom's virtual environment. The argument is its `mode`: `agent` is its lossless one,
nothing its default.
"""

import json
import sys
import time

from headroom import compress

CALL = {"id": "1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
BEFORE = [
    {"role": "user", "content": "Go on."},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
]


def main() -> None:
    """One line for each line, after one that is not counted."""
    options = {"mode": sys.argv[1]} if sys.argv[1] else {}
    warm = json.dumps([{"id": number, "name": "warm"} for number in range(100)])
    shorter(warm, options)
    for line in sys.stdin:
        begun = time.process_time()
        text = shorter(json.loads(line), options)
        print(json.dumps([text, time.process_time() - begun]), flush=True)


def shorter(text: str, options: dict[str, str]) -> str:
    """What the result of a tool becomes."""
    messages = [*BEFORE, {"role": "tool", "tool_call_id": "1", "content": text}]
    content = compress(messages, model="gpt-4o", **options).messages[-1]["content"]
    return content if isinstance(content, str) else json.dumps(content)


if __name__ == "__main__":
    main()
