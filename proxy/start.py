"""From a configuration file to an application: what a process opens, and in what order."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from proxy.app import App
from proxy.books import Books
from proxy.config import Config
from proxy.config.load import load
from proxy.ledger import Ledger
from proxy.live import Live, Resources
from proxy.metrics import Metrics
from proxy.prices import Prices
from proxy.stores.open import open_store
from proxy.tokens import Tokens

log = logging.getLogger("penstock.start")


async def open_resources(config: Config) -> Resources:
    """Stores and books for this process. A data folder that cannot be used costs no request."""
    metrics = Metrics()
    _make_private(config.data)
    store = open_store(config.store, config.data, lambda name, _: metrics.store_error(name))
    await store.setup()
    ledger = Ledger(
        config.data / "ledger.sqlite3", keep=config.ledger.keep, on_lost=metrics.ledger_dropped
    )
    books = Books(ledger, metrics, Prices.load(), Tokens())
    return Resources(store, books)


def application(path: Path | None, config: Config) -> App:
    """The application that serves `config`, and reloads it from `path`."""
    return App(Live(path, lambda: load(path, os.environ), lambda: open_resources(config)))


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        log.warning("%s cannot be used (%s): nothing is kept", folder, error.strerror)
