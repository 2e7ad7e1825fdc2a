import json

import pytest

from policies.compress import lingua_install
from policies.compress.lingua_install import fingerprint, folder


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(lingua_install, "_PACKAGES", ("json", "random"))


@pytest.fixture
def model(tmp_path):
    made = tmp_path / "some model"
    made.mkdir()
    (made / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (made / "model.safetensors").write_bytes(bytes(range(256)) * 40_000)
    (made / "tokenizer.json").write_text("{}")
    return made


def test_a_folder_may_have_any_name(installed, model):
    assert folder(str(model)) == model


def test_a_folder_below_the_home_folder(installed, model, monkeypatch):
    monkeypatch.setenv("HOME", str(model.parent))
    assert folder("~/some model") == model


def test_a_missing_package_names_the_command(monkeypatch):
    monkeypatch.setattr(lingua_install, "_PACKAGES", ("json", "no_such_package"))
    with pytest.raises(
        RuntimeError, match=r"^no_such_package .*pip install 'penstock\[llmlingua\]'$"
    ):
        folder("anything")


def test_a_missing_folder_names_the_command(installed, tmp_path):
    with pytest.raises(RuntimeError, match=r"neither.* run: hf download microsoft/.* --local-dir"):
        folder(str(tmp_path / "none"))


def test_a_folder_without_a_model_names_the_command(installed, tmp_path):
    with pytest.raises(RuntimeError, match=r"there is no model in .* run: hf download microsoft/"):
        folder(str(tmp_path))


@pytest.mark.parametrize("part", ["model.safetensors", "tokenizer.json"])
def test_a_model_of_which_a_part_is_missing_names_the_command(installed, model, part):
    (model / part).unlink()
    with pytest.raises(RuntimeError, match=r"no (weights|token).* run: hf download microsoft/"):
        folder(str(model))


@pytest.mark.parametrize("config", ['{"model_type": "llama"}', "{}", "[]"])
def test_a_model_of_another_kind_is_refused(installed, model, config):
    (model / "config.json").write_text(config)
    with pytest.raises(ValueError, match="is no LLMLingua-2 model"):
        folder(str(model))


def test_a_configuration_that_cannot_be_read(installed, model):
    (model / "config.json").write_bytes(b"\xff{")
    with pytest.raises(RuntimeError, match=r"config\.json is not JSON"):
        folder(str(model))


def test_other_weights_are_another_model(model):
    before = fingerprint(model)
    assert fingerprint(model) == before
    weights = bytearray((model / "model.safetensors").read_bytes())
    weights[: 1 << 16] = bytes(1 << 16)
    (model / "model.safetensors").write_bytes(weights)
    assert fingerprint(model) != before


def test_an_empty_file_does_no_harm(model):
    (model / "empty").touch()
    assert len(fingerprint(model)) == 16
