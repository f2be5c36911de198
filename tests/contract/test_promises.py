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
