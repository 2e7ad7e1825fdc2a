"""The official Node SDKs, by Node's own test runner, against a running Penstock."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fakes.penstock import environment, running

FOLDER = Path(__file__).parent / "node"
YAML = """
backends:
  model:
    use: simulated
    models: [gpt-4o, text-embedding-3-small, claude-simulated]
    latency: 20ms
routes: [{send: model, pipeline: safe}]
"""


@pytest.fixture(scope="module")
def node():
    """The command; the SDKs are installed as the lock file says."""
    found = shutil.which("node")
    assert found, "Node is missing: scripts/test installs it"
    if not (FOLDER / "node_modules").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=FOLDER, check=True)
    return found


def test_the_node_sdks(node, tmp_path):
    with running(YAML) as penstock:
        done = subprocess.run(
            [node, "--test", "sdk.test.mjs"],
            cwd=FOLDER,
            env=environment(tmp_path, {"PENSTOCK_URL": penstock.url}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
