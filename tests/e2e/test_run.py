"""`run`, `plan` and `apply` through the command line: exit codes, refusals, and what is left unwritten."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sync.store.store import Store
from tests.e2e.in_process import milesync
from tests.e2e.small_world import ours, served


def test_twice_writes_once_and_the_document_says_so(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        first = milesync("run", "--first-run", "--json", config=config)
        assert first.code == 0, first.err
        document = first.document
        assert document["milestones"] == 2
        assert sum(document["status"].values()) == 2
        assert document["writes"]["applied"] == document["writes"]["planned"] > 0
        assert document["errors"] == []
        assert set(document["requests"]) == {"gh", "gl"}
        wrote = len(world.github.writes), len(world.gitlab.writes)
        second = milesync("run", "--json", config=config).document
        assert second["writes"] == {"planned": 0, "applied": 0, "skipped": 0}
        assert (len(world.github.writes), len(world.gitlab.writes)) == wrote


def test_a_lost_database_makes_the_same_plan_again(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        assert milesync("run", "--first-run", config=config).code == 0
        for file in tmp_path.glob("milesync.db*"):
            file.unlink()
        wrote = len(world.github.writes) + len(world.gitlab.writes)
        again = milesync("run", "--first-run", "--json", config=config)
        assert again.document["writes"]["applied"] == 0, again.out
        assert len(world.github.writes) + len(world.gitlab.writes) == wrote


def test_a_missing_database_stops_run_unless_it_is_the_first(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        done = milesync("run", config=config)
        assert done.code == 1
        assert "--first-run" in done.err
        assert not world.github.log


def test_plan_reports_changes_by_its_exit_code_and_writes_nothing(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        planned = milesync("plan", "--json", config=config)
        assert planned.code == 2
        document = planned.document
        assert {row["status"] for row in document["milestones"]} <= {"on_track", "at_risk", "off_track", "done"}
        assert document["actions"]
        assert world.github.writes == world.gitlab.writes == []
        assert milesync("run", config=config).code == 0
        assert milesync("plan", config=config).code == 0


def test_a_saved_plan_is_applied_and_a_stale_one_refused(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        saved = str(tmp_path / "plan.json")
        assert milesync("plan", "--out", saved, config=config).code == 2
        project = world.github.projects["acme/app"]
        issue = next(i for i in project.issues.values() if i.closed is None)
        world.github.close(issue, world.github.user("ada"), resolution="completed")
        refused = milesync("apply", saved, config=config)
        assert refused.code == 4
        assert "stale" in refused.err
        assert world.github.writes == world.gitlab.writes == []
        assert milesync("plan", "--out", saved, config=config).code == 2
        assert milesync("apply", saved, config=config).code == 0
        assert len(ours(world.github)) == len(ours(world.gitlab)) == 1


def test_above_the_limits_nothing_is_written(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        config.write_text(config.read_text() + "\n[limits]\ncreates = 1\n")
        refused = milesync("run", "--first-run", config=config)
        assert refused.code == 4
        assert "creates planned, 1 allowed" in refused.err
        assert world.github.writes == world.gitlab.writes == []


def test_the_environment_stops_all_writes(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        done = milesync("run", "--first-run", "--json", config=config, env={"MILESYNC_POLICY": "plan"})
        assert done.code == 0, done.err
        assert done.document["writes"]["planned"] > 0
        assert world.github.writes == world.gitlab.writes == []


def test_another_writer_refuses_only_its_own_connection(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        assert milesync("pull", config=config).code == 0
        with Store.open(f"sqlite:///{tmp_path}/milesync.db", create=False, clock=lambda: datetime.now(UTC)) as store:
            lease = store.acquire(world.github.url, "elsewhere:1:1")
            assert lease is not None
            refused = milesync("run", config=config)
        assert refused.code == 4
        assert "gh: another run is writing there" in refused.err
        assert world.github.writes == []
        assert ours(world.gitlab)


@pytest.mark.parametrize(("kind", "key"), [("github", "acme/app"), ("gitlab", "acme/api")])
def test_check_needs_no_configuration(tmp_path: Path, kind: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with served(tmp_path) as (world, _):
        env = {"GITHUB_API_URL": world.github.url, "GITLAB_URL": world.gitlab.url}
        done = milesync("check", f"{kind}:{key}", "--json", env=env)
        assert done.code == 0, done.err
        rows = done.document["milestones"]
        assert [row["id"].split(":")[0] for row in rows] == [kind, kind]
        assert {row["status"] for row in rows} >= {"done"}
        assert world.github.writes == world.gitlab.writes == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check", "acme/app"], "write github:owner/repo"),
        (["check", "jira:PAY"], "JIRA_URL"),
        (["plan", "--as-of", "soon"], "is not a date or time"),
        (["plan", "--config", "nowhere.toml"], "there is no such file"),
        (["nonsense"], "nonsense"),
        (["explain", "gh:acme/app#99"], "there is no such file"),
    ],
)
def test_bad_usage_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = milesync(*words, env={"JIRA_URL": ""})
    assert done.code == 1
    assert said in done.err
    assert "Traceback" not in done.err


def test_explain_is_the_same_twice_and_names_the_items(tmp_path: Path) -> None:
    with served(tmp_path) as (_, config):
        assert milesync("pull", config=config).code == 0
        words = ("explain", "gh:acme/app#2", "--as-of", "2030-01-01", "--json")
        first, second = milesync(*words, config=config), milesync(*words, config=config)
        assert first.code == 0, first.err
        assert first.out == second.out
        unknown = milesync("explain", "gh:acme/app#99", config=config)
        assert unknown.code == 1
        assert "milesync status" in unknown.err
