"""Whose request it is: Penstock's named clients, or each caller's own credential."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256

from policies.base.call import Headers
from proxy.config import is_loopback
from proxy.errors import Unauthorized

LOCAL = "anonymous"
_CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"api-key"})


def credential(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers among these (names in lower case) that say whose request it is."""
    return tuple([(name, value) for name, value in headers if name in _CREDENTIALS])


def secret(credential: Headers) -> bytes:
    """The key in a request's credential headers, without its scheme; empty if there is none."""
    for name, value in credential:
        text = value.strip()
        if name != b"authorization":
            return text
        scheme, _, token = text.partition(b" ")
        return token.strip() if scheme.lower() == b"bearer" else text
    return b""


class Clients:
    """The clients of a configuration. With none named, each credential is its own tenant."""

    def __init__(self, clients: Iterable[tuple[str, str]], admin_key: str | None) -> None:
        self._names = {_digest(key.encode()): name for name, key in clients}
        self._admin = _digest(admin_key.encode()) if admin_key else None

    @property
    def named(self) -> bool:
        """Whether callers must show a key of ours."""
        return bool(self._names)

    def tenant(self, credential: Headers) -> str:
        """The tenant of a request; raises `Unauthorized` for a key that is not ours."""
        if not self._names:
            return _caller(credential)
        given = _digest(secret(credential))
        # Every digest is compared, in constant time each, so that timing tells nothing.
        name = [name for known, name in self._names.items() if hmac.compare_digest(known, given)]
        if not name:
            shown = "no API key was given" if not credential else "the API key is not known here"
            raise Unauthorized(f"{shown}; use a key of this Penstock's `clients`")
        return name[0]

    def admits(self, peer: str | None, credential: Headers) -> bool:
        """Whether `/admin` and `/metrics` answer: on loopback, or with the admin key."""
        if peer is not None and is_loopback(peer):
            return True
        given = _digest(secret(credential))
        return self._admin is not None and hmac.compare_digest(self._admin, given)


@lru_cache(maxsize=4096)
def _caller(credential: Headers) -> str:
    """All of what was shown counts: an upstream may look at any of it."""
    if not credential:
        return LOCAL
    return "caller-" + sha256(repr(credential).encode()).hexdigest()[:24]


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()
