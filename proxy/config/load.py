"""From a file and the environment to a `Config`, or to every reason why not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import policies as all_policies
from proxy.backends import registry
from proxy.config import BackendChoice, Config
from proxy.config.check import check
from proxy.config.forms import Backends, Forms, Policies, forms
from proxy.config.read import MAX_BYTES, read
from proxy.config.resolve import backend_choices, pipelines_of, routes_of
from proxy.config.rules import broken_rules
from proxy.errors import ConfigError

Environ = Mapping[str, str]
_NOTHING = "version: 1"


def load(
    path: Path | None,
    environ: Environ,
    policies: Policies | None = None,
    backends: Backends | None = None,
) -> Config:
    """The configuration in a file, or the defaults. Raises `ConfigError` with all problems."""
    if path is None:
        return loads(_NOTHING, "defaults", environ, policies, backends)
    return loads(_bytes(path), str(path), environ, policies, backends)


def loads(
    text: str | bytes,
    name: str,
    environ: Environ,
    policies: Policies | None = None,
    backends: Backends | None = None,
) -> Config:
    """As `load`, from text. `name` is the file's name in messages."""
    made = forms(
        all_policies.discover() if policies is None else policies,
        registry.discover() if backends is None else backends,
    )
    document = read(text, name, environ)
    fallback = None if document.tree.get("backends") else _fallback(environ)
    form, problems = check(made.file, document, made)
    problems += broken_rules(document, fallback)
    if form is None or problems:
        raise ConfigError(document.source.lines(problems))
    chosen = _offered(fallback, environ, made) if fallback else backend_choices(document.tree, made)
    pipelines = pipelines_of(form, document.tree, made, environ)
    return Config(
        listen=form.listen,
        data=_expanded(form.data, environ),
        preset=form.preset,
        clients=tuple(form.clients),
        admin_key=form.admin_key,
        backends=MappingProxyType(chosen),
        pipelines=MappingProxyType(pipelines),
        routes=routes_of(form.routes, tuple(chosen), pipelines),
        store=form.store,
        coalesce=form.coalesce,
        limits=form.limits,
        ledger=form.ledger,
        fallback=fallback,
        source=document.source,
    )


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None


def _expanded(path: str, environ: Environ) -> Path:
    home = environ.get("HOME") or str(Path.home())
    return Path(home + path[1:]) if path.startswith("~") else Path(path)


def _fallback(environ: Environ) -> Literal["openai", "simulated"]:
    known = environ.get("OPENAI_API_KEY") or environ.get("OPENAI_BASE_URL")
    return "openai" if known else "simulated"


def _offered(name: str, environ: Environ, made: Forms) -> dict[str, BackendChoice]:
    """The backend that the environment describes, read as if a file had named it."""
    lines = [f"version: 1\nbackends:\n  {name}:\n    use: {name}"]
    if environ.get("OPENAI_BASE_URL"):
        lines.append('    base_url: "${OPENAI_BASE_URL}"')
    if environ.get("OPENAI_API_KEY"):
        lines.append('    api_key: "${OPENAI_API_KEY}"')
    document = read("\n".join(lines), "environment", environ)
    _, problems = check(made.file, document, made)
    if problems:
        raise ConfigError(document.source.lines(problems))
    return backend_choices(document.tree, made)
