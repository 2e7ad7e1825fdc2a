"""The command line. Exit status: 0 done, 1 failed, 2 wrong use or configuration."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated, Any, NoReturn, Optional

import typer

from policies.base.units import seconds
from policies.compress import native
from proxy.cli_replay import replay
from proxy.config import Config, is_loopback
from proxy.config.load import load
from proxy.config.loop import loops
from proxy.errors import ConfigError
from proxy.report import WIDE, By, report, show

app = typer.Typer(
    name="penstock",
    help="An OpenAI-compatible proxy that makes LLM traffic cheaper and faster.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
cache = typer.Typer(help="Stored replies.", no_args_is_help=True)
app.add_typer(cache, name="cache")
app.command()(replay)

ConfigFile = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads the annotation at run time
    typer.Option("--config", "-c", envvar="PENSTOCK_CONFIG", help="The configuration file."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _duration(text: str) -> float:
    """Seconds."""
    try:
        found: float = seconds(text)
        return float(found)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Span = Optional[float]  # noqa: UP045 - typer reads it at run time


def main() -> None:
    """The entry point of the `penstock` command."""
    logging.basicConfig(format="penstock: %(message)s", level=logging.ERROR)
    app()


def _fail(message: str, status: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(status)


def _load(path: Path | None) -> Config:
    try:
        return load(path, os.environ)
    except ConfigError as error:
        _fail(str(error), 2)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"penstock {installed('penstock')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """An OpenAI-compatible proxy that makes LLM traffic cheaper and faster."""


@app.command()
def version() -> None:
    """Print the version."""
    _version(asked=True)


@app.command()
def serve(
    config: ConfigFile = None,
    host: Annotated[Optional[str], typer.Option(help="Overrides listen.host.")] = None,  # noqa: UP045
    port: Annotated[
        Optional[int],  # noqa: UP045 - typer reads the annotation at run time
        typer.Option(min=0, max=65535, help="Overrides listen.port."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes to serve with.")] = 1,
) -> None:
    """Serve the API."""
    from proxy.serve import Supervisor, listen, run_one  # noqa: PLC0415 - other commands do without

    logging.getLogger().setLevel(logging.INFO)
    settings = _load(config)
    host = host or settings.listen.host
    port = settings.listen.port if port is None else port
    if not settings.clients and not is_loopback(host):
        _fail(
            f"{host} can be reached by others, and no `clients` are configured: anybody could "
            "use the backends' keys. Name clients with keys, or listen on 127.0.0.1.",
            2,
        )
    circles = loops(settings, host, port)
    if circles:
        _fail("\n".join(circles), 2)
    try:
        sock = listen(host, port)
    except OSError as error:
        _fail(f"cannot listen on {host}:{port}: {error.strerror}", 1)
    with sock:
        _greet(settings, host, sock.getsockname()[1])
        if workers == 1:
            raise typer.Exit(1 if run_one(config, settings, sock) else 0)
        raise typer.Exit(Supervisor(config, settings, sock).run(workers))


def _greet(settings: Config, host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else host
    typer.echo(f"Penstock {installed('penstock')}: http://{shown}:{port}/v1", err=True)
    if settings.fallback == "simulated":
        typer.echo(
            "\n  NO BACKEND IS CONFIGURED. Answers come from a SIMULATED model: they are made up.\n"
            "  Set OPENAI_API_KEY, or name backends in a file: penstock serve --config FILE\n",
            err=True,
        )
    elif settings.fallback == "openai":
        typer.echo("No backend is configured: using OPENAI_API_KEY and OPENAI_BASE_URL.", err=True)
    if not native.built:
        typer.echo("Compressing in Python: install Rust, then Penstock, for more speed.", err=True)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(envvar="PENSTOCK_CONFIG", help="The configuration file.")],
    as_json: AsJson = False,
) -> None:
    """Validate a configuration, set it up without serving, and warn of what is doubtful."""
    from proxy.cli_check import verdict  # noqa: PLC0415 - other commands do without

    found = verdict(file, os.environ)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=2))
    else:
        for line in found.errors:
            typer.echo(line, err=True)
        for line in found.warnings:
            typer.echo(f"warning: {line}", err=True)
        if found.good:
            typer.echo(f"{file}: good: {len(found.backends)} backends, {found.routes} routes")
    raise typer.Exit(0 if found.good else 2)


@app.command()
def explain(  # noqa: PLR0913, PLR0917 - its options
    request: Annotated[
        Path, typer.Argument(help="A request body in JSON, or - for standard input.")
    ],
    config: ConfigFile = None,
    path: Annotated[str, typer.Option(help="The endpoint below /v1/.")] = "chat/completions",
    tenant: Annotated[str, typer.Option(help="Whose request it is.")] = "anonymous",
    after: Annotated[
        list[Path] | None, typer.Option(help="A body sent before; repeatable, oldest first.")
    ] = None,
    diff: Annotated[
        bool, typer.Option("--diff", help="Also show what each policy changed, before and after.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the plan of a request without sending it."""
    from proxy.cli_explain import plan_of, table  # noqa: PLC0415 - other commands do without

    try:
        raw = sys.stdin.buffer.read() if str(request) == "-" else request.read_bytes()
        before = [file.read_bytes() for file in after or ()]
    except OSError as error:
        _fail(f"{error.filename}: cannot be read: {error.strerror}", 2)
    plan = plan_of(_load(config), raw, path, tenant, before, diff=diff)
    if "error" in plan:
        _fail(f"{request}: {plan['error']}", 1)
    if as_json:
        _print_json(plan)
    else:
        from rich.console import Console  # noqa: PLC0415 - slow to import

        # A file or a pipe has no width that names would have to be cut to.
        console = Console(width=None if sys.stdout.isatty() else WIDE)
        console.print(table(plan))
        if diff:
            from proxy.cli_diff import show as show_changes  # noqa: PLC0415 - same

            show_changes(plan["changes"], console)


@app.command("report")
def spent_and_saved(
    by: Annotated[By, typer.Option(help="What to add up by.")] = "policy",
    since: Annotated[
        Span, typer.Option(parser=_duration, metavar="TIME", help="How far back, such as 7d.")
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Print what was spent and saved, out of the ledger."""
    path = _load(config).data / "ledger.sqlite3"
    try:
        found = report(path, by, 0.0 if since is None else time.time() - since)
    except ValueError as error:
        _fail(str(error), 1)
    if as_json:
        _print_json(found.as_dict())
    else:
        show(found)


@cache.command()
def purge(
    tenant: Annotated[Optional[str], typer.Option(help="Only of this tenant.")] = None,  # noqa: UP045
    model: Annotated[
        Optional[str],  # noqa: UP045 - typer reads the annotation at run time
        typer.Option(help="Only of models that fit this pattern, such as 'gpt-4*'."),
    ] = None,
    older_than: Annotated[
        Span, typer.Option(parser=_duration, metavar="TIME", help="Only older ones, such as 1h.")
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Forget stored replies: all, or those that fit every option given."""
    from proxy.cli_cache import purged  # noqa: PLC0415 - other commands do without
    from proxy.stores.tier import Match, StoreError  # noqa: PLC0415 - same

    match = Match(tenant=tenant, model=model, older_than=older_than)
    try:
        count = purged(_load(config), match)
    except StoreError as error:
        _fail(str(error), 1)
    if as_json:
        _print_json({"purged": count})
    else:
        typer.echo(f"{count} stored replies forgotten")


def _print_json(found: dict[str, Any]) -> None:
    typer.echo(json.dumps(found, indent=2))
