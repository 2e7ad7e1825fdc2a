"""The JSON Schema of the configuration file, for editors: `python -m proxy.config.schema`.

Writes it to standard output; `config/schema.json` is this output.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import policies as all_policies
from proxy.backends import registry
from proxy.config.forms import Backends, Policies, forms


def schema(policies: Policies, backends: Backends) -> dict[str, Any]:
    """The schema, made of the same models that read the file."""
    found = forms(policies, backends).file.model_json_schema()
    for section in ("backends", "pipelines"):
        found["properties"][section]["additionalProperties"] = False  # names that are none
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def schema_text() -> str:
    """The text of `config/schema.json`."""
    made = schema(all_policies.discover(), registry.discover())
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
