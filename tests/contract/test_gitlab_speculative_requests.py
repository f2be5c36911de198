"""A GitLab project that was read before is asked for what it has while its path is looked up, and no answer is believed
of a project that the path does not name any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from connectors.sandbox.world_data import Fault, Project
from sync.tracker.errors import AuthError, BusyError, GoneError, LimitedError, RefusedError, TrackerError
from tests.contract.gitlab_side import Mirror, Side, failing, requests_of, served


@pytest.fixture
def side() -> Iterator[Side]:
    with served() as made:
        yield made


@contextmanager
def at_once(side: Side, number: int, match: str = "/projects/") -> Iterator[None]:
    """The first of these requests are answered when so many have come; none is given up and sent again."""
    side.tracker.faults.append(Fault("gather", match, times=number))
    yield
    assert side.slept == []


def the_same(got: Mirror, side: Side, key: str) -> bool:
    """Compare the rows with those of one full pull."""
    whole = Mirror().pull(side.connect(), key)
    mine = {number: row for number, row in got.issues.items() if row.project in whole.projects}
    return (mine, got.complete, got.failed) == (whole.issues, whole.complete, {})


class TestAtOnce:
    @pytest.mark.parametrize("by", ["path", "number"])
    def test_all_three_where_nothing_changed(self, side: Side, by: str) -> None:
        project = side.filled("acme/app", 230)
        key = "acme/app" if by == "path" else str(project.id)
        got, connector = Mirror().pull(side.connect(), key), side.connect(concurrency=3)
        before = dict(got.cursors)
        with at_once(side, 3):
            assert requests_of(connector, got, key) == 3
        assert (got.cursors, got.pages, got.complete) == (before, 1, {str(project.id)})

    def test_several_projects(self, side: Side) -> None:
        keys = ["acme/app", "acme/web/shop", "other/x"]
        for key in keys:
            side.filled(key, 4)
        side.clock.forward(minutes=3)
        got, connector = Mirror().pull(side.connect(), *keys), side.connect(concurrency=9)
        assert requests_of(connector, got, *keys) == 1
        assert len(got.complete) == 3

    def test_several_projects_without_graphql(self, side: Side) -> None:
        keys = ["acme/app", "acme/web/shop", "other/x"]
        for key in keys:
            side.filled(key, 4)
        got, connector = Mirror().pull(side.connect(), *keys), side.connect(concurrency=9)
        side.tracker.faults.append(failing("/api/graphql", 403))
        with at_once(side, 9):
            assert requests_of(connector, got, *keys) == 1 + 9
        assert len(got.complete) == 3

    def test_in_mid_walk(self, side: Side) -> None:
        side.filled("acme/app", 1200)
        got = Mirror()
        got.take(next(iter(side.connect(history="none", concurrency=1).pull(["acme/app"], {}))))
        assert not got.complete
        with at_once(side, 2):
            assert requests_of(side.connect(history="none"), got, "acme/app") <= 12
        assert len(got.issues) == 1200

    def test_a_first_pull_looks_the_path_up_first(self, side: Side) -> None:
        side.filled("acme/app", 3)
        side.filled("acme/web", 3)
        got = Mirror().pull(side.connect(), "acme/app")
        side.tracker.log.clear()
        assert requests_of(side.connect(history="none"), got, "acme/web") == 3
        assert side.tracker.log[0][1].endswith("/projects/acme/web")

    def test_what_changed_comes(self, side: Side) -> None:
        project = side.filled("acme/app", 230)
        got = Mirror().pull(side.connect(), "acme/app")
        side.tracker.close(project.issues[7], side.tracker.user("ada"), side.clock.forward(hours=1))
        side.tracker.milestone(project, "2.0", at=side.clock.now)
        with at_once(side, 3):
            got.pull(side.connect(), "acme/app")
        assert [row.title for row in got.milestones.values()] == ["2.0"]
        assert the_same(got, side, "acme/app")

    def test_a_project_that_a_group_names_too(self, side: Side) -> None:
        for key in ("acme/app", "acme/web"):
            side.filled(key, 4)
        got, connector = Mirror().pull(side.connect(), "acme/*", "acme/app"), side.connect()
        before = dict(got.cursors)
        got.pull(connector, "acme/*", "acme/app")
        assert (got.cursors, len(got.complete)) == (before, 2)


class TestAnotherProject:
    """The key names another project than at the last pull."""

    @staticmethod
    def read_before(side: Side) -> tuple[Project, Mirror]:
        project = side.filled("acme/app", 5)
        return project, Mirror().pull(side.connect(), "acme/app")

    def test_it_was_renamed(self, side: Side) -> None:
        project, got = self.read_before(side)
        side.tracker.rename(project, "acme/new")
        got.pull(side.connect(), "acme/app")
        assert {row.key.partition("#")[0] for row in got.issues.values()} == {"acme/new"}
        assert the_same(got, side, "acme/app")
        assert requests_of(side.connect(), got, "acme/app") == 3 + 1, "and the hop from the old path"

    def test_another_has_its_path(self, side: Side) -> None:
        first, got = self.read_before(side)
        side.tracker.rename(first, "acme/old")
        del side.tracker.moved["acme/app"]
        second = side.filled("acme/app", 7)
        got.pull(side.connect(), "acme/app")
        assert got.complete == {str(second.id)}
        assert sum(row.project == str(second.id) for row in got.issues.values()) == 7
        assert the_same(got, side, "acme/app")
        assert requests_of(side.connect(), got, "acme/app") == 3, "two were at this path: neither is asked ahead"

    @pytest.mark.parametrize("fault", [None, 401, 403, 500])
    def test_its_failure_is_not_that_of_its_successor(self, side: Side, fault: int | None) -> None:
        first, got = self.read_before(side)
        del side.tracker.projects["acme/app"]
        side.filled("acme/app", 7)
        if fault:
            side.tracker.faults.append(failing(f"/projects/{first.id}/", fault))
        got.pull(side.connect(), "acme/app")
        assert the_same(got, side, "acme/app")

    def test_a_group_has_its_path(self, side: Side) -> None:
        _, got = self.read_before(side)
        del side.tracker.projects["acme/app"]
        inner = side.filled("acme/app/inner", 3)
        assert got.pull(side.connect(), "acme/app").complete == {str(inner.id)}
        assert the_same(got, side, "acme/app")

    @pytest.mark.parametrize("hidden", [True, False])
    def test_it_is_gone(self, side: Side, hidden: bool) -> None:
        project, got = self.read_before(side)
        project.hidden = hidden
        if not hidden:
            del side.tracker.projects["acme/app"]
        before = dict(got.cursors)
        got.pull(side.connect(), "acme/app")
        assert (got.pages, got.complete, got.cursors) == (1, set(), before)
        assert isinstance(got.failed["acme/app"], GoneError)

    def test_its_issues_are_chosen_by_other_rules(self, side: Side) -> None:
        project, got = self.read_before(side)
        project.issues[2].labels = ["go"]
        rule = {"projects": "acme/*", "sign": "~", "text": "go"}
        got.pull(side.connect(rules=[rule]), "acme/app")
        assert [row.key for row in got.issues.values() if row.milestones] == ["acme/app#2"]


class TestFaults:
    """A fault of a speculative request fails its project once, after the usual number of attempts."""

    @pytest.mark.parametrize("path", ["milestones", "issues"])
    @pytest.mark.parametrize(("status", "error", "waits"), [(500, BusyError, 3), (403, RefusedError, 0)])
    def test_they_end_the_project_alone(
        self, side: Side, path: str, status: int, error: type[TrackerError], waits: int
    ) -> None:
        bad = side.filled("acme/bad", 3)
        good = side.filled("acme/app", 3)
        got = Mirror().pull(side.connect(), "acme/bad", "acme/app")
        side.tracker.comment(bad.issues[1], side.tracker.user("ada"), "News", side.clock.forward(hours=1))
        side.tracker.faults.append(failing(f"/projects/{bad.id}/{path}", status))
        got.pull(side.connect(), "acme/bad", "acme/app")
        assert (got.complete, list(got.failed), got.pages) == ({str(good.id)}, ["acme/bad"], 2)
        assert type(got.failed["acme/bad"]) is error
        assert str(got.failed["acme/bad"]).startswith("gl: acme/bad: ")
        assert len(side.slept) == waits

    @pytest.mark.parametrize("kind", ["reset", "truncate", "status"])
    def test_a_passing_one_is_waited_out(self, side: Side, kind: str) -> None:
        project = side.filled("acme/app", 3)
        got = Mirror().pull(side.connect(), "acme/app")
        side.tracker.faults.append(Fault(kind, f"/projects/{project.id}/issues", times=2))
        assert the_same(got.pull(side.connect(), "acme/app"), side, "acme/app")
        assert len(side.slept) == 2

    def test_a_long_limit_ends_the_connection(self, side: Side) -> None:
        project = side.filled("acme/app", 3)
        got = Mirror().pull(side.connect(), "acme/app")
        side.tracker.faults.append(failing(f"/projects/{project.id}/issues", 429, Retry_After="3000"))
        with pytest.raises(LimitedError) as caught:
            got.pull(side.connect(), "acme/app")
        assert caught.value.until == side.clock.now + timedelta(seconds=3000)
        assert side.slept == []

    def test_a_token_that_expired_ends_the_connection(self, side: Side) -> None:
        side.filled("acme/app", 3)
        got = Mirror().pull(side.connect(), "acme/app")
        side.tracker.token = "another"
        with pytest.raises(AuthError):
            got.pull(side.connect(), "acme/app")
