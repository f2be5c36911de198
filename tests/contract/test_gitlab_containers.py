"""Iterations and epics of GitLab as milestones: by GraphQL and by REST, nested, without a licence, on old servers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.gitlab import GitLabConnector
from connectors.sandbox.gitlab import graphql, group_graphql
from connectors.sandbox.gitlab.formats import group_id
from connectors.sandbox.gitlab.planning import (
    add_epic,
    add_iteration,
    nest,
    plan_epic,
    plan_iteration,
    roll_over,
)
from connectors.sandbox.world_data import Epic, Issue, Milestone, Project
from sync.model.tracker_data import EventKind, MilestoneKind, Person, State
from tests.contract.gitlab_side import Mirror, Side, failing, requests_of, served

ALL = ("milestones", "iterations", "epics")
VERSIONS = ["", "18.0", "17.6", "17.3", "15.0"]
"""The newest, before REST's ``work_item_id``, before the new notes, before the list of epics, the oldest."""


@pytest.fixture
def side() -> Iterator[Side]:
    with served() as made:
        yield made
        assert made.tracker.writes == []


def connected(side: Side, *kinds: str) -> GitLabConnector:
    return side.connect(containers=kinds or ALL)


def issue_in(side: Side, project: Project, title: str = "Work") -> Issue:
    return side.tracker.issue(project, title, side.tracker.user("ada"), at=side.clock.forward(minutes=1))


def epic_key(epic: Epic) -> str:
    return f"epic-{group_id(epic.group)}.{epic.number}"


def iteration_key(iteration: Milestone) -> str:
    return f"iteration-{iteration.id}"


def moves(mirror: Mirror, issue: Issue) -> list[tuple[str, str]]:
    events = mirror.histories.get(str(issue.id), ())
    return [(event.kind.value, event.milestone) for event in events if event.milestone]


def two_iterations(side: Side, group: str = "acme") -> tuple[Milestone, Milestone]:
    """The iteration of the day of the tests, and the next one."""
    first = add_iteration(side.tracker, group, date(2026, 3, 2), date(2026, 3, 15))
    return first, add_iteration(side.tracker, group, date(2026, 3, 16), date(2026, 3, 29))


class TestIterations:
    @pytest.mark.parametrize("version", VERSIONS)
    def test_an_iteration_of_an_automatic_cadence_has_its_name(self, side: Side, version: str) -> None:
        side.tracker.version = version
        project = side.tracker.project("acme/web/shop")
        first, second = two_iterations(side)
        named = add_iteration(side.tracker, "acme/web", date(2026, 3, 2), date(2026, 3, 8), title="Hardening")
        state = Mirror().pull(connected(side, "iterations"), "acme/web/shop")
        assert {row.written for row in state.milestones.values()} == {
            "acme/iteration:Cadence 2026-03-02",
            "acme/iteration:Cadence 2026-03-16",
            "acme/web/iteration:Hardening",
        }
        row = state.milestones[iteration_key(first)]
        assert (row.kind, row.project, row.title) == (MilestoneKind.ITERATION, str(project.id), "Cadence 2026-03-02")
        assert (row.start, row.due, row.state, row.closed_at) == (first.start, first.due, State.OPEN, None)
        side.clock.forward(days=14)
        state.pull(connected(side, "iterations"), "acme/web/shop")
        row = state.milestones[iteration_key(first)]
        assert (row.state, row.closed_on(ZoneInfo("America/Los_Angeles"))) == (State.CLOSED, date(2026, 3, 15))
        assert state.milestones[iteration_key(second)].state is State.OPEN
        assert state.milestones[iteration_key(named)].state is State.CLOSED

    def test_rest_names_an_iteration_without_its_cadence(self, side: Side) -> None:
        project = side.tracker.project("acme/shop")
        first, _ = two_iterations(side)
        side.tracker.faults.append(failing("/api/graphql", 403))
        state = Mirror().pull(connected(side, "iterations"), project.key)
        assert state.failed == {}
        assert state.milestones[iteration_key(first)].title == "Iteration 2026-03-02"

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("by_rest", [False, True])
    def test_the_history_of_an_issue_in_iterations(self, side: Side, version: str, by_rest: bool) -> None:
        tracker = side.tracker
        tracker.version = version
        project, ada = tracker.project("acme/shop"), tracker.user("ada", "Ada Fox")
        first, second = two_iterations(side)
        issue, other, born = (issue_in(side, project, title) for title in ("moves", "leaves", "is created in it"))
        born.iteration = first.id
        plan_iteration(tracker, issue, first, ada, side.clock.forward(hours=1))
        plan_iteration(tracker, other, first, ada)
        plan_iteration(tracker, other, None, ada, side.clock.forward(hours=1))
        plan_iteration(tracker, issue, second, ada)
        if by_rest:
            tracker.faults.append(failing("/api/graphql", 403))
        state = Mirror().pull(connected(side), project.key)
        a, b = iteration_key(first), iteration_key(second)
        assert moves(state, issue) == [("joined", a), ("left", a), ("joined", b)]
        assert moves(state, other) == [("joined", a), ("left", a)]
        assert moves(state, born) == [("joined", a)]
        assert state.issues[str(issue.id)].milestones == (b,)
        assert state.issues[str(other.id)].milestones == ()
        assert state.histories[str(issue.id)][0].actor == Person(str(ada.id), "Ada Fox")

    def test_what_rolls_over_leaves_one_iteration_for_the_next(self, side: Side) -> None:
        tracker, project = side.tracker, side.tracker.project("acme/shop")
        first, second = two_iterations(side)
        issue = issue_in(side, project)
        plan_iteration(tracker, issue, first, tracker.user("ada"))
        state = Mirror().pull(connected(side), project.key)
        side.clock.now = side.clock.now.replace(day=16, hour=0, minute=5)
        roll_over(tracker, tracker.bot)
        state.pull(connected(side), project.key)
        assert state.issues[str(issue.id)].milestones == (iteration_key(second),)
        left = next(event for event in state.histories[str(issue.id)] if event.kind is EventKind.LEFT)
        assert (left.milestone, left.at) == (iteration_key(first), side.clock.now)

    def test_a_group_of_projects_has_each_iteration_once(self, side: Side) -> None:
        side.filled("acme/a", 1), side.filled("acme/b", 1), side.filled("acme/web/c", 1)
        two_iterations(side)
        pages = list(connected(side).pull(["acme/*"], {}))
        found = [row for page in pages for row in page.milestones]
        homes = {side.tracker.projects["acme/a"].id}
        assert [int(row.project) for row in found if row.kind is MilestoneKind.ITERATION] == [*homes, *homes]


class TestEpics:
    def epic(self, side: Side, **fields: Any) -> Epic:
        ada = side.tracker.user("ada", "Ada Fox")
        given: dict[str, Any] = {
            "description": "Owner: @ada",
            "start": date(2026, 3, 1),
            "due": date(2026, 6, 1),
            "assignees": [ada],
        }
        return add_epic(side.tracker, "acme", "Payments", **(given | fields))

    @pytest.mark.parametrize("version", VERSIONS)
    def test_every_field(self, side: Side, version: str) -> None:
        side.tracker.version = version
        project = side.tracker.project("acme/web/shop")
        epic, plan = self.epic(side), self.epic(side, has_fixed_dates=False)
        state = Mirror().pull(connected(side, "epics"), project.key)
        row = state.milestones[epic_key(epic)]
        assert (row.kind, row.title, row.key) == (MilestoneKind.EPIC, "Payments", "&1")
        assert (row.written, row.project) == ("acme/epic:1", str(project.id))
        assert (row.start, row.due, row.is_due_inherited) == (epic.start, epic.due, False)
        assert (row.state, row.closed_at, row.description) == (State.OPEN, None, "Owner: @ada")
        assert row.url == f"{side.tracker.url}/groups/acme/-/epics/1"
        assert state.milestones[epic_key(plan)].is_due_inherited
        has_people = version in ("", "18.0", "17.6")
        ada = side.tracker.user("ada")
        assert row.owners == ((Person(str(ada.id), "Ada Fox", "ada"),) if has_people else ())
        epic.closed = epic.updated = side.clock.forward(hours=1)
        state.pull(connected(side, "epics"), project.key)
        row = state.milestones[epic_key(epic)]
        assert (row.state, row.closed_at) == (State.CLOSED, epic.closed)

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("by_rest", [False, True])
    def test_the_history_of_an_issue_in_epics(self, side: Side, version: str, by_rest: bool) -> None:
        tracker = side.tracker
        tracker.version = version
        project, ada = tracker.project("acme/web/shop"), tracker.user("ada")
        one, two = self.epic(side), add_epic(tracker, "acme/web", "Of the subgroup")
        issue, other = issue_in(side, project), issue_in(side, project)
        plan_epic(tracker, issue, one, ada, side.clock.forward(hours=1))
        plan_epic(tracker, other, two, ada)
        plan_epic(tracker, issue, two, ada, side.clock.forward(hours=1))
        plan_epic(tracker, other, None, ada, side.clock.forward(hours=1))
        if by_rest:
            tracker.faults.append(failing("/api/graphql", 403))
        state = Mirror().pull(connected(side), project.key)
        a, b = epic_key(one), epic_key(two)
        assert moves(state, issue) == [("joined", a), ("left", a), ("joined", b)]
        assert moves(state, other) == [("joined", b), ("left", b)]
        assert state.issues[str(issue.id)].milestones == (b,)

    def test_an_epic_has_items_of_several_projects_and_one_home(self, side: Side) -> None:
        tracker, ada = side.tracker, side.tracker.user("ada")
        shop, api = tracker.project("acme/web/shop"), tracker.project("acme/api")
        epic = self.epic(side)
        issues = [issue_in(side, project) for project in (shop, api)]
        for issue in issues:
            plan_epic(tracker, issue, epic, ada)
        pages = list(connected(side, "epics").pull(["acme/web/shop", "acme/api"], {}))
        homes = [row.project for page in pages for row in page.milestones]
        assert homes == [str(shop.id)]
        members = {row.id for page in pages for row in page.issues if epic_key(epic) in row.milestones}
        assert members == {str(issue.id) for issue in issues}

    def test_an_issue_counts_once_in_each_epic_above_its_own(self, side: Side) -> None:
        tracker, ada, project = side.tracker, side.tracker.user("ada"), side.tracker.project("acme/shop")
        top, middle, low = (self.epic(side) for _ in range(3))
        issue = issue_in(side, project)
        joined = side.clock.forward(hours=1)
        plan_epic(tracker, issue, low, ada, joined)
        nest(tracker, low, middle, ada, side.clock.forward(hours=1))
        nested = side.clock.forward(hours=1)
        nest(tracker, middle, top, ada, nested)
        state = Mirror().pull(connected(side), project.key)
        assert state.issues[str(issue.id)].milestones == (epic_key(low), epic_key(middle), epic_key(top))
        events = {event.milestone: event.at for event in state.histories[str(issue.id)]}
        assert (events[epic_key(low)], events[epic_key(top)]) == (joined, nested)

    def test_an_epic_that_moves_takes_its_items_along_although_none_was_updated(self, side: Side) -> None:
        tracker, ada, project = side.tracker, side.tracker.user("ada"), side.tracker.project("acme/shop")
        old, new, child = (self.epic(side) for _ in range(3))
        nest(tracker, child, old, ada, side.clock.forward(minutes=1))
        issue = issue_in(side, project)
        plan_epic(tracker, issue, child, ada, side.clock.forward(minutes=1))
        issue_in(side, project, "Not in an epic")
        state = Mirror().pull(connected(side), project.key)
        side.clock.forward(days=1)
        nest(tracker, child, new, ada)
        state.pull(connected(side), project.key)
        assert state.issues[str(issue.id)].milestones == (epic_key(child), epic_key(new))
        assert ("left", epic_key(old)) in moves(state, issue)
        full = Mirror().pull(connected(side), project.key)
        assert (state.issues, state.histories) == (full.issues, full.histories)
        side.clock.forward(days=1)
        nest(tracker, child, None, ada)
        state.pull(connected(side), project.key)
        assert state.issues[str(issue.id)].milestones == (epic_key(child),)
        assert ("left", epic_key(new)) in moves(state, issue)

    def test_epics_in_a_circle_count_each_once(self, side: Side) -> None:
        tracker, ada, project = side.tracker, side.tracker.user("ada"), side.tracker.project("acme/shop")
        one, two = self.epic(side), self.epic(side)
        nest(tracker, one, two, ada)
        nest(tracker, two, one, ada)
        issue = issue_in(side, project)
        plan_epic(tracker, issue, one, ada)
        state = Mirror().pull(connected(side), project.key)
        assert state.issues[str(issue.id)].milestones == (epic_key(one), epic_key(two))
        assert sorted(moves(state, issue)) == sorted([("joined", epic_key(one)), ("joined", epic_key(two))])

    @pytest.mark.parametrize("version", ["", "15.0"])
    def test_a_parent_in_a_group_that_may_not_be_read_ends_the_chain(self, side: Side, version: str) -> None:
        tracker, ada = side.tracker, side.tracker.user("ada")
        tracker.version = version
        project = tracker.project("acme/web/shop")
        hidden, shown = add_epic(tracker, "acme", "Secret"), add_epic(tracker, "acme/web", "Shown")
        nest(tracker, shown, hidden, ada)
        tracker.hidden_groups.add("acme")
        issue = issue_in(side, project)
        plan_epic(tracker, issue, shown, ada)
        state = Mirror().pull(connected(side), project.key)
        assert (state.failed, set(state.milestones)) == ({}, {epic_key(shown)})
        assert state.issues[str(issue.id)].milestones == (epic_key(shown),)

    def test_the_home_of_an_epic_is_a_project_whose_group_may_be_read(self, side: Side) -> None:
        side.filled("acme/a/first", 1)
        home, epic = side.filled("acme/b/second", 1), self.epic(side)
        side.tracker.hidden_groups.add("acme/a")
        pages = list(connected(side).pull(["acme/a/first", "acme/b/second"], {}))
        assert [(row.id, row.project) for page in pages for row in page.milestones] == [(epic_key(epic), str(home.id))]

    def test_a_confidential_epic_is_no_milestone(self, side: Side) -> None:
        tracker, project, ada = side.tracker, side.tracker.project("acme/shop"), side.tracker.user("ada")
        secret, shown, issue = self.epic(side, confidential=True), self.epic(side), issue_in(side, project)
        nest(tracker, shown, secret, ada)
        plan_epic(tracker, issue, secret, ada)
        state = Mirror().pull(connected(side), project.key)
        assert set(state.milestones) == {epic_key(shown)}
        assert state.issues[str(issue.id)].milestones == ()


class TestLicences:
    @pytest.mark.parametrize("edition", ["free", "ended"])
    def test_without_a_licence_nothing_fails_and_nothing_is_asked_for_a_week(self, side: Side, edition: str) -> None:
        project = side.filled("acme/shop", 2)
        two_iterations(side)
        add_epic(side.tracker, "acme", "Payments")
        side.tracker.premium, side.tracker.licence_ended = edition != "free", edition == "ended"
        state = Mirror().pull(connected(side), project.key)
        assert (state.failed, state.milestones, state.complete) == ({}, {}, {str(project.id)})
        plain = requests_of(side.connect(), Mirror().pull(side.connect(), project.key), project.key)
        assert requests_of(connected(side), state, project.key) == plain
        side.clock.forward(days=8)
        assert requests_of(connected(side), state, project.key) > plain

    def test_a_licence_that_comes_is_noticed_and_all_issues_are_read_again(self, side: Side) -> None:
        tracker, project, ada = side.tracker, side.filled("acme/shop", 2), side.tracker.user("ada")
        epic, (first, _) = add_epic(tracker, "acme", "Payments"), two_iterations(side)
        plan_epic(tracker, project.issues[1], epic, ada)
        plan_iteration(tracker, project.issues[1], first, ada)
        tracker.premium = False
        state = Mirror().pull(connected(side), project.key)
        assert state.issues[str(project.issues[1].id)].milestones == ()
        tracker.premium = True
        side.clock.forward(days=8)
        state.pull(connected(side), project.key)
        assert state.issues[str(project.issues[1].id)].milestones == (iteration_key(first), epic_key(epic))
        full = Mirror().pull(connected(side), project.key)
        assert (state.issues, state.histories, state.milestones) == (full.issues, full.histories, full.milestones)

    @pytest.mark.parametrize("edition", ["free", "ended"])
    def test_a_licence_that_ends_leaves_unread_milestones_not_deleted_ones(self, side: Side, edition: str) -> None:
        tracker, project, ada = side.tracker, side.filled("acme/shop", 2), side.tracker.user("ada")
        epic, (first, second) = add_epic(tracker, "acme", "Payments"), two_iterations(side)
        own = tracker.milestone(project, "2.0")
        plan_epic(tracker, project.issues[1], epic, ada)
        state = Mirror().pull(connected(side), project.key)
        tracker.premium, tracker.licence_ended = edition != "free", edition == "ended"
        for _ in range(2):
            side.clock.forward(days=8)
            pages = list(connected(side).pull([project.key], state.cursors))
            for page in pages:
                state.take(page)
            unread = {row.id: row.reason for page in pages for row in page.unread}
            assert set(unread) == {epic_key(epic), iteration_key(first), iteration_key(second)}
            assert "GitLab does not list epics any more" in unread[epic_key(epic)]
            assert [row.id for page in pages for row in page.milestones] == [str(own.id)]
        tracker.premium, tracker.licence_ended = True, False
        state.pull(connected(side), project.key)
        full = Mirror().pull(connected(side), project.key)
        assert (state.issues, state.histories, state.milestones) == (full.issues, full.histories, full.milestones)

    def test_a_kind_that_is_no_longer_named_is_deleted(self, side: Side) -> None:
        project = side.filled("acme/shop", 2)
        two_iterations(side)
        state = Mirror().pull(connected(side), project.key)
        assert len(state.milestones) == 2
        pages = list(side.connect().pull([project.key], state.cursors))
        assert [row for page in pages for row in (*page.milestones, *page.unread)] == []
        assert pages[0].all_milestones == {str(project.id)}

    def test_doctor_has_one_line_for_each_kind(self, side: Side) -> None:
        side.filled("acme/shop", 1), side.filled("acme/api", 1)
        assert {row.what for row in connected(side).examine(["acme/*"]).unread}.isdisjoint(ALL)
        side.tracker.premium = False
        unread = [row for row in connected(side).examine(["acme/*"]).unread if row.project == "acme"]
        assert [row.what for row in unread] == ["iterations", "epics"]
        assert "GitLab Premium" in unread[0].remedy


class TestRequests:
    @pytest.mark.parametrize("kinds", [("iterations",), ("epics",), ALL])
    def test_one_request_more_for_each_kind_when_nothing_changed(self, side: Side, kinds: tuple[str, ...]) -> None:
        tracker, project, ada = side.tracker, side.filled("acme/shop", 3), side.tracker.user("ada")
        first, _ = two_iterations(side)
        epics = [add_epic(tracker, "acme", f"Epic {n}") for n in range(20)]
        nest(tracker, epics[0], epics[1], ada)
        plan_epic(tracker, project.issues[1], epics[0], ada)
        plan_iteration(tracker, project.issues[1], first, ada)
        plain = Mirror().pull(side.connect(), project.key)
        usual = requests_of(side.connect(), plain, project.key)
        state = Mirror().pull(connected(side, *kinds), project.key)
        assert requests_of(connected(side, *kinds), state, project.key) == usual - 1 + len(kinds)

    def test_projects_of_a_group_share_the_request(self, side: Side) -> None:
        for n in range(6):
            side.filled(f"acme/p{n}", 1)
        two_iterations(side)
        plain = Mirror().pull(side.connect(), "acme/*")
        usual = requests_of(side.connect(), plain, "acme/*")
        kinds = ("milestones", "iterations")
        state = Mirror().pull(connected(side, *kinds), "acme/*")
        assert requests_of(connected(side, *kinds), state, "acme/*") == usual + 1

    def test_many_epics_come_in_pages(self, side: Side) -> None:
        project = side.tracker.project("acme/shop")
        for n in range(120):
            add_epic(side.tracker, "acme", f"Epic {n}")
        assert len(Mirror().pull(connected(side, "epics"), project.key).milestones) == 120
        side.tracker.faults.append(failing("/api/graphql", 403))
        assert len(Mirror().pull(connected(side, "epics"), project.key).milestones) == 120


class TestBadRows:
    @pytest.mark.parametrize("by_rest", [False, True])
    def test_a_bad_row_costs_that_row(self, side: Side, by_rest: bool) -> None:
        project = side.filled("acme/shop", 1)
        bad, good = (add_epic(side.tracker, "acme", title, due=date(2026, 6, 1)) for title in ("bad", "good"))
        first, second = two_iterations(side)
        state = Mirror().pull(connected(side), project.key)
        if by_rest:
            side.tracker.faults.append(failing("/api/graphql", 403))
        impossible: Any = Day("2026-13-01")
        bad.due = first.due = impossible
        pages = list(connected(side).pull([project.key], state.cursors))
        unread = {row.id for page in pages for row in page.unread}
        assert unread == {epic_key(bad), iteration_key(first)}
        assert {row.id for page in pages for row in page.milestones} == {epic_key(good), iteration_key(second)}

    def test_an_unreadable_issue_makes_its_iteration_and_epic_incomplete(self, side: Side) -> None:
        tracker, project, ada = side.tracker, side.filled("acme/shop", 2), side.tracker.user("ada")
        epic, (first, _) = add_epic(tracker, "acme", "Payments"), two_iterations(side)
        plan_epic(tracker, project.issues[1], epic, ada)
        plan_iteration(tracker, project.issues[1], first, ada)
        impossible: Any = ["no title"]
        project.issues[1].title = impossible
        pages = list(connected(side).pull([project.key], {}))
        [row] = [row for page in pages for row in page.unread]
        assert row.milestones == (iteration_key(first), epic_key(epic))

    def test_a_field_that_graphql_does_not_know_costs_that_field(self, side: Side, monkeypatch: Any) -> None:
        text = group_graphql.SCHEMA.replace("isFixed: Boolean!", "").replace("closedAt: String ", "")
        monkeypatch.setattr(group_graphql, "SCHEMA", text)
        graphql._schema.cache_clear()
        project = side.tracker.project("acme/shop")
        epic = add_epic(side.tracker, "acme", "Payments", due=date(2026, 6, 1), assignees=[side.tracker.user("ada")])
        state = Mirror().pull(connected(side, "epics"), project.key)
        graphql._schema.cache_clear()
        row = state.milestones[epic_key(epic)]
        assert (row.due, row.is_due_inherited, len(row.owners)) == (epic.due, False, 1)
        assert not [path for _, path, _ in side.tracker.log if "/epics" in path], "GraphQL answered"

    def test_a_server_that_gives_up_on_a_large_list_gets_smaller_requests(self, side: Side) -> None:
        project = side.tracker.project("acme/shop")
        for n in range(30):
            add_epic(side.tracker, "acme", f"Epic {n}")
        side.tracker.faults.append(failing("/api/graphql", 502, times=2))
        assert len(Mirror().pull(connected(side, "epics"), project.key).milestones) == 30

    def test_a_query_that_is_too_complex_is_sent_for_fewer_rows(self, side: Side) -> None:
        project = side.tracker.project("acme/shop")
        for n in range(120):
            add_epic(side.tracker, "acme", f"Epic {n}")
        body = '{"errors": [{"message": "Query has complexity of 330, which exceeds max complexity of 250"}]}'
        side.tracker.faults.append(failing("/api/graphql", 200, times=1, body=body))
        assert len(Mirror().pull(connected(side, "epics"), project.key).milestones) == 120
        assert [path for _, path, _ in side.tracker.log if "/epics" in path] == [], "GraphQL answered"

    def test_an_outage_of_the_list_fails_the_project_and_deletes_nothing(self, side: Side) -> None:
        project = side.filled("acme/shop", 1)
        two_iterations(side)
        state = Mirror().pull(connected(side), project.key)
        side.tracker.faults += [failing("/api/graphql", 502), failing("/iterations", 502)]
        state.pull(connected(side), project.key)
        assert (set(state.failed), len(state.milestones)) == ({project.key}, 2)


class Day(str):
    """A day as a tracker would never send it."""

    def isoformat(self) -> str:
        return str(self)

    def __lt__(self, other: object) -> bool:
        return False

    def __gt__(self, other: object) -> bool:
        return True
