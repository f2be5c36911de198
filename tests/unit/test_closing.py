from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from sync.health.closing import FinishedMilestone, closing_record
from sync.markup import render
from sync.markup.document import Item, is_ours
from sync.model.closing import ClosingRecord, ReviewQuestion, ReviewQuestionKind, without_person
from sync.model.definition import Criteria
from sync.model.health import Health, Status
from sync.model.membership import Counts, Membership
from sync.model.published import PublishedForecast
from sync.model.tracker_data import (
    DueDate,
    Event,
    EventKind,
    Issue,
    Markup,
    Milestone,
    MilestoneKind,
    Person,
    State,
    StatusCategory,
)
from sync.report.closing_comment import closing_comment, question_line
from sync.report.good_news import good_news

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
ADA, LIN, BOT = Person("u1", "Ada"), Person("u2", "Lin"), Person("u3", "merge[bot]")


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


def milestone(**fields: object) -> Milestone:
    plain = Milestone(
        id="m",
        project="p",
        kind=MilestoneKind.MILESTONE,
        key="1",
        written="#1",
        title="v1",
        url="memory:m",
        state=State.CLOSED,
        closed_at=day(41),
    )
    return replace(plain, **fields)


def made(
    memberships: list[Membership] | None = None,
    told: list[PublishedForecast] | None = None,
    *,
    events: tuple[Event, ...] = (),
    **h: object,
) -> ClosingRecord:
    memberships = memberships or [stay(n, 3.0 * n) for n in range(1, 6)]
    issues = {f"s/i{n}": issue(n, ADA if n % 2 else LIN) for n in range(1, 30)}
    slips = (DueDate(START, date(2026, 3, 30)), DueDate(day(20), date(2026, 4, 6)))
    return closing_record(
        FinishedMilestone(
            health=health(**h),
            milestone=milestone(),
            memberships=memberships,
            issues=issues,
            events=events,
            due_dates=slips,
            forecasts=told or [],
        )
    )


def bare(found: Health, **facts: Any) -> ClosingRecord:
    """The record of a milestone of which nothing else is known."""
    return closing_record(
        FinishedMilestone(**{"health": found, "milestone": milestone(), "memberships": [], "issues": {}, **facts})
    )


def kinds(record: ClosingRecord) -> list[ReviewQuestionKind]:
    return [result.kind for result in record.questions]


def test_done_is_the_day_of_the_last_closure_and_that_of_the_milestone_where_work_was_left() -> None:
    assert made().done == day(15).date()
    assert made([stay(1, 4), stay(2, None)], counts=Counts(open=1, closed=1)).done == day(41).date()
    left = stay(9, 30, left=day(31))
    assert made([stay(1, 4), left]).done == day(4).date()


def test_who_closed_is_thanked_by_name_and_whose_item_it_was_where_a_program_did() -> None:
    closed = [Event(issue="i1", at=day(3), kind=EventKind.CLOSED, actor=LIN)]
    closed += [Event(issue="i3", at=day(9), kind=EventKind.CLOSED, actor=BOT)]
    assert made([stay(1, 3)], events=tuple(closed)).thanks == (LIN,)
    assert made([stay(3, 9)], events=tuple(closed)).thanks == (ADA,)
    again = Event(issue="i1", at=day(5), kind=EventKind.CLOSED, actor=ADA)
    assert made([stay(1, 5)], events=(again, *closed)).thanks == (ADA,)
    assert made([stay(1, 3, removed=True)], events=tuple(closed)).thanks == ()


def test_a_closing_comment_thanks_people_without_counts() -> None:
    body = render(closing_comment(made()), Markup.GITHUB, 65_000)
    assert "Thanks to all who closed its issues: `Ada`, `Lin`." in body


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


@pytest.mark.parametrize("kind", list(ReviewQuestionKind))
def test_every_question_is_a_sentence_of_our_own_words(kind: ReviewQuestionKind) -> None:
    asked = ReviewQuestion(
        kind=kind, count=2, of=5, days=3, probability=0.8, day=date(2026, 3, 5), item=("#1", "Task", "")
    )
    words = [part for part in question_line(asked) if not isinstance(part, Item)]
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
    body = render(closing_comment(record), Markup.GITHUB, 65_000)
    assert "**Scope**: 2 issues at the start, 2 joined, 2 moved out" in body
    assert "**Budget**: 6 h spent of 4 h estimated, +50%." in body
