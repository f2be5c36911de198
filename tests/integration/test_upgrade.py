"""The first run with another method of the forecast: edits in place, no notification, within the limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec
import pytest

from sync.assess.milestone import AssessmentRules
from sync.engine.engine import Engine
from sync.engine.result import Result
from sync.forecast.parameters import Rules
from sync.health.missing_input import stale_health
from sync.history.calendar import Calendar
from sync.model.health import Status
from sync.model.policy import Limits, Policy
from sync.plan.limits import LATER
from sync.store.store import Store
from sync.tracker.actions import CreateComment, CreateLabel, MoveLabel, UpdateComment
from sync.tracker.connection import Connection
from sync.tracker.marker import Marker, MarkerKind
from sync.tracker.observed import OurComment
from tests.memory_tracker import MemoryConnector, MemoryTracker
from tests.portfolio_world import NOW, combined_page, page

NEW = Rules()
OLD = msgspec.structs.replace(NEW, method=NEW.method - 1, on_track=0.002, off_track=0.001)
"""Rules of a version that called everything on track."""
LINE = "The method of forecasting or counting changed on 16 Mar 2026; earlier figures are not comparable."
PLAIN = Limits()


class World:
    """One tracker with `projects`, each with a past and a running milestone that is in trouble."""

    def __init__(self, projects: int = 1, policy: Callable[[str], Policy] = lambda _: Policy.CREATE) -> None:
        self.now = NOW
        self.store = Store.memory(lambda: self.now)
        names = [f"p{n:02}" for n in range(projects)]
        pages = combined_page(*(page(name, still_open=9, late=range(6)) for name in names))
        self.tracker = MemoryTracker(lambda: self.now, pages=[pages])
        self.connection = Connection(
            name="memory",
            connector=MemoryConnector(self.tracker),
            projects=tuple(f"acme/{name}" for name in names),
            policy_of=policy,
        )
        self.runs = 0

    def engine(self, rules: Rules = NEW, limits: Limits = PLAIN, *, keep_quiet: bool = False) -> Engine:
        self.runs += 1
        return Engine(
            connections=[self.connection],
            store=self.store,
            instance="acme",
            clock=lambda: self.now,
            rules=AssessmentRules(rules, Calendar.plain() if not keep_quiet else Calendar(), keep_quiet=keep_quiet),
            limits=limits,
            run_id=f"run-{self.runs}",
            holder=f"host:{self.runs}:1",
        )

    def run(self, rules: Rules = NEW, limits: Limits = PLAIN, *, keep_quiet: bool = False) -> Result:
        return self.engine(rules, limits, keep_quiet=keep_quiet).run()

    def upgrade(self) -> Result:
        """Run the old version, and the new one a day later."""
        self.run(OLD)
        self.now += timedelta(days=1)
        return self.run()

    def comments(self) -> list[tuple[OurComment, Marker]]:
        """All our comments with their markers."""
        comments = [comment for issue in self.tracker.issues.values() for comment in issue.comments]
        return [(comment, marker) for comment in comments if (marker := Marker.decode(comment.marker))]

    def summary(self) -> tuple[OurComment, Marker]:
        """The one summary comment, with its marker."""
        (pair,) = [pair for pair in self.comments() if pair[1].kind is MarkerKind.SUMMARY]
        return pair

    def rewrite_marker(self, **fields: object) -> None:
        """Change the marker of the one summary comment, as a version before would have written it."""
        comment, marker = self.summary()
        key, issue = next(iter(self.tracker.issues.items()))
        old = msgspec.structs.replace(comment, marker=msgspec.structs.replace(marker, **fields).encode())
        comments = tuple(old if other.id == comment.id else other for other in issue.comments)
        self.tracker.issues[key] = msgspec.structs.replace(issue, comments=comments)


def kinds(result: Result) -> Counter[str]:
    return Counter(type(write.action).__name__ for write in result.written)


def statuses(result: Result) -> list[Status]:
    return [milestone.health.status for milestone in result.assessed if milestone.is_current]


def test_an_upgrade_edits_in_place_and_announces_nothing() -> None:
    world = World(3)
    first = world.run(OLD)
    assert statuses(first) == [Status.ON_TRACK] * 3
    world.now += timedelta(days=1)
    second = world.run()
    assert Status.ON_TRACK not in statuses(second)
    assert kinds(second) == {"CreateLabel": 3, "MoveLabel": 3, "UpdateComment": 3}
    assert second.notifications == 0
    assert all(LINE in comment.body for comment, _ in world.comments())
    assert {marker.method for _, marker in world.comments()} == {NEW.method}
    world.now += timedelta(minutes=1)
    assert world.run().written == []


def test_a_difference_between_two_methods_is_no_transition() -> None:
    world = World()
    (health,) = [milestone.health for milestone in world.upgrade().assessed if milestone.is_current]
    assert health.status is not Status.ON_TRACK
    assert (health.previous_status, health.since) == (None, world.now)


def test_the_line_goes_with_the_next_change_and_the_next_transition_is_announced() -> None:
    world = World()
    world.upgrade()
    world.now += timedelta(days=20)
    after = world.run()
    assert statuses(after) == [Status.OVERDUE]
    assert kinds(after)["CreateComment"] == 1
    assert LINE not in world.summary()[0].body
    assert world.summary()[1].method_changed_at is None


def test_forecasts_of_two_methods_are_not_compared() -> None:
    world = World()
    world.upgrade()
    body, marker = world.summary()[0].body, world.summary()[1]
    assert marker.previous_forecast is None
    assert "What was forecast in the weeks before" not in body
    scores = world.engine().snapshot().scores
    assert [score.forecasts for score in scores.values()] in ([], [0])


def test_a_lost_database_makes_the_same_upgrade() -> None:
    world = World()
    world.run(OLD)
    world.now += timedelta(days=1)
    world.store = Store.memory(lambda: world.now)
    second = world.run()
    assert not {Status.ON_TRACK, Status.DONE} & set(statuses(second))
    assert second.notifications == 0
    assert LINE in world.summary()[0].body
    assert world.run().written == []


def test_a_marker_of_a_version_that_knew_no_methods_is_of_the_first_one() -> None:
    world = World()
    world.run()
    world.rewrite_marker(method=1)
    assert '"method"' not in world.summary()[0].marker


def test_done_too_early_becomes_a_forecast_without_a_word() -> None:
    """A version before said done on a day on which nothing was open; the new one waits for the end."""
    world = World()
    world.run()
    world.store = Store.memory(lambda: world.now)
    world.rewrite_marker(status=Status.DONE, method=NEW.method - 1)
    world.now += timedelta(days=1)
    second = world.run()
    assert not {Status.ON_TRACK, Status.DONE} & set(statuses(second))
    assert second.notifications == 0
    assert CreateComment not in {type(write.action) for write in second.written}


def test_a_quiet_day_does_not_put_an_upgrade_off() -> None:
    """15 March 2026 is a Sunday."""
    world = World()
    world.run(OLD, keep_quiet=True)
    second = world.run(keep_quiet=True)
    assert {type(write.action) for write in second.written} <= {CreateLabel, MoveLabel, UpdateComment}
    assert world.summary()[1].method == NEW.method
    world.now += timedelta(days=1)
    assert world.run(keep_quiet=True).notifications == 0, "on Monday there is nothing to announce"


def test_stale_data_puts_an_upgrade_off() -> None:
    world = World()
    world.run(OLD)
    engine = world.engine()
    (milestone,) = [milestone for milestone in engine.assess() if milestone.is_current]
    stale = msgspec.structs.replace(milestone, health=stale_health(milestone.health, None, world.now))
    actions = engine.plan([stale]).actions
    markers = [Marker.decode(action.marker) for action in actions if isinstance(action, UpdateComment)]
    assert [marker.method for marker in markers if marker] == [OLD.method]


def spread(world: World, limits: Limits) -> list[Result]:
    """Run until nothing is written."""
    results: list[Result] = []
    while not results or results[-1].written:
        world.now += timedelta(minutes=5)
        results.append(world.run(limits=limits))
        assert len(results) < 10
    return results


@pytest.mark.parametrize(
    ("limits", "runs"), [(Limits(updates=10), 3), (Limits(share=0.05), 3), (Limits(updates=1000), 1)]
)
def test_an_upgrade_of_everything_ends_within_the_limits(limits: Limits, runs: int) -> None:
    """12 of 108 milestones run: two updates each. 5% of the milestones are 5."""
    world = World(12)
    world.run(OLD)
    results = spread(world, limits)
    assert [result.refused for result in results] == [[]] * len(results)
    assert len(results) == runs + 1
    assert sum(kinds(result)["UpdateComment"] for result in results) == 12
    assert sum(result.notifications for result in results) == 0
    assert {marker.method for _, marker in world.comments()} == {NEW.method}


def skipped(result: Result) -> Sequence[str]:
    return [skip.why for skip in result.plan.skipped]


def test_a_plan_says_what_a_later_run_rewrites() -> None:
    world = World(12)
    world.run(OLD)
    world.now += timedelta(minutes=5)
    result = world.run(limits=Limits(updates=10))
    assert len(result.plan.recomputed) == 5
    assert skipped(result) == [LATER] * 7


def test_what_the_policy_forbids_takes_no_room_from_the_rest() -> None:
    allowed = {"acme/p11": Policy.CREATE}
    world = World(12)
    world.run(OLD)
    world.connection = msgspec.structs.replace(world.connection, policy_of=lambda key: allowed.get(key, Policy.PLAN))
    world.now += timedelta(minutes=5)
    result = world.run(limits=Limits(updates=2))
    assert kinds(result) == {"CreateLabel": 1, "MoveLabel": 1, "UpdateComment": 1}
    assert len(result.plan.recomputed) == 12
