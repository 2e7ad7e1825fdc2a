"""What one model cannot see: names that lead nowhere, twins, and an address open to all.

The rules look at plain data that may be wrong elsewhere, so that all errors come at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import urlsplit

from proxy.config import PRESETS, is_loopback
from proxy.config.problems import Path, Problem, listed, offer
from proxy.config.yaml import Document

Broken = Iterator[tuple[Path, str]]


def broken_rules(document: Document, fallback: str | None) -> list[Problem]:
    """Every broken rule. `fallback` is the backend there is when the file names none."""
    tree = document.tree
    backends = [fallback] if fallback else list(_mapping(tree, "backends"))
    found = [
        *_clients(tree),
        *_address(tree),
        *_pipelines(tree),
        *_routes(tree, backends),
        *_texts(document),
    ]
    return [document.source.problem(*broken) for broken in found if broken[0] not in document.bad]


def _mapping(tree: Any, key: str) -> dict[str, Any]:
    value = tree.get(key)
    return value if isinstance(value, dict) else {}


def _items(tree: Any, key: str) -> list[tuple[int, dict[str, Any]]]:
    """The mappings in a list, each with its place."""
    value = tree.get(key)
    rows = value if isinstance(value, list) else []
    return [(index, row) for index, row in enumerate(rows) if isinstance(row, dict)]


def _clients(tree: Any) -> Broken:
    admin = tree.get("admin_key")
    for field in ("name", "key"):
        seen: dict[str, int] = {}
        for index, client in _items(tree, "clients"):
            value = client.get(field)
            if not isinstance(value, str) or not value:
                continue
            first = seen.setdefault(value, index)
            if first != index:
                yield ("clients", index, field), f"is the same as that of clients[{first}]"
            if field == "key" and value == admin:
                yield ("clients", index, field), "is the same as admin_key"


def _address(tree: Any) -> Broken:
    host = _mapping(tree, "listen").get("host")
    if isinstance(host, str) and host and not tree.get("clients") and not is_loopback(host):
        yield (
            ("listen", "host"),
            "other machines reach this address: configure 'clients', or listen on 127.0.0.1",
        )


def _pipelines(tree: Any) -> Broken:
    for name in _mapping(tree, "pipelines"):
        if name in PRESETS:
            yield ("pipelines", name), "is the name of a preset; choose another"


def _routes(tree: Any, backends: list[str]) -> Broken:
    pipelines = {"default", *PRESETS, *_mapping(tree, "pipelines")}
    for index, route in _items(tree, "routes"):
        path = ("routes", index)
        pipeline = route.get("pipeline")
        if isinstance(pipeline, str):
            yield from _known((*path, "pipeline"), pipeline, "pipeline", pipelines)
        send = route.get("send")
        if not backends:
            continue  # they cannot be read, which is said elsewhere
        if isinstance(send, str):
            yield from _known((*path, "send"), send, "backend", backends)
        elif isinstance(send, list):
            yield from _names((*path, "send"), send, backends)
        elif send is None and len(backends) > 1:
            yield (
                (*path, "send"),
                f"is required, as there are several backends: {listed(backends)}",
            )


def _names(path: Path, names: list[Any], backends: list[str]) -> Broken:
    for index, name in enumerate(names):
        if isinstance(name, str):
            yield from _known((*path, index), name, "backend", backends)
            if name in names[:index]:
                yield (*path, index), "stands in this list already"


def _known(path: Path, name: str, thing: str, known: Collection[str]) -> Broken:
    if name not in known:
        yield path, f"unknown {thing}{offer(name, known)}"


def _texts(document: Document) -> Broken:
    data = document.tree.get("data")
    if isinstance(data, str) and data.startswith("~") and data.split("/")[0] != "~":
        yield ("data",), "another user's home is not looked up; write the path in full"
    if isinstance(data, str) and "\0" in data:
        yield ("data",), "is no path"
    path = ("store", "redis")
    url = _mapping(document.tree, "store").get("redis")
    if isinstance(url, str) and path not in document.filled and _has_password(url):
        yield (
            path,
            'holds a password, which may not stand in the file: write "${NAME}" in its place',
        )


def _has_password(url: str) -> bool:
    try:
        return bool(urlsplit(url).password)
    except ValueError:
        return "@" in url
