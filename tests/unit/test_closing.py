from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from msgspec.structs import replace

from sync.health.closing import FinishedMilestone, closing_record
from sync.markup import render
from sync.markup.document import Item, is_ours
from sync.model.closing import ClosingRecord, NextMilestone, ReviewQuestion, ReviewQuestionKind, without_person
from sync.model.definition import Criteria
from sync.model.health import Health, Status
from sync.model.joint import Commitment
from sync.model.membership import Counts, Membership
from sync.model.published import PublishedForecast
from sync.model.tracker_data import (
    DueDate,
    Issue,
    Markup,
    MilestoneKind,
    Person,
    State,
    StatusCategory,
)
from sync.report import good_news as news
from sync.report.closing_comment import closing_comment
from sync.report.questions import question_line

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
ADA, LIN, BOSS = Person("u1", "Ada"), Person("u2", "Lin"), Person("u3", "Bo")


def day(n: float) -> datetime:
    return START + timedelta(days=n)


def issue(n: int, *assignees: Person) -> Issue:
    return Issue(
        id=f"i{n}",
        project="p",
        key=f"#{n}",
        title=f"Task {n}",
        url=f"memory:{n}",
        state=State.CLOSED,
        raw_state="closed",
        category=StatusCategory.DONE,
        created_at=START,
        updated_at=START,
        assignees=assignees,
    )


def stay(n: int, closed: float | None, joined: float = 0, **fields: object) -> Membership:
    closing = None if closed is None else day(closed)
    plain = Membership(container="m", item=f"s/i{n}", joined=day(joined), closed=closing)
    return replace(plain, **fields)


def health(**fields: object) -> Health:
    plain = Health(
        container="m",
        at=day(40),
        status=Status.DONE,
        band=Status.DONE,
        since=day(40),
        due=date(2026, 4, 6),
        baseline=date(2026, 3, 30),
        start=START.date(),
        counts=Counts(closed=5),
    )
    return replace(plain, **fields)


def made(
    memberships: list[Membership] | None = None,
    told: list[PublishedForecast] | None = None,
    **h: object,
) -> ClosingRecord:
    memberships = memberships or [stay(n, 3.0 * n) for n in range(1, 6)]
    issues = {f"s/i{n}": issue(n, ADA if n % 2 else LIN) for n in range(1, 30)}
    slips = (DueDate(START, date(2026, 3, 30)), DueDate(day(20), date(2026, 4, 6)))
    return closing_record(
        FinishedMilestone(
            health=health(**h),
            title="v1",
            ended_on=day(41).date(),
            memberships=memberships,
            issues=issues,
            due_dates=slips,
            forecasts=told or [],
        )
    )


def bare(found: Health, **facts: Any) -> ClosingRecord:
    """The record of a milestone of which nothing else is known."""
    return closing_record(
        FinishedMilestone(
            **{"health": found, "title": "v1", "ended_on": day(41).date(), "memberships": [], "issues": {}, **facts}
        )
    )


def body_of(record: ClosingRecord, **given: Any) -> str:
    return render(closing_comment(record, **given), Markup.GITHUB, 65_000)


def kinds(record: ClosingRecord) -> list[ReviewQuestionKind]:
    return [result.kind for result in record.questions]


def test_done_is_the_day_of_the_last_closure_and_that_of_the_milestone_where_work_was_left() -> None:
    assert made().done == day(15).date()
    assert made([stay(1, 4), stay(2, None)], counts=Counts(open=1, closed=1)).done == day(41).date()
    left = stay(9, 30, left=day(31))
    assert made([stay(1, 4), left]).done == day(4).date()


def thanked(*people: Person, **fields: Any) -> tuple[Person, ...]:
    issues = {"s/i1": issue(1, *people), "s/i2": issue(2, BOSS)}
    return bare(health(), memberships=[stay(1, 3, **fields), stay(2, None)], issues=issues).thanks


def test_the_assignees_of_finished_items_are_thanked() -> None:
    assert thanked(LIN, ADA) == (ADA, LIN)
    assert thanked(ADA, removed=True) == ()
    assert thanked() == ()
    assert thanked(Person("forgotten", "")) == ()


ROBOTS = [
    Person("1", "merge[bot]"),
    Person("1", "dependabot"),
    Person("1", "Renovate Bot"),
    Person("1", "github-actions"),
    Person("1", "Deploy token", "project_123_bot_9f3c"),
    Person("1", "Deploy token", "group_7_bot2"),
    Person("1", "release-bot"),
    Person("1", "Automation for Jira"),
    Person("1", "Sprint Helper", is_bot=True),
    Person("1", "ghost"),
    Person("1", "Former user"),
]


@pytest.mark.parametrize("robot", ROBOTS, ids=lambda robot: robot.login or robot.name)
def test_programs_are_not_thanked(robot: Person) -> None:
    assert thanked(ADA, robot) == (ADA,)
    older = replace(made(), thanks=(ADA, robot))
    assert "Thanks to `Ada`." in body_of(older)


@pytest.mark.parametrize("name", ["Jan Bot", "Abbot", "Robotnik", "jenkinson", "projecta"])
def test_people_whose_names_look_like_a_program_are_thanked(name: str) -> None:
    assert thanked(Person("7", name)) == (Person("7", name),)


def test_a_closing_comment_thanks_people_without_counts() -> None:
    assert "Thanks to `Ada`, `Lin`." in body_of(made())


def test_always_three_questions_and_those_of_what_happened_first() -> None:
    assert len(made().questions) == 3
    grown = made([stay(1, 3), stay(2, 3), stay(3, 9, joined=4), stay(4, 9, joined=5)])
    assert (grown.items_at_start, grown.items_joined, grown.items_left) == (2, 2, 0)
    assert kinds(grown)[:2] == [ReviewQuestionKind.GREW, ReviewQuestionKind.SLIPPED]
    quiet = bare(health(baseline=date(2026, 4, 6)))
    assert kinds(quiet) == [ReviewQuestionKind.KEEP, ReviewQuestionKind.CHANGE, ReviewQuestionKind.NEXT]


def test_a_forecast_that_was_wrong_is_asked_about() -> None:
    sure = PublishedForecast(at=day(5), due=date(2026, 3, 10), probability=0.8)
    asked = made(told=[sure]).questions[0]
    assert asked == ReviewQuestion(kind=ReviewQuestionKind.UNFORESEEN, probability=0.8, day=day(5).date(), days=7)
    doubtful = PublishedForecast(at=day(5), due=date(2026, 3, 20), probability=0.2)
    assert made(told=[doubtful]).questions[0].kind is ReviewQuestionKind.TURNED
    right = PublishedForecast(at=day(5), due=date(2026, 3, 20), probability=0.8)
    assert {ReviewQuestionKind.UNFORESEEN, ReviewQuestionKind.TURNED}.isdisjoint(kinds(made(told=[right])))


def test_what_was_left_and_what_took_long_is_asked_about() -> None:
    left = bare(health(counts=Counts(open=2, closed=3)), criteria=Criteria(1, 3))
    assert kinds(left)[:2] == [ReviewQuestionKind.LEFT_OPEN, ReviewQuestionKind.CRITERIA]
    carried = bare(health(counts=Counts(carried=2, closed=3)))
    assert kinds(carried)[0] is ReviewQuestionKind.CARRIED
    slow = made([stay(1, 2), stay(2, 3), stay(3, 4), stay(4, 38)])
    held = next(question for question in slow.questions if question.kind is ReviewQuestionKind.HELD_UP)
    assert held.days == 38
    assert held.item == ("#4", "Task 4", "memory:4")
    assert ReviewQuestionKind.RUSH in kinds(made([stay(n, 30 + n) for n in range(1, 6)]))


def test_the_forecasts_kept_are_few_with_first_last_and_the_greatest_moves() -> None:
    ps = [0.5] * 10 + [0.2] * 10 + [0.9] * 10
    told = [PublishedForecast(at=day(n), due=date(2026, 4, 6), probability=p) for n, p in enumerate(ps)]
    kept = made(told=told).forecasts
    assert len(kept) <= 6
    assert {day(0), day(10), day(20), day(29)} <= {forecast.at for forecast in kept}
    assert made(told=[PublishedForecast(at=day(1))]).forecasts == ()


def test_the_last_forecast_of_each_day_is_kept() -> None:
    told = [
        PublishedForecast(at=day(n) + timedelta(hours=hours), due=date(2026, 4, 6), probability=hours / 24)
        for n in range(3)
        for hours in (2, 5, 8)
    ]
    assert [forecast.at for forecast in made(told=told).forecasts] == [day(n) + timedelta(hours=8) for n in range(3)]


@pytest.mark.parametrize("kind", list(ReviewQuestionKind))
def test_every_question_is_a_sentence_of_our_own_words(kind: ReviewQuestionKind) -> None:
    asked = ReviewQuestion(
        kind=kind, count=2, of=5, days=3, probability=0.8, day=date(2026, 3, 5), item=("#1", "Task", "")
    )
    words = [part for part in question_line(made(), asked) if not isinstance(part, Item)]
    assert all(isinstance(part, str) and is_ours(part) for part in words)
    assert str(words[-1]).endswith("?")


def test_one_person_can_be_taken_out() -> None:
    record = made()
    nobody = Person("forgotten", "")
    assert [item.id for item in without_person(record, "u1", nobody).thanks] == ["forgotten", "u2"]
    assert without_person(record, "u9", nobody) == record


# --- good news -------------------------------------------------------------------------------------------------------


def running(status: Status = Status.AT_RISK, **fields: object) -> Health:
    return health(status=status, at=day(30), **fields)


def good_news(milestone: Health, memberships: Sequence[Membership], zone: str = "UTC") -> str:
    return news.good_news(milestone, memberships, ZoneInfo(zone))


def test_back_on_track_is_news_for_a_week() -> None:
    back = running(Status.ON_TRACK, previous_status=Status.OFF_TRACK, since=day(25), counts=Counts(open=5))
    assert good_news(back, []) == "Good news: it is back on track."
    assert good_news(replace(back, since=day(20)), []) == ""
    assert good_news(replace(back, previous_status=Status.UNKNOWN), []) == ""
    assert good_news(replace(back, status=Status.AT_RISK), []) == ""


def test_half_way_is_news_for_a_week() -> None:
    memberships = [stay(1, 5), stay(2, 27), stay(3, None), stay(4, None)]
    half = running(counts=Counts(open=2, closed=2))
    assert good_news(half, memberships) == "Good news: half of the work is done."
    assert good_news(half, [stay(1, 5), stay(2, 6), stay(3, None), stay(4, None)]) == ""
    assert good_news(replace(half, stale_since=day(29)), memberships) == ""


@pytest.mark.parametrize("status", [Status.OVERDUE, Status.OFF_TRACK])
def test_milestone_in_trouble_has_no_good_news(status: Status) -> None:
    memberships = [stay(1, 5), stay(2, 27), stay(3, None), stay(4, None)]
    assert good_news(running(status), memberships) == ""


def test_all_work_done_is_not_half_of_it() -> None:
    assert good_news(running(), [stay(1, 27), stay(2, None)]) == "Good news: half of the work is done."
    assert good_news(running(), [stay(1, 27), stay(2, 27)]) == ""


def test_days_of_good_news_are_those_of_the_connection() -> None:
    back = running(Status.ON_TRACK, previous_status=Status.OFF_TRACK, since=day(23.4))
    assert good_news(back, [], "UTC") == ""
    assert good_news(back, [], "Pacific/Kiritimati") != ""


def test_a_record_week_beats_every_full_week_before() -> None:
    slow = [stay(n, 3.0 * n) for n in range(1, 8)]
    fast = [stay(n, 24 + n / 10) for n in range(10, 16)]
    rest = [stay(n, None) for n in range(20, 60)]
    counts = Counts(open=40, closed=13)
    assert "6 issues were closed in the last 7 days" in good_news(running(counts=counts), [*slow, *fast, *rest])
    first = [stay(n, 1 + n / 100) for n in range(60, 66)]
    assert good_news(running(counts=counts), [*slow, *fast, *first, *rest]) == ""
    young = running(counts=counts, start=day(15).date())
    assert good_news(young, [*fast, *rest]) == ""


def test_what_is_done_or_unknown_has_no_news() -> None:
    assert good_news(health(previous_status=Status.AT_RISK), []) == ""
    assert good_news(running(Status.UNKNOWN), []) == ""


def test_scope_and_budget_are_those_of_the_whole_time() -> None:
    memberships = [stay(1, 3), stay(2, None, left=day(8)), stay(3, 9, joined=4), stay(4, None, joined=4, left=day(5))]
    issues = {f"s/i{n}": replace(issue(n), estimate=7200, spent=10800) for n in range(1, 5)}
    record = bare(health(), memberships=memberships, issues=issues)
    assert (record.items_at_start, record.items_joined, record.items_left) == (2, 2, 2)
    assert (record.estimate, record.spent) == (14400, 21600)
    body = body_of(record)
    assert "Planned 2, added 2, removed 2." in body
    assert "6 h spent of 4 h estimated, 50% over the estimate." in body


def test_an_item_that_left_before_the_end_of_the_first_day_was_no_part_of_the_plan() -> None:
    gone = stay(2, None, joined=-9, left=START + timedelta(hours=2))
    record = bare(health(), memberships=[stay(1, 3), gone])
    assert (record.items_at_start, record.items_joined, record.items_left) == (1, 0, 0)


# --- the comment -----------------------------------------------------------------------------------------------------


def ended(**fields: Any) -> ClosingRecord:
    plain = ClosingRecord(
        container="m",
        at=day(40),
        title="v3",
        done=date(2026, 11, 28),
        project="acme/app",
        due=date(2026, 11, 28),
        baseline=date(2026, 11, 28),
        counts=Counts(closed=5, carried=7),
        items_at_start=12,
    )
    return replace(plain, **fields)


def to(*pairs: tuple[str, int]) -> tuple[NextMilestone, ...]:
    return tuple(NextMilestone(title, count) for title, count in pairs)


@pytest.mark.parametrize(
    ("found", "headline"),
    [
        (to(("v4", 7)), "5 of 12 done, 7 carried over** to `v4`\n"),
        (to(("v4", 5), ("v5", 1), ("", 1)), "5 of 12 done, 7 carried over**, 5 to `v4` and 2 elsewhere\n"),
        (to(("v4", 5), ("v5", 1)), "5 of 12 done, 7 carried over**, 5 of them to `v4`\n"),
        (to(("", 4), ("v5", 3)), "5 of 12 done, 7 carried over**\n"),
        ((), "5 of 12 done, 7 carried over**\n"),
    ],
)
def test_the_headline_names_where_the_work_went(found: tuple[NextMilestone, ...], headline: str) -> None:
    assert f"**Ended on 28 Nov 2026: {headline}" in body_of(ended(next_milestones=found))


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (date(2026, 11, 28), "It ended on its due date."),
        (date(2026, 11, 27), "It ended 1 day before its due date."),
        (date(2026, 12, 4), "It ended 6 days after its due date."),
    ],
)
def test_the_end_is_counted_in_days_of_the_tracker(done: date, words: str) -> None:
    assert words in body_of(ended(done=done))


@pytest.mark.parametrize(("hour", "on"), [(5, date(2026, 3, 6)), (15, date(2026, 3, 7))])
def test_days_are_those_of_the_zone(hour: int, on: date) -> None:
    zone = ZoneInfo("Pacific/Auckland")  # 13 hours ahead in March
    closed = datetime(2026, 3, 6, hour, tzinfo=UTC)
    stays = [stay(n, 0, joined=-2) for n in range(1, 4)]
    record = bare(
        health(due=date(2026, 3, 6), baseline=date(2026, 3, 6), counts=Counts(closed=3)),
        memberships=[replace(row, closed=closed) for row in stays],
        forecasts=[PublishedForecast(at=closed, due=date(2026, 3, 6), probability=0.2)],
        zone=zone,
    )
    assert record.done == on
    assert record.zone == "Pacific/Auckland"
    days = {question.day for question in record.questions if question.day is not None}
    assert days == ({on} if on == date(2026, 3, 6) else set())
    timing = "on the due date" if on == date(2026, 3, 6) else "1 day late"
    assert f", {timing}: all 3 issues done" in body_of(record)


@pytest.mark.parametrize(
    ("key", "project", "url", "shown"),
    [
        ("#12", "acme/app", "https://github.com/acme/app/issues/12", "#12"),
        ("acme/api#12", "acme/api", "https://gitlab.com/acme/api/-/issues/12", "#12"),
        ("acme/api#12", "acme", "https://gitlab.com/acme/api/-/issues/12", "acme/api#12"),
        ("acme/app2#5", "acme/app", "https://gitlab.com/acme/app2/-/work_items/5", "acme/app2#5"),
        ("PAY-266", "PAY", "https://acme.atlassian.net/browse/PAY-266", "PAY-266"),
        ("AB_C-12", "AB_C", "https://acme.atlassian.net/browse/AB_C-12", "AB_C-12"),
        ("-266", "", "https://acme.atlassian.net/browse/PAY-266", "PAY-266"),
        ("/api#12", "", "https://gitlab.com/acme/api/-/issues/12", "acme/api#12"),
        ("2#5", "", "https://gitlab.com/acme/app2/-/issues/5", "acme/app2#5"),
        ("#12", "", "https://gitlab.com/acme/api/-/issues/12", "#12"),
    ],
)
def test_keys_resolve_in_their_tracker_also_those_of_older_records(
    key: str, project: str, url: str, shown: str
) -> None:
    asked = ReviewQuestion(kind=ReviewQuestionKind.HELD_UP, days=20, of=3, item=(key, "Slow", url))
    line = question_line(ended(project=project), asked)
    assert line[0] == Item(shown, "Slow", url)


def test_records_of_earlier_versions_can_be_read() -> None:
    old = (
        b'{"container":"m","at":"2026-04-11T09:00:00Z","title":"v1","done":"2026-03-17","told":[{"at":'
        b'"2026-03-03T09:00:00Z","probability":0.4}],"thanks":[{"id":"u1","name":"Ada"}],"questions":'
        b'[{"kind":"held_up","days":20,"item":["-2","Slow","https://jira.example/browse/PAY-2"]}]}'
    )
    record = msgspec.json.decode(old, type=ClosingRecord)
    assert record.day_of(record.at) == date(2026, 4, 11)
    assert "The forecast two weeks before the end was 40%" in body_of(record)


def test_the_closing_comment_does_not_repeat_the_kind_with_which_the_title_begins() -> None:
    assert "Sprint `12`" in body_of(replace(ended(), kind=MilestoneKind.SPRINT, title="Sprint 12", url=""))


def test_the_joint_milestones_are_named_with_the_status_that_readers_may_know() -> None:
    commitments = (Commitment(name="GA", status=Status.AT_RISK), Commitment(name="Secret"))
    body = body_of(ended(), commitments=commitments)
    assert "Part of the joint milestone `GA`: at risk." in body
    assert "Secret" not in body
