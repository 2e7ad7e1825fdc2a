"""Whatever the file holds: a configuration, or an error of configuration."""

import json
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.config import Config
from proxy.config.files import config_file
from proxy.config.forms import forms
from proxy.errors import ConfigError
from tests.fakes.config_kinds import BACKENDS, ENV, POLICIES, made

GOLDEN = Path(__file__).parent / "golden"
SEEDS = [config_file("default.yaml").read_bytes()]
SEEDS += [path.read_bytes() for path in sorted(GOLDEN.glob("*.yaml")) if path.stat().st_size < 2000]
WORDS = [
    *("version: 1", "backends", "pipelines", "routes", "use", "send", "when", "steps", "clients"),
    *("simulated", "http", "cache.exact", "default", "safe", "listen", "key", "name", "api_key"),
    *("{", "}", "[", "]", ": ", ", ", "- ", "\n", "\n  ", "\n    ", "&a ", "*a", "<<: ", "!!int "),
    *("${OPENAI_API_KEY}", "${", "$${", '"', "'", "|", ">", "#", "---", "...", "%YAML 1.1\n", "? "),
    *("1", "-1", "1e400", "true", "null", "~", "1h", "9" * 400 + "GB", "\\ud800", "\\U00110000"),
    *("\t", "\0", "\ufeff", "\u2028", "é", "\ud800"),
]


def survives(data):
    try:
        config = made(data)
    except ConfigError as error:
        problems = error.problems
    else:
        assert isinstance(config, Config)
        return
    assert problems
    for line in problems:
        assert line.startswith(("f.yaml:", "environment:"))
        assert line.isprintable()
        assert "key-of-" not in line


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_bytes_or_text(data):
    survives(data)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=30).map("".join))
@example(f"version: 1\nstore: {{memory: {'9' * 400}GB}}")
def test_any_sequence_of_words(text):
    survives(text)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_mutation_of_a_file(data):
    text = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 8)))
        word = data.draw(st.sampled_from(WORDS) | st.text(max_size=3))
        text[start:end] = word.encode("utf-8", "surrogatepass")
    survives(bytes(text))


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = sorted(forms(POLICIES, BACKENDS).file.model_fields)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), ANY, max_size=6))
def test_any_shape_of_data(data):
    survives(json.dumps({"version": 1, **data}))


def test_every_prefix_of_the_example_is_survived():
    text = config_file("default.yaml").read_text()
    for end in range(0, len(text), 61):
        survives(text[:end])


def test_no_environment_value_is_repeated():
    for key in KEYS:
        for value in ("${OPENAI_API_KEY}", ["${OPENAI_API_KEY}"], {"use": "${OPENAI_API_KEY}"}):
            survives(json.dumps({"version": 1, key: value}))
            survives(json.dumps({"version": 1, key: {"a": value}}))
            survives(
                json.dumps({"version": 1, key: [{"name": value, "send": value, "when": value}]})
            )
    assert ENV["OPENAI_API_KEY"].startswith("key-of-")
