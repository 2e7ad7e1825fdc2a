import copy
import subprocess
import sys

import pytest
from jsonschema import Draft202012Validator

from proxy.config.files import config_file
from proxy.config.read import read
from proxy.config.schema import schema
from tests.fakes.config_kinds import BACKENDS, DESIGN, ENV, POLICIES

MADE = Draft202012Validator(schema(POLICIES, BACKENDS))


def data(text):
    return read(text, "f.yaml", ENV).tree


def test_the_file_in_the_repository_is_what_the_generator_prints():
    """To mend: python -m proxy.config.schema > config/schema.json."""
    command = [sys.executable, "-m", "proxy.config.schema"]
    printed = subprocess.run(command, capture_output=True, check=True, text=True, encoding="utf-8")
    assert config_file("schema.json").read_text(encoding="utf-8") == printed.stdout


def test_it_is_a_schema():
    Draft202012Validator.check_schema(MADE.schema)


@pytest.mark.parametrize("text", [DESIGN, config_file("default.yaml").read_text()])
def test_good_files_fit(text):
    MADE.validate(data(text))


@pytest.mark.parametrize(
    "path", [(), ("listen",), ("clients", 0), ("backends", "openai"), ("routes", 0, "when"),
             ("pipelines", "default", 0)],
)  # fmt: skip
def test_unknown_keys_do_not_fit(path):
    found = copy.deepcopy(data(DESIGN))
    inner = found
    for part in path:
        inner = inner[part]
    inner["unknown"] = 1
    assert not MADE.is_valid(found)


@pytest.mark.parametrize(
    "change",
    [
        "version: 2",
        "preset: bold",
        "listen: {port: -1}",
        "backends: {a: {use: nobody}}",
        "backends: {a: {}}",
        "backends: {bad name: {use: simulated}}",
        "pipelines: {a: [{use: cache.exact, mode: of}]}",
        "pipelines: {a: {holdout: 2, steps: []}}",
        "routes: [{send: []}]",
    ],
)
def test_bad_files_do_not_fit(change):
    assert not MADE.is_valid({"version": 1, **data(change)})


def test_an_editor_can_tell_what_each_use_takes():
    step = MADE.schema["$defs"]["cache_exact"]
    assert step["properties"]["use"] == {"const": "cache.exact", "title": "Use", "type": "string"}
    assert {"ttl", "sampled", "max_entry", "mode", "deadline"} < step["properties"].keys()
