"""`penstock replay`: traces through the engine offline, priced beside direct and the oracle."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Optional

import typer

from proxy.config import PRESETS, Config
from proxy.config.load import load
from proxy.errors import ConfigError

if TYPE_CHECKING:  # other commands start without them
    from proxy.replay.run import Comparison
    from proxy.replay.schedule import Pace


def replay(  # noqa: PLR0913, PLR0917 - typer declares options as parameters
    traces: Annotated[
        list[Path],
        typer.Argument(help="Trace files, gzipped or not, or a ledger; - for standard input."),
    ],
    model: Annotated[
        Optional[str],  # noqa: UP045 - typer reads the annotation at run time
        typer.Option("--as", help="The model to send to; default: the trace's own."),
    ] = None,
    preset: Annotated[
        Optional[list[str]],  # noqa: UP045 - same
        typer.Option(help="A preset or a pipeline of the configuration; repeatable."),
    ] = None,
    rate: Annotated[
        Optional[float],  # noqa: UP045 - same
        typer.Option(min=1e-6, help="Conversations that begin each minute, at random."),
    ] = None,
    interleave: Annotated[
        Optional[int],  # noqa: UP045 - same
        typer.Option(min=1, max=100_000, help="Conversations at once (1; with --rate any)."),
    ] = None,
    gap: Annotated[float, typer.Option(min=0, help="Seconds between the turns of one.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Of the random arrivals.")] = 0,
    capacity: Annotated[
        int, typer.Option(min=1, help="Prefixes that a cache holds (vLLM: blocks of 16).")
    ] = 1 << 20,
    plot: Annotated[
        Optional[Path],  # noqa: UP045 - same
        typer.Option(help="Write a picture, such as out.png."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Annotated[
        Optional[Path],  # noqa: UP045 - same
        typer.Option("--config", "-c", envvar="PENSTOCK_CONFIG", help="The configuration file."),
    ] = None,
) -> None:
    """Replay recorded traffic offline: what it costs direct, with Penstock, and at best."""
    from proxy.replay.schedule import Pace  # noqa: PLC0415 - other commands do without

    _checked(traces, plot)
    settings = _load(config)
    names = list(dict.fromkeys(preset or PRESETS))
    for name in names:
        if name not in settings.pipelines:
            known = ", ".join(settings.pipelines)
            _fail(f"there is no preset or pipeline '{name}'; there are: {known}", 2)
    pace = Pace(rate, interleave, gap, seed)
    with TemporaryDirectory(prefix="penstock-replay-") as folder:
        files = [_spooled(path, Path(folder)) for path in traces]
        if _ledger(files, model, as_json=as_json):
            return
        found = asyncio.run(_compared(settings, files, model, names, pace, capacity))
    _shown(found, plot, as_json=as_json)


def _spooled(path: Path, folder: Path) -> Path:
    """The file, or what comes from standard input as one: it is read more than once."""
    if str(path) != "-":
        return path
    spool = folder / "stdin"
    with spool.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return spool


def _checked(traces: list[Path], plot: Path | None) -> None:
    """Stop early where the command cannot be done."""
    from proxy.replay.plot import missing  # noqa: PLC0415 - other commands do without

    for path in traces:
        if str(path) != "-" and not path.is_file():
            _fail(f"{path}: there is no such file", 2)
    why = missing() if plot is not None else None
    if why:
        _fail(why, 2)


def _load(path: Path | None) -> Config:
    try:
        return load(path, os.environ)
    except ConfigError as error:
        _fail(str(error), 2)


def _fail(message: str, status: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(status)


def _ledger(traces: list[Path], model: str | None, *, as_json: bool) -> bool:
    """Show a ledger, if that is what is asked for."""
    from proxy.prices import Prices  # noqa: PLC0415 - other commands do without
    from proxy.replay.ledger import happened  # noqa: PLC0415 - same
    from proxy.replay.lines import is_sqlite  # noqa: PLC0415 - same
    from proxy.replay.report import show_ledger  # noqa: PLC0415 - same

    try:
        if not any(map(is_sqlite, traces)):
            return False
        if len(traces) > 1:
            _fail("a ledger is replayed by itself: it has token counts and no text", 2)
        found = happened(traces[0], Prices.load().of(model) if model else None)
    except (OSError, ValueError) as error:
        _fail(str(error), 1)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=2))
    else:
        show_ledger(found)
    return True


async def _compared(  # noqa: PLR0913, PLR0917 - what the command line says
    settings: Config,
    traces: list[Path],
    model: str | None,
    names: list[str],
    pace: Pace,
    capacity: int,
) -> Comparison:
    from proxy.prices import Prices  # noqa: PLC0415 - other commands do without
    from proxy.replay.encode import Encoder  # noqa: PLC0415 - same
    from proxy.replay.run import Setup, model_in, pipeline_of, traces_through  # noqa: PLC0415 - same

    try:
        model = model or model_in(traces)
        if model is None:
            _fail("the trace names no model: say which with --as MODEL", 2)
        price = Prices.load().of(model)
        encode = Encoder(model)
        pipelines = [await pipeline_of(settings.pipelines[name]) for name in names]
        setup = Setup(model, price, encode, pace, capacity)
        with _progress(sum(path.stat().st_size for path in traces)) as seen:
            return await traces_through(traces, setup, pipelines, seen)
    except OSError as error:
        _fail(f"a trace cannot be read: {error}", 1)


@contextmanager
def _progress(size: int) -> Iterator[Callable[[int], None]]:
    """A bar over `size` bytes, on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.progress import Progress  # noqa: PLC0415 - same

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replay", total=size)
        yield lambda more: bar.advance(task, more)


def _shown(found: Comparison, plot: Path | None, *, as_json: bool) -> None:
    from proxy.replay.plot import draw  # noqa: PLC0415 - other commands do without
    from proxy.replay.report import as_dict, show  # noqa: PLC0415 - same

    for problem in found.problems:
        typer.echo(problem, err=True)
    if found.malformed:
        typer.echo(f"{found.malformed:,} lines were left out", err=True)
    if not found.schemes[0].requests:
        _fail("there is no request in these traces", 1)
    if as_json:
        made: dict[str, Any] = as_dict(found)
        typer.echo(json.dumps(made, indent=2))
    else:
        show(found)
    if plot is not None:
        try:
            draw(found, plot)
        except (OSError, ValueError) as error:
            _fail(f"{plot}: the picture cannot be written: {error}", 1)
