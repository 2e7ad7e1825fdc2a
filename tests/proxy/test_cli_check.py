import os

import pytest

from proxy.cli_check import verdict

FILE = """version: 1
data: {data}
backends: {{a: {{use: simulated}}}}
pipelines:
  default:
    effects: [exact, lossy]
    steps:
      - {{use: cache.exact}}
      - {{use: compress.llmlingua, model: {model}}}
"""


@pytest.fixture
def check(tmp_path):
    def run(model):
        path = tmp_path / "penstock.yaml"
        path.write_text(FILE.format(data=tmp_path / "data", model=model))
        return verdict(path, os.environ)

    return run


def test_a_missing_extra_is_an_error_that_names_the_command(check, tmp_path, monkeypatch):
    monkeypatch.setattr("policies.compress.lingua_install._PACKAGES", ("no_such_package",))
    found = check(tmp_path)
    assert not found.good
    (error,) = found.errors
    assert error == (
        f"{found.file}:9:9: pipelines.default.steps[1]: compress.llmlingua: cannot be set up: "
        "no_such_package cannot be imported; run: pip install 'penstock[llmlingua]'"
    )


def test_a_missing_model_is_an_error_that_names_the_command(check, tmp_path, monkeypatch):
    monkeypatch.setattr("policies.compress.lingua_install._PACKAGES", ())
    found = check(tmp_path)
    assert not found.good
    (error,) = found.errors
    assert f"there is no model in {tmp_path}; run: hf download microsoft/" in error


def test_with_both_it_is_good_and_no_process_is_left(check, tmp_path, monkeypatch):
    monkeypatch.setattr("policies.compress.lingua_install._PACKAGES", ())
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"model_type": "bert"}')
    (model / "model.safetensors").write_bytes(b"weights")
    (model / "tokenizer.json").write_text("{}")
    found = check(model)
    assert found.good
    assert found.warnings == []
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
