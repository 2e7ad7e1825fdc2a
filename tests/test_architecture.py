"""The house's own rules: who may import whom, how long things get, what tracked files may say."""

import ast
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STDLIB = sys.stdlib_module_names
HEAVY = ("torch", "llmlingua", "onnxruntime", "redis", "fastapi", "toktok", "rich", "numpy")
LONGEST_FILE = 300  # lines: below
LONGEST_FUNCTION = 60

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for top in ("policies", "proxy")
    for path in sorted((ROOT / top).rglob("*.py"))
}
TREES = {name: ast.parse(path.read_bytes()) for name, path in FILES.items()}

# What a room of the house may import of the house, besides itself. Where several patterns fit a
# module, the first counts; modules that none fits may import anything but a concrete policy.
BASE = ("policies.base.*",)
MAY_IMPORT = {
    "policies.base.*": (),
    "policies": BASE,
    "policies.prefix*": (*BASE, "policies.prefix.*"),
    "policies.compress*": (*BASE, "policies.compress.*"),
    "policies.*": BASE,
    "proxy.errors": (),
    "proxy.outlet": (),
    "proxy.upstream*": ("proxy.errors", "proxy.outlet"),
    "proxy.send": (*BASE, "proxy.errors", "proxy.wire*"),
    "proxy.downstream*": (*BASE, "proxy.errors", "proxy.outlet", "proxy.send", "proxy.wire*"),
    "proxy.simulation*": BASE,
    "proxy.stores*": BASE,
    "proxy.wire*": (*BASE, "proxy.errors"),
    "proxy.backends.wrap*": (*BASE, "proxy.errors", "proxy.upstream*", "proxy.wire*"),
    "proxy.backends*": (*BASE, "proxy.errors", "proxy.upstream*", "proxy.simulation*"),
    "proxy.guards*": (*BASE, "proxy.backends.wrap.entries"),
    "proxy.holdout": BASE,
    "proxy.edits": BASE,
    "proxy.pipeline": BASE,
    "proxy.watch": (*BASE, "proxy.edits", "proxy.guards*", "proxy.pipeline"),
    "proxy.engine": (
        *BASE,
        "proxy.deadline",
        "proxy.edits",
        "proxy.guards*",
        "proxy.holdout",
        "proxy.pipeline",
        "proxy.watch",
    ),
}


def imports(name):
    """Every module that a module imports, inside functions too."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: imports are absolute"
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                yield below if below in FILES else node.module


def ours(name):
    return [found for found in imports(name) if found.split(".")[0] in ("policies", "proxy")]


def is_concrete(name):
    """Whether a module is a policy, such as `policies.cache_exact`."""
    return fnmatchcase(name, "policies.*_*") and not re.match(r"policies\.\w+\.", name)


def room(name):
    """The pattern that stands for a module in the table, or None."""
    return next((pattern for pattern in MAY_IMPORT if fnmatchcase(name, pattern)), None)


@pytest.mark.parametrize("name", FILES)
def test_it_imports_only_what_it_may(name):
    found = ours(name)
    assert not [target for target in found if is_concrete(target)]
    pattern = room(name)
    if pattern is None:
        return
    itself = () if pattern.startswith("policies.") and pattern != BASE[0] else (pattern,)
    allowed = (*MAY_IMPORT[pattern], *itself)
    denied = [it for it in found if not any(fnmatchcase(it, each) for each in allowed)]
    assert not denied


def test_every_room_of_the_table_is_there():
    assert {room(name) for name in FILES} >= MAY_IMPORT.keys() - {"proxy.downstream*"}


def test_the_contract_needs_little():
    found = {
        target.split(".")[0]
        for name in FILES
        if name.startswith("policies.base")
        for target in imports(name)
    }
    assert found - STDLIB <= {"policies", "msgspec", "pydantic"}


def test_nothing_heavy_is_imported_at_the_start():
    """Policies load what is heavy in `setup()`, everything else where it is needed."""
    program = (
        "import sys, policies; policies.discover(); import proxy.app, proxy.serve; "
        f"print(*[name for name in {HEAVY} if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", FILES)
def test_it_is_not_too_long(name):
    lines = FILES[name].read_text(encoding="utf-8").count("\n")
    assert lines < LONGEST_FILE
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(TREES[name])
        if isinstance(node, kinds) and node.end_lineno - node.lineno + 1 >= LONGEST_FUNCTION
    ]
    assert not long


def pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_constraints_are_exact_pins_without_addresses():
    assert pins()
    assert [
        it for it in pins() if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+", it)
    ] == []


def test_what_the_package_needs_is_pinned():
    """The base and `dev`, which a fresh clone installs; the heavy extras are the user's."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lists = re.findall(r"^(?:dependencies|dev) = \[\n(.*?)^\]", text, re.DOTALL | re.MULTILINE)
    needed = re.findall(r'^ +"([A-Za-z0-9._-]+)', "".join(lists), re.MULTILINE)
    pinned = {plain(line.partition("==")[0]) for line in pins()}
    assert needed
    assert [name for name in needed if plain(name) not in pinned] == []


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def tracked():
    """Files that git knows or would add, or all there are where there is no repository."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


ADDRESSES = re.compile(
    r"https?://[^\s\"'<>]*/simple\b"
    r"|\b(?:pypi|pythonhos[t]ed)\.org"
    r"|\bregistry\.(?:npmjs|yarnpkg)"
    r"|\bproxy\.golang\.org"
    r"|--(?:extra-)?index-url|--find-links|--trusted-host"
)


def test_no_file_names_a_package_registry():
    found = []
    for path in tracked():
        if path != Path(__file__):
            text = path.read_bytes().decode("utf-8", "replace")
            found += [(path.name, match.group()) for match in ADDRESSES.finditer(text)]
    assert found == []


@pytest.mark.parametrize("text", ["see https://mirror.example/simple/x", "--index-url x"])
def test_an_address_would_be_found(text):
    assert ADDRESSES.search(text)
