"""What the README and docs show is run, and what they list is all there is.

- `yaml` blocks are configurations: each is loaded, with `version` filled in where it is left out.
- `python` and `javascript` blocks run against a server, `sql` blocks against its ledger.
- Lines of `console` blocks that begin with `$ ` and name `penstock` or `curl` run in a folder
  with the page's latest configuration as `penstock.yaml`, and must exit with 0. Those that
  would not end, or are about another machine, are left out.
- A block under the line `<!-- not run: why -->` is only shown.
"""

import contextlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from policies.base.units import seconds, size
from proxy.config.files import config_file
from proxy.config.load import loads
from proxy.config.read import read
from proxy.config.warnings import warnings
from tests.fakes.markdown import PAGES, ROOT, anchors, blocks, links, of, prose, rows, sections
from tests.fakes.penstock import running

ADDRESS = "127.0.0.1:8484"
NAMES = re.compile(r"\$\{([A-Z_]+)")
SERVED = """
backends:
  openai: {use: simulated, models: [gpt-5-mini]}
"""


@pytest.fixture(scope="module")
def penstock():
    with running(SERVED) as server:
        ask = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hi"}]}
        httpx2.post(server.url + "/v1/chat/completions", json=ask)
        yield server


def variables():
    """A value for everything that an example takes from the environment."""
    texts = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    return {name: f"value-of-{name.lower()}" for name in NAMES.findall(texts)}


def environment(home, penstock):
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return variables() | {
        "PATH": tools,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        "OPENAI_API_KEY": "sk-example",
        "PENSTOCK_CONFIG": str(penstock.config),
        "NO_PROXY": "127.0.0.1",
    }


def run(command, folder, penstock):
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(folder, penstock),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def whole(text):
    return text if re.search(r"^version:", text, re.MULTILINE) else f"version: 1\n{text}"


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_a_configuration_loads(block):
    loads(whole(block.text), str(block), variables())


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_the_steps_of_a_configuration_stand_in_a_good_order(block):
    doubts = warnings(loads(whole(block.text), str(block), variables()))
    assert [doubt for doubt in doubts if "stands after" in doubt] == []


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_is_json(block):
    json.loads(block.text)


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_runs(block, penstock, tmp_path):
    text = block.text.replace(ADDRESS, f"127.0.0.1:{penstock.port}")
    assert run([sys.executable, "-c", text], tmp_path, penstock)


@pytest.mark.parametrize("block", blocks("javascript"), ids=str)
def test_javascript_runs(block, penstock, tmp_path):
    modules = ROOT / "tests" / "e2e" / "node" / "node_modules"
    if not modules.is_dir():
        pytest.skip("scripts/test installs the Node SDKs")
    (tmp_path / "node_modules").symlink_to(modules)
    script = tmp_path / "example.mjs"
    script.write_text(block.text.replace(ADDRESS, f"127.0.0.1:{penstock.port}"))
    assert run(["node", script.name], tmp_path, penstock)


@pytest.mark.parametrize("block", blocks("sql"), ids=str)
def test_sql_runs(block, penstock):
    path = penstock.data / "ledger.sqlite3"
    until = time.monotonic() + 10
    while time.monotonic() < until:  # rows are written in batches
        with contextlib.closing(sqlite3.connect(path)) as db, contextlib.suppress(sqlite3.Error):
            if found := db.execute(block.text).fetchall():
                assert "gpt-5-mini" in found[0]
                return
        time.sleep(0.05)
    pytest.fail("no rows")


def commands():
    """`(place, command, configuration)` of each line that a console block tells to type."""
    for page in PAGES:
        config = "version: 1"
        for block in of(page):
            if block.kind == "yaml" and block.run:
                config = whole(block.text)
            if block.kind != "console" or not block.run:
                continue
            for line in block.text.splitlines():
                named = re.search(r"(?:^\$|\|) (penstock(?! serve)|curl) ", line)
                if line.startswith("$ ") and named:
                    yield pytest.param(line[2:], config, id=f"{block}-{line[2:40]}")


@pytest.mark.parametrize(("command", "config"), list(commands()))
def test_a_command_exits_with_0(command, config, penstock, tmp_path):
    if "curl" in command and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (tmp_path / "penstock.yaml").write_text(config)
    (tmp_path / ".curlrc").write_text("fail-with-body\n")  # else curl is content with an error
    text = command.replace(ADDRESS, f"127.0.0.1:{penstock.port}")
    run(["bash", "-o", "pipefail", "-c", text], tmp_path, penstock)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in links(page):
        path, _, anchor = link.partition("#")
        if path.startswith(("http://", "https://")):
            continue
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_linked_from_the_readme_or_the_decisions():
    found = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in PAGES
        for link in links(page)
        if page.name == "README.md"
    }
    assert set(PAGES) - {ROOT / "README.md", ROOT / "docs" / "decisions" / "README.md"} <= found


def test_the_metrics_are_those_of_the_page(penstock):
    """Names and types against a server, labels against the samples it has."""
    text = httpx2.get(penstock.url + "/metrics").text
    served = dict(re.findall(r"^# TYPE (penstock_\w+) (\w+)$", text, re.MULTILINE))
    page = rows(prose(ROOT / "docs" / "metrics.md"))
    listed = {row[0].strip("`"): row[1:3] for row in page if row[0].startswith("`penstock_")}
    assert {name: kind for name, (kind, _) in listed.items()} == served
    samples = re.findall(r"^(penstock_\w+)\{([^}]*)\} ", text, re.MULTILINE)
    for sample, pairs in samples:
        name = re.sub(r"_(bucket|sum|count)$", "", sample)
        labels = set(re.findall(r'(\w+)="', pairs)) - {"le"}
        assert labels == set(listed[name][1].split(", ")), name


def test_metrics_that_pages_mention_are_there():
    listed = set(
        re.findall(r"^\| `(penstock_\w+)`", prose(ROOT / "docs" / "metrics.md"), re.MULTILINE)
    )
    for page in PAGES:
        for name in re.findall(r"\bpenstock_[a-z_]+[a-z]\b", page.read_text(encoding="utf-8")):
            assert re.sub(r"_(bucket|sum|count)$", "", name) in listed, (page.name, name)


def test_the_columns_of_the_ledger_are_those_of_the_page(penstock):
    page = [row[0] for row in rows(sections(ROOT / "docs" / "ledger.md")["Tables"])]
    listed = re.findall(r"`(\w+)`", " ".join(page))
    with contextlib.closing(sqlite3.connect(penstock.data / "ledger.sqlite3")) as db:
        tables = [db.execute(f"SELECT * FROM {name}").description for name in ("requests", "steps")]
    assert sorted(listed) == sorted(column[0] for table in tables for column in table)


SECTIONS = {
    "The file": "",
    "listen": "Listen",
    "clients": "Client",
    "store": "Stores",
    "coalesce": "Sharing",
    "limits": "Limits",
    "ledger": "Ledger",
    "routes": "RouteForm",
    "routes[].when": "Match",
    "pipelines.NAME": "Pipeline",
    "timeouts": "TimeoutSettings",
    "retry": "RetrySettings",
    "breaker": "BreakerSettings",
    "tools.NAME": "ToolFields",
}
STEP = "pipelines.NAME.steps[]"
HTTP = "Every backend that talks HTTP"
SHARED = {"http", "openai", "anthropic", "vllm"}


def documented():
    """For each model of the schema, its keys with their defaults as the page has them."""
    page = sections(ROOT / "docs" / "configuration.md")
    tables = {
        name: {row[0].strip("`"): row[1] for row in rows(text)} for name, text in page.items()
    }
    found = {model: tables[name] for name, model in SECTIONS.items()}
    for name, table in tables.items():
        use = name.removeprefix("use: ")
        if use != name:
            common = tables[HTTP] if use in SHARED else {}
            common = common | (tables[STEP] if "." in use else {"use": "required"})
            found[use.replace(".", "_")] = common | table
    return found


def described():
    """The same as the schema has it: `(what it says of the key, whether it is required)`."""
    schema = json.loads(config_file("schema.json").read_text(encoding="utf-8"))
    models = {"": schema} | schema["$defs"]
    return {
        name: {
            key: (about, key in model.get("required", []))
            for key, about in model["properties"].items()
        }
        for name, model in models.items()
        if "properties" in model
    }


def test_the_keys_of_the_page_are_those_of_the_schema():
    listed = {name: sorted(table) for name, table in documented().items()}
    assert listed == {name: sorted(model) for name, model in described().items()}


def test_the_defaults_of_the_page_are_those_of_the_schema():
    schema = described()
    for name, table in documented().items():
        for key, cell in table.items():
            about, required = schema[name][key]
            if cell:
                assert (cell == "required") == required, (name, key)
            if cell and "default" in about:  # an empty mapping is not told
                shown = read("shown: " + cell.strip("`"), "cell", {}).tree["shown"]
                assert about["default"] in (shown, *quantities(shown)), (name, key)


def quantities(text):
    """What a text may mean as a duration or a size."""
    for meaning in (seconds, size):
        with contextlib.suppress(ValueError):
            yield meaning(text)
