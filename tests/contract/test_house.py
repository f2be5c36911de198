"""Rules of the code base: import contracts, unique class names, short functions."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("sync", "connectors", "config")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def sources() -> dict[str, ast.Module]:
    """Parse every module of the program, by its path from the root."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in paths}


def functions() -> Iterator[tuple[str, Function]]:
    """Yield every function with its path and line, except those of migrations."""
    for path, tree in sources().items():
        if "/migrations/" not in path:
            for node in ast.walk(tree):
                if isinstance(node, Function):
                    yield f"{path}:{node.lineno} {node.name}", node


# --- import contracts ------------------------------------------------------------------------------------------------

PLANTED = {
    "connectors/shared/concurrency.py": "import sync.report.view",
    "sync/telemetry/log.py": "import sync.digest.message",
    "sync/plan/reconcile.py": "import time\nimport sync.store.store",
    "sync/unplaced/__init__.py": "",
}


@pytest.fixture(scope="module")
def violations(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of import-linter on a copy of the tree with forbidden imports."""
    copy = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / ".importlinter", copy)
    for package in PACKAGES:
        only_code = shutil.ignore_patterns("__pycache__", "locale", "templates", "*.json", "*.graphql", "*.toml")
        shutil.copytree(ROOT / package, copy / package, ignore=only_code)
    for path, lines in PLANTED.items():
        (copy / path).parent.mkdir(exist_ok=True)
        with (copy / path).open("a", encoding="utf-8") as file:
            file.write(f"\n{lines}\n")
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([linter, "--no-cache", "--no-logo"], cwd=copy, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stdout + run.stderr
    return " ".join(run.stdout.split())


@pytest.mark.parametrize(
    "violation",
    [
        "connectors is not allowed to import sync.report: - connectors.shared.concurrency -> sync.report.view",
        "sync.telemetry is not allowed to import sync.digest: - sync.telemetry.log -> sync.digest.message",
        "sync.plan is not allowed to import time: - sync.plan.reconcile -> time",
        "sync.plan is not allowed to import sync.store: - sync.plan.reconcile -> sync.store.store",
        "modules are not listed as layers: - sync.unplaced (",
    ],
)
def test_an_import_contract_catches(violations: str, violation: str) -> None:
    assert violation in violations


# --- names and sizes -------------------------------------------------------------------------------------------------


def test_class_names_are_unique_in_the_core() -> None:
    paths = defaultdict(list)
    for path, tree in sources().items():
        if path.startswith("sync/"):
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    paths[node.name].append(path)
    assert {name: found for name, found in paths.items() if len(found) > 1} == {}


def test_functions_have_at_most_60_lines() -> None:
    """Tables of routes may be longer."""
    long = [where for where, node in functions() if (node.end_lineno or 0) - node.lineno >= 60]
    assert [where for where in long if not where.endswith(" routes")] == []
