"""Backends that are Penstock itself: every request to one would come back, for ever."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from policies.base.policy import Strict
from proxy.config import Config

_PORTS = {"http": 80, "https": 443}
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - addresses to look for, not to bind


def loops(config: Config, host: str, port: int) -> list[str]:
    """One line for each address of a backend that leads to `host:port`, where we listen.

    Looks a name up only when its port is ours.
    """
    found = [
        (name, url)
        for name, choice in config.backends.items()
        for url in _addresses(choice.settings)
        if _is_ours(url, host, port)
    ]
    if config.fallback == "openai":
        return [
            f"OPENAI_BASE_URL ({url}) is Penstock's own address: it is for clients. Unset it "
            "where Penstock is started, or name backends in a file"
            for _, url in found
        ]
    problems = [
        config.source.problem(("backends", name), f"{url} is Penstock's own address")
        for name, url in found
    ]
    return config.source.lines(problems)


def _addresses(settings: Strict) -> Iterator[str]:
    """The upstream addresses in a backend's settings."""
    for field in ("base_url", "replicas"):
        value: object = getattr(settings, field, ())
        yield from [value] if isinstance(value, str) else value  # type: ignore[misc]


def _is_ours(url: str, host: str, port: int) -> bool:
    parts = urlsplit(url)
    if not parts.hostname or (parts.port or _PORTS.get(parts.scheme)) != port:
        return False
    theirs = _resolved(_ANY.get(parts.hostname, parts.hostname))
    if host in _ANY:
        return any(_is_here(address) for address in theirs)
    return not theirs.isdisjoint(_resolved(host))


def _resolved(host: str) -> set[str]:
    """The addresses of a host; none if the name is not known."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return set()
    return {str(address[0]) for *_, address in found}


def _is_here(address: str) -> bool:
    """Whether this machine has the address: only then can a socket be bound to it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
