"""What a run loads: modules that it does not need would be most of the time of one that finds nothing changed."""

from __future__ import annotations

import pytest

from tests.e2e.commandline import milesync
from tests.e2e.small import served

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
    "sync.cli.digest",
    "sync.cli.report",
    "sync.database.takeout",
    "sync.digest.channels",
    "sync.doctor",
    "sync.handover",
    "sync.site",
    "sync.whatif",
)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """The modules of the second of two runs, on GitHub and GitLab with SQLite."""
    with served(tmp_path_factory.mktemp("run")) as (_, config):
        assert milesync("run", "--first-run", config=config).returncode == 0
        again = milesync("run", config=config, env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert again.returncode == 0, again.stderr
    lines = (line.rpartition("|") for line in again.stderr.splitlines() if line.startswith("import time:"))
    return frozenset(name.strip() for _, _, name in lines)


def test_the_modules_of_a_run_are_seen(loaded: frozenset[str]) -> None:
    assert {
        "connectors.github.session",
        "connectors.gitlab.session",
        "sqlalchemy.dialects.sqlite",
        "sync.cli.outside",
    } <= loaded


@pytest.mark.parametrize("name", NEEDLESS)
def test_a_run_loads_nothing_that_only_others_need(name: str, loaded: frozenset[str]) -> None:
    assert [one for one in sorted(loaded) if one == name or one.startswith(f"{name}.")] == []
