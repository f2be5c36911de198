"""Requests of a fleet of GitLab projects when nothing changed, over HTTP, and that every change is still seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

import pytest

from connectors.sandbox.gitlab import app, graphql, planning
from connectors.sandbox.world_data import Project
from sync.model.tracker_data import Visibility
from tests.contract.gitlab_side import Mirror, Side, failing, requests_of, served

VERSIONS = ("", "18.1", "16.7")
"""GitLab's versions in which projects can be probed by paths."""

OLD_VERSIONS = ("16.6", "16.5", "15.0")


def sizes(versions: Sequence[str]) -> list[tuple[int, str]]:
    """Sizes of a fleet with a version: each size with the first version, and two requests' worth with the others."""
    first, *others = versions
    return [*((count, first) for count in (1, 20, 200)), *((60, version) for version in others)]


@pytest.fixture
def side() -> Iterator[Side]:
    with served() as made:
        yield made


def fleet(side: Side, count: int, *, version: str = "") -> list[Project]:
    """Projects of a group, each with a milestone and two issues; every tenth has a merge request."""
    tracker, ada = side.tracker, side.tracker.user("ada", "Ada Fox")
    tracker.version = version
    projects = []
    for n in range(count):
        project = tracker.project(f"acme/p{n}")
        milestone = tracker.milestone(project, "1.0", due=date(2026, 6, 1))
        for title in ("One", "Two"):
            tracker.issue(project, title, ada, milestones=[milestone.id])
        if n % 10 == 0:
            tracker.merge_request(project, "Change", ada, milestones=[milestone.id])
        projects.append(project)
    if projects:
        tracker.group_milestone("acme", "Launch")
    side.clock.forward(minutes=5)
    return projects


def keys_of(projects: list[Project], by: str) -> list[str]:
    return ["acme/*"] if by == "group" else [project.key for project in projects]


def the_same(got: Mirror, side: Side, *keys: str) -> None:
    """Compare with the rows of one full pull."""
    whole = Mirror().pull(side.connect(), *keys)
    assert (got.projects, got.milestones, got.issues) == (whole.projects, whole.milestones, whole.issues)
    assert (got.complete, got.failed) == (whole.complete, {})


class TestQuiet:
    @pytest.mark.parametrize(("count", "version"), sizes(VERSIONS))
    @pytest.mark.parametrize("by", ["list", "group"])
    def test_a_request_for_fifty_projects(self, side: Side, count: int, by: str, version: str) -> None:
        projects = fleet(side, count, version=version)
        keys, got = keys_of(projects, by), Mirror()
        got.pull(side.connect(history="none", concurrency=8), *keys)
        for _ in range(3):
            side.clock.forward(hours=3)
            before = dict(got.cursors)
            used = requests_of(side.connect(history="none", concurrency=8), got, *keys)
            assert used <= count / 50 + 4
            if count > 1:
                assert used == math.ceil(count / 50) + (math.ceil(count / 100) if by == "group" else 0)
            assert (got.cursors, got.failed) == (before, {})
            assert got.complete == {str(project.id) for project in projects}

    @pytest.mark.parametrize(("count", "version"), sizes(OLD_VERSIONS))
    def test_by_group_on_old_servers_too(self, side: Side, count: int, version: str) -> None:
        projects = fleet(side, count, version=version)
        got = Mirror().pull(side.connect(history="none", concurrency=8), "acme/*")
        side.clock.forward(hours=3)
        assert requests_of(side.connect(history="none", concurrency=8), got, "acme/*") <= count / 50 + 4
        assert len(got.complete) == len(projects)

    @pytest.mark.parametrize(("count", "version"), sizes(OLD_VERSIONS))
    def test_by_list_old_servers_list_the_group(self, side: Side, count: int, version: str) -> None:
        """Their GraphQL does not say who may see a project; the list of its group does."""
        projects = fleet(side, count, version=version)
        keys = keys_of(projects, "list")
        got = Mirror().pull(side.connect(history="none", concurrency=8), *keys)
        side.clock.forward(hours=3)
        used = requests_of(side.connect(history="none", concurrency=8), got, *keys)
        assert used <= count / 50 + 4
        if count > 1:
            assert used == 1 + math.ceil(count / 100) + math.ceil(count / 50), (
                "one that is refused, the list, the probe"
            )
        assert got.complete == {str(project.id) for project in projects}

    def test_what_no_list_shows_is_asked_for_alone(self, side: Side) -> None:
        """A renamed project, one of a user, one of a hidden group, and the only one of its group."""
        projects = fleet(side, 5, version="16.5")
        others = [side.tracker.project(key) for key in ("ada/one", "ada/two", "lone/x")]
        keys = [*keys_of([*projects, *others], "list"), "acme/none"]
        side.tracker.rename(projects[0], "moved/p0")
        side.tracker.faults.append(failing("/groups/ada/projects", 404))
        got = Mirror().pull(side.connect(), *keys)
        assert {row.key for row in got.projects.values()} == {
            "moved/p0", "acme/p1", "acme/p2", "acme/p3", "acme/p4", "ada/one", "ada/two", "lone/x"
        }  # fmt: skip
        assert list(got.failed) == ["acme/none"]

    def test_a_large_group_is_listed_only_as_far_as_it_saves_requests(self, side: Side) -> None:
        projects = fleet(side, 310, version="16.5")
        for chosen in ([*projects[:2], projects[200]], projects[:2], projects[200:202]):
            keys = keys_of(chosen, "list")
            got = Mirror().pull(side.connect(), *keys)
            assert len(got.complete) == len(keys)
            side.clock.forward(hours=3)
            assert requests_of(side.connect(), got, *keys) <= 1 + 1 + len(keys) + 1

    def test_without_graphql_it_is_as_before(self, side: Side) -> None:
        projects = fleet(side, 20)
        keys = keys_of(projects, "list")
        side.tracker.faults.append(failing("/api/graphql", 404))
        got = Mirror().pull(side.connect(history="none"), *keys)
        side.clock.forward(hours=3)
        assert requests_of(side.connect(history="none"), got, *keys) == 1 + 1 + 20 * 3
        assert requests_of(side.connect(history="none"), got, "acme/*") == 1 + 1 + 20 + 18 + 2
        assert len(got.complete) == 20

    def test_a_first_pull_needs_no_request_for_each_project(self, side: Side) -> None:
        keys = keys_of(fleet(side, 20), "list")
        assert requests_of(side.connect(history="none"), Mirror(), *keys) == 1 + 20 * 3

    def test_paths_in_another_case_and_numbers(self, side: Side) -> None:
        projects = fleet(side, 4)
        keys = ["ACME/p0", "acme/P1", str(projects[2].id), "acme/p3"]
        got = Mirror().pull(side.connect(), *keys)
        side.clock.forward(hours=3)
        assert requests_of(side.connect(), got, *keys) == 2
        assert len(got.complete) == 4

    def test_what_a_group_has_too_many_milestones_for_is_read_daily(self, side: Side) -> None:
        """A deletion among more milestones than a probe shows is not visible in it."""
        projects = fleet(side, 3)
        for n in range(110):
            side.tracker.milestone(projects[0], f"M{n}", at=side.clock.forward(seconds=1))
        side.clock.forward(hours=1)
        keys, got = keys_of(projects, "list"), Mirror()
        got.pull(side.connect(), *keys)
        side.clock.forward(hours=1)
        assert requests_of(side.connect(), got, *keys) == 1
        gone = min(projects[0].milestones)
        del projects[0].milestones[gone]
        side.clock.forward(days=1)
        got.pull(side.connect(), *keys)
        assert str(gone) not in got.milestones

    def test_a_project_that_was_just_changed_is_read_again(self, side: Side) -> None:
        """A second change in the same second would not show in the probe."""
        projects = fleet(side, 3)
        keys, ada = keys_of(projects, "list"), side.tracker.user("ada")
        side.tracker.comment(projects[1].issues[1], ada, "Now", side.clock.now)
        got = Mirror().pull(side.connect(), *keys)
        projects[1].issues[1].title = "Renamed within the same second"
        side.clock.forward(hours=1)
        assert requests_of(side.connect(), got, *keys) == 1 + 2 + 1 + 1, "one project, and the history of its issue"
        the_same(got, side, *keys)
        side.clock.forward(hours=1)
        assert requests_of(side.connect(), got, *keys) == 1


def close_issue(side: Side, project: Project) -> None:
    side.tracker.close(project.issues[1], side.tracker.user("ada"))


def add_issue(side: Side, project: Project) -> None:
    side.tracker.issue(project, "New", side.tracker.user("ada"))


def move_issue(side: Side, project: Project) -> None:
    side.tracker.transfer(project, project.issues[1], side.tracker.projects["acme/p0"], side.tracker.user("ada"))


def edit_milestone(side: Side, project: Project) -> None:
    milestone = next(each for each in project.milestones.values() if not each.group)
    milestone.due, milestone.updated = date(2026, 7, 7), side.clock.now


def add_milestone(side: Side, project: Project) -> None:
    side.tracker.milestone(project, "2.0")


def delete_milestone(side: Side, project: Project) -> None:
    for milestone in [each for each in project.milestones.values() if not each.group]:
        for item in (*project.issues.values(), *project.merge_requests.values()):
            side.tracker.move(project, item, [], side.tracker.user("ada"))
        del project.milestones[milestone.id]


def edit_group_milestone(side: Side, project: Project) -> None:
    for milestone in (each for each in project.milestones.values() if each.group):
        milestone.due, milestone.updated = date(2026, 8, 8), side.clock.now


def add_group_milestone(side: Side, project: Project) -> None:
    side.tracker.group_milestone("acme", f"Of all, also of {project.key}")


def add_merge_request(side: Side, project: Project) -> None:
    own = next(each.id for each in project.milestones.values() if not each.group)
    side.tracker.merge_request(project, "Fix", side.tracker.user("ada"), milestones=[own])


def make_private(_: Side, project: Project) -> None:
    project.private = True


def rename(side: Side, project: Project) -> None:
    project.name = f"Another {side.tracker.world.next_id()}"


CHANGES: dict[str, Callable[[Side, Project], None]] = {
    change.__name__: change
    for change in (
        close_issue,
        add_issue,
        move_issue,
        edit_milestone,
        add_milestone,
        delete_milestone,
        edit_group_milestone,
        add_group_milestone,
        add_merge_request,
        make_private,
        rename,
    )
}


class TestChanges:
    @pytest.mark.parametrize("version", ["", "15.0"])
    @pytest.mark.parametrize("by", ["list", "group"])
    @pytest.mark.parametrize("change", CHANGES)
    def test_a_change_is_seen_at_once(self, side: Side, change: str, by: str, version: str) -> None:
        projects = fleet(side, 6, version=version)
        keys, got = keys_of(projects, by), Mirror()
        for _ in range(2):
            got.pull(side.connect(), *keys)
            side.clock.forward(hours=1)
        CHANGES[change](side, projects[3])
        side.clock.forward(minutes=10)
        got.pull(side.connect(), *keys)
        if change == "make_private":  # an issue has the visibility that its project had when it was read
            got.issues = Mirror().pull(side.connect(), *keys).issues
        the_same(got, side, *keys)
        side.clock.forward(hours=1)
        before = dict(got.cursors)
        got.pull(side.connect(), *keys)
        assert got.cursors == before, "and then nothing"

    @pytest.mark.parametrize("kind", ["iterations", "epics"])
    def test_a_changed_container_of_the_group_is_seen(self, side: Side, kind: str) -> None:
        projects = fleet(side, 6)
        side.tracker.premium = True
        keys, words = keys_of(projects, "list"), ["milestones", kind]
        made = (
            planning.add_iteration(side.tracker, "acme", date(2026, 3, 2), date(2026, 3, 15))
            if kind == "iterations"
            else planning.add_epic(side.tracker, "acme", "Epic")
        )
        got = Mirror().pull(side.connect(containers=words), *keys)
        side.clock.forward(hours=1)
        assert requests_of(side.connect(containers=words), got, *keys) == 1 + 1
        made.title, made.updated = "Renamed", side.clock.now
        side.clock.forward(hours=1)
        assert requests_of(side.connect(containers=words), got, *keys) <= 1 + 1 + 3, "the home of the container"
        assert "Renamed" in {milestone.title for milestone in got.milestones.values()}

    def test_a_changed_project_alone_is_read(self, side: Side) -> None:
        projects = fleet(side, 20)
        keys = keys_of(projects, "list")
        got = Mirror().pull(side.connect(), *keys)
        side.clock.forward(hours=1)
        close_issue(side, projects[7])
        assert requests_of(side.connect(), got, *keys) == 1 + 3 + 1, "its milestones, issues, merge requests, history"

    def test_a_project_that_vanished_fails(self, side: Side) -> None:
        projects = fleet(side, 4)
        keys = keys_of(projects, "list")
        got = Mirror().pull(side.connect(), *keys)
        projects[2].hidden = True
        got.pull(side.connect(), *keys)
        assert (list(got.failed), len(got.complete)) == (["acme/p2"], 3)

    def test_another_project_at_a_path_is_another_one(self, side: Side) -> None:
        projects = fleet(side, 4)
        keys = keys_of(projects, "list")
        got = Mirror().pull(side.connect(), *keys)
        side.tracker.rename(projects[2], "acme/old")
        del side.tracker.moved["acme/p2"]
        second = side.filled("acme/p2", 3)
        got.pull(side.connect(), *keys)
        assert str(second.id) in got.complete
        assert str(projects[2].id) not in got.complete


class TestInterrupted:
    def test_a_pull_that_was_broken_off_is_not_quiet(self, side: Side) -> None:
        """A milestone that was stored before the end, and deleted then, is found to be gone."""
        projects = fleet(side, 4)
        keys = keys_of(projects, "list")
        got = Mirror().pull(side.connect(history="none"), *keys)
        side.clock.forward(hours=1)
        extra = side.tracker.milestone(projects[1], "2.0")
        for n in range(600):
            side.tracker.issue(projects[1], f"Item {n}", side.tracker.user("ada"))
        for page in side.connect(history="none", concurrency=1).pull(keys, got.cursors):
            got.take(page)
            if str(extra.id) in got.milestones:
                break
        del projects[1].milestones[extra.id]
        for number in range(3, 603):
            del projects[1].issues[number]
        side.clock.forward(hours=1)
        got.pull(side.connect(history="none"), *keys)
        assert str(extra.id) not in got.milestones

    def test_a_pull_of_one_project_alone_forgets_its_state(self, side: Side) -> None:
        """A milestone that it stores may be deleted before the next probe, which then shows the former state again."""
        projects = fleet(side, 4)
        keys = keys_of(projects, "list")
        got = Mirror().pull(side.connect(), *keys)
        side.clock.forward(hours=1)
        extra = side.tracker.milestone(projects[1], "2.0")
        side.clock.forward(hours=1)
        assert str(extra.id) in got.pull(side.connect(), projects[1].key).milestones
        del projects[1].milestones[extra.id]
        side.clock.forward(hours=1)
        assert str(extra.id) not in got.pull(side.connect(), *keys).milestones

    def test_rows_that_cannot_be_read_are_asked_for_again(self, side: Side) -> None:
        projects = fleet(side, 4)
        keys = keys_of(projects, "list")
        got = Mirror()
        path = f"/projects/{projects[1].id}/milestones"
        side.tracker.faults.append(failing(path, 200, times=1, body='[{"id": 7, "title": 3}]'))
        got.pull(side.connect(), *keys)
        side.clock.forward(hours=1)
        assert requests_of(side.connect(), got, *keys) > 1
        the_same(got, side, *keys)

    @pytest.mark.parametrize("status", [502, 403])
    def test_a_probe_that_fails_costs_only_requests(self, side: Side, status: int) -> None:
        projects = fleet(side, 30)
        keys = keys_of(projects, "list")
        got = Mirror().pull(side.connect(history="none"), *keys)
        side.clock.forward(hours=1)
        side.tracker.faults.append(failing("/api/graphql", status))
        assert requests_of(side.connect(history="none"), got, *keys) <= 30 * 4 + 4
        assert len(got.complete) == 30

    def test_merge_requests_that_a_probe_could_not_read_are_not_taken_as_none(
        self, side: Side, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        projects = fleet(side, 4)
        keys = keys_of(projects, "list")

        def without_merge_requests(view: Any, asked: Any) -> Any:
            reply = graphql.answer(view, asked)
            if "Probe" in asked["query"]:
                for node in reply["data"]["projects"]["nodes"]:
                    node["mergeRequests"] = None
                reply["errors"] = [{"message": "Timeout", "path": ["projects", "nodes", 0, "mergeRequests"]}]
            return reply

        monkeypatch.setattr(app, "answer", without_merge_requests)
        got = Mirror().pull(side.connect(), *keys)
        side.tracker.merge_request(projects[0], "Later", side.tracker.user("ada"), milestones=[*projects[0].milestones])
        side.clock.forward(hours=1)
        got.pull(side.connect(), *keys)
        the_same(got, side, *keys)
        assert "acme/p0!2" in {issue.key for issue in got.issues.values()}

    def test_a_visibility_that_a_probe_does_not_show_is_asked_by_rest(
        self, side: Side, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keys = keys_of(fleet(side, 4), "list")
        whole = Mirror().pull(side.connect(), *keys).projects

        def without_level(view: Any, asked: Any) -> Any:
            reply = graphql.answer(view, asked)
            if "Probe" in asked["query"]:
                reply["data"]["projects"]["nodes"][0]["issuesAccessLevel"] = None
            return reply

        monkeypatch.setattr(app, "answer", without_level)
        got = Mirror().pull(side.connect(), *keys).projects
        assert {project.visibility for project in got.values()} == {Visibility.PUBLIC}
        assert got == whole

    def test_a_probe_that_is_too_heavy_is_halved_and_stays_so(self, side: Side) -> None:
        projects = fleet(side, 60)
        keys = keys_of(projects, "list")
        got = Mirror().pull(side.connect(history="none"), *keys)
        side.clock.forward(hours=1)
        side.tracker.faults.append(failing("/api/graphql", 502, times=1))
        connector = side.connect(history="none")
        assert requests_of(connector, got, *keys) == 1 + 3
        assert requests_of(connector, got, *keys) == 3
