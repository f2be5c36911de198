"""A text of another account with our marker stops a second creation, and says so until a person decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.world import Tracker, World
from sync.tracker.marker import with_marker
from tests.e2e.in_process import milesync
from tests.e2e.small_world import served

NAMES = ("gh", "gl")


def tracker_of(world: World, name: str) -> Tracker:
    return {"gh": world.github, "gl": world.gitlab}[name]


def status_issues(tracker: Tracker) -> list[Any]:
    (project,) = tracker.projects.values()
    return [issue for issue in project.issues.values() if "milestone-status" in issue.labels]


def plant(tracker: Tracker, config: Path) -> None:
    """Open an issue with the marker that the plan would write, as anybody can read it in a public status issue."""
    (project,) = tracker.projects.values()
    actions = milesync("plan", "--json", config=config).document["actions"]
    action = next(a for a in actions if a["type"] == "CreateStatusIssue" and a["project_key"] == project.key)
    body = with_marker("copied", action["marker"])
    tracker.issue(project, "Health of v2", tracker.user("eve", "Eve"), body=body, labels=list(action["labels"]))


def plant_again(tracker: Tracker, login: str) -> None:
    (project,) = tracker.projects.values()
    (first,) = status_issues(tracker)
    tracker.issue(project, first.title, tracker.user(login, login), body=first.body, labels=list(first.labels))


def ignore(config: Path, name: str, account: str) -> None:
    before, table, after = config.read_text().partition(f"[connections.{name}]\n")
    assert table
    config.write_text(f'{before}{table}ignored_accounts = ["{account}"]\n{after}')


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_marker_creates_nothing_and_names_both_ways_out(tmp_path: Path, name: str) -> None:
    with served(tmp_path) as (world, config):
        tracker = tracker_of(world, name)
        plant(tracker, config)
        for _ in range(2):
            done = milesync("run", "--first-run", config=config)
            assert done.code == 3
            words = " ".join(done.err.split())
            assert "`milesync adopt --from eve`" in words
            assert "add eve to ignored_accounts" in words
            assert len(status_issues(tracker)) == 1
        status = milesync("status", config=config)
        assert "milesync adopt --from eve" in " ".join(status.out.split())
        (row,) = milesync("status", "--json", config=config).document["obstacles"]
        assert row["milestone"].startswith(f"{name}:")
        assert "ignored_accounts" in row["words"]
        doctor = milesync("doctor", config=config)
        assert doctor.code == 1
        assert "milesync adopt --from eve" in " ".join(doctor.out.split())


@pytest.mark.parametrize("name", NAMES)
def test_an_ignored_account_stops_nothing(tmp_path: Path, name: str) -> None:
    with served(tmp_path) as (world, config):
        tracker = tracker_of(world, name)
        plant(tracker, config)
        assert milesync("run", "--first-run", config=config).code == 3
        ignore(config, name, "Eve")
        done = milesync("run", config=config)
        assert done.code == 0, done.err
        assert [issue.author.login == "eve" for issue in status_issues(tracker)] == [True, False]
        assert milesync("run", "--json", config=config).document["writes"]["applied"] == 0
        assert milesync("status", "--json", config=config).document["obstacles"] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_does_not_hide_the_former_account(tmp_path: Path, name: str) -> None:
    """The copy is older than the issue of our former account: ignoring its author must not double that issue."""
    with served(tmp_path) as (world, config):
        tracker = tracker_of(world, name)
        plant(tracker, config)
        plant_again(tracker, "former-bot")
        ignore(config, name, "eve")
        done = milesync("run", "--first-run", config=config)
        assert done.code == 3
        assert "adopt --from former-bot" in " ".join(done.err.split())
        assert len(status_issues(tracker)) == 2
        assert milesync("adopt", "--from", "former-bot", "--yes", config=config).code == 0
        assert milesync("run", config=config).code == 0
        assert len(status_issues(tracker)) == 2
        assert milesync("status", "--json", config=config).document["obstacles"] == []


def test_a_status_issue_that_is_not_found_again_is_named_once(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        assert milesync("run", "--first-run", config=config).code == 0
        (project,) = world.github.projects.values()
        (issue,) = status_issues(world.github)
        del project.issues[issue.number]
        milesync("plan", "--out", str(tmp_path / "plan.json"), config=config)  # observes, as a day later
        done = milesync("run", config=config)
        assert done.code == 3
        words = " ".join(done.err.split())
        assert "is not found again" in words
        assert f"#{issue.number}" in words
        assert len(status_issues(world.github)) == 1
        assert milesync("run", config=config).code == 0


@pytest.mark.parametrize("policy", ["plan", "update"])
def test_a_lost_status_issue_fails_one_run_and_stands_until_it_is_found(tmp_path: Path, policy: str) -> None:
    with served(tmp_path) as (world, config):
        assert milesync("run", "--first-run", config=config).code == 0
        (project,) = world.github.projects.values()
        (issue,) = status_issues(world.github)
        del project.issues[issue.number]
        set_policy(config, policy)
        milesync("plan", "--out", str(tmp_path / "plan.json"), config=config)  # observes, as a day later
        done = milesync("run", config=config)
        assert done.code == 3
        words = " ".join(done.err.split())
        assert "is not found again" in words
        assert all(way in words for way in (f"#{issue.number}", "report_on", "exclude", "policy create"))
        for _ in range(2):
            later = milesync("run", config=config)
            assert later.code == 0, later.err
            (row,) = milesync("status", "--json", config=config).document["obstacles"]
            assert "report_on" in row["words"]
            assert "is not found again" in " ".join(milesync("status", config=config).out.split())
            doctor = milesync("doctor", config=config)
            assert doctor.code == 1
            assert "is not found again" in " ".join(doctor.out.split())
        assert status_issues(world.github) == []
        project.issues[issue.number] = issue
        assert milesync("run", config=config).code == 0
        assert milesync("status", "--json", config=config).document["obstacles"] == []


def test_a_planted_marker_is_named_although_the_policy_is_to_update_only(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        plant(world.github, config)
        (tmp_path / "milesync.db").unlink()  # which remembers that there was no status issue before
        set_policy(config, "update")
        for first in (["--first-run"], []):
            done = milesync("run", *first, config=config)
            assert done.code == 3
            assert "`milesync adopt --from eve`" in " ".join(done.err.split())
        ignore(config, "gh", "eve")
        assert milesync("run", config=config).code == 0
        assert milesync("status", "--json", config=config).document["obstacles"] == []


def set_policy(config: Path, policy: str) -> None:
    before, found, after = config.read_text().partition('policy = "create"')
    assert found
    config.write_text(f'{before}policy = "{policy}"{after}')


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_summary_on_a_named_issue_is_named_too(tmp_path: Path, name: str) -> None:
    with served(tmp_path) as (world, config):
        tracker = tracker_of(world, name)
        (project,) = tracker.projects.values()
        actions = milesync("plan", "--json", config=config).document["actions"]
        action = next(a for a in actions if a["type"] == "CreateComment" and a["project_key"] == project.key)
        issue = tracker.issue(project, "A page of the team", tracker.user("ada", "Ada"))
        tracker.comment(issue, tracker.user("eve", "Eve"), with_marker("copied", action["marker"]))
        named = f'\n[[milestone]]\nid = "{milestone_of(config, name)}"\nreport_on = "{project.key}#{issue.number}"\n'
        config.write_text(config.read_text() + named)
        done = milesync("run", "--first-run", config=config)
        assert done.code == 3
        assert "`milesync adopt --from eve`" in " ".join(done.err.split())
        assert [comment.author.login for comment in issue.comments] == ["eve"]
        ignore(config, name, "eve")
        assert milesync("run", config=config).code == 0
        assert [comment.author is tracker.bot for comment in issue.comments] == [False, True]


def milestone_of(config: Path, name: str) -> str:
    """The id of the running milestone of a connection."""
    rows = milesync("status", "--json", config=config).document["milestones"]
    return next(str(row["id"]) for row in rows if row["id"].startswith(f"{name}:") and row["status"] != "done")
