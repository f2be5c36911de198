"""The GitLab connector reads the sandbox's GitLab over HTTP: everything, what changed, and what happened."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
import requests

from connectors.gitlab import api_types
from connectors.gitlab import issue_pages as walk
from connectors.gitlab.normalize import project_of
from connectors.sandbox.gitlab import pagination as gitlab_pages
from sync.model.tracker_data import Person, State, StatusCategory, Visibility
from tests.contract.gitlab_shop import team
from tests.contract.gitlab_side import Mirror, Side, failing, requests_of, served


@pytest.fixture
def side() -> Iterator[Side]:
    with served() as made:
        yield made
        assert made.tracker.writes == []


class TestRows:
    def test_every_field(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        ada = tracker.user("ada", "Ada Fox")
        made = tracker.issue(project, "Pay by card", ada, milestones=[milestone.id], points=3, labels=["ui", "bug"])
        made.estimate, made.spent, made.due, made.assignees, made.type = 7200, 1800, date(2026, 3, 20), [ada], "task"
        made.parent = "&7"
        tracker.close(made, ada, side.clock.forward(hours=1))
        got = Mirror().pull(side.connect(), "acme/web/shop")
        row = got.issues[str(made.id)]
        assert got.failed == {}
        assert got.complete == {str(project.id)}
        assert (row.key, row.project, row.title) == ("acme/web/shop#1", str(project.id), "Pay by card")
        assert (row.state, row.raw_state, row.category) == (State.CLOSED, "closed", StatusCategory.DONE)
        assert (row.estimate, row.spent, row.remaining, row.points) == (7200, 1800, 5400, 3.0)
        assert (row.due, row.type, row.labels) == (date(2026, 3, 20), "task", ("bug", "ui"))
        assert row.milestones == (str(milestone.id),)
        assert row.assignees == (Person(str(ada.id), "Ada Fox", ada.login),)
        assert row.closed_at == row.updated_at == side.clock.now
        assert row.parent == f"{tracker.url}/groups/acme/web/-/epics/7"
        assert row.visibility is Visibility.PUBLIC
        stone = got.milestones[str(milestone.id)]
        assert (stone.key, stone.written, stone.due, stone.start) == ("2.0", "%2.0", milestone.due, milestone.start)
        assert (stone.state, stone.closed_at, stone.description) == (State.OPEN, None, "- [x] it")
        assert got.projects[str(project.id)].key == "acme/web/shop"

    def test_what_an_unlicensed_instance_leaves_out_is_none(self, side: Side) -> None:
        tracker, project, _ = team(side)
        tracker.premium = False
        tracker.issue(project, "Plain", tracker.user("ada"), points=5)
        row = next(iter(Mirror().pull(side.connect(), "acme/web/shop").issues.values()))
        assert (row.points, row.estimate, row.spent, row.remaining, row.parent) == (None, None, None, None, "")

    def test_visibility(self, side: Side) -> None:
        tracker = side.tracker
        shown = {}
        for name, private, internal in (("open", False, False), ("inner", False, True), ("shut", True, False)):
            project = tracker.project(f"acme/{name}", private=private)
            project.internal = internal
            shown[name] = str(tracker.issue(project, "Seen", tracker.user("ada")).id)
            shown[f"{name} secret"] = str(tracker.issue(project, "Secret", tracker.user("ada"), confidential=True).id)
        got = Mirror().pull(side.connect(), "acme/open", "acme/inner", "acme/shut")
        seen = {name: got.issues[key].visibility.value for name, key in shown.items()}
        assert seen == {
            "open": "public",
            "inner": "project",
            "shut": "project",
            "open secret": "confidential",
            "inner secret": "confidential",
            "shut secret": "confidential",
        }
        assert sorted(p.visibility.value for p in got.projects.values()) == ["project", "project", "public"]

    @pytest.mark.parametrize("issues", ["private", "disabled", ""])
    def test_a_public_project_whose_issues_are_for_members_is_not_public(self, issues: str) -> None:
        told = api_types.Project(1, "App", "acme/app", "https://x", "public", "enabled")
        assert project_of(told).visibility is Visibility.PUBLIC
        told.issues_access_level = issues
        assert project_of(told).visibility is Visibility.PROJECT

    def test_moved_and_duplicate_are_not_finished_work(self, side: Side) -> None:
        tracker, project, _ = team(side)
        ada = tracker.user("ada")
        for n, word in enumerate(("moved", "duplicate", "")):
            tracker.close(tracker.issue(project, f"Issue {n}", ada), ada, resolution=word)
        got = Mirror().pull(side.connect(), "acme/web/shop")
        assert sorted(row.resolution for row in got.issues.values()) == ["", "duplicate", "moved"]

    def test_a_renamed_project_is_found_by_its_old_path(self, side: Side) -> None:
        project = side.filled("acme/new", 3)
        side.tracker.moved["acme/old"] = "acme/new"
        got = Mirror().pull(side.connect(), "acme/old")
        assert got.projects[str(project.id)].key == "acme/new"
        assert len(got.issues) == 3


class TestPages:
    @pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 500, 501, 730, 1000])
    def test_each_issue_comes_once(self, side: Side, count: int) -> None:
        side.filled("acme/app", count)
        got = Mirror()
        asked = requests_of(side.connect(history="none"), got, "acme/app")
        assert len(got.issues) == count
        assert asked <= max(1, math.ceil(count / 100)) + 3
        assert len(got.complete) == 1

    def test_totals_vanish_beyond_ten_thousand(self, side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gitlab_pages, "TOTALS_UP_TO", 200)
        side.filled("acme/app", 730)
        assert len(Mirror().pull(side.connect(history="none"), "acme/app").issues) == 730

    @pytest.mark.parametrize("totals", [0, 10_000])
    def test_page_numbers_never_go_deep(self, side: Side, monkeypatch: pytest.MonkeyPatch, totals: int) -> None:
        monkeypatch.setattr(gitlab_pages, "TOTALS_UP_TO", totals)
        monkeypatch.setattr(gitlab_pages, "OFFSET_UP_TO", 200)
        monkeypatch.setattr(walk, "WINDOW", 2)
        side.filled("acme/app", 1234)
        got = Mirror().pull(side.connect(history="none"), "acme/app")
        assert got.failed == {}
        assert len(got.issues) == 1234

    def test_many_issues_of_one_instant(self, side: Side) -> None:
        project = side.tracker.project("acme/app")
        for n in range(620):
            side.tracker.issue(project, f"Imported {n}", side.tracker.user("ada"))
        got = Mirror()
        connector = side.connect(history="none")
        assert len(got.pull(connector, "acme/app").issues) == 620
        side.tracker.label(project.issues[7], ["late"], [], side.tracker.user("ada"), side.clock.forward(days=1))
        assert got.pull(connector, "acme/app").issues[str(project.issues[7].id)].labels == ("late",)

    def test_a_killed_pull_goes_on_where_it_was(self, side: Side) -> None:
        project = side.filled("acme/app", 1200)
        ada = side.tracker.user("ada")
        got, connector = Mirror(), side.connect(history="none", concurrency=1)
        pages = iter(connector.pull(["acme/app"], {}))
        got.take(next(pages))
        del pages
        assert 0 < len(got.issues) < 1200
        assert not got.complete
        early = project.issues[5]
        side.tracker.label(early, ["changed-while-away"], [], ada, side.clock.forward(hours=1))
        again = side.connect(history="none", concurrency=1)
        asked = requests_of(again, got, "acme/app")
        assert asked <= 12, "the project, its milestones, and the nine hundred issues that were left"
        assert len(got.issues) == 1200
        assert got.pull(again, "acme/app").issues[str(early.id)].labels == ("changed-while-away",)

    def test_an_issue_deleted_while_reading_hides_no_other(self, side: Side) -> None:
        project = side.filled("acme/app", 1200)
        got = Mirror()
        pages = iter(side.connect(history="none", concurrency=1).pull(["acme/app"], {}))
        got.take(next(pages))
        for number in (3, 4, 5):
            del project.issues[number]
        for page in pages:
            got.take(page)
        assert {str(issue.id) for issue in project.issues.values()} <= got.issues.keys()

    def test_pages_that_repeat_end_the_project(self, side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gitlab_pages, "TOTALS_UP_TO", 0)
        monkeypatch.setattr(walk, "WINDOW", 3)
        side.filled("acme/app", 900)
        page = requests.get(
            f"{side.tracker.url}/api/v4/projects/acme%2Fapp/issues?scope=all&per_page=100",
            headers={"PRIVATE-TOKEN": side.tracker.token},
            timeout=60,
        )
        side.tracker.faults.append(failing("created_at", 200, body=page.text))
        got = Mirror().pull(side.connect(history="none"), "acme/app")
        assert "pages of a list repeat" in str(got.failed["acme/app"])


class TestWhatChanged:
    def test_only_what_changed_comes_again(self, side: Side) -> None:
        project = side.filled("acme/app", 300)
        got, connector = Mirror(), side.connect(history="none")
        got.pull(connector, "acme/app")
        side.tracker.close(project.issues[17], side.tracker.user("ada"), side.clock.forward(minutes=1))
        pages = list(connector.pull(["acme/app"], got.cursors))
        assert [row.key for page in pages for row in page.issues] == ["acme/app#17"]

    def test_what_is_updated_late_with_an_earlier_time_is_not_lost(self, side: Side) -> None:
        """A replica that lags: a row older than the cursor's newest, but within the overlap."""
        project = side.filled("acme/app", 5)
        got, connector = Mirror(), side.connect()
        got.pull(connector, "acme/app")
        newest = max(issue.updated for issue in project.issues.values())
        late = side.tracker.issue(project, "Late", side.tracker.user("ada"), at=newest - timedelta(seconds=90))
        assert str(late.id) in got.pull(connector, "acme/app").issues

    def test_one_percent_of_ten_thousand_is_cheap(self, side: Side) -> None:
        project = side.filled("acme/app", 1000)
        got, connector = Mirror(), side.connect(history="none")
        got.pull(connector, "acme/app")
        for number in range(1, 131):
            side.tracker.label(project.issues[number], ["x"], [], side.tracker.user("ada"), side.clock.forward(hours=1))
        assert requests_of(connector, got, "acme/app") <= math.ceil(130 / 100) + 2
        assert sum("x" in row.labels for row in got.issues.values()) == 130


class TestSweep:
    def test_what_was_deleted_is_gone_when_the_sweep_is_due(self, side: Side) -> None:
        project = side.filled("acme/app", 230)
        got, connector = Mirror(), side.connect(history="none")
        got.pull(connector, "acme/app")
        lost = project.issues.pop(7)
        side.clock.forward(days=6)
        assert requests_of(connector, got, "acme/app") == 3
        assert str(lost.id) in got.issues
        side.clock.forward(days=1)
        assert requests_of(connector, got, "acme/app") == 3 + 3
        assert str(lost.id) not in got.issues
        assert len(got.issues) == 229
        assert requests_of(connector, got, "acme/app") == 3, "swept, and again in a week"

    def test_a_project_that_was_never_swept_is_swept_at_once(self, side: Side) -> None:
        project = side.filled("acme/app", 3)
        got, connector = Mirror(), side.connect()
        got.pull(connector, "acme/app")
        (key,) = got.cursors
        got.cursors[key] = json.dumps({k: v for k, v in json.loads(got.cursors[key]).items() if k != "swept"})
        del project.issues[2]
        assert len(got.pull(connector, "acme/app").issues) == 2

    def test_a_change_that_left_no_trace_is_found(self, side: Side) -> None:
        project = side.filled("acme/app", 30)
        got, connector = Mirror(), side.connect(sweep_days=1)
        got.pull(connector, "acme/app")
        issue = project.issues[3]
        issue.labels = ["silent"]
        side.clock.forward(hours=25)
        assert got.pull(connector, "acme/app").issues[str(issue.id)].labels == ("silent",)

    def test_deletions_during_the_sweep_of_what_gitlab_does_not_count(
        self, side: Side, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gitlab_pages, "TOTALS_UP_TO", 0)
        monkeypatch.setattr(sys.modules["connectors.gitlab.pull"], "MAX_COUNTED", 200)
        project = side.filled("acme/app", 1200)
        got, connector = Mirror(), side.connect(history="none", concurrency=1, sweep_days=0.1)
        got.pull(connector, "acme/app")
        side.clock.forward(days=1)
        for n, page in enumerate(connector.pull(["acme/app"], got.cursors)):
            got.take(page)
            if n == 1:
                for number in (3, 4, 5):
                    del project.issues[number]
        assert {str(issue.id) for issue in project.issues.values()} <= got.issues.keys()


class TestGroups:
    def test_a_group_milestone_has_one_project_whatever_fails(self, side: Side) -> None:
        tracker = side.tracker
        keys = ["acme/web/one", "acme/web/two", "acme/api"]
        projects = [tracker.project(key) for key in keys]
        shared = tracker.group_milestone("acme", "Launch", due=date(2026, 5, 1))
        narrow = tracker.group_milestone("acme/web", "Web launch")
        own = tracker.milestone(projects[1], "Two only")
        for project in projects:
            tracker.issue(project, "Part", tracker.user("ada"), milestones=[shared.id])
        got = Mirror().pull(side.connect(), *keys)
        owners = {row.title: row.project for row in got.milestones.values()}
        name, two = str(projects[0].id), str(projects[1].id)
        assert owners == {"Launch": name, "Web launch": name, "Two only": two}
        assert {row.milestones for row in got.issues.values()} == {(str(shared.id),)}
        assert got.milestones[str(shared.id)].url.endswith("/groups/acme/-/milestones/1")
        tracker.faults += [failing(path, 502) for path in ("acme/web/one", f"/projects/{projects[0].id}/")]
        again = Mirror().pull(side.connect(), *keys)
        assert list(again.failed) == ["acme/web/one"]
        assert [row.id for row in again.milestones.values()] == [str(own.id)]
        assert narrow.group == "acme/web"

    def test_all_projects_below_a_group(self, side: Side) -> None:
        for key in ("acme/app", "acme/web/shop", "acme/web/deep/down", "other/x"):
            side.filled(key, 4)
        for named in ("acme/*", "acme"):
            got = Mirror().pull(side.connect(), named)
            assert {p.key for p in got.projects.values()} == {"acme/app", "acme/web/shop", "acme/web/deep/down"}
            assert len(got.issues) == 12

    def test_a_project_named_twice_comes_once(self, side: Side) -> None:
        side.filled("acme/app", 4)
        side.filled("acme/api", 4)
        pages = list(side.connect().pull(["acme/app", "acme/*"], {}))
        assert len([row for page in pages for row in page.issues]) == 8

    def test_a_group_is_asked_once_for_what_changed(self, side: Side) -> None:
        projects = [side.filled(f"acme/p{n}", 30) for n in range(8)]
        got, connector = Mirror(), side.connect(history="none")
        got.pull(connector, "acme/*")
        assert len(got.issues) == 240
        assert requests_of(connector, got, "acme/*") == 2 + 2, "the last issue of one project is new"
        assert got.complete == {str(p.id) for p in projects}
        tracker, ada = side.tracker, side.tracker.user("ada")
        tracker.close(projects[0].issues[3], ada, side.clock.forward(days=3))
        tracker.close(projects[7].issues[4], ada, side.clock.forward(days=3))
        changed = [row.key for page in connector.pull(["acme/*"], got.cursors) for row in page.issues]
        assert changed == ["acme/p0#3", "acme/p7#4"]
        fresh = side.filled("acme/p9", 3)
        got.pull(connector, "acme/*")
        assert str(fresh.id) in got.complete
        assert len(got.issues) == 243
