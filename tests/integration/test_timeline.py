"""The timeline's entries and its exports, read back by other programs' rules."""

from __future__ import annotations

import re
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from sync.history.calendar import Calendar
from sync.model.joint import JointMilestone
from sync.model.tracker_data import Visibility
from sync.report.timeline import Schedule, TimelineEntry, build_schedule, icalendar, mermaid
from tests.portfolio_world import NOW, World, page, running

JOINT = JointMilestone(name="GA: now; #1", members=(running("app"), running("api")))


@pytest.fixture(scope="module")
def shown() -> Schedule:
    world = World(
        page("app"), page("api", late=True, still_open=9, visibility=Visibility.PROJECT), page("web", due=None)
    )
    whole = world.whole(JOINT, dependencies=[(running("api"), running("app"))])
    return build_schedule(whole, NOW, Calendar.plain())


def _entry(shown: Schedule, written: str) -> TimelineEntry:
    return next(entry for entry in shown.milestones if entry.id == written)


def test_what_waits_says_for_what_and_what_it_loses(shown: Schedule) -> None:
    app = _entry(shown, running("app"))
    (wait,) = app.after
    assert (wait.id, wait.because, wait.issues) == (running("api"), "configured", 0)
    assert wait.sets_the_date > 0.5
    assert app.days_lost > 1
    # here the operator sees everything: this is later than what the private predecessor lets readers know
    assert shown.critical == (running("api"), running("app"))
    alone = build_schedule(World(page("app")).whole(), NOW, Calendar.plain())
    before = _entry(alone, running("app"))
    assert before.p50 is not None
    assert app.p50 is None or app.p50 > before.p50
    assert alone.critical == ()


def test_all_that_runs_is_there_by_due_date(shown: Schedule) -> None:
    assert {running("app"), running("api"), running("web"), "joint:GA: now; #1"} <= {
        entry.id for entry in shown.milestones
    }
    assert shown.milestones[-1].due is None
    assert _entry(shown, "joint:GA: now; #1").members == (running("app"), running("api"))
    assert _entry(shown, running("app")).replans[0].due == date(2026, 3, 29)


def test_the_gantt_has_no_sign_of_meaning_in_a_name(shown: Schedule) -> None:
    hostile = replace(shown.milestones[0], title="a:b;c#d\nsection x %% click `y` <script>", url="https://x.example")
    chart = mermaid(replace(shown, milestones=(hostile, *shown.milestones)))
    lines = chart.splitlines()
    assert lines[0] == "gantt"
    for line in lines[5:]:
        assert re.fullmatch(
            r"    section [\w .()/+-]+|"
            r"    \w[\w .()/+-]+ :(crit, )?(active, |done, )m\d+, \d{4}-\d\d-\d\d, \d{4}-\d\d-\d\d|"
            r"    \w[\w .()/+-]+ :(crit, )?milestone, p\d+, \d{4}-\d\d-\d\d, 0d",
            line,
        ), line
    assert sum("crit" in line for line in lines) >= 2


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("title of all", "Milestone title of all"),
        ("Section 3", "Milestone Section 3"),
        ("2026-04-01 and on", "Milestone 2026-04-01 and on"),
        ("- - 2.0", "2.0"),
        ("\u05d2\u05e8\u05e1\u05d4 \u202e2", "\u05d2\u05e8\u05e1\u05d4 2"),
        ("::", "unnamed"),
    ],
)
def test_a_task_of_the_gantt_is_named_as_its_milestone(shown: Schedule, title: str, name: str) -> None:
    chart = mermaid(replace(shown, milestones=(replace(shown.milestones[0], title=title),)))
    assert f"    {name} :" in chart


def test_a_section_of_the_gantt_is_a_project(shown: Schedule) -> None:
    one, *_ = shown.milestones
    rows = [
        replace(one, project=project, id=f"x:{project}{rest}") for project, rest in (("P2", "/2.0"), ("acme/7", "%8"))
    ]
    sections = re.findall(r"section (.*)", mermaid(replace(shown, milestones=tuple(rows))))
    assert sections == ["P2", "acme/7"]


@pytest.mark.parametrize(
    ("zone", "today"), [("Etc/GMT+12", date(2026, 3, 15)), ("Pacific/Kiritimati", date(2026, 3, 16))]
)
def test_today_is_the_day_of_the_connection(zone: str, today: date) -> None:
    whole = World(page("app")).whole()
    moved = [
        replace(
            milestone,
            connection=replace(milestone.connection, zone=ZoneInfo(zone)),
            health=replace(milestone.health, start=None),
        )
        for milestone in whole.milestones
    ]
    schedule = build_schedule(replace(whole, milestones=tuple(moved)), NOW, Calendar.plain())
    entry = _entry(schedule, running("app"))
    assert entry.today == today
    assert f", {today}, {entry.due}" in mermaid(schedule)


def test_a_verdict_that_is_kept_has_its_time_in_the_calendar(shown: Schedule) -> None:
    ical = pytest.importorskip("icalendar")
    kept = replace(_entry(shown, running("app")), as_of=NOW)
    made = ical.Calendar.from_ical(icalendar(replace(shown, milestones=(kept,)), "acme"))
    assert all("as of 15 Mar 2026, 12:00 UTC" in str(event["description"]) for event in made.walk("VEVENT"))


def test_the_calendar_is_read_back(shown: Schedule) -> None:
    ical = pytest.importorskip("icalendar")
    made = ical.Calendar.from_ical(icalendar(shown, "acme"))
    events = made.walk("VEVENT")
    uids = [str(event["uid"]) for event in events]
    assert len(set(uids)) == len(uids)
    due = next(event for event in events if str(event["summary"]) == "Due: Release 9")
    assert due.decoded("dtstart") == date(2026, 3, 29)
    assert due.decoded("dtend") == date(2026, 3, 30)
    assert any(str(event["summary"]).startswith("85% sure: ") for event in events)
    assert all(len(line) <= 75 for line in icalendar(shown, "acme").split(b"\r\n"))
    again = ical.Calendar.from_ical(icalendar(shown, "acme"))
    assert [str(event["uid"]) for event in again.walk("VEVENT")] == uids
