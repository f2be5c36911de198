"""Assignees that are programs are recognised on every tracker, in a real pull; people are not taken for programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from connectors.sandbox.server import Sandbox
from sync.model.robots import is_robot
from sync.model.tracker_data import Person
from tests.contract.sandbox_side import SandboxSide

KINDS = ("github", "gitlab", "jira", "jira-cloud")


@pytest.fixture(params=KINDS)
def side(request: pytest.FixtureRequest, sandbox: Sandbox) -> Iterator[SandboxSide]:
    made = SandboxSide.of(sandbox.world, request.param)
    made.add_milestone("1.0")
    yield made
    for connector in made.made:
        connector.close()


def assignee(side: SandboxSide, login: str, name: str, *, bot: bool) -> Person:
    side.add_issue("one", "1.0")
    (issue,) = side.place.issues.values()
    issue.assignees = [side.tracker.user(login, name, bot=bot)]
    side.pass_time(3600)
    with closing(side.connect()) as connector:
        pages = list(connector.pull([side.project], {}))
    (pulled,) = [issue for page in pages for issue in page.issues]
    (person,) = pulled.assignees
    return person


@pytest.mark.parametrize(
    ("login", "name"),
    [("dependabot", "Dependabot"), ("renovate-bot", "Renovate Bot"), ("github-actions", "GitHub Actions")],
)
def test_known_services_are_robots_by_name(side: SandboxSide, login: str, name: str) -> None:
    assert is_robot(assignee(side, login, name, bot=False))


def test_people_are_no_robots(side: SandboxSide) -> None:
    person = assignee(side, "janbot", "Jan Bot", bot=False)
    assert not person.is_bot
    assert not is_robot(person)


def test_a_marked_account_is_a_robot(side: SandboxSide) -> None:
    """GitHub and Jira Cloud mark programs, GitLab names those of tokens. Jira Data Center has no sign of them."""
    person = assignee(side, "project_12_bot_9f3c", "Sprint helper", bot=True)
    assert person.is_bot is (side.tracker.kind != "jira")
