"""Modules that a run loads: needless ones would take most of the time of a run that finds no change."""

from __future__ import annotations

import pytest

from tests.e2e.small_world import served
from tests.e2e.subprocesses import milesync
from tests.imported_modules import PRINT_IMPORTS, imported_modules

NEEDLESS = (
    "alembic",
    "holidays",
    "jinja2",
    "jira",
    "matplotlib",
    "numpy.ma",
    "opentelemetry",
    "psycopg",
    "scipy",
    "sqlalchemy.dialects.postgresql",
    "sync.cli.digests",
    "sync.cli.site",
    "sync.store.export",
    "sync.digest.channels",
    "sync.engine.doctor",
    "sync.engine.handover",
    "sync.site",
    "sync.assess.whatif",
)


FORECAST = ("numpy", "statistics", "sync.engine.engine", "sync.forecast.pooled", "sync.history.memberships")
"""What assesses: to read trackers nothing of it is needed."""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The modules of the second of two runs, and of a pull, on GitHub and GitLab with SQLite; as they were loaded."""
    with served(tmp_path_factory.mktemp("run")) as (_, config):
        assert milesync("run", "--first-run", config=config).returncode == 0
        told = {word: milesync(word, config=config, env=PRINT_IMPORTS) for word in ("run", "pull")}
    found = {}
    for word, again in told.items():
        assert again.returncode == 0, again.stderr
        found[word] = imported_modules(again.stderr)
    return found


@pytest.fixture(scope="module")
def loaded(both: dict[str, list[str]]) -> frozenset[str]:
    return frozenset(both["run"])


def test_the_modules_of_a_run_are_seen(loaded: frozenset[str]) -> None:
    assert {
        "connectors.github.session",
        "connectors.gitlab.session",
        "sqlalchemy.dialects.sqlite",
        "sync.cli.after_run",
    } <= loaded


@pytest.mark.parametrize("name", NEEDLESS)
def test_a_run_loads_nothing_that_only_others_need(name: str, loaded: frozenset[str]) -> None:
    assert [module for module in sorted(loaded) if module == name or module.startswith(f"{name}.")] == []


@pytest.mark.parametrize("name", [*NEEDLESS, *FORECAST])
def test_a_pull_loads_nothing_of_the_forecast(name: str, both: dict[str, list[str]]) -> None:
    assert [module for module in both["pull"] if module == name or module.startswith(f"{name}.")] == []


@pytest.mark.parametrize("name", FORECAST)
def test_a_run_asks_the_trackers_before_it_loads_the_forecast(name: str, both: dict[str, list[str]]) -> None:
    order = both["run"]
    assert order.index("connectors.gitlab.session") < order.index(name)
