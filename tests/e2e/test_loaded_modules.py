"""Modules that a run loads: needless ones would take most of the time of a run that finds no change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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

WRITING = ("sync.engine.apply", "sync.engine.text_limit")
"""What writes: without a write nothing of it is needed."""

PLANNING = ("sync.engine.desired", "sync.engine.observe", "sync.engine.plan", "sync.plan.reconcile")
"""What plans and renders comments: to show health nothing of it is needed."""

LOGGING = ("structlog", "attr", "pygments")
"""What a line of the log needs, with what structlog imports: without a line nothing of it is needed."""


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The modules of each command after a first run, on GitHub and GitLab with SQLite, as they were loaded."""
    with served(tmp_path_factory.mktemp("run")) as (world, config):
        assert milesync("run", "--first-run", config=config).returncode == 0
        ended = {word: milesync(word, config=config, env=PRINT_IMPORTS) for word in ("run", "pull", "plan", "status")}
        environ = {**PRINT_IMPORTS, "GITHUB_API_URL": world.github.url}
        ended["check"] = milesync("check", "github:acme/app", env=environ)
    found = {}
    for word, again in ended.items():
        assert again.returncode == 0, again.stderr
        found[word] = imported_modules(again.stderr)
    return found


@pytest.fixture(scope="module")
def loaded(modules: dict[str, list[str]]) -> frozenset[str]:
    return frozenset(modules["run"])


def test_the_modules_of_a_run_are_seen(loaded: frozenset[str]) -> None:
    assert {
        "connectors.github.session",
        "connectors.gitlab.session",
        "sqlalchemy.dialects.sqlite",
        "sync.cli.after_run",
        *PLANNING,
    } <= loaded


@pytest.mark.parametrize("name", NEEDLESS)
def test_a_run_loads_nothing_that_only_others_need(name: str, loaded: frozenset[str]) -> None:
    assert [module for module in sorted(loaded) if module == name or module.startswith(f"{name}.")] == []


@pytest.mark.parametrize("name", [*NEEDLESS, *FORECAST])
def test_a_pull_loads_nothing_of_the_forecast(name: str, modules: dict[str, list[str]]) -> None:
    assert [module for module in modules["pull"] if module == name or module.startswith(f"{name}.")] == []


@pytest.mark.parametrize("command", ["run", "plan", "status", "check"])
def test_a_command_without_writes_loads_nothing_that_writes(command: str, modules: dict[str, list[str]]) -> None:
    assert [name for name in WRITING if name in modules[command]] == []


@pytest.mark.parametrize("command", ["status", "check"])
def test_a_command_that_only_assesses_loads_nothing_that_plans(command: str, modules: dict[str, list[str]]) -> None:
    assert [name for name in PLANNING if name in modules[command]] == []


@pytest.mark.parametrize("name", LOGGING)
def test_a_command_without_a_line_in_the_log_loads_nothing_that_logs(name: str, modules: dict[str, list[str]]) -> None:
    assert [command for command in ("status", "plan", "pull", "check") if name in modules[command]] == []


@pytest.mark.parametrize("name", FORECAST)
def test_a_run_asks_the_trackers_before_it_loads_the_forecast(name: str, modules: dict[str, list[str]]) -> None:
    order = modules["run"]
    assert order.index("connectors.gitlab.session") < order.index(name)


def test_no_plugin_of_pydantic_sees_the_settings_and_no_table_is_built_alone(tmp_path: Path) -> None:
    """A plugin that another package brings along is not imported, and defaults need no validator of their own."""
    package = tmp_path / "stranger-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[pydantic]\nstranger = stranger:plugin\n")
    (tmp_path / "stranger.py").write_text("plugin = None\n")
    code = (
        "import sys, config.tables as tables, config.settings\n"
        "assert 'stranger' not in sys.modules\n"
        "for name in tables.__all__:\n"
        "    built = getattr(getattr(tables, name), '__pydantic_complete__', False)\n"
        "    assert not built, name\n"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(Path.cwd())))}
    environ.pop("PYDANTIC_DISABLE_PLUGINS", None)
    subprocess.run([sys.executable, "-c", code], check=True, env=environ)
