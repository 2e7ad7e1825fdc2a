"""Which conversations are left alone, so that what policies save can be measured."""

from __future__ import annotations

from hashlib import blake2b

from policies.base.call import Call


def conversation(call: Call) -> bytes:
    """Eight bytes that are the same for all turns of a conversation.

    It is known by the session header, or else by its tenant and the first message of the user:
    system prompts may hold the time.
    """
    named = f"{call.tenant}\0{call.controls.session or _opening(call)}"
    return blake2b(named.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def draws(unit: bytes, share: float) -> bool:
    """Whether a conversation is in the hold-out: always the same answer for all its turns."""
    return share > 0.0 and int.from_bytes(unit, "big") < share * 2**64


def _opening(call: Call) -> str:
    doc = call.doc()
    messages = doc.get("messages") or doc.get("input") or doc.get("prompt")
    if not isinstance(messages, list):
        return repr(messages)
    for message in messages:
        if isinstance(message, dict) and message.get("role") == "user":
            return repr(message)
    return repr(messages)
