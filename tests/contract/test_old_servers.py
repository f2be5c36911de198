"""Connectors on servers of older versions: nothing vanishes without a word, and doctor names what is lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Fault
from sync.cli.wiring import connect
from sync.tracker.actions import SetNativeHealth
from sync.tracker.errors import AuthError
from sync.tracker.preflight import Examiner
from sync.tracker.protocol import Connector, Setup

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def running() -> Iterator[World]:
    world = World(lambda: NOW)
    with Sandbox(world):
        yield world


@pytest.fixture
def lab(running: World) -> Tracker:
    lab = running.gitlab
    for filled in (lab.projects, lab.faults, lab.log):
        filled.clear()
    return lab


def connected(tracker: Tracker, **secrets: str) -> Connector:
    return connect(
        tracker.kind,
        Setup(
            name="old",
            url=tracker.url,
            secrets={"token": tracker.token} | secrets,
            clock=lambda: NOW,
            sleep=lambda _: None,
            timeout=60,
        ),
    )


def words_of(connector: Connector, *projects: str) -> list[str]:
    assert isinstance(connector, Examiner)
    return [limitation.words for limitation in connector.examine(projects).limitations]


@pytest.mark.parametrize("version", ["15.0", "16.6", "16.7", "19.4", ""])
def test_the_milestones_of_groups_are_read_from_every_gitlab(lab: Tracker, version: str) -> None:
    lab.version = version
    project = lab.project("acme/team/api")
    lab.milestone(project, "own")
    lab.group_milestone("acme", "of the group")
    lab.group_milestone("acme/team", "of the subgroup")
    pages = connected(lab).pull(["acme/team/api"], {})
    titles = [milestone.title for page in pages for milestone in page.milestones]
    assert sorted(titles) == ["of the group", "of the subgroup", "own"]


@pytest.mark.parametrize("version", ["15.0", "17.6", "17.7", ""])
def test_a_group_is_examined_on_every_gitlab(lab: Tracker, version: str) -> None:
    lab.version = version
    lab.project("acme/api")
    lab.project("acme/web").read_only = True
    connector = connected(lab)
    assert isinstance(connector, Examiner)
    told = connector.examine(["acme/*"])
    assert told.failed == {}
    assert {right.project: right.held for right in told.rights if right.project} == {
        "acme/api": True,
        "acme/web": False,
    }


def test_an_old_gitlab_has_no_history_by_graphql_and_still_sets_health(lab: Tracker) -> None:
    lab.version = "15.0"
    project, ada = lab.project("acme/api"), lab.user("ada")
    milestone = lab.milestone(project, "v1")
    issue = lab.issue(project, "work", ada)
    lab.move(project, issue, [milestone.id], ada)
    connector = connected(lab)
    (page, *_) = list(connector.pull(["acme/api"], {}))
    assert [event.milestone_title for event in page.histories[str(issue.id)]] == ["v1"]
    connector.apply(
        SetNativeHealth(
            milestone="m", project=str(project.id), project_key="acme/api", issue="acme/api#1", value="on_track"
        )
    )
    assert issue.health == "on_track"


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (
            "15.0",
            [
                "the maker of GitLab 15.0.0 has ended its support; milesync works with it",
                "on GitLab 15.0.0 it is not known for whom a merge request waits",
                "on GitLab 15.0.0 a token's scopes and expiry are not known",
                "on GitLab 15.0.0 the comments of each status issue take a request of their own",
                (
                    "on GitLab 15.0.0 histories take a request for each issue that was ever changed instead of one for "
                    "100 issues"
                ),
                "on GitLab 15.0.0 blocking links take one request for each open issue",
                (
                    "on GitLab 15.0.0 when nothing changed, a list takes a request for each group, and for each "
                    "project alone in its group"
                ),
                (
                    "on GitLab 15.0.0 epics have no owners, and what is below a nested epic counts as if it had always "
                    "been there"
                ),
                (
                    "on GitLab 15.0.0 a merge request in a milestone needs one request on the first pull, and two more "
                    "when it waits for review"
                ),
                "on GitLab 15.0.0 an issue that was closed as canceled counts as done",
            ],
        ),
        ("14.10", ["GitLab 14.10.0 is older than 15.0, the oldest version that milesync is tested with"]),
        ("19.3", ["the maker of GitLab 19.3.0 has ended its support; milesync works with it"]),
        ("19.4", []),
        ("", []),
    ],
)
def test_doctor_names_what_a_gitlab_of_a_version_lacks(lab: Tracker, version: str, words: list[str]) -> None:
    lab.version = version
    lab.project("acme/api")
    told = words_of(connected(lab), "acme/api")
    assert told[: len(words)] == words
    assert bool(told) is bool(words)


@pytest.mark.parametrize("refusal", ["a job token", "403", "fine-grained"])
def test_doctor_says_what_a_gitlab_without_graphql_costs(lab: Tracker, refusal: str) -> None:
    lab.project("acme/api")
    body = '{"data": {"currentUser": null}, "errors": [{"message": "does not support fine-grained access tokens"}]}'
    if refusal != "a job token":
        status = 403 if refusal == "403" else 200
        lab.faults.append(Fault("status", "/api/graphql", times=99, status=status, body=body))
    connector = connected(lab, job_token="sandbox") if refusal == "a job token" else connected(lab)
    [words] = words_of(connector, "acme/api")
    assert words.startswith("GraphQL is refused, so the first pull takes a request for each issue")


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("8.14", "Jira Data Center 8.14.0 is older than 8.20, the oldest version that milesync is tested with"),
        ("8.20", "the maker of Jira Data Center 8.20.0 has ended its support; milesync works with it"),
        ("9.12", "the maker of Jira Data Center 9.12.0 has ended its support; milesync works with it"),
        ("10.3", ""),
        ("", ""),
    ],
)
def test_doctor_names_the_age_of_a_jira(running: World, version: str, words: str) -> None:
    running.jira.version = version
    running.jira.project("PAY")
    assert words_of(connected(running.jira), "PAY") == ([words] if words else [])


def test_a_jira_without_basic_authentication_asks_for_a_token(running: World) -> None:
    running.jira.project("PAY")
    for version, refused in (("10.3", False), ("11.0", True)):
        running.jira.version = version
        connector = connected(running.jira, email="bot@sandbox.invalid")
        if not refused:
            assert words_of(connector, "PAY") == []
            continue
        with pytest.raises(AuthError, match="use a personal access token, and leave out email"):
            words_of(connector, "PAY")
        with pytest.raises(AuthError, match="as by default since version 11"):
            list(connector.pull(["PAY"], {}))


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("3.13", "GitHub Enterprise Server 3.13.0 is older than 3.14, the oldest version that milesync is tested with"),
        ("3.18", "the maker of GitHub Enterprise Server 3.18.0 has ended its support; milesync works with it"),
        ("3.19", ""),
        ("", ""),
    ],
)
def test_doctor_names_the_age_of_an_enterprise_server(running: World, version: str, words: str) -> None:
    running.github.version = version
    running.github.project("acme/app")
    told = words_of(connected(running.github), "acme/app")
    assert told[: bool(words)] == ([words] if words else [])
    assert not [line for line in told[bool(words) :] if "oldest" in line or "support" in line]
