"""The desired state of one milestone, from its assessment and an observation."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from msgspec.structs import replace

from sync.assess.milestone import AssessedMilestone
from sync.assess.track_record import Methods, recent_forecasts
from sync.history.calendar import Calendar
from sync.model.health import Dates, Status
from sync.model.tracker_data import State
from sync.plan.build_desired import build_desired
from sync.plan.desired import Desired, PreviousWrites
from sync.plan.reconcile import reconcile
from sync.report.facts import build_facts
from sync.report.texts import ReportInput, build_texts
from sync.store.store import Store
from sync.tracker.marker import Marker, MarkerKind, last_marker
from sync.tracker.observed import Observed, OurComment, StatusIssue
from sync.tracker.slash_commands import CommandState
from tests.integration.test_engine import NOW, World, page

HOUR = 3600


@pytest.fixture
def world() -> World:
    return World()


def body(world: World) -> str:
    (text,) = world.summaries()
    return text


def assessed(world: World) -> AssessedMilestone:
    engine = world.engine()
    engine.pull()
    (milestone,) = engine.assess()
    return milestone


def desired(milestone: AssessedMilestone, issue: StatusIssue | None, now: datetime = NOW) -> Desired:
    """The desired state of a milestone whose status issue is as given, without commands and earlier writes."""
    last = last_marker(milestone.uid, issue, "acme")
    report_input = ReportInput(
        milestone=milestone, instance="acme", now=now, calendar=Calendar.plain(), last_summary=last
    )
    texts = build_texts(report_input)
    commands, previous = CommandState(), PreviousWrites()
    return build_desired(milestone, texts, last, commands=commands, previous=previous, remind_every=7, is_quiet=False)


def forecast(milestone: AssessedMilestone, p: float, p50: date) -> AssessedMilestone:
    made = replace(milestone.health, status=Status.AT_RISK, unknown=None, probability=p, dates=Dates(p50=p50))
    return replace(milestone, health=made)


def written(want: Desired, have: StatusIssue | None, now: datetime = NOW) -> StatusIssue:
    """The status issue after its summary was written as wanted."""
    first = have or StatusIssue(issue="1", url="", closed=False, labels=(want.label,), comments=())
    seen = {want.milestone: first}
    plan = reconcile([want], Observed(issues=seen), instance="acme", now=now)
    marker = next(text for a in plan.actions if (text := getattr(a, "marker", "")) and Marker.decode(text))
    comment = OurComment(id="c", marker=marker, body=want.summary, created_at=NOW, updated_at=now)
    return replace(first, comments=(comment,))


def test_a_reestimated_issue_is_named(world: World) -> None:
    first = page()
    world.tracker.pages = [replace(first, issues=tuple(replace(i, estimate=8 * HOUR) for i in first.issues))]
    world.run()
    assert "32 h estimated" in body(world)
    world.now += timedelta(hours=2)
    last = replace(world.tracker.pages[0].issues[3], estimate=24 * HOUR, updated_at=world.now - timedelta(hours=1))
    world.tracker.pages = [replace(first, issues=(*world.tracker.pages[0].issues[:3], last))]
    world.run()
    assert "**Re-estimated** `#4` `Task 4`" in body(world)
    assert "0 h spent of 48 h estimated, 32 h still to do: within the estimate" in body(world)
    world.now += timedelta(days=2)
    world.run()
    assert "**Re-estimated**" not in body(world), "a reader who comes once a day has read it"


def test_what_remains_is_what_people_say_else_what_the_estimate_leaves(world: World) -> None:
    one = page()
    done, also, told, untold = one.issues
    issues = (
        replace(done, estimate=4 * HOUR, spent=9 * HOUR, remaining=3 * HOUR),
        also,
        replace(told, estimate=10 * HOUR, spent=2 * HOUR, remaining=20 * HOUR),
        replace(untold, estimate=6 * HOUR, spent=1 * HOUR),
    )
    assert done.state is State.CLOSED
    world.tracker.pages = [replace(one, issues=issues)]
    world.run()
    assert "12 h spent of 20 h estimated, 25 h still to do: 85% over the estimate (3 issues have an estimate)." in body(
        world
    )


def test_the_forecast_then_and_now_comes_from_the_comment_itself(world: World) -> None:
    milestone = assessed(world)
    first = desired(forecast(milestone, 0.71, date(2026, 4, 1)), None)
    assert "likelihood" not in first.summary
    stands = written(first, None)
    moved = forecast(milestone, 0.42, date(2026, 4, 9))
    second = desired(moved, stands, NOW + timedelta(days=1))
    told = "**Forecast** likelihood 71% → 42%, most likely date 1 Apr 2026 → 9 Apr 2026"
    assert told in second.summary
    stands = written(second, stands, NOW + timedelta(days=1))
    assert told in desired(moved, stands, NOW + timedelta(days=1, hours=5)).summary
    assert "**Forecast**" not in desired(moved, stands, NOW + timedelta(days=2)).summary
    marker = Marker.decode(stands.comments[0].marker)
    assert marker is not None
    assert marker.kind is MarkerKind.SUMMARY


def test_an_issue_that_was_reopened_left_and_comes_back_is_added(world: World) -> None:
    milestone = assessed(world)
    known = milestone.memberships[-1]
    days = timedelta(days=1)
    reopened = replace(known, joined=NOW - 9 * days, closed=NOW - 8 * days, reopened=NOW - 7 * days)
    left = replace(known, joined=NOW - 7 * days, left=NOW - 6 * days)
    others = [membership for membership in milestone.memberships if membership.item != known.item]
    milestone = replace(milestone, memberships=[*others, reopened, left])
    stands = written(desired(milestone, None), None)
    milestone = replace(milestone, memberships=[*milestone.memberships, replace(known, joined=NOW + days)])
    again = desired(milestone, stands, NOW + days + timedelta(hours=2))
    assert f"**Added** `#{milestone.issues[known.item].key.partition('#')[2]}`" in again.summary


def test_earlier_forecasts_come_a_week_apart_and_none_is_of_today(world: World) -> None:
    milestone = assessed(world)
    store: Store = world.store
    for days in range(45):
        said = forecast(milestone, 0.5 + days / 100, date(2026, 4, 1)).health
        store.save_health(f"r{days}", [replace(said, at=NOW - timedelta(days=days))])
    found = recent_forecasts(store, "", NOW, Methods(said.method))[milestone.uid]
    assert [(NOW - told.at).days for told in found] == [32, 25, 18, 11, 4, 1]
    engine = world.engine()
    (now,) = engine.assess(keep=False)
    shown = desired(forecast(now, 0.5, date(2026, 4, 1)), None).summary
    assert "| Forecast of |" in shown
    assert shown.count("Apr 2026 | none |") == 5


@pytest.mark.parametrize("weekday", range(7))
def test_each_day_has_the_forecast_of_a_week_ago_for_its_trend(world: World, weekday: int) -> None:
    milestone = assessed(world)
    now = NOW + timedelta(days=weekday)
    for days in range(1, 20):
        before = forecast(milestone, 0.9 - days / 100, date(2026, 4, 1)).health
        world.store.save_health(f"r{days}", [replace(before, at=now - timedelta(days=days))])
    world.now = now
    (today,) = world.engine().assess(keep=False)
    today = forecast(today, 0.5, date(2026, 4, 1))
    assert build_facts(today, now=now).last_week == pytest.approx(0.83)
    assert build_facts(replace(today, forecasts=(), last_week=()), now=now).last_week is None


def test_what_was_taken_out_and_what_was_reopened_are_named(world: World) -> None:
    world.run()
    world.now += timedelta(hours=2)
    first = page()
    again, two, three, away = first.issues
    at = world.now - timedelta(hours=1)
    again = replace(again, state=State.OPEN, raw_state="open", closed_at=None, updated_at=at)
    away = replace(away, milestones=(), updated_at=at)
    world.tracker.pages = [replace(first, issues=(again, two, three, away))]
    world.run()
    assert "**Removed** `#4` `Task 4`" in body(world)
    assert "**Reopened** `#1` `Task 1`" in body(world)
    assert "**Added**" not in body(world)


def test_another_instances_summary_on_the_same_issue_is_not_taken_for_ours(world: World) -> None:
    milestone = assessed(world)
    stands = written(desired(milestone, None), None)
    (ours,) = stands.comments
    theirs = replace(ours, id="theirs", marker=ours.marker.replace('"acme"', '"other"'))
    both = replace(stands, comments=(theirs, ours))
    assert last_marker(milestone.uid, both, "acme") == Marker.decode(ours.marker)
    assert last_marker(milestone.uid, replace(stands, comments=(theirs,)), "acme") is None


@pytest.mark.parametrize("url", [None, "https://tracker.example/1"])
def test_the_body_of_a_status_issue_is_rendered_for_a_new_one_only(world: World, url: str | None) -> None:
    report_input = ReportInput(
        milestone=assessed(world), instance="acme", now=NOW, calendar=Calendar.plain(), issue_url=url
    )
    assert bool(build_texts(report_input).issue_body) == (url is None)
