"""The packages that each command loads, as docs/explanation/performance.md states them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sync import cli
from tests.e2e.small_world import served
from tests.e2e.subprocesses import milesync
from tests.imported_modules import PRINT_IMPORTS, imported_modules

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "performance.md"
OURS = ("sync", "connectors", "config")

OPTIONAL = {
    "attrs": "rich formats its classes where it is installed",
    "chardet": "requests takes it where it is installed",
    "charset-normalizer": "requests",
    "backports-tarfile": "shares the name `backports` with a package that httpx2 looks for",
    "greenlet": "SQLAlchemy",
    "tornado": "tenacity waits with it where it is installed",
    "linkify-it-py": "markdown-it-py takes it where it is installed",
    "psycopg-binary": "psycopg takes it where it is installed",
    "setuptools": "its start file loads a part of it in every process where it is installed",
    "shellingham": "typer's completion",
    **dict.fromkeys(
        (
            "opentelemetry-exporter-http-transport",
            "opentelemetry-exporter-otlp-common",
            "opentelemetry-exporter-otlp-proto-common",
            "opentelemetry-exporter-otlp-proto-http",
            "opentelemetry-proto",
            "opentelemetry-sdk",
            "opentelemetry-semantic-conventions",
        ),
        "shares the name `opentelemetry` with the API, which the SDK of `mcp` loads",
    ),
    "pygments": "rich colours code with it where a text has some",
}
"""Packages of other packages that a command may load or not, depending on what is installed."""

WORDS: dict[str, tuple[str, ...]] = {
    "--help": ("--help",),
    "--version": ("--version",),
    "a usage error": ("statsu",),
    "adopt": ("adopt",),
    "apply": ("apply",),
    "backtest": ("backtest",),
    "check": ("check", "github:acme/app"),
    "db": ("db", "check"),
    "demo": ("demo", "--help"),  # it starts the same as `sandbox` and runs the others
    "digest": ("digest",),
    "doctor": ("doctor",),
    "explain": ("explain", "gh:acme/app#2"),
    "init": ("init",),  # to the first question
    "new-connector": ("new-connector", "github"),  # to the refusal of this name
    "mcp": ("mcp",),  # to the end of its input
    "plan": ("plan",),
    "pull": ("pull",),
    "report": ("report", "--out", "OUT"),
    "retire": ("retire",),
    "run": ("run",),
    "sandbox": ("sandbox", "--server-version", "none=1"),  # to the refusal of this version
    "serve": ("serve",),  # to the missing secret
    "status": ("status",),
    "timeline": ("timeline",),
    "whatif": ("whatif", "gh:acme/app#2"),
    "worker": ("worker", "--once"),  # to the refusal of SQLite
}

WITHOUT_CONFIG = ("--help", "--version", "a usage error", "check", "demo", "new-connector", "sandbox")


def stated() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """Return by command the packages of others and ours, from the tables of the page."""
    section = PAGE.read_text(encoding="utf-8").partition("## The start of a command")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:2] == "| "]
    parts = {cells[0]: [re.findall(r"`([^`]+)`", cell) for cell in cells[1:3]] for cells in rows if len(cells) == 4}
    found = {}
    for commands, named in (cells for cells in rows if len(cells) == 2 and cells[0] != "command"):
        others, ours = (
            frozenset(package for part in named.split(", ") for package in parts[part][column]) for column in (0, 1)
        )
        for command in re.findall(r"`([^`]+)`|(a usage error)", commands):
            found["".join(command)] = (others, ours)
    return found


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], frozenset[str]]]:
    """A function: the modules that a command loads, over a store that knows GitHub and GitLab."""
    folder = tmp_path_factory.mktemp("commands")
    with served(folder) as (world, config):
        assert milesync("run", "--first-run", config=config).returncode == 0

        @cache
        def modules(command: str) -> frozenset[str]:
            words = [str(folder / "report") if word == "OUT" else word for word in WORDS[command]]
            environ = {**PRINT_IMPORTS, "GITHUB_API_URL": world.github.url}
            run = milesync(*words, config=None if command in WITHOUT_CONFIG else config, env=environ)
            return frozenset(imported_modules(run.stderr))

        yield modules


def distributions(modules: frozenset[str]) -> frozenset[str]:
    """Return the names of the installed packages of these modules."""
    owners = packages_distributions()
    roots = {name.partition(".")[0] for name in modules} - set(OURS)
    return frozenset(canonicalize_name(owner) for root in roots for owner in owners.get(root, ())) - {"milesync"}


def brought(name: str, extras: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield a package and what it requires."""
    yield canonicalize_name(name)
    for text in distribution(name).requires or ():
        needed = Requirement(text)
        if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras | {""}):
            yield from brought(needed.name, frozenset(needed.extras))


def test_each_command_states_its_packages() -> None:
    assert set(stated()) == set(WORDS)
    assert {point.name for point in cli.commands()} <= set(WORDS)


@pytest.mark.parametrize("command", WORDS)
def test_a_command_loads_the_packages_that_the_page_states(
    command: str, loaded: Callable[[str], frozenset[str]]
) -> None:
    others, ours = stated()[command]
    found = loaded(command)
    allowed = {package for name in others for package in brought(name)}
    packages = distributions(found)
    assert packages - allowed - OPTIONAL.keys() == set(), "loaded and not stated"
    assert {canonicalize_name(name) for name in others} - packages == set(), "stated and not loaded"
    parts = {".".join(name.split(".")[: 1 if name.startswith("config") else 2]) for name in found}
    ours_found = {part for part in parts if part.partition(".")[0] in OURS and part not in OURS[:2]}
    assert {name for name in ours_found if is_package(name)} == ours


def is_package(name: str) -> bool:
    """Return whether a module of ours is a package."""
    return (ROOT / name.replace(".", "/")).is_dir()
