"""The life of one milestone as the engine writes it: closing comment, frozen record, reminders."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from sync.assess.explain import explain_milestone
from sync.assess.milestone import AssessmentRules
from sync.engine.engine import Engine
from sync.engine.result import Result
from sync.history.calendar import Calendar
from sync.model.health import Status
from sync.model.plan_clock import PlanClock
from sync.model.policy import Limits, Policy
from sync.model.settings import ReminderRules
from sync.model.tracker_data import (
    Event,
    EventKind,
    Issue,
    Milestone,
    MilestoneKind,
    Person,
    Project,
    State,
    StatusCategory,
    Visibility,
)
from sync.store.store import Store
from sync.tracker.actions import CreateComment
from sync.tracker.connection import Connection
from sync.tracker.marker import Marker, MarkerKind
from sync.tracker.protocol import Page
from tests.memory_tracker import MemoryConnector, MemoryTracker

NOW = datetime(2026, 3, 16, 12, tzinfo=UTC)  # a Monday
BORN = NOW - timedelta(days=20)
ADA, LIN = Person("u1", "Ada"), Person("u2", "Lin")


class World:
    """One project with one milestone of six issues, `closed` of them closed, in a tracker in memory."""

    def __init__(self) -> None:
        self.now = NOW
        self.tracker = MemoryTracker(lambda: self.now)
        self.connector = MemoryConnector(self.tracker)
        self.store = Store.memory(lambda: self.now)
        self.book = AssessmentRules()
        self.zone = ZoneInfo("UTC")
        self.runs = 0
        self.closed: dict[int, datetime] = {}
        self.moved_out: dict[int, datetime] = {}
        self.fields: dict[int, dict[str, Any]] = {}
        self.milestone = Milestone(
            id="m",
            project="p",
            kind=MilestoneKind.MILESTONE,
            key="1",
            written="#1",
            title="v1",
            url="memory:m",
            state=State.OPEN,
            due=date(2026, 4, 3),
            created_at=BORN,
            updated_at=BORN,
        )

    def close(self, *numbers: int) -> None:
        self.closed |= dict.fromkeys(numbers, self.now)

    def move_out(self, *numbers: int) -> None:
        self.moved_out |= dict.fromkeys(numbers, self.now)

    def move_back(self, *numbers: int) -> None:
        for n in numbers:
            del self.moved_out[n]

    def close_milestone(self) -> None:
        self.milestone = replace(self.milestone, state=State.CLOSED, closed_at=self.now, updated_at=self.now)

    def reopen(self, *numbers: int) -> None:
        for n in numbers:
            del self.closed[n]

    def page(self) -> Page:
        issues = tuple(self._issue(n) for n in range(1, 7))
        events = {
            f"i{n}": (Event(issue=f"i{n}", at=at, kind=EventKind.CLOSED, actor=LIN),) for n, at in self.closed.items()
        } | {
            f"i{n}": (Event(issue=f"i{n}", at=at, kind=EventKind.LEFT, milestone="m"),)
            for n, at in self.moved_out.items()
        }
        return Page(
            projects=(Project(id="p", key="acme/app", name="app", url="memory:p", visibility=Visibility.PROJECT),),
            milestones=(self.milestone,),
            issues=issues,
            histories={issue.id: events.get(issue.id, ()) for issue in issues},
            cursors={"p": "1"},
            complete=frozenset({"p"}),
            all_milestones=frozenset({"p"}),
        )

    def _issue(self, n: int) -> Issue:
        closed = self.closed.get(n)
        plain = Issue(
            id=f"i{n}",
            project="p",
            key=f"#{n}",
            title=f"Task {n}",
            url=f"memory:{n}",
            state=State.CLOSED if closed else State.OPEN,
            raw_state="closed" if closed else "open",
            category=StatusCategory.DONE if closed else StatusCategory.TODO,
            created_at=BORN,
            updated_at=self.now,
            closed_at=closed,
            milestones=() if n in self.moved_out else ("m",),
            assignees=(ADA,),
        )
        return replace(plain, **self.fields.get(n, {}))

    def engine(self) -> Engine:
        self.runs += 1
        self.tracker.pages = [self.page()]
        return Engine(
            connections=(
                Connection(
                    name="memory",
                    connector=self.connector,
                    projects=("acme/app",),
                    policy_of=lambda _: Policy.CREATE,
                    zone=self.zone,
                ),
            ),
            store=self.store,
            instance="acme",
            clock=lambda: self.now,
            rules=self.book,
            limits=Limits(),
            run_id=f"run-{self.runs}",
            holder=f"host:{self.runs}:1",
        )

    def run(self, *, after: float = 0) -> Result:
        self.now += timedelta(days=after)
        result = self.engine().run()
        assert self.engine().run().written == []
        return result

    def ours(self, kind: MarkerKind) -> list[str]:
        comments = [c for issue in self.tracker.issues.values() for c in issue.comments]
        return [c.body for c in comments if (m := Marker.decode(c.marker)) is not None and m.kind is kind]

    def lose_database(self) -> None:
        self.store = Store.memory(lambda: self.now)


@pytest.fixture
def world() -> World:
    made = World()
    made.run()
    return made


# --- the end ---------------------------------------------------------------------------------------------------------


def _explained(world: World) -> dict[str, Any]:
    explained = explain_milestone(world.engine().snapshot(), world.store, "memory:acme/app#1")
    assert explained is not None
    return dict(explained.numbers)


def done(world: World) -> Result:
    world.now += timedelta(days=4)
    world.close(*range(1, 7))
    world.close_milestone()
    return world.run()


def test_a_milestone_that_is_done_gets_one_closing_comment_and_no_transition(world: World) -> None:
    result = done(world)
    (body,) = world.ours(MarkerKind.CLOSING)
    assert world.ours(MarkerKind.TRANSITION) == []
    assert sum(isinstance(w.action, CreateComment) for w in result.written) == 1
    assert "**Done on 20 Mar 2026, 14 days early: all 6 issues done**" in body
    assert "Thanks to `Ada`." in body  # whose issues they were; Lin closed them
    assert "Worth a look together" in body
    for _ in range(3):
        assert not any(isinstance(w.action, CreateComment) for w in world.run(after=1).written)


def test_a_lost_answer_or_database_makes_no_second_one(world: World) -> None:
    world.connector.lose = 99
    done(world)
    world.connector.lose = 0
    assert len(world.ours(MarkerKind.CLOSING)) == 1
    world.lose_database()
    world.run(after=2)
    assert len(world.ours(MarkerKind.CLOSING)) == 1


def test_a_milestone_that_was_over_before_we_came_gets_none() -> None:
    world = World()
    world.close(*range(1, 7))
    world.close_milestone()
    world.run()
    world.run(after=2)
    assert world.ours(MarkerKind.CLOSING) == []


def test_later_changes_do_not_change_the_closing_record(world: World) -> None:
    done(world)
    (body,) = world.ours(MarkerKind.CLOSING)
    record = _explained(world)["closing"]
    world.reopen(5, 6)
    world.milestone = replace(
        world.milestone, title="v1 again", due=date(2026, 5, 1), state=State.OPEN, closed_at=None, updated_at=world.now
    )
    world.run(after=3)
    assert len(world.ours(MarkerKind.TRANSITION)) == 1
    world.close(5, 6)
    world.now += timedelta(days=3)
    world.close_milestone()
    world.run()
    assert world.ours(MarkerKind.CLOSING) == [body]
    assert len(world.ours(MarkerKind.TRANSITION)) == 2
    assert _explained(world)["closing"] == record
    assert record["title"] == "v1"


def test_on_a_quiet_day_it_waits(world: World) -> None:
    world.book = AssessmentRules(calendar=Calendar(weekend=(6, 7)), keep_quiet=True)
    world.now += timedelta(days=1)
    done(world)  # a Saturday
    assert world.now.weekday() == 5
    assert world.ours(MarkerKind.CLOSING) == []
    world.run(after=2)
    assert len(world.ours(MarkerKind.CLOSING)) == 1


def test_a_milestone_closed_with_open_work_says_so(world: World) -> None:
    world.close(1, 2, 3, 4)
    world.now += timedelta(days=1)
    world.close_milestone()
    world.run()
    (body,) = world.ours(MarkerKind.CLOSING)
    assert "**Ended on 17 Mar 2026: 4 of 6 done, 2 left open**" in body
    assert "2 of 6 issues were not done. Who takes that work, and when?" in body
    assert world.store.last_health().popitem()[1].status is Status.ENDED


def _summary(world: World) -> str:
    (body,) = world.ours(MarkerKind.SUMMARY)
    return body.split("####")[0]


def test_a_milestone_that_is_closed_later_was_finished_with_its_last_issue(world: World) -> None:
    world.now += timedelta(days=4)
    world.close(*range(1, 7))
    world.run(after=16)  # its due date has passed
    assert "Done on 20 Mar 2026" in _summary(world)
    world.now += timedelta(days=5)
    world.close_milestone()
    world.run()
    assert "Done on 20 Mar 2026" in _summary(world)
    assert "Finished 14 days early: 6 issues done" in _summary(world)
    assert "Done on 20 Mar 2026, 14 days early" in world.ours(MarkerKind.CLOSING)[0]


def test_work_that_is_finished_after_the_closing_was_not_finished_by_then(world: World) -> None:
    world.now += timedelta(days=4)
    world.close(1, 2, 3, 4)
    world.close_milestone()
    world.run()
    world.now += timedelta(days=20)
    world.close(5, 6)
    world.run()
    assert "Done on 9 Apr 2026" in _summary(world)
    assert "Finished 6 days late: 6 issues done" in _summary(world)


def test_a_milestone_without_open_work_and_without_a_probability_has_no_dates() -> None:
    world = World()
    world.close(1, 2)
    world.moved_out = dict.fromkeys(range(3, 7), world.now)
    world.run(after=0.1)
    (health,) = world.store.last_health().values()
    assert (health.status, health.probability) == (Status.ON_TRACK, None)
    assert (health.dates.p50, health.dates.p85, health.dates.horizon) == (None, None, None)


def test_a_milestone_without_open_work_is_on_track_until_it_ends(world: World) -> None:
    world.close(1, 2, 3, 4, 5)
    world.move_out(6)
    world.now += timedelta(days=1)
    world.run()
    assert world.store.last_health().popitem()[1].status is Status.ON_TRACK
    assert world.ours(MarkerKind.CLOSING) == []
    (summary,) = world.ours(MarkerKind.SUMMARY)
    assert "All its issues are closed; close the milestone to end it." in summary
    world.move_back(6)
    world.run(after=1)
    assert world.store.last_health().popitem()[1].counts.open == 1
    world.close(6)
    world.run(after=1)
    assert world.ours(MarkerKind.CLOSING) == []
    world.now = datetime(2026, 4, 4, 12, tzinfo=UTC)  # its day has passed, and it was not closed
    world.run()
    (body,) = world.ours(MarkerKind.CLOSING)
    assert "all 6 issues done" in body
    assert world.store.last_health().popitem()[1].status is Status.DONE


def test_work_that_is_moved_on_at_the_end_is_carried_over(world: World) -> None:
    world.close(1, 2, 3, 4)
    world.now = datetime(2026, 4, 2, 15, tzinfo=UTC)
    world.move_out(5, 6)
    world.run()
    health = world.store.last_health().popitem()[1]
    assert (health.counts.open, health.counts.carried, health.counts.total) == (0, 2, 6)
    assert not health.status.is_over
    assert world.ours(MarkerKind.CLOSING) == []
    world.now = datetime(2026, 4, 4, 12, tzinfo=UTC)
    world.run()
    (body,) = world.ours(MarkerKind.CLOSING)
    assert "**Ended on 3 Apr 2026: 4 of 6 done, 2 carried over**" in body
    assert "It ended on its due date." in body
    record = _explained(world)["closing"]
    assert (record["counts"]["carried"], record["joined"], record["left"]) == (2, 0, 0)
    assert world.store.last_health().popitem()[1].status is Status.ENDED


# --- owners ----------------------------------------------------------------------------------------------------------

REMIND = ReminderRules(reminders=True, every=7, grace=3, escalate=14)


@pytest.fixture
def asking(world: World) -> World:
    """Since the first of March issue 2 has been overdue; reminders are switched on today."""
    world.book = AssessmentRules(reminder_rules=REMIND)
    world.fields[2] = {"due": date(2026, 3, 1)}
    return world


def posted(result: Result, kind: MarkerKind = MarkerKind.REMINDER) -> int:
    created = [w.action for w in result.written if isinstance(w.action, CreateComment)]
    return sum((m := Marker.decode(action.marker)) is not None and m.kind is kind for action in created)


def test_reminders_are_off_until_somebody_switches_them_on(asking: World) -> None:
    asking.book = AssessmentRules()
    assert posted(asking.run()) == 0
    asking.book = AssessmentRules(reminder_rules=REMIND)
    assert posted(asking.run()) == 1
    (body,) = asking.ours(MarkerKind.REMINDER)
    assert "`Ada`:" in body
    assert "- **Overdue** `#2` `Task 2`, was due on 1 Mar 2026" in body
    assert "@" not in body


def test_one_reminder_exists_and_a_new_one_comes_at_its_cadence_only(asking: World) -> None:
    assert posted(asking.run()) == 1
    for _ in range(6):
        assert posted(asking.run(after=1)) == 0
    assert posted(asking.run(after=1)) == 1
    assert len(asking.ours(MarkerKind.REMINDER)) == 1


def test_between_reminders_it_is_rewritten_in_place_and_goes_when_nothing_is_asked(asking: World) -> None:
    asking.run()
    asking.fields[3] = {"due": date(2026, 3, 2)}
    assert posted(asking.run(after=1)) == 0
    assert "`#3`" in asking.ours(MarkerKind.REMINDER)[0]
    asking.close(2, 3)
    asking.run(after=1)
    assert asking.ours(MarkerKind.REMINDER) == []
    asking.fields[4] = {"due": date(2026, 3, 3)}
    assert posted(asking.run(after=1)) == 0
    assert posted(asking.run(after=4)) == 1


def test_no_person_is_reminded_within_the_grace_period(asking: World) -> None:
    asking.fields[2] = {"due": NOW.date() - timedelta(days=1)}
    assert posted(asking.run()) == 0
    assert posted(asking.run(after=2)) == 1


def test_a_reminder_that_was_deleted_or_a_lost_database_brings_none_before_its_time(asking: World) -> None:
    asking.run()
    for key, issue in asking.tracker.issues.items():
        kept = [c for c in issue.comments if Marker.decode(c.marker).kind is not MarkerKind.REMINDER]  # type: ignore[union-attr]
        asking.tracker.issues[key] = replace(issue, comments=tuple(kept))
    asking.lose_database()
    assert posted(asking.run(after=2)) == 0
    assert posted(asking.run(after=5)) == 1


def test_a_lost_answer_doubles_no_reminder(asking: World) -> None:
    asking.connector.lose = 99
    asking.run()
    asking.connector.lose = 0
    asking.run(after=1)
    assert len(asking.ours(MarkerKind.REMINDER)) == 1


def test_a_reminder_that_somebody_edited_stays_and_is_answered_by_no_second_one(asking: World) -> None:
    asking.run()
    ((key, issue),) = asking.tracker.issues.items()
    mine = [
        replace(c, body="ours now") if Marker.decode(c.marker).kind is MarkerKind.REMINDER else c  # type: ignore[union-attr]
        for c in issue.comments
    ]
    asking.tracker.issues[key] = replace(issue, comments=tuple(mine))
    assert posted(asking.run(after=1)) == 0
    assert asking.ours(MarkerKind.REMINDER) == ["ours now"]


def test_the_milestones_owner_is_asked_when_it_lasts(asking: World) -> None:
    asking.run()
    assert "1 of these has waited for more than 14 days, and no owner is set" in (asking.ours(MarkerKind.REMINDER)[0])
    asking.fields[2] = {"due": date(2026, 3, 10)}
    asking.run(after=1)
    assert "for more than" not in asking.ours(MarkerKind.REMINDER)[0]


def test_a_first_run_reminds_at_once_and_the_second_writes_nothing() -> None:
    world = World()
    world.book = AssessmentRules(reminder_rules=REMIND)
    world.fields[2] = {"due": date(2026, 3, 1)}
    assert posted(world.run()) == 1


def test_replaced_reminders_are_no_deletions_to_be_limited(asking: World) -> None:
    asking.run()
    asking.now += timedelta(days=8)
    engine = asking.engine()
    engine.limits = Limits(deletes=0)
    result = engine.run()
    assert result.refused == []
    assert posted(result) == 1


# --- re-plans --------------------------------------------------------------------------------------------------------


def test_a_lost_database_forgets_neither_the_first_date_nor_a_replan(world: World) -> None:
    world.run(after=25)
    assert world.store.last_health().popitem()[1].status is Status.OVERDUE
    world.milestone = replace(world.milestone, due=date(2026, 9, 3))
    world.run(after=1)
    moved = world.store.last_health().popitem()[1]
    assert moved.replan is not None
    world.lose_database()
    assert [type(w.action).__name__ for w in world.run().written] == []
    again = world.store.last_health().popitem()[1]
    assert again.replan == moved.replan
    assert (again.status, again.baseline) == (moved.status, date(2026, 4, 3))


def _clock(world: World) -> PlanClock | None:
    return world.store.last_health().popitem()[1].clock


def test_a_lost_database_keeps_the_clock_of_a_plan_that_was_moved_to_and_fro(world: World) -> None:
    world.run()
    assert _clock(world) is None
    world.milestone = replace(world.milestone, due=date(2026, 5, 1))
    world.run(after=2)
    moved = PlanClock(due=date(2026, 4, 3), moved_at=NOW + timedelta(days=2))
    assert _clock(world) == moved
    for due in (date(2026, 4, 1), None, date(2026, 6, 1)):
        world.milestone = replace(world.milestone, due=due)
        world.run(after=2)
        assert _clock(world) == moved
        world.lose_database()
        assert [type(w.action).__name__ for w in world.run().written] == []
        assert _clock(world) == moved


def test_a_date_that_passed_is_the_plan_of_the_next_move_also_for_a_lost_database(world: World) -> None:
    world.run(after=25)
    world.milestone = replace(world.milestone, due=date(2026, 5, 1))
    world.run(after=1)
    moved_at = NOW + timedelta(days=26)
    assert _clock(world) == PlanClock(due=date(2026, 4, 3), moved_at=moved_at)
    world.run(after=30)
    world.lose_database()
    world.milestone = replace(world.milestone, due=date(2026, 7, 1))
    world.run(after=1)
    assert _clock(world) == PlanClock(due=date(2026, 5, 1), moved_at=moved_at)


@pytest.mark.parametrize("due", [date(2026, 4, 3), None])
def test_a_lost_database_keeps_the_published_dates(world: World, due: date | None) -> None:
    world.close(1, 2, 3, 4)
    world.run()
    world.close(5)
    world.milestone = replace(world.milestone, due=due)
    world.run(after=1)
    first = world.store.last_health().popitem()[1]
    assert first.dates.since == world.now
    assert first.dates.p50 is not None
    assert (first.promise is None) == (due is not None)
    for lost in (False, True):
        if lost:
            world.lose_database()
        assert [type(w.action).__name__ for w in world.run(after=0.05).written] == []
        health = world.store.last_health().popitem()[1]
        assert replace(health.dates, horizon=None) == replace(first.dates, horizon=None)
        assert health.promise == first.promise


@pytest.mark.parametrize("zone", ["Etc/GMT+12", "America/Los_Angeles", "UTC", "Asia/Tokyo", "Pacific/Kiritimati"])
def test_days_are_those_of_the_connection(zone: str) -> None:
    world = World()
    world.zone = ZoneInfo(zone)
    world.close(1, 2, 3, 4, 5)
    last = datetime(2026, 4, 3, 6, tzinfo=world.zone)
    world.now = last.astimezone(UTC)
    world.run()
    health = world.store.last_health().popitem()[1]
    assert (health.due, health.baseline) == (date(2026, 4, 3), date(2026, 4, 3))
    (body,) = world.ours(MarkerKind.SUMMARY)
    assert "likely by 3 Apr 2026" in body
    assert "`acme/app`, due today." in body
    assert Marker.decode(next(iter(world.tracker.issues.values())).comments[0].marker).due == date(2026, 4, 3)  # type: ignore[union-attr]
    world.now = (last + timedelta(days=1)).astimezone(UTC)
    world.run()
    (body,) = world.ours(MarkerKind.SUMMARY)
    assert "Overdue by 1 day" in body
