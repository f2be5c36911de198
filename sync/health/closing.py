"""How the closing record of a milestone that is done comes about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from sync.history.counting import is_member
from sync.model.closing import ClosingRecord, ReviewQuestion, ReviewQuestionKind
from sync.model.dates import end_of_day
from sync.model.definition import Criteria
from sync.model.health import Health
from sync.model.membership import Membership
from sync.model.published import PublishedForecast
from sync.model.tracker_data import DueDate, Event, EventKind, Issue, Milestone, Person

__all__ = ["freeze"]

QUESTIONS = 3
SHOWN = 6
"""Forecasts that a record keeps: the first, the last, and where they moved most in between."""

SURE, DOUBTFUL = 0.7, 0.35
GROWTH, SLOW_DAYS, LATE_SHARE, LATE_PART = 0.2, 14.0, 0.4, 0.2

_UTC = ZoneInfo("UTC")


def freeze(
    health: Health,
    milestone: Milestone,
    memberships: Sequence[Membership],
    issues: Mapping[str, Issue],
    events: Iterable[Event],
    due_dates: Sequence[DueDate],
    told: Sequence[PublishedForecast],
    *,
    criteria: Criteria,
    project: str = "",
    zone: ZoneInfo = _UTC,
) -> ClosingRecord:
    """The record of a milestone that is done. ``events`` are its items', ``told`` all forecasts, oldest first."""
    members = [membership for membership in memberships if is_member(membership, health.at)]
    done = _done(health, milestone, members, zone)
    began, came, gone = _scope_of(memberships, members, health.start, zone)
    held = [issues[membership.item] for membership in members if membership.item in issues]
    bare = ClosingRecord(
        container=health.container,
        at=health.at,
        title=milestone.title,
        done=done,
        start=health.start,
        baseline=health.baseline,
        due=health.due,
        counts=health.counts,
        began=began,
        joined=came,
        left=gone,
        estimate=sum(issue.estimate or 0 for issue in held),
        spent=sum(issue.spent or 0 for issue in held if issue.estimate),
        criteria=criteria,
        slips=tuple(DueDate(due_date.seen, due_date.due) for due_date in due_dates),
        forecasts=tuple(
            _kept([forecast for forecast in told if forecast.probability is not None or forecast.p85 is not None])
        ),
        thanks=_closers(members, issues, events),
    )
    return replace(bare, questions=tuple(_questions(bare, told, members, issues, project)))


def _scope_of(
    memberships: Sequence[Membership], members: Sequence[Membership], start: date | None, zone: ZoneInfo
) -> tuple[int, int, int]:
    """Items there at the end of the first day, those that came later, and those that went for good."""
    ever, now = {membership.item for membership in memberships}, {membership.item for membership in members}
    first = ever if start is None else {s.item for s in memberships if is_member(s, end_of_day(start, zone))}
    return len(first), len(ever - first), len(ever - now)


def _done(health: Health, milestone: Milestone, members: Sequence[Membership], zone: ZoneInfo) -> date:
    closed = [membership.closed for membership in members if membership.closed is not None]
    ended = milestone.closed_at
    left = health.counts.open > 0 or not closed
    moment = ended if left and ended is not None else max(closed, default=health.since)
    return moment.astimezone(zone).date()


def _closers(members: Sequence[Membership], issues: Mapping[str, Issue], events: Iterable[Event]) -> tuple[Person, ...]:
    """Who closed the finished items, by name; whose item it was, where the tracker does not tell or a program did."""
    last: dict[str, Event] = {}
    for event in events:
        if event.kind is EventKind.CLOSED and (event.issue not in last or last[event.issue].at <= event.at):
            last[event.issue] = event
    found: set[Person] = set()
    for membership in members:
        issue = issues.get(membership.item)
        if issue is None or membership.closed is None or membership.removed:
            continue
        actor = last[issue.id].actor if issue.id in last else None
        found |= {actor} if actor is not None and _human(actor) else set(issue.assignees)
    return tuple(
        sorted((person for person in found if _human(person)), key=lambda person: (person.name.casefold(), person.id))
    )


def _human(person: Person) -> bool:
    return bool(person.name) and not person.name.endswith("[bot]")


def _kept(told: Sequence[PublishedForecast]) -> list[PublishedForecast]:
    """First and last, and between them those that stand furthest from the one before."""
    if len(told) <= SHOWN:
        return list(told)
    jumps = sorted(range(1, len(told) - 1), key=lambda i: (-abs(_p(told[i]) - _p(told[i - 1])), i))
    return [told[i] for i in sorted({0, len(told) - 1, *jumps[: SHOWN - 2]})]


def _p(forecast: PublishedForecast) -> float:
    return 0.0 if forecast.probability is None else forecast.probability


# --- what to ask ------------------------------------------------------------------------------------------------------


def _questions(
    record: ClosingRecord,
    told: Sequence[PublishedForecast],
    members: Sequence[Membership],
    issues: Mapping[str, Issue],
    project: str,
) -> Iterable[ReviewQuestion]:
    """Three: what happened decides, and where little did, those that are always worth an answer."""
    found = [
        *_left(record),
        *_forecast(record, told),
        *_scope(record),
        *_slow(members, issues, project),
        *_rush(record, members),
        *(
            ReviewQuestion(kind=kind)
            for kind in (ReviewQuestionKind.KEEP, ReviewQuestionKind.CHANGE, ReviewQuestionKind.NEXT)
        ),
    ]
    order = list(ReviewQuestionKind)
    return sorted(found, key=lambda question: order.index(question.kind))[:QUESTIONS]


def _left(record: ClosingRecord) -> Iterable[ReviewQuestion]:
    if record.counts.open:
        yield ReviewQuestion(kind=ReviewQuestionKind.LEFT_OPEN, count=record.counts.open, of=record.counts.total)
    missing = record.criteria.of - record.criteria.met
    if missing:
        yield ReviewQuestion(kind=ReviewQuestionKind.CRITERIA, count=missing, of=record.criteria.of)


def _forecast(record: ClosingRecord, told: Sequence[PublishedForecast]) -> Iterable[ReviewQuestion]:
    """A forecast that was sure and wrong, or doubtful and wrong: the earliest such, against the date it was about."""
    for forecast in told:
        if forecast.probability is None or forecast.due is None:
            continue
        late = (record.done - forecast.due).days
        if forecast.probability >= SURE and late > 0:
            yield ReviewQuestion(
                kind=ReviewQuestionKind.UNFORESEEN, probability=forecast.probability, day=forecast.at.date(), days=late
            )
            return
        if forecast.probability < DOUBTFUL and late <= 0:
            yield ReviewQuestion(
                kind=ReviewQuestionKind.TURNED, probability=forecast.probability, day=forecast.at.date()
            )
            return


def _scope(record: ClosingRecord) -> Iterable[ReviewQuestion]:
    counts = record.counts
    if record.grown >= GROWTH and record.joined > 1:
        yield ReviewQuestion(kind=ReviewQuestionKind.GREW, count=record.joined, of=record.began)
    if record.moves and record.due is not None and record.baseline is not None and record.due > record.baseline:
        yield ReviewQuestion(
            kind=ReviewQuestionKind.SLIPPED, count=record.moves, days=(record.due - record.baseline).days
        )
    if counts.removed + record.left > 1:
        yield ReviewQuestion(kind=ReviewQuestionKind.CUT, count=counts.removed + record.left)


def _slow(members: Sequence[Membership], issues: Mapping[str, Issue], project: str) -> Iterable[ReviewQuestion]:
    """The item that took longest, where that is out of the ordinary."""
    spans = [
        ((membership.closed - membership.joined) / timedelta(days=1), membership.item)
        for membership in members
        if membership.closed is not None and not membership.removed and membership.item in issues
    ]
    if len(spans) < 3:
        return
    longest, item = max(spans)
    usual = median(span for span, _ in spans)
    if longest >= max(SLOW_DAYS, 2 * usual):
        issue = issues[item]
        key = issue.key.removeprefix(project) or issue.key
        yield ReviewQuestion(kind=ReviewQuestionKind.HELD_UP, days=round(longest), item=(key, issue.title, issue.url))


def _rush(record: ClosingRecord, members: Sequence[Membership]) -> Iterable[ReviewQuestion]:
    """A good part of the work was finished in the last fifth of the time."""
    if record.start is None or (record.done - record.start).days < 10:
        return
    edge = record.done - (record.done - record.start) * LATE_PART
    closed = [
        membership.closed.date() for membership in members if membership.closed is not None and not membership.removed
    ]
    late = sum(day > edge for day in closed)
    if len(closed) >= 5 and late >= LATE_SHARE * len(closed):
        yield ReviewQuestion(kind=ReviewQuestionKind.RUSH, count=late, of=len(closed))
