from __future__ import annotations

import dataclasses
import json
import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from sync.assess.milestone import AssessmentRules
from sync.health.reminders import Load, PersonalWork, Trouble, Workload, due_reminders, overcommitted, unreviewed
from sync.history.calendar import Calendar
from sync.markup import render
from sync.markup.document import Item
from sync.model.settings import ReminderRules
from sync.model.team_words import NO_OWNERS, NO_WORDS, OwnerOrigin, Owners, find_owners
from sync.model.tracker_data import Issue, Markup, Person, State, StatusCategory
from sync.model.work_time import WorkTime
from sync.report.reminder import owner_lines, reminder

NOW = datetime(2026, 3, 16, 12, tzinfo=UTC)  # a Monday
TODAY = NOW.date()
ADA, LIN = Person("u1", "Ada Fox", "ada"), Person("u2", "Lin")
RULES = ReminderRules(reminders=True, review=("in review", "Flow::Review"))


def issue(n: int = 1, *assignees: Person, idle: int = 1, **fields: object) -> Issue:
    plain = Issue(
        id=f"i{n}",
        project="p",
        key=f"acme/app#{n}",
        title=f"Task {n}",
        url=f"memory:{n}",
        state=State.OPEN,
        raw_state="open",
        category=StatusCategory.TODO,
        created_at=NOW - timedelta(days=90),
        updated_at=NOW - timedelta(days=idle),
        assignees=assignees,
    )
    return replace(plain, **fields)


def troubles(*issues: Issue, joined: int = 40) -> list[tuple[Trouble, bool]]:
    return [(w.trouble, w.late) for w in due_reminders([(i, NOW - timedelta(days=joined)) for i in issues], NOW, RULES)]


def asked(n: int, days: int, *reviewers: Person, assignees: tuple[Person, ...] = ()) -> Issue:
    """A change that waits for a review by these people since so many days."""
    since = NOW - timedelta(days=days)
    return issue(n, is_pull_request=True, reviewers=reviewers, review_since=since, assignees=assignees)


def test_a_change_waits_for_its_reviewers_and_never_for_an_owner() -> None:
    assert troubles(asked(1, 2, ADA)) == []
    assert troubles(asked(1, 3, ADA), asked(2, 14, LIN)) == [(Trouble.UNREVIEWED, True), (Trouble.UNREVIEWED, False)]
    assert troubles(issue(1, is_pull_request=True)) == []
    assert troubles(issue(1, is_pull_request=True, idle=20)) == [(Trouble.UNTOUCHED, True)]
    assert troubles(issue(1, is_pull_request=True, labels=("flow::review",), idle=4)) == [(Trouble.UNREVIEWED, False)]


def test_the_reviewers_are_reminded_not_the_assignees() -> None:
    due = due_reminders([(asked(1, 5, ADA, assignees=(LIN,)), NOW - timedelta(days=40))], NOW, RULES)
    document = reminder(due, NO_OWNERS, "acme/app", RULES)
    assert document is not None
    words = render(document, Markup.GITHUB, 10_000)
    assert "`Ada Fox`:" in words
    assert "Lin" not in words
    assert "**Waits for review** `#1` `Task 1`, since 11 Mar 2026" in words


def test_a_healthy_milestone_needs_no_reminder() -> None:
    assert troubles(issue(1, ADA), issue(2, ADA, due=TODAY), issue(3, ADA, idle=14)) == []


def test_each_trouble_and_the_most_pressing_of_several() -> None:
    assert troubles(issue(1, ADA, due=TODAY - timedelta(days=4))) == [(Trouble.OVERDUE, False)]
    assert troubles(issue(1, raw_state="In Review", idle=5)) == [(Trouble.UNREVIEWED, False)]
    assert troubles(issue(1)) == [(Trouble.UNOWNED, True)]
    assert troubles(issue(1, ADA, idle=20)) == [(Trouble.UNTOUCHED, True)]
    assert troubles(issue(1, idle=20, due=TODAY - timedelta(days=5))) == [(Trouble.OVERDUE, False)]


@pytest.mark.parametrize(("idle", "is_due"), [(14, False), (15, True)])
def test_an_issue_without_activity_is_due_from_the_beginning_of_a_day(idle: int, is_due: bool) -> None:
    touched = NOW - timedelta(days=idle)
    midnight = NOW.replace(hour=0, minute=0)
    for hour in range(24):
        quiet = issue(1, ADA, updated_at=touched.replace(hour=23 - hour))
        found = due_reminders([(quiet, touched)], midnight + timedelta(hours=hour, minutes=30), RULES)
        assert bool(found) is is_due


@pytest.mark.parametrize(("days", "late"), [(2, None), (3, False), (13, False), (14, True)])
def test_grace_and_escalation(days: int, late: bool | None) -> None:
    found = troubles(issue(1, ADA, due=TODAY - timedelta(days=days)))
    assert found == ([] if late is None else [(Trouble.OVERDUE, late)])


@pytest.mark.parametrize(("zone", "days"), [("America/Los_Angeles", None), ("UTC", 3), ("Pacific/Kiritimati", 3)])
def test_days_are_those_of_the_zone(zone: str, days: int | None) -> None:
    early = datetime(2026, 3, 17, 5, tzinfo=UTC)  # the evening of 16 March in California, 19:00 in Kiritimati
    found = due_reminders([(issue(1, ADA, due=date(2026, 3, 14)), NOW)], early, RULES, ZoneInfo(zone))
    assert [(early.astimezone(ZoneInfo(zone)).date() - reminder.since).days for reminder in found] == (
        [] if days is None else [days]
    )


def test_an_unassigned_issue_waits_since_its_day_in_the_zone() -> None:
    joined = datetime(2026, 3, 2, 3, tzinfo=UTC)
    (found,) = due_reminders([(issue(1), joined)], NOW, RULES, ZoneInfo("America/Los_Angeles"))
    assert found.since == date(2026, 3, 1)


def test_a_reviewer_is_missed_in_review_states_and_under_review_labels_only() -> None:
    assert unreviewed(issue(1, raw_state="IN REVIEW"), RULES.review)
    assert unreviewed(issue(1, labels=("flow::review",)), RULES.review)
    assert not unreviewed(issue(1, ADA, raw_state="In Review"), RULES.review)
    assert not unreviewed(issue(1), RULES.review)
    change = issue(1, ADA, is_pull_request=True, raw_state="In Review")
    assert unreviewed(change, RULES.review), "an assignee of a change is its author, no reviewer"
    assert not unreviewed(replace(change, reviewers=(LIN,)), RULES.review)


# --- the comment -----------------------------------------------------------------------------------------------------

ASKED = [
    (issue(1, ADA, LIN, due=TODAY - timedelta(days=4)), NOW),
    (issue(2, LIN, idle=20), NOW),
    (issue(3), NOW - timedelta(days=5)),
]


def body(markup: Markup = Markup.GITHUB, owner: str = "@payments-lead", *, mentions: bool = False) -> str:
    rules = dataclasses.replace(RULES, mentions=mentions)
    document = reminder(due_reminders(ASKED, NOW, rules), find_owners(owner, NO_WORDS, ()), "acme/app", rules)
    assert document is not None
    return render(document, markup, 60_000)


def test_each_owner_sees_their_own_and_the_milestones_owner_what_lasts() -> None:
    assert body() == (
        "**Reminder**: 3 open issues need someone.\n\n"
        "`Ada Fox`:\n\n"
        "- **Overdue** `#1` `Task 1`, was due on 12 Mar 2026\n\n"
        "`Lin`:\n\n"
        "- **No activity** `#2` `Task 2`, since 24 Feb 2026\n"
        "- **Overdue** `#1` `Task 1`, was due on 12 Mar 2026\n\n"
        "Unassigned:\n\n"
        "- **Unassigned** `#3` `Task 3`, since 11 Mar 2026\n\n"
        "1 of these has waited for more than 14 days. For the owner of the milestone: `@payments-lead`"
    )


def test_no_person_is_mentioned_by_default() -> None:
    for markup in Markup:
        text = body(markup).replace("`@payments-lead`", "")
        assert "@ada" not in text
        assert '"mention"' not in text
    spoken = body(mentions=True)
    assert "@ada:" in spoken
    assert "@Lin:" in spoken
    assert spoken.endswith(": @payments-lead")
    nodes = json.dumps(json.loads(body(Markup.ADF, mentions=True)))
    assert '"type": "mention", "attrs": {"id": "u1"' in nodes
    assert "~" not in body(Markup.WIKI, mentions=True)


def test_an_owner_of_a_description_or_a_tracker_is_never_a_mention() -> None:
    rules = dataclasses.replace(RULES, mentions=True)
    for origin in (OwnerOrigin.DESCRIPTION, OwnerOrigin.TRACKER):
        document = reminder(due_reminders(ASKED, NOW, rules), Owners(("@all", "@lead"), origin), "acme/app", rules)
        assert document is not None
        assert render(document, Markup.GITHUB, 60_000).endswith(": `@all` and `@lead`")


def test_a_name_that_is_no_login_is_never_a_mention() -> None:
    rules = dataclasses.replace(RULES, mentions=True)
    hostile = Person("u9", "x @everyone <b>")
    found = due_reminders([(issue(1, hostile, idle=30), NOW)], NOW, rules)
    document = reminder(found, find_owners("the lead @all", NO_WORDS, ()), "", rules)
    assert document is not None
    text = render(document, Markup.GITHUB, 60_000)
    assert "`x @everyone <b>`:" in text
    assert "`the lead @all`" in text


def test_nothing_to_ask_is_no_comment() -> None:
    assert reminder([], NO_OWNERS, "", RULES) is None


# --- who carries too much --------------------------------------------------------------------------------------------

UNTIL = TODAY + timedelta(days=4)  # a Friday: five working days
WEEK = Calendar(quiet_weeks=())


def held(
    count: int, hours: int | None = None, *, milestone: str = "m", due: date = UNTIL, first: int = 0
) -> list[Workload]:
    seconds = None if hours is None else hours * 3600
    return [
        Workload(uid=f"i{n}", issue=issue(n, ADA, estimate=seconds), milestone=milestone, due=due)
        for n in range(first, first + count)
    ]


def loads(*mine: Workload, work_time: WorkTime = WorkTime()) -> tuple[Load, ...]:  # noqa: B008  # frozen
    return overcommitted({ADA: PersonalWork(mine)}, UNTIL, TODAY, WEEK, work_time)


def test_estimates_are_compared_with_the_working_days_that_are_left() -> None:
    assert loads(*held(5, 8)) == ()
    (load,) = loads(*held(6, 8))
    assert (load.items, load.days, load.seconds) == (6, 5, 6 * 8 * 3600)


@pytest.mark.parametrize(
    ("hours_a_day", "days_a_week", "fits"),
    [(8.0, None, 40), (6.0, None, 30), (7.5, 5.0, 37), (8.0, 4.0, 32), (6.0, 2.5, 15), (8.0, 7.0, 40)],
)
def test_estimates_are_compared_with_the_working_time(hours_a_day: float, days_a_week: float | None, fits: int) -> None:
    """Count five working days, in a calendar with five in a week."""
    work_time = WorkTime(hours_a_day=hours_a_day, days_a_week=days_a_week)
    assert loads(*held(1, fits), work_time=work_time) == ()
    assert len(loads(*held(1, fits + 1), work_time=work_time)) == 1


@pytest.mark.parametrize(
    ("rules", "tracker", "expected"),
    [
        (ReminderRules(), None, WorkTime()),
        (ReminderRules(), WorkTime(hours_a_day=6.0, days_a_week=4.0), WorkTime(hours_a_day=6.0, days_a_week=4.0)),
        (
            ReminderRules(hours_a_day=7.0),
            WorkTime(hours_a_day=6.0, days_a_week=4.0),
            WorkTime(hours_a_day=7.0, days_a_week=4.0),
        ),
        (ReminderRules(days_a_week=3.0), None, WorkTime(days_a_week=3.0)),
    ],
)
def test_configured_working_time_outranks_the_trackers(
    rules: ReminderRules, tracker: WorkTime | None, expected: WorkTime
) -> None:
    assert AssessmentRules(reminder_rules=rules).work_time(tracker) == expected


def test_without_estimates_more_issues_than_working_days_are_too_many() -> None:
    assert loads(*held(5)) == ()
    (load,) = loads(*held(6))
    assert load.seconds is None


def test_work_due_by_a_day_is_counted_as_by_a_look_at_each_issue() -> None:
    rng, found = random.Random(2), 0
    for _ in range(300):
        dues = {f"m{n}": TODAY + timedelta(days=rng.randint(0, 9)) for n in range(4)}
        issues = {
            f"i{n}": issue(n, ADA, estimate=rng.choice((None, 36000)), spent=rng.choice((None, 7200)))
            for n in range(rng.randint(0, 12))
        }
        work = [
            Workload(uid=uid, issue=own, milestone=milestone, due=dues[milestone])
            for uid, own in issues.items()
            for milestone in rng.sample(sorted(dues), rng.randint(0, 3))
        ]
        due = [own for own in work if own.due <= UNTIL]
        known = {own.uid: own.issue for own in due}
        left = [own.estimate - (own.spent or 0) for own in known.values() if own.estimate is not None]
        personal = PersonalWork(work)
        assert personal.items(UNTIL) == len(known)
        assert personal.milestones(UNTIL) == len({own.milestone for own in due})
        assert personal.seconds(UNTIL) == (sum(left) if 2 * len(left) > len(known) else None)
        found += len(loads(*work))
    assert found > 30


def test_an_issue_in_two_milestones_counts_once_and_one_due_later_not_at_all() -> None:
    assert loads(*held(5), *held(5, milestone="n")) == ()
    assert loads(*held(5), *held(9, first=10, due=UNTIL + timedelta(days=1))) == ()
    (load,) = loads(*held(5), *held(2, milestone="n", first=10))
    assert (load.items, load.milestones) == (7, 2)


def test_work_that_was_done_counts_no_more() -> None:
    spent = [replace(load, issue=replace(load.issue, spent=6 * 3600)) for load in held(9, 8)]
    assert loads(*spent) == ()
    remaining = [replace(load, issue=replace(load.issue, remaining=8 * 3600)) for load in spent]
    assert len(loads(*remaining)) == 1


def test_the_summary_names_people_with_too_much_work_and_issues_without_a_reviewer() -> None:
    (load,) = loads(*held(7, 8))
    waiting = [Item(f"#{n}", "") for n in range(12)]
    assert len(owner_lines([load], waiting[:1])) == 2
    assert owner_lines([], waiting)[-1][1] == " for 2 more"
    assert owner_lines([], []) == []
