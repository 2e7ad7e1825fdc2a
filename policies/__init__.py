"""The decisions: one file each, found by walking this folder and the entry points."""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import entry_points

from policies.base.policy import Policy, registry


def discover() -> dict[str, type[Policy]]:
    """Every known policy by its YAML name, outsiders' (`penstock.policies`) included."""
    for module in pkgutil.iter_modules(__path__):
        if not module.ispkg:
            importlib.import_module(f"policies.{module.name}")
    for entry in entry_points(group="penstock.policies"):
        entry.load()
    return registry
