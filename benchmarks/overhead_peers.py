"""How each target of the benchmark is started: as its own documentation says, one worker each."""

import json
import os
import sys
from pathlib import Path
from string import Template

from overhead_events import COMPLETION, MODEL
from overhead_process import BenchError, Program, free_port

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PEERS = ROOT / ".bench"
BARE, PENSTOCK, DIRECT = "bare relay", "penstock", "direct"
LITELLM, PORTKEY, ROUTER = "litellm", "portkey", "vllm-router"
TARGETS = (BARE, PENSTOCK, ROUTER, PORTKEY, LITELLM)
# The base install of a Python program: what it imports must not come from the caller's environment.
_CLEAN = {"PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": ""}
_OURS = {**_CLEAN, "PYTHONPATH": str(ROOT)}  # this tree, not another that is installed


def nginx(folder: Path) -> Program:
    """The fast upstream: nginx with one worker and a canned completion."""
    port = free_port()
    text = Template((HERE / "nginx.conf").read_text()).substitute(
        port=port, reply=COMPLETION, model=MODEL
    )
    (folder / "nginx.conf").write_text(text)
    path = f"{folder}/nginx.conf"
    return Program(DIRECT, port, ("nginx", "-p", str(folder), "-e", "stderr", "-c", path))


def events() -> Program:
    """The steerable upstream of overhead_events.py."""
    port = free_port()
    return Program(DIRECT, port, (sys.executable, str(HERE / "overhead_events.py"), str(port)))


def target(name: str, upstream: int, folder: Path) -> Program:
    """The named relay in front of 127.0.0.1:`upstream`, its files in `folder`."""
    makers = {
        BARE: _bare_relay,
        PENSTOCK: _penstock,
        ROUTER: _vllm_router,
        PORTKEY: _portkey,
        LITELLM: _litellm,
    }
    return makers[name](free_port(), upstream, folder)


def _bare_relay(port: int, upstream: int, _folder: Path) -> Program:
    script = str(HERE / "bare_relay.py")
    url = f"http://127.0.0.1:{upstream}"
    return Program(BARE, port, (sys.executable, script, str(port), url), _CLEAN)


def _penstock(port: int, upstream: int, folder: Path) -> Program:
    data = folder / f"penstock-{port}"
    data.mkdir()
    config = data / "penstock.yaml"
    config.write_text(
        "version: 1\n"
        f"listen: {{host: 127.0.0.1, port: {port}}}\n"
        f"data: {json.dumps(str(data))}\n"
        "preset: safe\n"
        f'backends: {{upstream: {{use: openai, base_url: "http://127.0.0.1:{upstream}/v1"}}}}\n'
    )
    command = _installed(Path(sys.executable).parent / "penstock")
    return Program(PENSTOCK, port, (command, "serve", "--config", str(config)), _OURS)


def _vllm_router(port: int, upstream: int, _folder: Path) -> Program:
    """A Rust program with one thread per core; it has no setting for fewer."""
    command = (
        *(_installed(PEERS / "vllm-router/bin/vllm-router"), "--host", "127.0.0.1"),
        *("--port", str(port), "--worker-urls", f"http://127.0.0.1:{upstream}"),
        *("--policy", "cache_aware", "--log-level", "warning"),
        *("--prometheus-port", str(free_port())),
    )
    return Program(ROUTER, port, command)


def _portkey(port: int, upstream: int, _folder: Path) -> Program:
    script = _installed(PEERS / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js")
    headers = {
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://127.0.0.1:{upstream}/v1",
    }
    command = ("node", script, f"--port={port}", "--headless")
    return Program(PORTKEY, port, command, {"NODE_ENV": "production"}, headers)


def _litellm(port: int, upstream: int, folder: Path) -> Program:
    config = folder / "litellm.yaml"
    config.write_text(
        "model_list:\n"
        f"  - model_name: {MODEL}\n"
        "    litellm_params:\n"
        f"      model: openai/{MODEL}\n"
        f"      api_base: http://127.0.0.1:{upstream}/v1\n"
        "      api_key: sk-bench\n"
    )
    environment = {
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
        **_CLEAN,
    }
    command = (
        *(_installed(PEERS / "litellm/bin/litellm"), "--config", str(config)),
        *("--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"),
    )
    return Program(LITELLM, port, command, environment)


def _installed(program: Path) -> str:
    if not os.access(program, os.R_OK):
        raise BenchError(f"{program.name} is not installed; run scripts/bench-peers")
    return str(program)
