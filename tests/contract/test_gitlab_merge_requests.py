"""Merge requests that are or were in a milestone are read as rows of their own, over HTTP: all, or what changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from msgspec import structs

from connectors.gitlab import api_types
from connectors.gitlab.reviews import review_of
from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Label, MergeRequest, Project
from sync.model.tracker_data import Person, State, StatusCategory
from tests.contract.gitlab_merge_requests import KEY, asked, changes_of, team
from tests.contract.gitlab_side import Mirror, Side, failing, kinds, requests_of, served


@pytest.fixture
def side() -> Iterator[Side]:
    with served() as made:
        yield made
        assert made.tracker.writes == []


class TestRows:
    def test_every_field(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        ada, ben = tracker.user("ada", "Ada Fox"), tracker.user("ben", "Ben Lake")
        issue = tracker.issue(project, "Pay by card", ada)
        made = tracker.merge_request(project, "Add cards", ada, milestones=[milestone.id], labels=["ui"], closing=[1])
        made.estimate, made.spent, made.assignees = 7200, 1800, [ben]
        tracker.ask_for_review(made, ben, ada, side.clock.forward(hours=1))
        row = changes_of(Mirror().pull(side.connect(), KEY))["acme/app!1"]
        assert (row.id, row.project, row.title) == (f"mr-{made.id}", str(project.id), "Add cards")
        assert row.url == f"{tracker.url}/acme/app/-/merge_requests/1"
        assert (row.state, row.raw_state, row.category) == (State.OPEN, "opened", StatusCategory.IN_PROGRESS)
        assert (row.estimate, row.spent, row.remaining, row.labels) == (7200, 1800, 5400, ("ui",))
        assert (row.milestones, row.closes) == ((str(milestone.id),), (str(issue.id),))
        assert row.assignees == row.reviewers == (Person(str(ben.id), "Ben Lake", "ben"),)
        assert row.review_since == side.clock.now
        assert row.visibility.value == "public"

    @pytest.mark.parametrize("merged", [True, False])
    def test_it_is_done_when_it_is_merged(self, side: Side, merged: bool) -> None:
        tracker, project, milestone = team(side)
        ada = tracker.user("ada")
        made = tracker.merge_request(project, "Add cards", ada, milestones=[milestone.id])
        got = Mirror().pull(side.connect(), KEY)
        end = tracker.merge if merged else tracker.close
        end(made, ada, side.clock.forward(hours=1))
        row = changes_of(Mirror().pull(side.connect(), KEY))["acme/app!1"]
        assert changes_of(got.pull(side.connect(), KEY))["acme/app!1"] == row
        assert (row.state, row.closed_at, row.category) == (State.CLOSED, side.clock.now, StatusCategory.DONE)
        assert row.resolution == ("merged" if merged else "not merged")
        assert kinds(got.histories[row.id]) == [("joined", "2.0"), ("closed", "")]

    def test_it_is_another_item_than_the_issue_of_its_number(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        ada = tracker.user("ada")
        issue = tracker.issue(project, "The issue", ada, milestones=[milestone.id])
        made = tracker.merge_request(project, "The change", ada, milestones=[milestone.id])
        made.id = issue.id
        got = Mirror().pull(side.connect(), KEY)
        assert {row.title: row.id for row in got.issues.values()} == {
            "The issue": str(issue.id),
            "The change": f"mr-{issue.id}",
        }

    def test_two_milestones_of_one_title_are_told_apart(self, side: Side) -> None:
        tracker, project, own = team(side)
        shared = tracker.group_milestone("acme", own.title)
        made = [tracker.merge_request(project, "Change", tracker.user("ada"), milestones=[m.id]) for m in (own, shared)]
        rows = changes_of(Mirror().pull(side.connect(), KEY))
        assert [rows[f"acme/app!{n}"].milestones for n in (1, 2)] == [(str(own.id),), (str(shared.id),)]
        assert len(made) == 2

    def test_a_project_whose_merge_requests_are_for_members_is_not_public(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        tracker.merge_request(project, "Change", tracker.user("ada"), milestones=[milestone.id])
        word = b'"merge_requests_access_level":"%s"'
        tracker.alter = lambda _, __, answer: answer._replace(
            body=answer.body.replace(word % b"enabled", word % b"private")
        )
        got = Mirror().pull(side.connect(), KEY)
        assert changes_of(got)["acme/app!1"].visibility.value == "project"
        assert not got.projects[str(project.id)].is_public


class TestWhichAreRead:
    def test_only_those_that_are_or_were_in_a_milestone(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        ada = tracker.user("ada")
        inside = tracker.merge_request(project, "Inside", ada, milestones=[milestone.id])
        outside = tracker.merge_request(project, "Outside", ada)
        connector, got = side.connect(), Mirror()
        assert changes_of(got.pull(connector, KEY)).keys() == {"acme/app!1"}
        tracker.label(outside, ["seen"], [], ada, side.clock.forward(hours=1))
        assert changes_of(got.pull(connector, KEY)).keys() == {"acme/app!1"}
        tracker.move(project, outside, [milestone.id], ada, side.clock.forward(hours=1))
        tracker.move(project, inside, [], ada, side.clock.now)
        rows = changes_of(got.pull(connector, KEY))
        assert [rows[f"acme/app!{n}"].milestones for n in (1, 2)] == [(), (str(milestone.id),)]
        assert kinds(got.histories[rows["acme/app!1"].id]) == [("joined", "2.0"), ("left", "2.0")]
        tracker.label(inside, ["late"], [], ada, side.clock.forward(hours=1))
        assert changes_of(got.pull(connector, KEY))["acme/app!1"].labels == ("late",)

    def test_on_the_first_pull_events_are_read_of_those_that_joined_late(self, side: Side) -> None:
        tracker, project, old = team(side)
        ada = tracker.user("ada")
        tracker.merge_request(project, "in the old one", ada, milestones=[old.id])
        early = tracker.merge_request(project, "older than the new one", ada)
        new = tracker.milestone(project, "3.0", at=side.clock.forward(days=1))
        tracker.merge_request(project, "in the new one", ada, milestones=[new.id])
        tracker.move(project, early, [new.id], ada, side.clock.forward(days=1))
        got, connector = Mirror(), side.connect()
        rows = changes_of(got.pull(connector, KEY))
        assert [row.title for row in rows.values() if row.id in got.histories] == ["older than the new one"]
        assert got.histories[rows["acme/app!2"].id][0].at == side.clock.now
        tracker.move(project, project.merge_requests[1], [new.id], ada, side.clock.forward(hours=1))
        got.pull(connector, KEY)
        assert kinds(got.histories[rows["acme/app!1"].id]) == [("joined", "2.0"), ("left", "2.0"), ("joined", "3.0")]

    @pytest.mark.parametrize("count", [99, 100, 101, 730])
    def test_each_comes_once(self, side: Side, count: int) -> None:
        tracker, project, milestone = team(side)
        for n in range(count):
            at = side.clock.forward(minutes=1)
            tracker.merge_request(project, f"Change {n}", tracker.user("ada"), at=at, milestones=[milestone.id])
        tracker.close_milestone(project, milestone)
        pages = list(side.connect().pull([KEY], {}))
        assert sorted(row.id for page in pages for row in page.issues) == sorted(
            f"mr-{change.id}" for change in project.merge_requests.values()
        )

    def test_a_killed_pull_goes_on_where_it_was(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        for n in range(730):
            at = side.clock.forward(minutes=1)
            tracker.merge_request(project, f"Change {n}", tracker.user("ada"), at=at, milestones=[milestone.id])
        got, connector = Mirror(), side.connect(history="none", concurrency=1)
        pages = iter(connector.pull([KEY], {}))
        got.take(next(pages))
        del pages
        assert 0 < len(got.issues) < 730
        tracker.label(project.merge_requests[3], ["late"], [], tracker.user("ada"), side.clock.forward(hours=1))
        before = len(tracker.log)
        got.pull(side.connect(history="none", concurrency=1), KEY)
        assert len(asked(side, before, "created_at")) <= 7
        assert len(got.issues) == 730
        assert changes_of(got.pull(side.connect(history="none"), KEY))["acme/app!3"].labels == ("late",)

    def test_without_histories_nothing_is_asked_of_single_ones(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        ada = tracker.user("ada")
        tracker.issue(project, "Issue", ada)
        made = tracker.merge_request(project, "Change", ada, milestones=[milestone.id], closing=[1])
        tracker.ask_for_review(made, ada, ada)
        got = Mirror()
        assert requests_of(side.connect(history="none"), got, KEY) == 4
        row = changes_of(got)["acme/app!1"]
        assert (row.closes, row.reviewers, row.review_since, got.histories) == ((), (), None, {})

    def test_the_setting_leaves_them_out(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        tracker.merge_request(project, "Change", tracker.user("ada"), milestones=[milestone.id])
        got, without = Mirror(), side.connect(count="issues")
        assert requests_of(without, got, KEY) == 3
        side.clock.forward(days=8)
        assert changes_of(got.pull(without, KEY)) == {}, "not by a sweep either"
        assert len(changes_of(got.pull(side.connect(), KEY))) == 1, "read from the start"

    def test_those_read_before_the_setting_stay_up_to_date(self, side: Side) -> None:
        """Otherwise a comment would name a merged one as open, and its reviewers would be reminded for ever."""
        tracker, project, milestone = team(side)
        ada = tracker.user("ada")
        made = tracker.merge_request(project, "Change", ada, milestones=[milestone.id])
        tracker.ask_for_review(made, ada, ada)
        got, without = Mirror().pull(side.connect(), KEY), side.connect(count="issues")
        tracker.merge(made, ada, side.clock.forward(hours=1))
        row = changes_of(got.pull(without, KEY))["acme/app!1"]
        assert (row.state, row.review_since) == (State.CLOSED, None)
        side.clock.forward(days=8)
        assert len(changes_of(got.pull(without, KEY))) == 1, "a sweep keeps it"
        tracker.label(made, ["late"], [], ada, side.clock.forward(hours=1))
        assert changes_of(got.pull(side.connect(), KEY))["acme/app!1"].labels == ("late",)


class TestRequests:
    def test_one_more_where_nothing_changed(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        side.filled(KEY, 5)
        for n in range(40):
            tracker.merge_request(project, f"Change {n}", tracker.user("ada"), milestones=[milestone.id])
        got, connector = Mirror(), side.connect()
        got.pull(connector, KEY)
        before = dict(got.cursors)
        assert requests_of(connector, got, KEY) == 3 + 1
        assert got.cursors == before

    def test_one_where_no_milestone_holds_any(self, side: Side) -> None:
        _, project, milestone = team(side)
        side.filled(KEY, 5, milestones=[milestone.id])
        side.tracker.merge_request(project, "Change", side.tracker.user("ada"))
        got, connector = Mirror(), side.connect()
        got.pull(connector, KEY)
        assert requests_of(connector, got, KEY) == 3 + 1

    def test_none_without_a_milestone(self, side: Side) -> None:
        side.tracker.premium = False
        side.filled(KEY, 5)
        side.tracker.merge_request(side.tracker.project(KEY), "Change", side.tracker.user("ada"))
        got, connector = Mirror(), side.connect()
        assert requests_of(connector, got, KEY) == 3
        assert requests_of(connector, got, KEY) == 3

    def test_one_for_a_whole_group(self, side: Side) -> None:
        tracker, ada = side.tracker, side.tracker.user("ada")
        projects = [side.filled(f"acme/p{n}", 3) for n in range(6)]
        shared = tracker.group_milestone("acme", "Launch")
        for project in projects:
            tracker.merge_request(project, "Change", ada, milestones=[shared.id])
        side.clock.forward(minutes=3)
        got, connector = Mirror(), side.connect()
        assert len(changes_of(got.pull(connector, "acme/*"))) == 6
        assert requests_of(connector, got, "acme/*") == 2
        for project in projects:
            tracker.label(project.merge_requests[1], ["soon"], [], ada, side.clock.forward(hours=1))
        assert requests_of(connector, got, "acme/*") <= 2 + 6 + 2 + 3 * 6, "three for each that changed"
        tracker.label(projects[2].merge_requests[1], ["late"], [], ada, side.clock.forward(hours=1))
        assert changes_of(got.pull(connector, "acme/*"))["acme/p2!1"].labels == ("late", "soon")
        assert got.failed == {}

    def test_an_earlier_cursor_reads_them_once(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        ada = tracker.user("ada")
        issue = tracker.issue(project, "Issue", ada, milestones=[milestone.id])
        tracker.merge_request(project, "Change", ada, milestones=[milestone.id], closing=[1])
        tracker.close_milestone(project, milestone)
        got, connector = Mirror().pull(side.connect(count="issues"), KEY), side.connect()
        assert "merges" not in json.loads(got.cursors[str(project.id)])
        before = len(tracker.log)
        rows = changes_of(got.pull(connector, KEY))
        assert rows["acme/app!1"].closes == (str(issue.id),)
        assert not asked(side, before, "resource_")
        assert requests_of(connector, got, KEY) == 3 + 1


class TestClosedIssues:
    def filled(self, side: Side, count: int = 130) -> Project:
        """A project whose every second merge request closes one or two issues; its milestone is closed."""
        tracker, project, milestone = team(side)
        ada = tracker.user("ada")
        for n in range(1, count + 1):
            tracker.issue(project, f"Issue {n}", ada, milestones=[milestone.id] if n % 3 else [])
        for n in range(1, count - 1):
            closes = [n, n + 1][: 1 + n % 2] if n % 4 else []
            tracker.merge_request(project, f"Change {n}", ada, milestones=[milestone.id], closing=closes)
        tracker.close_milestone(project, milestone)
        return project

    @staticmethod
    def expected(project: Project) -> dict[str, set[str]]:
        return {
            f"{KEY}!{change.number}": {str(project.issues[n].id) for n in change.closing}
            for change in project.merge_requests.values()
        }

    def test_all_of_them_in_a_few_requests(self, side: Side) -> None:
        project = self.filled(side)
        got, before = Mirror().pull(side.connect(), KEY), len(side.tracker.log)
        assert {key: set(row.closes) for key, row in changes_of(got).items()} == self.expected(project)
        assert not asked(side, 0, "closes_issues")
        assert before < 20

    @pytest.mark.parametrize("how", ["old", "refused", "heavy"])
    def test_one_by_one_where_they_cannot_be_asked_together(self, side: Side, how: str) -> None:
        project = self.filled(side, 30)
        if how == "old":
            side.tracker.version = "16.3"
        else:
            side.tracker.faults.append(failing("/api/graphql", 403 if how == "refused" else 502))
        got = Mirror().pull(side.connect(), KEY)
        assert {key: set(row.closes) for key, row in changes_of(got).items()} == self.expected(project)
        assert got.failed == {}

    def test_too_many_at_once_are_halved(self, side: Side) -> None:
        project = self.filled(side)
        connector = side.connect(history="full")
        got = Mirror().pull(connector, KEY)
        side.tracker.faults.append(failing("/api/graphql", 502, times=1))
        stripped = {key: json.dumps({**json.loads(text), "merges": None}) for key, text in got.cursors.items()}
        again = Mirror().pull(side.connect(), KEY, cursors=stripped)
        assert {key: set(row.closes) for key, row in changes_of(again).items()} == self.expected(project)
        assert not asked(side, 0, "closes_issues")

    def test_a_changed_one_is_asked_again(self, side: Side) -> None:
        project = self.filled(side, 10)
        got, connector = Mirror(), side.connect()
        got.pull(connector, KEY)
        project.merge_requests[3].closing = [7, 8]
        tracker = side.tracker
        tracker.label(project.merge_requests[3], ["late"], [], tracker.user("ada"), side.clock.forward(hours=1))
        got.pull(connector, KEY)
        assert {key: set(row.closes) for key, row in changes_of(got).items()} == self.expected(project)

    @pytest.mark.parametrize("status", [403, 404])
    def test_what_may_not_be_read_is_none(self, side: Side, status: int) -> None:
        self.filled(side, 10)
        side.tracker.faults += [failing("/api/graphql", 403), failing("closes_issues", status)]
        got = Mirror().pull(side.connect(), KEY)
        assert {row.closes for row in changes_of(got).values()} == {()}
        assert got.failed == {}

    def test_issues_of_another_tracker_are_left_out(self, side: Side) -> None:
        self.filled(side, 10)
        body = '[{"id":"PAY-7","title":"External"},{"id":77}]'
        side.tracker.faults += [failing("/api/graphql", 403), failing("closes_issues", 200, body=body)]
        assert {row.closes for row in changes_of(Mirror().pull(side.connect(), KEY)).values()} == {("77",)}


@pytest.mark.parametrize("how", ["together", "one by one"])
class TestReviews:
    @pytest.fixture(autouse=True)
    def choose(self, side: Side, how: str) -> None:
        if how == "one by one":
            side.tracker.faults.append(failing("/api/graphql", 403))

    def world(self, side: Side) -> tuple[Tracker, MergeRequest]:
        tracker, project, milestone = team(side)
        return tracker, tracker.merge_request(project, "Change", tracker.user("ada"), milestones=[milestone.id])

    def read(self, side: Side) -> tuple[list[str], datetime | None]:
        row = changes_of(Mirror().pull(side.connect(), KEY))["acme/app!1"]
        return [person.login for person in row.reviewers], row.review_since

    def test_since_the_first_request_that_is_open(self, side: Side) -> None:
        tracker, made = self.world(side)
        ada, ben, eve = (tracker.user(name) for name in ("ada", "ben", "eve"))
        assert self.read(side) == ([], None)
        first = side.clock.forward(hours=1)
        tracker.ask_for_review(made, ben, ada, first)
        second = side.clock.forward(hours=1)
        tracker.ask_for_review(made, eve, ada, second)
        assert self.read(side) == (["ben", "eve"], first)
        tracker.answer_review(made, ben, "approved", side.clock.forward(hours=1))
        assert self.read(side) == (["eve"], second)
        tracker.answer_review(made, eve, "requested_changes", side.clock.forward(hours=1))
        assert self.read(side) == ([], None)

    def test_a_repeated_request_begins_again(self, side: Side) -> None:
        tracker, made = self.world(side)
        ada, ben = tracker.user("ada"), tracker.user("ben")
        tracker.ask_for_review(made, ben, ada, side.clock.forward(hours=1))
        tracker.answer_review(made, ben, "requested_changes", side.clock.forward(days=1))
        tracker.ask_for_review(made, ben, ada, side.clock.forward(days=9))
        assert self.read(side) == (["ben"], side.clock.now)

    def test_a_draft_waits_for_nobody_and_then_since_it_is_ready(self, side: Side) -> None:
        tracker, made = self.world(side)
        ada, ben = tracker.user("ada"), tracker.user("ben")
        tracker.ask_for_review(made, ben, ada, side.clock.forward(hours=1))
        tracker.set_draft(made, True, ada, side.clock.forward(hours=1))
        assert self.read(side) == ([], None)
        tracker.set_draft(made, False, ada, side.clock.forward(days=3))
        assert self.read(side) == (["ben"], side.clock.now)

    def test_what_is_merged_waits_for_nobody(self, side: Side) -> None:
        tracker, made = self.world(side)
        ada = tracker.user("ada")
        tracker.ask_for_review(made, tracker.user("ben"), ada, side.clock.forward(hours=1))
        tracker.merge(made, ada, side.clock.forward(hours=1))
        assert self.read(side) == ([], None)

    def test_it_ends_with_the_next_pull(self, side: Side) -> None:
        tracker, made = self.world(side)
        ben = tracker.user("ben")
        tracker.ask_for_review(made, ben, tracker.user("ada"), side.clock.forward(hours=1))
        got, connector = Mirror(), side.connect()
        assert changes_of(got.pull(connector, KEY))["acme/app!1"].reviewers
        tracker.answer_review(made, ben, "approved", side.clock.forward(hours=1))
        row = changes_of(got.pull(connector, KEY))["acme/app!1"]
        assert (row.reviewers, row.review_since) == ((), None)

    def test_a_server_that_does_not_know_reviewers(self, side: Side) -> None:
        tracker, made = self.world(side)
        tracker.ask_for_review(made, tracker.user("ben"), tracker.user("ada"), side.clock.forward(hours=1))
        tracker.version = "15.2"
        assert self.read(side) == ([], None)

    def test_someone_who_was_asked_before_there_were_notes_waits_since_the_creation(self, side: Side) -> None:
        tracker, made = self.world(side)
        tracker.ask_for_review(made, tracker.user("ben"), tracker.user("ada"), made.created)
        made.changes.clear()
        side.clock.forward(days=3)
        assert self.read(side) == (["ben"], made.created)


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        ("requested review from @ben", True),
        ("requested review from @ada, @ben, and @eve", True),
        ("requested review from @ben and removed review request for @ada", True),
        ("requested review from @ada and removed review request for @ben", False),
        ("requested review from @benedict", False),
        ("removed review request for @ben", False),
        ("marked this merge request as **ready**", True),
        ("marked this merge request as **ready** from abc123", True),
        ("unmarked as a **Work In Progress**", True),
        ("marked this merge request as **draft**", False),
    ],
)
def test_the_words_of_system_notes(words: str, begins: bool) -> None:
    early, late = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC)
    reviewer = api_types.Reviewer(api_types.User(1, "Ben", "ben"), "unreviewed", early)
    note = api_types.Note(7, words, system=True, created_at=late)
    assert review_of([reviewer], [note]).since == (late if begins else early)
    comment = api_types.Note(7, words, created_at=late)
    assert review_of([reviewer], [comment]).since == early, "a comment is not believed"


class TestNotReadable:
    @pytest.mark.parametrize("off", [True, False])
    def test_nothing_else_fails(self, side: Side, off: bool) -> None:
        tracker, project, milestone = team(side)
        ada = tracker.user("ada")
        tracker.issue(project, "Issue", ada, milestones=[milestone.id])
        tracker.merge_request(project, "Change", ada, milestones=[milestone.id])
        if off:
            project.merge_requests_off = True
        else:
            project.denied.add("merge_requests")
        got, connector = Mirror(), side.connect()
        got.pull(connector, KEY)
        assert (list(changes_of(got)), got.failed, len(got.issues)) == ([], {}, 1)
        project.merge_requests_off = False
        project.denied.clear()
        assert changes_of(got.pull(connector, KEY)).keys() == {"acme/app!1"}

    def test_those_that_were_read_go_with_the_sweep(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        tracker.issue(project, "Issue", tracker.user("ada"))
        tracker.merge_request(project, "Change", tracker.user("ada"), milestones=[milestone.id])
        got, connector = Mirror(), side.connect()
        assert len(got.pull(connector, KEY).issues) == 2
        project.merge_requests_off = True
        assert len(got.pull(connector, KEY).issues) == 2
        side.clock.forward(days=8)
        assert [row.title for row in got.pull(connector, KEY).issues.values()] == ["Issue"]

    def test_in_a_group_the_others_are_read(self, side: Side) -> None:
        tracker, ada = side.tracker, side.tracker.user("ada")
        projects = [side.filled(f"acme/p{n}", 2) for n in range(3)]
        shared = tracker.group_milestone("acme", "Launch")
        for project in projects:
            tracker.merge_request(project, "Change", ada, milestones=[shared.id])
        projects[1].merge_requests_off = True
        got, connector = Mirror(), side.connect()
        for _ in range(2):
            assert changes_of(got.pull(connector, "acme/*")).keys() == {"acme/p0!1", "acme/p2!1"}
            assert got.failed == {}


@pytest.mark.parametrize("version", ["15.0", "15.4", "16.3", "17.4", "18.1", "19.4", ""])
def test_every_version_gives_the_same(side: Side, version: str) -> None:
    """But for the reviews, which a GitLab older than 15.3 does not have."""
    tracker, project, milestone = team(side)
    ada, ben = tracker.user("ada"), tracker.user("ben")
    shared = tracker.group_milestone("acme", "Launch")
    side.filled(KEY, 12)
    for n in range(1, 13):
        made = tracker.merge_request(project, f"Change {n}", ada, milestones=[milestone.id], closing=[n])
        if n % 3:
            tracker.ask_for_review(made, ben, ada, side.clock.forward(hours=1))
        if n % 4 == 0:
            tracker.merge(made, ada, side.clock.forward(hours=1))
    newest, old = side.connect(), side.connect()
    for number in (0, 1):
        expected = Mirror().pull(newest, KEY)
        tracker.version = version
        got = Mirror().pull(old, KEY)
        tracker.version = ""
        if version == "15.0":
            blank = {"reviewers": (), "review_since": None}
            expected.issues = {key: structs.replace(row, **blank) for key, row in expected.issues.items()}
        assert got.issues == expected.issues
        assert got.failed == {}
        tracker.move(project, project.merge_requests[5 + number], [shared.id], ada, side.clock.forward(hours=1))


def test_recorded_labels_have_their_past(side: Side) -> None:
    tracker, project, milestone = team(side)
    ada = tracker.user("ada")
    project.labels["shipped"] = Label(tracker.world.next_id(), "shipped")
    made = tracker.merge_request(project, "Change", ada, milestones=[milestone.id])
    connector = side.connect(recorded_labels=["shipped"])
    got = Mirror().pull(connector, KEY)
    tracker.label(made, ["shipped"], [], ada, side.clock.forward(hours=1))
    got.pull(connector, KEY)
    assert [(event.kind.value, event.value) for event in got.histories[f"mr-{made.id}"]] == [
        ("joined", ""),
        ("labeled", "shipped"),
    ]
