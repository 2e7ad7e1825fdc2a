"""Request headers: what goes upstream, what steers Penstock, whose key it is. Sans-IO.

Sources: RFC 9110 section 7.6.1 (hop-by-hop), RFC 9111 section 5.2.1 (Cache-Control).
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from policies.base.call import CacheMode, Controls, Headers
from policies.base.units import seconds
from proxy.errors import BadRequest

_FORWARD, _DROP, _CREDENTIAL, _CONNECTION, _CACHE_CONTROL = range(5)

# `host` and the framing headers are written anew by the upstream client.
_DROPPED = (
    b"content-length expect host keep-alive proxy-authenticate proxy-authorization "
    b"proxy-connection te trailer transfer-encoding upgrade"
).split()
_KIND = dict.fromkeys(_DROPPED, _DROP) | {
    b"authorization": _CREDENTIAL,
    b"x-api-key": _CREDENTIAL,
    b"api-key": _CREDENTIAL,
    b"connection": _CONNECTION,
    b"cache-control": _CACHE_CONTROL,
}
_OURS = b"x-penstock-"
_FAMILIES = frozenset({"all", "cache", "compress", "prefix", "batch"})
DEFAULT = Controls()


class Head(msgspec.Struct, frozen=True):
    """The three uses of a request's headers."""

    forward: Headers
    credential: Headers
    controls: Controls
    encoding: bytes | None = None  # of the body

    def header(self, name: bytes) -> bytes | None:
        """The first value of a forwarded header, or None."""
        return next((value for key, value in self.forward if key == name), None)


@lru_cache(maxsize=1024)  # a client sends the same headers with every request
def split(headers: Headers) -> Head:
    """Sort headers (lower-case names) by use; raises `BadRequest` for a bad `x-penstock-*`."""
    forward: list[tuple[bytes, bytes]] = []
    credential: list[tuple[bytes, bytes]] = []
    ours: dict[str, str] = {}
    named: set[bytes] = set()
    kind_of = _KIND.get
    for pair in headers:
        name, value = pair
        kind = kind_of(name, _FORWARD)
        if kind == _FORWARD:
            if name.startswith(_OURS):
                _note(ours, name[len(_OURS) :].decode("latin-1"), value)
            else:
                forward.append(pair)
        elif kind == _CREDENTIAL:
            credential.append(pair)
        elif kind == _CACHE_CONTROL:
            _note(ours, "cache-control", value.lower())
            forward.append(pair)
        elif kind == _CONNECTION:
            named.update(token.strip().lower() for token in value.split(b","))
    if named - {b"keep-alive", b"close"}:
        forward = [pair for pair in forward if pair[0] not in named]
    steer = controls(ours) if ours else DEFAULT
    encoding = b",".join([value for name, value in forward if name == b"content-encoding"])
    return Head(tuple(forward), tuple(credential), steer, encoding or None)


def _note(ours: dict[str, str], name: str, value: bytes) -> None:
    """A header that comes twice is one list (RFC 9110, section 5.3)."""
    text = value.decode("latin-1").strip()
    ours[name] = f"{ours[name]}, {text}" if name in ours else text


def controls(ours: dict[str, str]) -> Controls:
    """Read `x-penstock-NAME` values and `cache-control`; unknown names are ignored."""
    directives = _directives(ours.get("cache-control", ""))
    bypass = frozenset(part.strip().lower() for part in ours.get("bypass", "").split(",")) - {""}
    if bypass - _FAMILIES:
        raise _bad("bypass", "a comma-separated list of all, cache, compress, prefix, batch")
    asked = ours.get("cache", "").lower()
    if asked not in ("", "on", "off", "refresh"):
        raise _bad("cache", "on, off or refresh")
    return Controls(
        cache=_cache_mode(asked, directives),
        bypass=bypass,
        namespace=ours.get("cache-namespace", ""),
        ttl=_duration(ours, "cache-ttl"),
        max_age=_max_age(asked, directives),
        pipeline=ours.get("policy") or None,
        session=ours.get("session") or None,
        max_wait=_duration(ours, "max-wait"),
        priority=ours.get("priority") or None,
    )


def _directives(value: str) -> dict[str, str]:
    """`Cache-Control` by directive, in lower case."""
    parts = [part.partition("=") for part in value.split(",")]
    return {name.strip(): argument.strip().strip('"') for name, _, argument in parts}


def _cache_mode(asked: str, directives: dict[str, str]) -> CacheMode:
    """Every restriction counts, whichever header it stands in."""
    unwritten = asked == "off" or "no-store" in directives
    if "only-if-cached" in directives:
        return CacheMode.ONLY
    if _unread(asked, directives):
        return CacheMode.OFF if unwritten else CacheMode.REFRESH
    return CacheMode.READ_ONLY if unwritten else CacheMode.ON


def _unread(asked: str, directives: dict[str, str]) -> bool:
    return asked in ("off", "refresh") or "no-cache" in directives


def _max_age(asked: str, directives: dict[str, str]) -> float | None:
    """Seconds; a malformed age counts as 0, the careful reading.

    No answer is young enough where only a stored one is wanted and none may be read.
    """
    if "only-if-cached" in directives and _unread(asked, directives):
        return -1.0
    age = directives.get("max-age")
    if age is None:
        return None
    return float(age) if age.isascii() and age.isdigit() else 0.0


def _duration(ours: dict[str, str], name: str) -> float | None:
    text = ours.get(name)
    if text is None:
        return None
    try:
        return float(text) if text.replace(".", "", 1).isdigit() else float(seconds(text))
    except ValueError:
        raise _bad(name, "a number of seconds or a duration such as 90s or 1h") from None


def _bad(name: str, wanted: str) -> BadRequest:
    return BadRequest(f"x-penstock-{name} must be {wanted}", param=f"x-penstock-{name}")
