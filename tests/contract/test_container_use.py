"""The kinds of containers that projects use, as connectors count them for `milesync init`."""

from __future__ import annotations

from datetime import date

import pytest

from connectors.gitlab import GitLabConnector
from connectors.jira.connector import JiraConnector
from connectors.sandbox.gitlab.planning import add_epic, add_iteration, plan_epic, plan_iteration
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import World
from connectors.sandbox.world_data import Iteration
from sync.tracker.container_use import ContainerUse, SurveyingTracker
from sync.tracker.protocol import Connector
from tests.contract import github_side, gitlab_side
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


@pytest.mark.parametrize("key", ["acme/app", "acme/*"])
def test_github_counts_issues_in_each_kind_and_names_the_boards(key: str) -> None:
    world, clock = World(), github_side.Clock()
    with Sandbox(world, only=("github",)):
        hub = github_side.emptied_github(world, clock)
        ada, project = hub.user("ada"), hub.project("acme/app")
        milestone = hub.milestone(project, "2.0")
        issues = [hub.issue(project, f"work {n}", ada) for n in range(5)]
        hub.move(project, issues[0], [milestone.id], ada)
        board, plain = hub.board("acme/7"), hub.board("acme/8")
        column = hub.column(board, "Sprint", "ITERATION", [Iteration("a", "Sprint 1", date(2026, 3, 2), 14)])
        for issue in issues[1:4]:
            item = hub.put_on_board(board, project, issue)
            board.set_value(item, column, "a", clock())
        hub.put_on_board(plain, project, issues[4])
        hub.close(issues[3], ada)
        hub.scopes = ("repo", "read:project")
        connector = github_side.connected(hub, clock)
        uses = {use.word: use for use in connector.containers_in_use([key])}  # type: ignore[attr-defined]
        assert {word: use.issues for word, use in uses.items()} == {"milestones": 1, "iterations": 2, "parents": 0}
        assert uses["iterations"].options == {"boards": ["acme/7"]}
        hub.scopes = ("repo",)
        without = github_side.connected(hub, clock)
        assert counts(without, key) == {"milestones": 1, "iterations": 0, "parents": 0}
        for made in (connector, without):
            made.close()


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
