"""Each promise of `docs/promises.md` names tests, and those that it names exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "promises.md"
ROWS = [line.strip("|").split("|") for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| **")]
NAMED = [(row[0].strip(), re.findall(r"`([^`]+::[^`]+)`", row[1])) for row in ROWS]


@cache
def found_in(path: str) -> frozenset[str]:
    """The functions and methods of a file that pytest takes for tests."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    found = (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return frozenset(name for name in found if name.startswith("test_"))


def marked() -> set[str]:
    """The large proofs, as the page names tests."""
    found = set()
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        name, tree = path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8"))
        tests = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
        whole = any(isinstance(node, ast.Assign) and "pytest.mark.proof" in ast.unparse(node) for node in tree.body)
        found |= {
            f"{name}::{test.name}"
            for test in tests
            if whole or any("pytest.mark.proof" in ast.unparse(expr) for expr in test.decorator_list)
        }
    return found


def test_every_large_proof_belongs_to_a_promise() -> None:
    assert len(marked()) >= 12
    assert marked() - {test for _, tests in NAMED for test in tests} == set()


def test_the_promises_are_found() -> None:
    assert len(NAMED) >= 20
    assert all(len(row) == 2 for row in ROWS), "a cell may not hold the sign that ends it"


@pytest.mark.parametrize(("promise", "named"), NAMED, ids=[re.sub(r"\W+", "_", promise)[:40] for promise, _ in NAMED])
def test_a_promise_has_tests_that_exist(promise: str, named: list[str]) -> None:
    assert named, f"{promise} has no test"
    for name in named:
        path, _, test = name.partition("::")
        assert (ROOT / path).is_file(), name
        assert test in found_in(path), name
