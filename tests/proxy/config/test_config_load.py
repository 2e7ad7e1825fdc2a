from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from pydantic import ValidationError

from policies.base.call import Effect
from proxy.config import Match
from proxy.config.files import config_file
from proxy.config.load import load
from proxy.errors import ConfigError
from tests.fakes.config_kinds import BACKENDS, DESIGN, ENV, POLICIES, ExactCache, Http, Vllm, made

SAFE = frozenset({Effect.EXACT, Effect.LOSSLESS})


def read(path, environ=ENV):
    return load(path, environ, POLICIES, BACKENDS)


def test_the_sample_of_the_design_is_accepted():
    config = made(DESIGN)
    assert (config.listen.host, config.listen.port) == ("127.0.0.1", 8484)
    assert config.data == Path("/home/me/.local/share/penstock")
    assert config.clients[0].name == "team-a"
    assert config.clients[0].key.get_secret_value() == "key-of-team-a"
    assert list(config.backends) == ["openai", "local"]
    openai, local = config.backends.values()
    assert type(openai.settings) is Http.Settings
    assert openai.settings.api_key.get_secret_value() == "key-of-openai"
    replicas = ["http://10.0.0.7:8000", "http://10.0.0.8:8000"]
    assert local.settings == Vllm.Settings(replicas=replicas)
    steps = config.pipelines["default"].steps
    assert [step.use for step in steps] == [
        "cache.exact",
        "compress.lossless",
        "prefix.breakpoints",
    ]
    assert steps[0].settings == ExactCache.Settings(ttl=3600.0)
    assert {(step.mode, step.deadline) for step in steps} == {("on", 0.05)}
    assert [(route.when.model, route.send) for route in config.routes] == [
        ("qwen*", ("local",)),
        ("*", ("openai",)),
    ]
    assert config.fallback is None


def test_the_shipped_example_is_the_defaults():
    assert read(config_file("default.yaml")) == read(None)


def test_without_anything_a_simulated_backend_answers_behind_the_safe_preset():
    config = made("version: 1", {})
    assert config.fallback == "simulated"
    assert {name: it.use for name, it in config.backends.items()} == {"simulated": "simulated"}
    assert config.routes[0].send == ("simulated",)
    assert config.routes[0].when == Match()
    assert config.routes[0].effects == SAFE
    assert config.pipelines["default"].steps == config.pipelines["safe"].steps
    assert (config.store.memory, config.store.disk, config.store.redis) == (64 * 10**6, 10**9, None)
    assert (config.limits.body, config.limits.recording) == (32 * 2**20, 8 * 2**20)
    assert config.ledger.keep == 90 * 86400
    assert config.admin_key is None


@pytest.mark.parametrize(
    ("environ", "key", "url"),
    [
        ({"OPENAI_API_KEY": "k"}, "k", "https://api.openai.com/v1"),
        ({"OPENAI_BASE_URL": "http://h/v1"}, None, "http://h/v1"),
        ({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://h/v1"}, "k", "http://h/v1"),
    ],
)
def test_the_environment_of_the_sdk_is_a_backend(environ, key, url):
    config = made("version: 1", environ)
    assert config.fallback == "openai"
    settings = config.backends["openai"].settings
    assert (settings.api_key and settings.api_key.get_secret_value(), settings.base_url) == (
        key,
        url,
    )


def test_empty_variables_of_the_sdk_count_as_unset():
    assert made("version: 1", {"OPENAI_API_KEY": ""}).fallback == "simulated"


def test_a_bad_address_in_the_environment_is_said_to_be_there():
    with pytest.raises(ConfigError) as caught:
        made("version: 1", {"OPENAI_BASE_URL": "gopher://old"})
    (line,) = caught.value.problems
    assert line.startswith("environment:")
    assert "backends.openai.base_url" in line


@pytest.mark.parametrize(
    ("preset", "more", "sampled"),
    [
        ("safe", set(), "bypass"),
        ("balanced", {Effect.REORDER, Effect.REUSE}, "bypass"),
        ("aggressive", {Effect.REORDER, Effect.REUSE, Effect.LOSSY}, "reuse"),
    ],
)
def test_a_preset_sets_the_default_pipeline_and_its_effects(preset, more, sampled):
    config = made(f"version: 1\npreset: {preset}\npipelines: {{mine: []}}")
    default = config.pipelines["default"]
    assert default.name == "default"
    assert default.effects == SAFE | more
    assert default.steps[0].settings.sampled == sampled
    assert config.pipelines["mine"].effects == SAFE | more
    assert config.pipelines["safe"].effects == SAFE
    assert set(config.pipelines) == {"default", "safe", "balanced", "aggressive", "mine"}


def test_a_pipeline_in_its_long_form():
    text = """
version: 1
pipelines:
  trial:
    effects: [lossy]
    holdout: 0.1
    steps:
      - {use: compress.lossless, tools: [a, b], mode: shadow, deadline: 1s}
      - {use: cache.exact, mode: off}
"""
    trial = made(text).pipelines["trial"]
    assert trial.effects == {Effect.LOSSY}
    assert trial.holdout == 0.1
    assert trial.steps[0].settings.tools == ("a", "b")
    assert [(step.mode, step.deadline) for step in trial.steps] == [("shadow", 1.0), ("off", 0.05)]


def test_a_route_only_narrows():
    text = """
version: 1
preset: balanced
routes:
  - {effects: [exact, lossy, reuse]}
  - {pipeline: safe, effects: [reuse]}
  - {pipeline: null}
  - {pipeline: null, effects: [exact]}
"""
    routes = made(text).routes
    assert [route.effects for route in routes] == [
        {Effect.EXACT, Effect.REUSE},
        set(),
        set(),
        {Effect.EXACT},
    ]
    assert [route.pipeline for route in routes] == ["default", "safe", None, None]


def test_send_is_a_name_or_an_order_or_the_only_backend():
    backends = "backends: {a: {use: simulated}, b: {use: simulated}}"
    config = made(f"version: 1\n{backends}\nroutes: [{{send: b}}, {{send: [b, a]}}]")
    assert [route.send for route in config.routes] == [("b",), ("b", "a")]
    assert made(f"version: 1\n{backends}").routes[0].send == ("a",)
    assert made("version: 1\nroutes: [{}]").routes[0].send == ("openai",)


def test_another_address_than_loopback_takes_clients():
    open_to_all = 'version: 1\nlisten: {host: "0.0.0.0"}\n'
    with pytest.raises(ConfigError, match=r"^f.yaml:2:16: listen.host: other machines"):
        made(open_to_all)
    clients = 'clients: [{name: a, key: "${TEAM_A_KEY}"}]'
    assert made(open_to_all + clients).listen.host == "0.0.0.0"


def test_a_port_and_an_address_may_come_from_the_environment():
    text = 'version: 1\nlisten: {host: "${HOST:-::1}", port: "${PORT}"}'
    assert made(text, {"PORT": "0"}).listen.model_dump() == {"host": "::1", "port": 0}


def test_no_secret_shows_in_a_configuration():
    text = 'version: 1\nadmin_key: ${ADMIN}\nstore: {redis: "redis://:${ADMIN}@h"}\n'
    text += 'backends: {a: {use: http, headers: {x-key: "${ADMIN}"}}}\n'
    text += 'clients: [{name: a, key: "${TEAM_A_KEY}"}]'
    config = made(text, {**ENV, "ADMIN": "sk-hidden"})
    assert config.backends["a"].settings.headers["x-key"].get_secret_value() == "sk-hidden"
    shown = repr(config)
    assert "sk-hidden" not in shown
    assert "key-of-team-a" not in shown


def test_a_configuration_does_not_change():
    config = made(DESIGN)
    with pytest.raises(FrozenInstanceError):
        config.data = Path("/elsewhere")
    with pytest.raises(TypeError):
        config.backends["more"] = config.backends["openai"]
    with pytest.raises(ValidationError):
        config.listen.port = 1


def test_data_may_be_anywhere():
    assert made("version: 1\ndata: /var/lib/penstock").data == Path("/var/lib/penstock")
    assert made('version: 1\ndata: "~"').data == Path("/home/me")


def test_a_file_that_cannot_be_read_says_so(tmp_path):
    for path, reason in ((tmp_path / "none.yaml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError, match=reason) as caught:
            read(path)
        assert caught.value.problems[0].startswith(f"{path}: cannot be read: ")


def test_a_huge_file_is_not_even_parsed(tmp_path):
    path = tmp_path / "huge.yaml"
    path.write_bytes(b"version: 1\n" + b"#" * 1024**2)
    with pytest.raises(ConfigError, match="larger than 1048576 bytes"):
        read(path)


def test_a_file_with_a_byte_order_mark_is_read():
    assert made("\ufeffversion: 1") == made(b"\xef\xbb\xbfversion: 1\r\n") == made("version: 1")


def test_a_quantity_without_end_is_an_error():
    with pytest.raises(ConfigError):
        made(f"version: 1\nstore: {{memory: {'9' * 400}GB}}")


def test_settings_that_take_our_words_are_a_mistake_of_the_policy():
    class Rude(ExactCache):
        class Settings(ExactCache.Settings):
            mode: str = "mine"

    with pytest.raises(TypeError, match="rude declare"):
        load(None, {}, {**POLICIES, "rude": Rude}, BACKENDS)
