"""docs/explanation/dependencies.md: each requirement has its row, and the base stays within its size."""

from __future__ import annotations

import re
import sysconfig
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.installed_size import LIMITS, installed_sizes
from tests.wheelhouse import closure

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explanation" / "dependencies.md").read_text(encoding="utf-8")
TABLE = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OPTIONAL = TABLE["project"]["optional-dependencies"]


def rows(heading: str) -> dict[str, list[str]]:
    """Return the cells of each row of a section's table, by the name of the package."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    table = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "| `" in line[:4]
    ]
    return {canonicalize_name(cells[0].strip("`")): cells for cells in table}


def name(text: str) -> str:
    return canonicalize_name(Requirement(text).name)


def test_each_package_of_the_base_has_a_row_and_no_other() -> None:
    assert rows("The base").keys() == {name(text) for text in TABLE["project"]["dependencies"]}


GIVEN = {
    "pygithub": "github",
    "python-gitlab": "gitlab",
    "jira": "jira",
    "pydantic-settings": "pydantic_settings",
    "tenacity": "tenacity",
    "structlog": "structlog",
}
"""Packages that milesync is built on, with the module that each is imported as."""


def test_the_packages_that_are_given_are_required_and_used() -> None:
    assert GIVEN.keys() <= {name(text) for text in TABLE["project"]["dependencies"]}
    sources = [
        path.read_text("utf-8") for top in ("sync", "connectors", "config") for path in (ROOT / top).rglob("*.py")
    ]
    for module in GIVEN.values():
        assert any(re.search(rf"^\s*(from|import) {module}\b", source, re.MULTILINE) for source in sources), module


def test_each_package_of_an_extra_has_a_row_that_names_its_extras() -> None:
    wanted: dict[str, set[str]] = {}
    for extra, texts in OPTIONAL.items():
        for text in texts:
            wanted.setdefault(name(text), set()).add(extra)
    assert {package: set(cells[1].split(", ")) for package, cells in rows("Extras").items()} == wanted


def test_each_cell_is_filled() -> None:
    tables = [rows("The base"), rows("Extras")]
    assert [cells for table in tables for cells in table.values() if not all(cells)] == []
    assert {len(cells) for table in tables for cells in table.values()} == {6, 7}


def test_what_only_tests_and_builds_need_is_named() -> None:
    section = PAGE.partition("## What only tests and releases need\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([\w-]+)\*?`", section))
    groups = [text for group in ("build", "dev") for text in TABLE["dependency-groups"][group]]
    base = rows("The base").keys()
    assert [text for text in groups if not text.startswith("types-") and text not in named and text not in base] == []


@pytest.mark.parametrize(("title", "extras"), [("base", ()), ("all extras", tuple(OPTIONAL))])
def test_an_installation_is_no_larger_than_promised(title: str, extras: tuple[str, ...]) -> None:
    """The files of the packages that it installs here; `make size` installs and measures it."""
    texts = TABLE["project"]["dependencies"] + [text for extra in extras for text in OPTIONAL[extra]]
    sizes = installed_sizes(Path(sysconfig.get_path("purelib")))
    names = closure(list(map(Requirement, texts)))
    assert "numpy" in names
    assert names <= sizes.keys()
    assert sum(sizes[package] for package in names) < LIMITS[title] * 1e6
