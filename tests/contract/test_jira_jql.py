"""JQL of the connector, and the sandbox's parser, which reads it as Jira does."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from connectors.jira import jql
from connectors.sandbox.jira.jql import BadQueryError, Scope, parse
from connectors.sandbox.jira.search import Desk
from connectors.sandbox.jira.views import Wording
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Project

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)


def world() -> Tracker:
    tracker = World(lambda: NOW).jira
    ada = tracker.user("ada")
    for key in ("PAY", "WEB"):
        project = tracker.project(key, f"Project {key}", created=NOW)
        version = tracker.milestone(project, f'{key} "1.0"', due=date(2026, 12, 1))
        for n in range(1, 5):
            issue = tracker.issue(project, f"{n}", ada, at=NOW - timedelta(days=n), type="Bug" if n == 4 else "Task")
            issue.milestones = [version.id] if n < 3 else []
            issue.labels = ["milestone-status", "x"] if n == 2 else []
            issue.parent = f"{key}-1" if n == 3 else ""
        tracker.close(project.issues[4], ada, NOW - timedelta(hours=1))
    return tracker


def asked(query: str, tracker: Tracker | None = None) -> list[str]:
    tracker = tracker or world()
    return [issue.key for _, issue in Desk(tracker).rows(query)]


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("project = PAY ORDER BY key ASC", "PAY-1 PAY-2 PAY-3 PAY-4"),
        ('project = "Project PAY" ORDER BY key DESC', "PAY-4 PAY-3 PAY-2 PAY-1"),
        ("project = PAY ORDER BY created ASC, key ASC", "PAY-4 PAY-3 PAY-2 PAY-1"),
        ('project in ("PAY", WEB) AND fixVersion = "PAY \\"1.0\\"" order by id', "PAY-1 PAY-2"),
        ('labels in ("milestone-status") AND project = web', "WEB-2"),
        ("key in (PAY-3, WEB-1) ORDER BY key", "PAY-3 WEB-1"),
        ("cf[10008] = PAY-1", "PAY-3"),
        ("parent = PAY-1", ""),
        ("project = PAY AND fixVersion is EMPTY ORDER BY key", "PAY-3 PAY-4"),
        ("project = PAY AND resolution = Unresolved AND NOT labels = x ORDER BY key", "PAY-1 PAY-3"),
        ("(project = PAY AND statusCategory = Done) OR (project = WEB AND type != Task) ORDER BY key", "PAY-4 WEB-4"),
        ("project = PAY AND status not in (Done) AND labels is not empty", "PAY-2"),
        ("project = PAY AND updated >= -90m", "PAY-4"),
        ('project = PAY AND updated >= "2026-11-14" AND resolution is empty', "PAY-1"),
        ('project = PAY AND created < "2026/11/12 12:00"', "PAY-4"),
    ],
)
def test_what_a_query_finds(query: str, keys: str) -> None:
    assert asked(query) == keys.split()


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("project = NOPE", "does not exist for the field 'project'"),
        ("key = PAY-99", "does not exist for field 'key'"),
        ("fixVersion = 9.9", "does not exist for the field 'fixVersion'"),
        ("colour = red", "Field 'colour' does not exist"),
        ('updated >= "2026-11-14 12:00:30"', "is invalid"),
        ('updated >= "yesterday"', "is invalid"),
        ("updated = 2026-11-14", "not supported"),
        ("project = PAY labels = x", "Expecting either"),
        ("project = PAY AND", "ends too early"),
        ("project in (PAY", "ends too early"),
        ("project = PAY ORDER BY colour", "Not able to sort"),
        ('project = "PAY', "not expected"),
    ],
)
def test_what_jira_would_refuse(query: str, said: str) -> None:
    tracker = world()
    wording = Wording(tracker)
    projects = tuple(tracker.projects.values())
    scope = Scope(
        projects, NOW, wording.zone, wording.category_of, Desk(tracker).find, {}, frozenset, lambda _: "parent"
    )
    with pytest.raises(BadQueryError, match=said):
        parse(query, scope)


def test_an_answer_is_not_kept_past_a_change() -> None:
    tracker = world()
    desk, query = Desk(tracker), 'project = PAY AND updated >= "2026-11-15 10:30"'
    assert [issue.key for _, issue in desk.rows(query)] == ["PAY-4"]
    tracker.label(tracker.projects["PAY"].issues[1], ["new"], [], tracker.bot)
    assert {issue.key for _, issue in desk.rows(query)} == {"PAY-4", "PAY-1"}
    del tracker.projects["PAY"].issues[4]
    assert {issue.key for _, issue in desk.rows(query)} == {"PAY-1"}


def test_a_former_key_still_finds_its_project_and_its_issues() -> None:
    tracker = world()
    tracker.rename(tracker.projects["PAY"], "MONEY")
    found = Desk(tracker).rows("project = PAY AND key in (PAY-1, MONEY-4)")
    assert {issue.key for _, issue in found} == {"MONEY-1", "MONEY-4"}


# --- times ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fold", [0, 1])
def test_an_hour_that_occurs_twice_is_asked_for_from_before(fold: int) -> None:
    zone = ZoneInfo("America/Los_Angeles")
    twice = datetime(2026, 11, 1, 1, 30, tzinfo=zone, fold=fold)
    assert jql.since("updated", twice.astimezone(UTC), zone) == 'updated >= "2026-11-01 00:30"'


def test_a_project_named_like_a_word_of_the_language() -> None:
    tracker = World(lambda: NOW).jira
    made: Project = tracker.project("OR", created=NOW)
    tracker.issue(made, "x", tracker.bot)
    assert asked(f"project = {jql.literal('OR')}", tracker) == ["OR-1"]
