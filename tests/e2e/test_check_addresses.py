"""`milesync check` by the addresses of pages: what a person copies from the browser is understood."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any
from unittest import mock

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import World
from connectors.testing import Collected, collect
from sync.cli import target_wiring, wiring
from sync.model.tracker_data import State
from sync.tracker.protocol import Setup
from tests.contract.dialect_facts import NOW, enter, random_facts
from tests.e2e.in_process import milesync

KEYS = {"github": "acme/app", "gitlab": "acme/api", "jira": "APP"}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    world = World(lambda: NOW)
    for n, tracker in enumerate((world.github, world.gitlab, world.jira)):
        enter(tracker, random_facts(Random(n)))
    with Sandbox(world, only=("github", "gitlab", "jira")), mock.patch.object(wiring, "clock", return_value=NOW):
        yield world


def check(world: World, *targets: str, **env: str) -> Any:
    urls = {"GITHUB_API_URL": world.github.url, "GITLAB_URL": world.gitlab.url, "JIRA_URL": world.jira.url}
    return milesync("check", *targets, "--as-of", NOW.isoformat(), env={**urls, "JIRA_EMAIL": None, **env})


def contents(world: World, kind: str) -> Collected:
    """Read all rows of a tracker's project, with the addresses of their pages."""
    url = getattr(world, kind).url
    setup = Setup(name=kind, url=url, secrets={"token": "sandbox"}, clock=lambda: NOW, sleep=lambda _: None)
    connector = wiring.connect(kind, setup)
    try:
        return collect(connector.pull([KEYS[kind]], {}))
    finally:
        connector.close()


def titles(done: Any) -> set[str]:
    assert done.code == 0, done.err
    return {row["title"] for row in done.document["milestones"]}


@pytest.mark.parametrize("kind", list(KEYS))
def test_the_address_of_a_milestone_and_of_an_issue_names_the_milestone(world: World, kind: str) -> None:
    found = contents(world, kind)
    finished = [row for row in found.milestones.values() if row.state is State.CLOSED]
    running = [row for row in found.milestones.values() if row.state is State.OPEN]
    assert finished
    assert running
    for milestone in (finished[0], running[0]):
        assert titles(check(world, milestone.url, "--json")) == {milestone.title}
        assert milestone.title in check(world, milestone.url).out, "a finished milestone is shown, too"
    issue = next(row for row in found.issues.values() if running[0].id in row.milestones)
    assert titles(check(world, issue.url, "--json")) == {found.milestones[name].title for name in issue.milestones}


@pytest.mark.parametrize("kind", list(KEYS))
def test_the_address_of_a_project_shows_all_its_milestones(world: World, kind: str) -> None:
    project = next(iter(contents(world, kind).projects.values()))
    whole = titles(check(world, f"{kind}:{KEYS[kind]}", "--json"))
    assert titles(check(world, project.url, "--json")) == whole
    assert titles(check(world, f"{kind}:{project.url}/", "--json")) == whole


def test_milestones_of_another_tracker_are_shown_in_full(world: World) -> None:
    milestone = next(iter(contents(world, "github").milestones.values()))
    both = check(world, milestone.url, "gitlab:acme/api", "--json")
    assert titles(both) == {milestone.title} | titles(check(world, "gitlab:acme/api", "--json"))


def test_a_milestone_that_does_not_exist_is_named_after_the_others(world: World) -> None:
    done = check(world, f"{world.github.url}/acme/app/milestone/4711")
    assert done.code == 1
    assert "milestone/4711: no milestone or issue in a milestone has this address" in done.err
    assert "github:acme/app#" in done.out


def test_no_token_is_sent_to_a_host_that_only_an_address_names(world: World) -> None:
    for tracker in world.trackers:
        tracker.log.clear()
    done = check(world, f"{world.gitlab.url}/acme/app", GITLAB_URL="https://gitlab.acme.example")
    assert done.code == 1
    assert "a token is sent to no other" in done.err
    assert not any(tracker.log for tracker in world.trackers)


@pytest.mark.parametrize(("kind", "target"), [("github", "github:acme"), ("gitlab", "gitlab:acme"), ("jira", "jira:*")])
def test_of_many_projects_the_first_are_read_and_the_rest_is_named(
    world: World, kind: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = getattr(world, kind)
    keys = ["ANEW", "ANEXT"] if kind == "jira" else ["acme/anew", "acme/anext"]
    for key in keys:
        tracker.project(key, key, created=NOW - timedelta(days=9))
    try:
        assert not check(world, target).err
        monkeypatch.setattr(target_wiring, "MAX_PROJECTS", 2)
        done = check(world, target)
    finally:
        for key in keys:
            del tracker.projects[key]
    assert done.code == 0
    assert "has 3 projects" in done.err
    assert "2 of them are read. Name others by themselves, such as" in done.err
    if kind == "github":
        assert "1 of them with open milestones" in done.err
        assert "github:acme/app#" in done.out, "the repository with open milestones is among those that are read"


def test_of_a_subgroup_the_first_projects_are_read_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"acme/tools/{name}" for name in ("one", "two", "three")]
    for key in keys:
        world.gitlab.project(key, key, created=NOW - timedelta(days=9))
    monkeypatch.setattr(target_wiring, "MAX_PROJECTS", 2)
    try:
        done = check(world, "gitlab:acme/tools", "gitlab:acme/api")
    finally:
        for key in keys:
            del world.gitlab.projects[key]
    assert done.code == 0
    assert "gitlab:acme/tools has 3 projects; 2 of them are read. Name others by themselves, such as" in done.err
    assert done.err.count("are read") == 1, "a project is no group"


def test_the_number_of_a_project_names_no_group() -> None:
    assert not target_wiring._is_list("gitlab", "123")


def test_an_owner_that_cannot_be_listed_fails_as_its_projects_would(world: World) -> None:
    done = check(world, "github:nobody")
    assert done.code == 1
    assert "nobody" in done.err
