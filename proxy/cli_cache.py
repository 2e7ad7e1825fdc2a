"""`penstock cache purge`: forget stored replies, whether a server runs or not."""

from __future__ import annotations

import asyncio

from proxy.config import Config
from proxy.stores.open import open_store
from proxy.stores.tier import Match, StoreError


def purged(config: Config, match: Match) -> int:
    """How many replies were forgotten. Servers that run forget them too within a second or so.

    Raises `StoreError` where the store could not be opened, reached or changed.
    """
    return asyncio.run(_purged(config, match))


async def _purged(config: Config, match: Match) -> int:
    failures: list[Exception] = []
    store = open_store(config.store, config.data, lambda _, error: failures.append(error))
    await store.setup()
    try:
        return await store.purge(match)
    except StoreError as error:
        # What failed first says more than that the store is not open now.
        raise StoreError(f"nothing is sure to be forgotten: {failures[0]}") from error
    finally:
        await store.aclose()
