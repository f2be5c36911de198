"""Closing records of random milestones: every figure and every question holds in what happened."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from sync.health.closing import FinishedMilestone, closing_record
from sync.history.carry_over import with_carry_over
from sync.history.counting import is_done, merged_counts
from sync.markup import render
from sync.markup.document import Document
from sync.model.closing import ClosingRecord, NextMilestone, ReviewQuestion, ReviewQuestionKind
from sync.model.dates import end_of_day
from sync.model.definition import Criteria
from sync.model.health import Health, Status
from sync.model.membership import Container, Membership
from sync.model.published import PublishedForecast
from sync.model.robots import is_robot
from sync.model.tracker_data import DueDate, Issue, Markup, Person, State, StatusCategory
from sync.report.closing_comment import closing_comment
from sync.report.questions import question_line
from tests.golden.test_closing_comments import VISIBLE, block_count

ZONES = ("UTC", "Etc/GMT+12", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Kiritimati")
START = date(2026, 3, 2)
PEOPLE = (Person("1", "Ada"), Person("2", "dependabot"), Person("3", "Deploy", "project_9_bot"), Person("4", "Lin"))


@st.composite
def finished_milestones(draw: st.DrawFn) -> FinishedMilestone:
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    length = draw(st.integers(1, 60))
    due = START + timedelta(days=length)
    baseline = draw(st.sampled_from((due, due, due - timedelta(days=7), due + timedelta(days=3))))
    begin, end = end_of_day(START - timedelta(days=1), zone), end_of_day(due, zone)
    ended = draw(st.none() | st.integers(-length * 12, 240).map(lambda hours: end + timedelta(hours=hours)))
    at = max(end, ended or end) + timedelta(hours=draw(st.integers(0, 48)))
    rows = draw(memberships(begin, end, at))
    container = Container(id="m", kind="milestone", stream="s", start=begin, due=end, ended=ended)
    rows = with_carry_over([container], rows)
    counts = merged_counts([(container, rows)], at)
    slips = [DueDate(begin, baseline), *([DueDate(begin + timedelta(days=1), due)] if due != baseline else [])]
    return FinishedMilestone(
        health=Health(
            container="m",
            at=at,
            status=Status.at_end(counts),
            band=Status.at_end(counts),
            since=at,
            start=START,
            due=due,
            baseline=baseline,
            counts=counts,
        ),
        title="v1",
        url="https://tracker.example/v1",
        project="acme/app",
        memberships=rows,
        issues={f"s/{n}": issue(n, draw(st.sets(st.sampled_from(PEOPLE), max_size=2))) for n in range(12)},
        ended_on=None if ended is None else ended.astimezone(zone).date(),
        due_dates=slips,
        forecasts=draw(forecasts(begin, length, (baseline, due))),
        criteria=draw(st.sampled_from((Criteria(), Criteria(1, 2), Criteria(2, 2)))),
        next_milestones=draw(st.sampled_from(((), (NextMilestone("v2", max(1, counts.carried)),)))),
        zone=zone,
    )


@st.composite
def memberships(draw: st.DrawFn, begin: datetime, end: datetime, at: datetime) -> list[Membership]:
    """Items that join, leave, come back, and are closed early or late; unfinished work may be moved on at the end."""
    hours, length = int((at - begin) / timedelta(hours=1)), int((end - begin) / timedelta(hours=1))
    moment = st.integers(-48, hours).map(lambda n: begin + timedelta(hours=n))
    joining = moment if draw(st.booleans()) else st.integers(-48, 12).map(lambda n: begin + timedelta(hours=n))
    closing = st.integers(0, length).map(lambda n: begin + timedelta(hours=n))
    if draw(st.booleans()):
        closing = st.integers(length * 4 // 5, length).map(lambda n: begin + timedelta(hours=n))
    closed_share, moved_on = draw(st.sampled_from((5, 9, 10))), draw(st.booleans())
    rows = []
    for n in range(draw(st.integers(0, 12))):
        joined = draw(joining)
        closed = max(joined, draw(closing)) if draw(st.integers(1, 10)) <= closed_share else None
        removed = closed is not None and draw(st.integers(0, 9)) == 0
        left = draw(st.none() | st.none() | st.none() | moment)
        if closed is None and moved_on:
            left = end + timedelta(hours=draw(st.integers(-12, 0)))
        left = left if left is not None and joined < left <= at else None
        rows.append(Membership(container="m", item=f"s/{n}", joined=joined, left=left, closed=closed, removed=removed))
        if left is not None and (closed is None or closed > left) and draw(st.integers(0, 4)) == 0:
            back = min(at, left + timedelta(hours=draw(st.integers(1, 60))))
            rows.append(Membership(container="m", item=f"s/{n}", joined=back, closed=closed and max(closed, back)))
    return rows


@st.composite
def forecasts(draw: st.DrawFn, begin: datetime, length: int, dues: tuple[date, date]) -> list[PublishedForecast]:
    hours = sorted(draw(st.lists(st.integers(0, length * 24), max_size=9, unique=True)))
    return [
        PublishedForecast(
            at=begin + timedelta(hours=n), due=draw(st.sampled_from(dues)), probability=draw(st.floats(0.01, 0.99))
        )
        for n in hours
    ]


def issue(number: int, assignees: set[Person]) -> Issue:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return Issue(
        id=str(number),
        project="p",
        key=f"acme/app#{number}",
        title=f"Task {number}",
        url=f"https://tracker.example/{number}",
        state=State.CLOSED,
        raw_state="closed",
        category=StatusCategory.DONE,
        created_at=at,
        updated_at=at,
        assignees=tuple(sorted(assignees)),
    )


@given(finished_milestones())
def test_the_figures_add_up_and_each_day_is_named_once(finished: FinishedMilestone) -> None:
    record = closing_record(finished)
    counts = record.counts
    in_scope = record.items_at_start + record.items_joined - record.items_left - counts.removed
    assert in_scope == counts.total
    document = closing_comment(record)
    assert block_count(document, is_folded=False) <= VISIBLE
    visible = Document(tuple(section for section in document.sections if not section.folded))
    text = render(visible, Markup.GITHUB, 60_000)
    days = Counter(re.findall(r"\d{1,2} [A-Z][a-z]{2} \d{4}", text))
    assert days
    assert max(days.values()) == 1
    assert not any(is_robot(person) for person in record.thanks)
    assigned = {person for row in finished.members() for person in finished.issues[row.item].assignees}
    assert set(record.thanks) <= assigned


@given(finished_milestones())
def test_every_question_is_true(finished: FinishedMilestone) -> None:
    record = closing_record(finished)
    assert len(record.questions) == 3
    for entry in record.questions:
        assert _is_true(entry, finished, record), entry
        assert "-" not in "".join(part for part in question_line(record, entry) if isinstance(part, str))


def _is_true(entry: ReviewQuestion, finished: FinishedMilestone, record: ClosingRecord) -> bool:
    """Decide from what happened whether the statement of a question holds."""
    counts, zone, at = record.counts, finished.zone, finished.health.at
    own: dict[str, Any] = {row.item: row for row in finished.members() if is_done(row, at)}
    closed = {item: row.closed.astimezone(zone).date() for item, row in own.items()}
    span = {item: (closed[item] - row.joined.astimezone(zone).date()).days for item, row in own.items()}
    kind = ReviewQuestionKind
    if entry.kind is kind.LEFT_OPEN:
        return 0 < entry.count == counts.open and entry.of == counts.total
    if entry.kind is kind.CARRIED:
        return 0 < entry.count == counts.carried and entry.of == counts.total
    if entry.kind is kind.CRITERIA:
        return 0 < entry.count == record.criteria.of - record.criteria.met and entry.of == record.criteria.of
    if entry.kind in (kind.UNFORESEEN, kind.TURNED):
        return any(_says(entry, forecast, record, zone) for forecast in finished.forecasts)
    if entry.kind is kind.GREW:
        return entry.count == record.items_joined > 1 and entry.of == record.items_at_start > 0
    if entry.kind is kind.SLIPPED:
        assert record.due is not None
        assert record.baseline is not None
        return entry.count == record.moves > 0 and entry.days == (record.due - record.baseline).days > 0
    if entry.kind is kind.HELD_UP:
        assert entry.item is not None
        longest = max(span.values())
        short = sum(days <= entry.of for days in span.values())
        is_longest = any(span[item] == longest for item in span if finished.issues[item].key == entry.item[0])
        return is_longest and entry.days == longest and short * 2 >= len(span)
    if entry.kind is kind.RUSH:
        fifth = (record.done - START) / 5
        late = sum(timedelta(0) <= record.done - day < fifth for day in closed.values())
        return 0 < entry.count == late and entry.of == counts.done
    if entry.kind is kind.CUT:
        return 1 < entry.count == counts.removed + record.items_left
    return True


def _says(entry: ReviewQuestion, forecast: PublishedForecast, record: ClosingRecord, zone: ZoneInfo) -> bool:
    """Return whether a forecast is the one of a question, and turned out as the question says."""
    if (forecast.probability, forecast.at.astimezone(zone).date()) != (entry.probability, entry.day):
        return False
    assert forecast.due is not None
    late = (record.done - forecast.due).days
    unfinished = record.counts.unfinished
    if entry.kind is ReviewQuestionKind.TURNED:
        return unfinished == 0 and late <= 0
    if unfinished:
        return (entry.count, entry.of) == (unfinished, record.counts.total)
    return 0 < entry.days == late
