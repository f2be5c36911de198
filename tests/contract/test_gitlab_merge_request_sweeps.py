"""GitLab's merge requests over time: sweeps, rows that cannot be read, many pulls."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from random import Random

import pytest

from connectors.gitlab import issue_pages as walk
from connectors.gitlab.cursor import Cursor, MergeRequestCursor
from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Milestone, Project
from tests.contract.gitlab_merge_requests import KEY, asked, changes_of, team
from tests.contract.gitlab_side import Mirror, Side, failing, kinds, served


@pytest.fixture
def side() -> Iterator[Side]:
    with served() as made:
        yield made
        assert made.tracker.writes == []


class TestSweep:
    def world(self, side: Side) -> tuple[Tracker, Project, Milestone, Mirror]:
        tracker, project, milestone = team(side)
        for n in range(4):
            tracker.merge_request(project, f"Change {n}", tracker.user("ada"), milestones=[milestone.id])
        got = Mirror().pull(side.connect(), KEY)
        side.clock.forward(days=8)
        return tracker, project, milestone, got

    def test_what_was_deleted_is_gone(self, side: Side) -> None:
        _, project, _, got = self.world(side)
        del project.merge_requests[2]
        assert changes_of(got.pull(side.connect(), KEY)).keys() == {"acme/app!1", "acme/app!3", "acme/app!4"}
        cursor = Cursor.decode(got.cursors[str(project.id)]).merge_requests
        assert cursor is not None
        assert cursor.numbers == {1, 3, 4}

    def test_one_that_left_its_milestone_stays_with_its_history(self, side: Side) -> None:
        tracker, project, _, got = self.world(side)
        tracker.move(project, project.merge_requests[2], [], tracker.user("ada"), side.clock.now)
        connector = side.connect()
        got.pull(connector, KEY)
        side.clock.forward(days=8)
        rows = changes_of(got.pull(connector, KEY))
        assert (len(rows), rows["acme/app!2"].milestones) == (4, ())
        assert kinds(got.histories[rows["acme/app!2"].id]) == [("joined", "2.0"), ("left", "2.0")]

    def test_a_change_that_left_no_trace_is_found(self, side: Side) -> None:
        tracker, project, milestone, got = self.world(side)
        for change in project.merge_requests.values():
            change.milestones = []
        del project.milestones[milestone.id]
        other = side.tracker.milestone(project, "3.0")
        long_ago = side.clock.now - timedelta(days=99)
        tracker.merge_request(project, "Imported", tracker.user("ada"), at=long_ago, milestones=[other.id])
        rows = changes_of(got.pull(side.connect(), KEY))
        assert {key: row.milestones for key, row in rows.items()} == {
            **{f"acme/app!{n}": () for n in range(1, 5)},
            "acme/app!5": (str(other.id),),
        }

    def test_reviews_and_closed_issues_survive_it(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        ada = tracker.user("ada")
        tracker.issue(project, "Issue", ada)
        made = tracker.merge_request(project, "Change", ada, milestones=[milestone.id], closing=[1])
        tracker.ask_for_review(made, ada, ada)
        got, connector = Mirror(), side.connect()
        before = dict(got.pull(connector, KEY).issues)
        side.clock.forward(days=8)
        assert got.pull(connector, KEY).issues == before


class TestBadRows:
    @pytest.mark.parametrize("first", [True, False])
    def test_a_row_that_cannot_be_read_costs_no_other(self, side: Side, first: bool) -> None:
        tracker, project, milestone = team(side)
        ada = tracker.user("ada")
        for n in range(4):
            tracker.merge_request(project, f"Change {n}", ada, milestones=[milestone.id])
        got, connector = Mirror(), side.connect()
        if not first:
            got.pull(connector, KEY)
        for change in project.merge_requests.values():
            tracker.label(change, ["late"], [], ada, side.clock.forward(hours=1))
        tracker.alter = lambda _, path, answer: (
            answer._replace(body=answer.body.replace(b'"title":"Change 2"', b'"title":null'))
            if "merge_requests" in path
            else answer
        )
        pages = list(connector.pull([KEY], got.cursors))
        for page in pages:
            got.take(page)
        (unread,) = (row for page in pages for row in page.unread)
        native = f"mr-{project.merge_requests[3].id}"
        assert (unread.key, unread.id, unread.project) == ("acme/app!3", native, str(project.id))
        assert unread.name == "merge request acme/app!3"
        assert unread.milestones == (str(milestone.id),)
        late = sorted(key for key, row in changes_of(got).items() if row.labels)
        assert late == ["acme/app!1", "acme/app!2", "acme/app!4"]
        again = [row.key for page in connector.pull([KEY], got.cursors) for row in page.unread]
        assert again == ["acme/app!3"]
        tracker.alter = None
        assert changes_of(got.pull(connector, KEY))["acme/app!3"].labels == ("late",)
        assert [row for page in connector.pull([KEY], got.cursors) for row in page.unread] == []

    @pytest.mark.parametrize(
        "part", ["resource_milestone_events", "resource_state_events", "reviewers", "notes", "closes_issues"]
    )
    def test_details_that_cannot_be_read_leave_it_unread(self, side: Side, part: str) -> None:
        tracker, project, milestone = team(side)
        ada = tracker.user("ada")
        made = tracker.merge_request(project, "Change", ada, milestones=[milestone.id])
        tracker.ask_for_review(made, ada, ada)
        got, connector = Mirror().pull(side.connect(), KEY), side.connect()
        tracker.label(made, ["late"], [], ada, side.clock.forward(hours=1))
        tracker.faults += [
            failing("/api/graphql", 403),
            failing(f"merge_requests/1/{part}", 200, times=1, body='[{"created_at": "x"}]'),
        ]
        pages = list(connector.pull([KEY], got.cursors))
        for page in pages:
            got.take(page)
        assert [row.name for page in pages for row in page.unread] == ["merge request acme/app!1"]
        assert (changes_of(got)["acme/app!1"].labels, got.failed) == ((), {})
        assert changes_of(got.pull(connector, KEY))["acme/app!1"].labels == ("late",)

    def test_one_without_a_number_is_asked_for_again(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        tracker.merge_request(project, "Change", tracker.user("ada"), milestones=[milestone.id])
        tracker.alter = lambda _, path, answer: (
            answer._replace(body=b'[{"project_id":' + str(project.id).encode() + b"}]")
            if "/merge_requests?" in path
            else answer
        )
        got, connector = Mirror(), side.connect()
        pages = list(connector.pull([KEY], {}))
        assert [row.name for page in pages for row in page.unread] == ["a merge request without a readable key"]
        tracker.alter = None
        for page in pages:
            got.take(page)
        assert changes_of(got.pull(connector, KEY)).keys() == {"acme/app!1"}

    def test_one_that_vanishes_meanwhile_is_gone(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        for n in range(2):
            tracker.merge_request(project, f"Change {n}", tracker.user("ada"), milestones=[milestone.id])
        got = Mirror().pull(side.connect(), KEY)
        tracker.label(project.merge_requests[2], ["late"], [], tracker.user("ada"), side.clock.forward(hours=1))
        tracker.faults.append(failing("/merge_requests/2", 404))
        got.pull(side.connect(), KEY)
        assert changes_of(got).keys() == {"acme/app!1"}
        assert got.failed == {}


def edit(rng: Random, side: Side, project: Project) -> None:
    """One change by chance, some time after the one before."""
    tracker = side.tracker
    at, who = side.clock.forward(minutes=rng.choice((0, 1, 90))), tracker.user(rng.choice(("ada", "ben")))
    stones = list(project.milestones)
    change = rng.choice([*project.merge_requests.values(), None])
    match rng.randrange(9):
        case _ if change is None:
            chosen = rng.sample(stones, rng.randint(0, 1))
            tracker.merge_request(project, f"Change {rng.random()}", who, at=at, milestones=chosen)
        case 0 | 1 | 2:
            tracker.move(project, change, rng.sample(stones, rng.randint(0, 1)), who, at)
        case 3:
            tracker.reopen(change, who, at) if change.closed and not change.merged else tracker.close(change, who, at)
        case 4 if change.closed is None:
            tracker.merge(change, who, at)
        case 5 | 6:
            tracker.ask_for_review(change, who, who, at)
        case 7:
            tracker.answer_review(change, who, rng.choice(("approved", "reviewed")), at)
        case _:
            tracker.set_draft(change, not change.draft, who, at)
            change.closing = rng.sample(list(project.issues), 2)


@pytest.mark.parametrize("seed", range(12))
def test_many_pulls_give_what_one_gives(side: Side, seed: int) -> None:
    """Those that left a milestone stay known to pulls that saw them in it."""
    rng = Random(seed)
    tracker, project, _ = team(side)
    tracker.milestone(project, "3.0")
    side.filled(KEY, 6)
    got = Mirror()
    for _ in range(12):
        for _ in range(rng.randrange(9)):
            edit(rng, side, project)
        got.pull(side.connect(sweep_days=rng.choice((7, 0))), KEY)
    whole = Mirror().pull(side.connect(), KEY)
    inside = {key: row for key, row in got.issues.items() if row.milestones or not row.is_pull_request}
    assert inside == whole.issues
    assert {key: got.histories[key] for key in whole.histories} == whole.histories


def test_runs_of_numbers() -> None:
    for numbers in ([], [1], [5, 6, 7, 9], [1, 2, 3], list(range(10, 400, 3)), list(range(1, 100_000))):
        cursor = MergeRequestCursor().with_numbers(numbers)
        assert sorted(cursor.numbers) == numbers
    assert cursor.runs == (1, 99_999)


def test_a_long_list_needs_no_deep_page(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "WINDOW", 2)
    tracker, project, milestone = team(side)
    for n in range(730):
        at = side.clock.forward(minutes=1)
        tracker.merge_request(project, f"Change {n}", tracker.user("ada"), at=at, milestones=[milestone.id])
    assert len(Mirror().pull(side.connect(history="none"), KEY).issues) == 730
    assert not [path for path in asked(side, 0, "merge_requests?") if "page=3" in path.split("&") or "page=3&" in path]
