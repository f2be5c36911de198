"""The counts shown are those of the tracker's own page, and a changed way of counting is as quiet as an upgrade."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from sync.assess.milestone import AssessedMilestone, AssessmentRules
from sync.assess.portfolio_findings import find_in_portfolio
from sync.assess.relations import build_portfolio
from sync.assess.snapshot import Snapshot
from sync.engine.engine import Engine
from sync.engine.result import Result
from sync.history.calendar import Calendar
from sync.model.counting import ChangeWord, Counting, TrackerChanges, counting_of
from sync.model.health import ReasonKind, Status
from sync.model.joint import JointMilestone
from sync.model.policy import Limits, Policy
from sync.model.portfolio_finding import PortfolioFindingKind
from sync.model.tracker_data import Issue, Person, State, StatusCategory, Visibility
from sync.report.counting import counting_sentences
from sync.report.reasons import reason_sentence
from sync.store.store import Store
from sync.tracker.actions import CreateComment
from sync.tracker.connection import Connection
from sync.tracker.marker import Marker, MarkerKind
from sync.tracker.protocol import ChangeTracker, Page
from tests.memory_tracker import MemoryConnector, MemoryTracker
from tests.portfolio_world import NOW, PAST, page

GITHUB = TrackerChanges(word=ChangeWord.PULL_REQUEST, on_page=True, have_rows=True, tracker="GitHub")
GITLAB = TrackerChanges(word=ChangeWord.MERGE_REQUEST, have_rows=True, tracker="GitLab")
COUNTERS_ONLY = TrackerChanges(on_page=True)
LINE = "The method of forecasting or counting changed on 16 Mar 2026; earlier figures are not comparable."
RUNNING = f"app-m{PAST}"


class ChangeConnector(MemoryConnector):
    """A connector whose tracker has changes."""

    def __init__(self, tracker: MemoryTracker, changes: TrackerChanges) -> None:
        super().__init__(tracker)
        self.changes = changes


class World:
    """One project in a tracker with changes; ``count`` is its way of counting, None: as on the tracker's page."""

    def __init__(self, changes: TrackerChanges, rows: Page, count: Counting | None = None) -> None:
        self.now, self.count = NOW, count
        self.store = Store.memory(lambda: self.now)
        self.tracker = MemoryTracker(lambda: self.now, pages=[rows])
        self.connection = Connection(
            name="memory",
            connector=ChangeConnector(self.tracker, changes),
            projects=("acme/app",),
            policy_of=lambda _: Policy.CREATE,
            count_of=lambda _: self.count,
        )
        self.runs = 0

    def engine(self) -> Engine:
        self.runs += 1
        return Engine(
            connections=[self.connection],
            store=self.store,
            instance="acme",
            clock=lambda: self.now,
            rules=AssessmentRules(calendar=Calendar.plain()),
            limits=Limits(),
            run_id=f"run-{self.runs}",
            holder=f"host:{self.runs}:1",
        )

    def run(self) -> Result:
        return self.engine().run()

    def summary(self) -> tuple[str, Marker]:
        """The text and the marker of the one summary."""
        (found,) = [
            (comment.body, marker)
            for issue in self.tracker.issues.values()
            for comment in issue.comments
            if (marker := Marker.decode(comment.marker)) and marker.kind is MarkerKind.SUMMARY
        ]
        return found


def running(result: Result) -> AssessedMilestone:
    (found,) = [milestone for milestone in result.assessed if milestone.milestone.id == RUNNING]
    return found


def with_changes(rows: Page, share: Callable[[Issue], bool], **values: Any) -> Page:
    """Turn a share of the issues into changes."""
    issues = [structs.replace(row, is_pull_request=True, **values) if share(row) else row for row in rows.issues]
    return structs.replace(rows, issues=tuple(issues))


def with_more(rows: Page, more: Iterable[Issue]) -> Page:
    return structs.replace(rows, issues=(*rows.issues, *more))


def change(number: int, state: State = State.OPEN, *closes: str, **values: Any) -> Issue:
    """A change that is in the running milestone from its start; a closed one was closed five days ago."""
    made = NOW - timedelta(days=14)
    closed = NOW - timedelta(days=5) if state is State.CLOSED else None
    plain = Issue(
        id=f"change-{number}",
        project="app",
        key=f"acme/app#{1000 + number}",
        title=f"Change {number}",
        url=f"https://tracker.example/{number}",
        state=state,
        raw_state=state.value,
        category=StatusCategory.DONE if closed else StatusCategory.IN_PROGRESS,
        created_at=made,
        updated_at=closed or made,
        closed_at=closed,
        milestones=(RUNNING,),
        is_pull_request=True,
        closes=closes,
    )
    return structs.replace(plain, **values)


def items(milestone: AssessedMilestone) -> tuple[int, int]:
    counts = milestone.health.counts
    return counts.open, counts.closed


def shown(milestone: AssessedMilestone) -> tuple[int, int]:
    counts = milestone.health.counts.on_page
    return counts.open, counts.closed


MIXED = with_more(page("app"), [change(1), change(2), change(3, State.CLOSED)])
"""6 of 10 issues are closed, 2 changes are open and 1 is closed."""


@pytest.mark.parametrize(
    ("changes", "count", "page_counts", "item_counts", "words"),
    [
        (GITHUB, None, (6, 7), (6, 7), []),
        (GITHUB, Counting.ISSUES, (6, 7), (4, 6), ["13 in the milestone; 3 pull requests are not counted."]),
        (GITHUB, Counting.CHANGES, (6, 7), (2, 1), ["13 in the milestone; 10 issues are not counted."]),
        (GITLAB, None, (4, 6), (4, 6), ["2 open merge requests are not counted."]),
        (GITLAB, Counting.BOTH, (4, 6), (6, 7), ["10 in the milestone; 3 merge requests are counted as well."]),
        (
            GITLAB,
            Counting.CHANGES,
            (4, 6),
            (2, 1),
            ["10 in the milestone; 10 issues are not counted; 3 merge requests are counted as well."],
        ),
    ],
)
def test_the_counts_shown_are_those_of_the_page_and_one_line_says_both(
    changes: TrackerChanges,
    count: Counting | None,
    page_counts: tuple[int, int],
    item_counts: tuple[int, int],
    words: list[str],
) -> None:
    milestone = running(World(changes, MIXED, count).run())
    counts = milestone.health.counts
    assert (shown(milestone), items(milestone)) == (page_counts, item_counts)
    assert (counts.pull_requests, counts.closed_pull_requests) == (2, 1)
    assert counting_sentences(counts) == words
    assert counting_of(milestone.health.method) is (count or changes.page)


def test_a_change_that_closes_an_issue_of_the_milestone_is_one_item_with_it() -> None:
    rows = with_more(page("app"), [change(1, State.OPEN, f"{RUNNING}-9"), change(2)])
    milestone = running(World(GITHUB, rows).run())
    assert (shown(milestone), items(milestone)) == ((6, 6), (5, 6))
    assert counting_sentences(milestone.health.counts) == [
        "12 in the milestone; 1 pull request counts with the issue that it closes."
    ]
    assert milestone.health.counts.total <= milestone.health.counts.on_page.total


def test_a_milestone_of_changes_only_is_a_milestone() -> None:
    world = World(GITHUB, with_changes(page("app", still_open=9), lambda _: True))
    milestone = running(world.run())
    assert milestone.health.probability is not None
    assert milestone.health.counts.noun == "pull request"
    body, _ = world.summary()
    assert "1 of 10 done" in body
    assert "issue" not in body.partition("<sub>")[0].replace("`", "")


@pytest.mark.parametrize(
    ("rows", "changes", "noun"),
    [(MIXED, 3, "item"), (page("app"), 0, "issue"), (with_changes(page("app"), lambda _: True), 10, "pull request")],
)
def test_a_joint_milestone_names_its_work_as_its_members_do(rows: Page, changes: int, noun: str) -> None:
    world = World(GITHUB, rows)
    member = running(world.run())
    joint = JointMilestone(name="launch", members=(member.written,))
    rules = AssessmentRules(calendar=Calendar.plain(), joints=(joint,))
    (found,) = build_portfolio(Snapshot(world.store, [world.connection], world.now, rules)).joints
    for counts in (found.health.counts, member.health.counts):
        assert (counts.changes, counts.noun) == (changes, noun)


def test_a_connector_with_counters_only_shows_the_number_of_its_page() -> None:
    plain = page("app")
    listed = [structs.replace(row, listed_open=14, listed_closed=6) for row in plain.milestones]
    milestone = running(World(COUNTERS_ONLY, structs.replace(plain, milestones=tuple(listed))).run())
    assert (shown(milestone), items(milestone)) == ((14, 6), (4, 6))
    assert counting_sentences(milestone.health.counts) == ["20 in the milestone; 10 pull requests are not counted."]


@pytest.mark.parametrize(
    ("counter", "words"),
    [
        ((6, 7), []),
        ((5, 7), ["GitHub's counter says 12, its list holds 13."]),
        ((7, 6), ["GitHub's counter says 7 open, its list holds 6 open."]),
    ],
)
def test_a_counter_that_differs_from_its_list_is_one_line(counter: tuple[int, int], words: list[str]) -> None:
    listed = [
        structs.replace(row, listed_open=counter[0], listed_closed=counter[1]) if row.id == RUNNING else row
        for row in MIXED.milestones
    ]
    milestone = running(World(GITHUB, structs.replace(MIXED, milestones=tuple(listed))).run())
    assert shown(milestone) == (6, 7)
    assert counting_sentences(milestone.health.counts) == words


@pytest.mark.parametrize("visibility", [Visibility.CONFIDENTIAL, Visibility.UNKNOWN])
def test_a_change_that_few_may_read_is_in_no_count(visibility: Visibility) -> None:
    rows = with_more(page("app"), [change(1, visibility=visibility)])
    milestone = running(World(GITHUB, rows).run())
    assert shown(milestone) == items(milestone) == (4, 6)
    assert milestone.health.counts.pull_requests == 0


# --- reviews ----------------------------------------------------------------------------------------------------------

ADA, LIN = Person("u1", "Ada Fox", "ada"), Person("u2", "Lin", "lin")


def _asked(number: int, days: int, *closes: str) -> Issue:
    return change(
        number, State.OPEN, *closes, reviewers=(ADA, LIN), review_since=NOW - timedelta(days=days), updated_at=NOW
    )


@pytest.mark.parametrize(
    ("changes", "closes"),
    [(GITHUB, ()), (GITHUB, (f"{RUNNING}-9",)), (GITLAB, ())],
    ids=["an item", "counted with its issue", "not counted"],
)
def test_changes_that_wait_for_review_need_someone(changes: TrackerChanges, closes: tuple[str, ...]) -> None:
    rows = with_more(page("app"), [_asked(n, 4 + n, *closes) for n in range(4)] + [_asked(9, 3)])
    world = World(changes, rows)
    milestone = running(world.run())
    (reason,) = [reason for reason in milestone.health.reasons if reason.kind is ReasonKind.REVIEW]
    assert reason_sentence(reason) == "4 changes wait for review for more than 3 days."
    names = [milestone.issues[uid].title for uid in milestone.waiting_changes]
    assert names == ["Change 3", "Change 2", "Change 1", "Change 0"]
    body, _ = world.summary()
    assert "waiting 7 days for a review by `Ada Fox` and `Lin`" in body
    assert "`Change 9`: waiting" not in body
    assert "4 changes wait for review for more than 3 days" in body


def test_a_change_that_few_may_read_waits_in_no_comment() -> None:
    secret = structs.replace(_asked(1, 10), visibility=Visibility.CONFIDENTIAL)
    world = World(GITHUB, with_more(page("app"), [secret]))
    assert running(world.run()).waiting_changes == ()
    assert "review" not in world.summary()[0]


# --- another way of counting ------------------------------------------------------------------------------------------


def _many(state: State) -> Page:
    """The running milestone with 30 changes more, so that another way of counting gives another status."""
    return with_more(page("app"), [change(n, state) for n in range(30)])


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("first", [Counting.ISSUES, Counting.BOTH])
def test_another_way_of_counting_is_no_transition_and_no_growth(state: State, first: Counting) -> None:
    world = World(GITHUB, _many(state), first)
    before = running(world.run())
    world.now += timedelta(days=1)
    world.count = Counting.BOTH if first is Counting.ISSUES else Counting.ISSUES
    result = world.run()
    after = running(result)
    assert items(before) != items(after)
    assert (before.health.status is not after.health.status) == (state is State.OPEN)
    assert result.notifications == 0
    assert CreateComment not in {type(write.action) for write in result.written}
    assert after.health.previous_status is None or after.health.status is before.health.status
    assert after.health.counts.added == before.health.counts.added == 0
    body, marker = world.summary()
    assert LINE in body
    assert "Changed since" not in body
    assert marker.method == after.health.method != before.health.method
    assert not after.forecasts
    world.now += timedelta(minutes=1)
    assert world.run().written == []


def test_more_counted_work_is_no_recovery_from_a_moved_date() -> None:
    world = World(GITHUB, _many(State.CLOSED), Counting.ISSUES)
    late = page("app", still_open=9, late=True)
    world.tracker.pages = [with_more(late, [change(n, State.CLOSED) for n in range(30)])]
    assert running(world.run()).health.status is not Status.ON_TRACK
    world.now += timedelta(days=1)
    moved = [
        structs.replace(row, due=row.due + timedelta(days=300), updated_at=world.now)
        if row.id == RUNNING and row.due
        else row
        for row in world.tracker.pages[0].milestones
    ]
    world.tracker.pages = [structs.replace(world.tracker.pages[0], milestones=tuple(moved))]
    held = running(world.run()).health
    assert held.replan is not None
    world.now += timedelta(days=1)
    world.count = Counting.BOTH
    after = running(world.run()).health
    assert after.replan is not None
    assert after.status is not Status.ON_TRACK


def test_forecasts_of_milestones_without_changes_go_on_being_scored() -> None:
    """Both ways of counting give the same figures where a milestone never had a change."""
    world = World(GITHUB, page("app"), Counting.ISSUES)
    for _ in range(9):
        world.run()
        world.now += timedelta(days=1)
    world.count = Counting.BOTH
    after = running(world.run())
    assert after.forecasts
    world.tracker.pages = [with_more(page("app"), [change(1)])]
    assert not running(world.run()).forecasts


def test_connectors_name_their_changes_by_an_attribute() -> None:
    assert isinstance(ChangeConnector(MemoryTracker(lambda: NOW), GITHUB), ChangeTracker)
    plain = Connection(name="memory", connector=MemoryConnector(MemoryTracker(lambda: NOW)), projects=())
    assert plain.counting("acme/app") is Counting.ISSUES
    assert structs.replace(plain, count_of=lambda _: Counting.CHANGES).counting("acme/app") is Counting.CHANGES


@pytest.mark.parametrize(("days", "kinds"), [(0, []), (20, [PortfolioFindingKind.FORGOTTEN])])
def test_findings_about_the_portfolio_see_the_work_that_does_not_count(
    days: int, kinds: list[PortfolioFindingKind]
) -> None:
    """An open pull request keeps a milestone from being finished, and one that changed today from being forgotten."""
    world = World(GITHUB, page("app", still_open=0), Counting.ISSUES)
    world.now += timedelta(days=60)
    world.tracker.pages = [with_more(page("app", still_open=0), [change(1, updated_at=world.now - timedelta(days))])]
    engine = world.engine()
    engine.run()
    assert engine.portfolio is not None
    assert [finding.kind for finding in find_in_portfolio(world.store, engine.portfolio)] == kinds
