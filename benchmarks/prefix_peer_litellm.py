"""LiteLLM's own marks on request bodies: JSON lines in, JSON lines out.

Runs in LiteLLM's virtual environment, offline. Its default injection points are the system message
and the last message; it asks for them itself where it is told to cache prompts (Claude), and they
are given to it in the same form for OpenAI's models, for which it has no default.
"""

import json
import os
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
from litellm.integrations.anthropic_cache_control_hook import (
    AnthropicCacheControlHook,
)

POINTS = [{"location": "message", "role": "system"}, {"location": "message", "index": -1}]


def main() -> None:
    """One line for each line."""
    hook = AnthropicCacheControlHook()
    for line in sys.stdin:
        path, body = json.loads(line)
        if path == "messages":
            messages, system, _ = hook.apply_to_anthropic_messages_request(
                body["messages"], body.get("system"), POINTS
            )
            body["messages"] = messages
            if system is not None:
                body["system"] = system
        else:
            options = {
                "cache_control_injection_points": list(POINTS),
                "custom_llm_provider": "openai",
            }
            _, messages, rest = hook.get_chat_completion_prompt(
                body["model"], body["messages"], options, None, None, {}
            )
            rest.pop("custom_llm_provider", None)
            rest.pop("cache_control_injection_points", None)
            body = {**body, "messages": messages, **rest}
        print(json.dumps(body), flush=True)


if __name__ == "__main__":
    main()
