"""Open work past the due date is overdue without a forecast, and no date that has passed is a forecast."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec.structs import replace

from sync.assess.portfolio import Portfolio
from sync.model.health import Health, Status, UnknownCause
from sync.model.joint import JointMilestone
from sync.tracker.actions import UpdateComment
from sync.tracker.protocol import Page
from tests.outage_world import OutageWorld
from tests.portfolio_world import NOW, World, page, running

DUE = date(2026, 3, 1)
TOGETHER = JointMilestone(name="Both", due=None, members=(running("app"), running("base")))
SOON = JointMilestone(name="Soon", due=DUE, members=(running("app"), running("base")))


def with_running(
    given: Page, *, items: int, done: int = 0, due: date = DUE, start: date | None = None, created: date | None = None
) -> Page:
    """The page with other facts of its running milestone: numbers of open and done items, and dates."""
    milestone = given.milestones[-1]
    begun = datetime(created.year, created.month, created.day, tzinfo=UTC) if created else milestone.created_at
    own = [issue for issue in given.issues if milestone.id in issue.milestones]
    kept = [issue for issue in own if issue.closed_at is None][:items]
    kept += [issue for issue in own if issue.closed_at is not None][:done]
    return replace(
        given,
        milestones=(*given.milestones[:-1], replace(milestone, due=due, start=start, created_at=begun)),
        issues=(*(issue for issue in given.issues if issue not in own), *kept),
    )


def without_past(given: Page) -> Page:
    """The page with its running milestone alone."""
    milestone = given.milestones[-1]
    issues = tuple(issue for issue in given.issues if milestone.id in issue.milestones)
    return replace(given, milestones=(milestone,), issues=issues)


LATE = {
    "nothing missing": with_running(page("app"), items=3, done=2),
    "one item": with_running(page("app"), items=1),
    "no item": with_running(page("app"), items=0),
    "start after due": with_running(page("app"), items=3, done=2, start=date(2026, 3, 5)),
    "start in the future": with_running(page("app"), items=3, done=2, start=date(2026, 4, 5)),
    "created after due": with_running(page("app"), items=3, done=2, created=date(2026, 3, 3)),
    "no history": without_past(with_running(page("app"), items=3, done=2)),
    "due in 1970": with_running(page("app"), items=3, done=2, due=date(1970, 1, 1)),
}


def healths(portfolio: Portfolio) -> dict[str, Health]:
    found = {milestone.written: milestone.health for milestone in portfolio.milestones}
    return found | {joint.written: joint.health for joint in portfolio.joints}


@pytest.mark.parametrize("why", LATE)
def test_open_work_past_the_due_date_is_overdue_whatever_else_is_missing(why: str) -> None:
    world = World(LATE[why], with_running(page("base"), items=1, done=4))
    found = healths(world.whole(TOGETHER, SOON, dependencies=[(running("base"), running("app"))]))
    for name in (running("app"), "joint:Both", "joint:Soon"):
        assert (found[name].status, found[name].unknown, found[name].probability) == (Status.OVERDUE, None, None), name


def test_a_joint_milestone_is_overdue_although_a_member_does_not_exist() -> None:
    joint = replace(SOON, members=(running("app"), "app:acme/app#99"))
    found = healths(World(page("app", still_open=4)).whole(joint))
    assert found["joint:Soon"].status is Status.OVERDUE
    later = healths(World(page("app", still_open=4)).whole(replace(joint, due=date(2026, 4, 1))))
    assert later["joint:Soon"].unknown is UnknownCause.MEMBER


def test_a_joint_milestone_past_its_date_is_not_overdue_when_nothing_is_open() -> None:
    """Its member runs on, as more items may join until its own later date."""
    found = healths(
        World(with_running(page("app"), items=0, done=5, due=date(2026, 4, 1))).whole(
            JointMilestone(name="Soon", due=DUE, members=(running("app"),))
        )
    )
    assert (found[running("app")].status, found["joint:Soon"].status) == (Status.ON_TRACK, Status.DONE)


@pytest.mark.parametrize("days_of_outage", [[20.0], [16.0, 1.0, 1.0, 1.0]], ids=["in the grace period", "after it"])
def test_open_work_is_overdue_as_of_its_last_reading(days_of_outage: list[float]) -> None:
    """The due dates, 29 March, pass while the source cannot be read: nothing is announced, no label is moved."""
    world = OutageWorld()
    world.run()
    before = world.healths()
    assert before["other"].status is not Status.OVERDUE
    for days in days_of_outage:
        written = world.run("other", "base", hours=24 * days).written
        of_stale = {
            type(w.action) for w in written if w.action.milestone.startswith(("memory://other", "memory://base"))
        }
        assert of_stale <= {UpdateComment}
    after = world.healths()
    for name in ("other", "base"):
        assert (after[name].status, after[name].probability) == (Status.OVERDUE, None)
        assert after[name].stale_since == NOW + timedelta(hours=1)
        assert all(day is None or day >= world.now.date() for day in days_of(after[name]))
    assert after["joint"].status is Status.OVERDUE


def days_of(health: Health) -> list[date | None]:
    dates = health.dates
    moves = [lever.values["to"] for lever in health.levers if isinstance(lever.values.get("to"), date)]
    return [dates.p50, dates.p85, dates.p95, dates.horizon, *(day for day in moves if isinstance(day, date))]
