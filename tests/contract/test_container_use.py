"""The kinds of containers that projects use, as connectors count them for `milesync init`."""

from __future__ import annotations

from datetime import date

import pytest

from connectors.gitlab import GitLabConnector
from connectors.jira.connector import JiraConnector
from connectors.sandbox.gitlab.planning import add_epic, add_iteration, plan_epic, plan_iteration
from sync.tracker.container_use import ContainerUse, SurveyingTracker
from sync.tracker.protocol import Connector
from tests.contract import gitlab_side
from tests.contract.jira_side import DIALECTS, stand


def counts(connector: Connector, *projects: str) -> dict[str, int]:
    assert isinstance(connector, SurveyingTracker)
    uses = connector.containers_in_use(projects)
    assert all(isinstance(use, ContainerUse) for use in uses)
    return {use.word: use.issues for use in uses}


@pytest.mark.parametrize("key", ["acme/app", "acme", "acme/*"])
def test_gitlab_counts_issues_in_each_kind(key: str) -> None:
    with gitlab_side.served() as side:
        tracker, ada = side.tracker, side.tracker.user("ada")
        project = side.filled("acme/app", 6)
        milestone = tracker.milestone(project, "2.0")
        iteration = add_iteration(tracker, "acme", date(2026, 3, 2), date(2026, 3, 15))
        epic = add_epic(tracker, "acme", "Vouchers")
        issues = list(project.issues.values())
        for issue in issues[:4]:
            plan_iteration(tracker, issue, iteration, ada)
        plan_epic(tracker, issues[0], epic, ada)
        tracker.move(project, issues[5], [milestone.id], ada)
        tracker.close(issues[3], ada)
        connector: GitLabConnector = side.connect()
        assert counts(connector, key) == {"milestones": 1, "iterations": 3, "epics": 1}
        assert connector.requests <= 2


def test_a_gitlab_project_that_cannot_be_read_counts_nothing() -> None:
    with gitlab_side.served() as side:
        side.filled("acme/app", 2)
        assert set(counts(side.connect(), "acme/gone").values()) == {0}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_jira_counts_issues_in_each_kind(dialect: str) -> None:
    with stand(dialect) as served:
        tracker, project, ada = served.tracker, served.fill("PAY", 4), served.tracker.user("ada")
        sprint = tracker.sprint(project, "Sprint 3", date(2026, 3, 2), date(2026, 3, 13))
        epic = tracker.issue(project, "Vouchers", ada, type="Epic")
        issues = list(project.issues.values())
        for issue in issues[:3]:
            tracker.plan(issue, sprint, ada)
        tracker.adopt(issues[0], epic, ada)
        tracker.close(issues[3], ada)
        connector = served.connector()
        assert isinstance(connector, JiraConnector)
        found = counts(connector, "PAY")
        assert {word: found[word] for word in ("versions", "sprints", "epics")} == {
            "versions": 3,
            "sprints": 3,
            "epics": 1,
        }
        assert counts(connector, "GONE") == {}
