"""The command line. Exit status: 0 done, 1 failed, 2 wrong use or configuration."""

from __future__ import annotations

import json
import logging
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn, Optional

import typer

from proxy.config import Config, is_loopback
from proxy.config_load import load
from proxy.errors import ConfigError

app = typer.Typer(
    name="penstock",
    help="An OpenAI-compatible proxy that makes LLM traffic cheaper and faster.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
cache = typer.Typer(help="Stored replies.", no_args_is_help=True)
app.add_typer(cache, name="cache")

ConfigFile = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads the annotation at run time
    typer.Option("--config", "-c", envvar="PENSTOCK_CONFIG", help="The configuration file."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """The entry point of the `penstock` command."""
    logging.basicConfig(format="penstock: %(message)s", level=logging.INFO)
    app()


def _fail(message: str, status: int) -> NoReturn:
    print(message, file=sys.stderr)
    raise typer.Exit(status)


def _load(path: Path | None) -> Config:
    try:
        return load(path, os.environ)
    except ConfigError as error:
        _fail(str(error), 2)


@app.command()
def serve(
    config: ConfigFile = None,
    host: Annotated[Optional[str], typer.Option(help="Overrides listen.host.")] = None,  # noqa: UP045
    port: Annotated[Optional[int], typer.Option(min=0, max=65535, help="Overrides listen.port.")] = None,  # noqa: UP045, E501
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes to serve with.")] = 1,
) -> None:
    """Serve the API."""
    from proxy.serve import Supervisor, listen, run_one  # noqa: PLC0415 - other commands do without

    settings = _load(config)
    host = host or settings.listen.host
    port = settings.listen.port if port is None else port
    if not settings.clients and not is_loopback(host):
        _fail(
            f"{host} can be reached by others, and no `clients` are configured: anybody could "
            "use the backends' keys. Name clients with keys, or listen on 127.0.0.1.",
            2,
        )
    try:
        sock = listen(host, port)
    except OSError as error:
        _fail(f"cannot listen on {host}:{port}: {error.strerror}", 1)
    _greet(settings, host, sock.getsockname()[1])
    if workers == 1:
        raise typer.Exit(run_one(config, settings, sock))
    raise typer.Exit(Supervisor(config, settings, sock).run(workers))


def _greet(settings: Config, host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else host
    print(f"Penstock {version('penstock')}: http://{shown}:{port}/v1", file=sys.stderr)
    if settings.fallback == "simulated":
        print(
            "\n  NO BACKEND IS CONFIGURED. Answers come from a SIMULATED model: they are made up.\n"
            "  Set OPENAI_API_KEY, or name backends in a file: penstock serve --config FILE\n",
            file=sys.stderr,
        )
    elif settings.fallback == "openai":
        print("No backend is configured: using OPENAI_API_KEY and OPENAI_BASE_URL.", file=sys.stderr)


@app.command()
def check(file: Annotated[Path, typer.Argument(help="The configuration file.")]) -> None:
    """Validate a configuration and warn of what is doubtful in it."""
    from proxy.config_warnings import warnings  # noqa: PLC0415 - other commands do without

    settings = _load(file)
    for line in warnings(settings):
        print(f"warning: {line}")
    print(f"{file}: good: {len(settings.backends)} backends, {len(settings.routes)} routes")


@app.command()
def explain(
    request: Annotated[Path, typer.Argument(help="A request body in JSON, or - for standard input.")],
    config: ConfigFile = None,
    path: Annotated[str, typer.Option(help="The endpoint below /v1/.")] = "chat/completions",
    tenant: Annotated[str, typer.Option(help="Whose request it is.")] = "anonymous",
    as_json: AsJson = False,
) -> None:
    """Print the plan of a request without sending it."""
    from proxy.cli_explain import plan_of, table  # noqa: PLC0415 - other commands do without

    try:
        raw = sys.stdin.buffer.read() if str(request) == "-" else request.read_bytes()
    except OSError as error:
        _fail(f"{request}: cannot be read: {error.strerror}", 2)
    plan = plan_of(_load(config), raw, path, tenant)
    if "error" in plan:
        _fail(f"{request}: {plan['error']}", 1)
    _print(plan, table, as_json=as_json)


def _print(found: dict[str, Any], table: Any, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        from rich.console import Console  # noqa: PLC0415 - slow to import

        Console().print(table(found))
