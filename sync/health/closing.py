"""Build the closing record of a milestone that is over: figures, kept forecasts, thanks and review questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from sync.history.counting import is_carried, is_done, is_member
from sync.model.closing import ClosingRecord, ReviewQuestion, ReviewQuestionKind
from sync.model.dates import end_of_day
from sync.model.definition import Criteria
from sync.model.health import Health
from sync.model.keys import short_key
from sync.model.membership import Membership
from sync.model.published import PublishedForecast
from sync.model.tracker_data import DueDate, Event, EventKind, Issue, Milestone, Person

__all__ = ["FinishedMilestone", "closing_record", "last_closing"]

QUESTIONS = 3
"""Number of review questions in a record."""

SHOWN = 6
"""Number of forecasts that a record keeps: the first, the last, and where they moved most in between."""

SURE, DOUBTFUL = 0.7, 0.35
"""Least probability of a sure forecast; a doubtful one is below the second."""

GROWTH, SLOW_DAYS, LATE_SHARE, LATE_PART = 0.2, 14.0, 0.4, 0.2
"""Least share of scope growth, least days of a slow item, least share of items in the last part of the time."""

_UTC = ZoneInfo("UTC")


class FinishedMilestone(Struct, frozen=True, kw_only=True):
    """Everything that the closing record of a milestone is made from.

    ``events`` are those of its items, ``forecasts`` all that were published, oldest first. ``project`` is the key that
    issue keys may begin with. Days are those of ``zone``.
    """

    health: Health
    milestone: Milestone
    memberships: Sequence[Membership]
    issues: Mapping[str, Issue]
    events: Iterable[Event] = ()
    due_dates: Sequence[DueDate] = ()
    forecasts: Sequence[PublishedForecast] = ()
    criteria: Criteria = Criteria()
    project: str = ""
    zone: ZoneInfo = _UTC


def closing_record(finished: FinishedMilestone) -> ClosingRecord:
    """Build the closing record of a milestone that is over."""
    health, issues, zone = finished.health, finished.issues, finished.zone
    members = [membership for membership in finished.memberships if _is_counted(membership, health.at)]
    began, joined, left = _scope_of(finished.memberships, members, health.start, zone)
    items = [issues[membership.item] for membership in members if membership.item in issues]
    forecasts = [f for f in finished.forecasts if f.probability is not None or f.p85 is not None]
    record = ClosingRecord(
        container=health.container,
        at=health.at,
        title=finished.milestone.title,
        done=_done(health, finished.milestone, members, zone),
        start=health.start,
        baseline=health.baseline,
        due=health.due,
        counts=health.counts,
        items_at_start=began,
        items_joined=joined,
        items_left=left,
        estimate=sum(issue.estimate or 0 for issue in items),
        spent=sum(issue.spent or 0 for issue in items if issue.estimate),
        criteria=finished.criteria,
        slips=tuple(DueDate(due_date.seen, due_date.due) for due_date in finished.due_dates),
        forecasts=tuple(_forecasts_to_keep(forecasts)),
        thanks=_closers(members, issues, finished.events),
    )
    questions = _questions(record, finished.forecasts, members, issues, finished.project)
    return replace(record, questions=tuple(questions))


def last_closing(memberships: Iterable[Membership], at: datetime) -> datetime | None:
    """Return when the last of the items that count at ``at`` was closed; None without a closed one."""
    closed = (membership.closed for membership in memberships if _is_counted(membership, at))
    return max((moment for moment in closed if moment is not None and moment <= at), default=None)


def _is_counted(membership: Membership, at: datetime) -> bool:
    return is_member(membership, at) or is_carried(membership, at) or is_done(membership, at)


def _scope_of(
    memberships: Sequence[Membership], members: Sequence[Membership], start: date | None, zone: ZoneInfo
) -> tuple[int, int, int]:
    """Count the items at the end of the first day, those that joined later, and those that left for good."""
    all_items, now = {membership.item for membership in memberships}, {membership.item for membership in members}
    first = (
        all_items
        if start is None
        else {membership.item for membership in memberships if _is_counted(membership, end_of_day(start, zone))}
    )
    return len(first), len(all_items - first), len(all_items - now)


def _done(health: Health, milestone: Milestone, members: Sequence[Membership], zone: ZoneInfo) -> date:
    """Return the day on which the last item was closed; if items were not done, that on which the milestone ended."""
    closed = last_closing(members, health.at)
    ended = milestone.closed_on(zone)
    is_unfinished = health.counts.unfinished > 0
    if is_unfinished and ended is None and health.due is not None:
        return health.due
    if ended is not None and (is_unfinished or closed is None):
        return ended
    return (closed or health.since).astimezone(zone).date()


def _closers(members: Sequence[Membership], issues: Mapping[str, Issue], events: Iterable[Event]) -> tuple[Person, ...]:
    """Return the people who closed the finished items, by name.

    The assignees count where the tracker does not know who closed an item, or where a program closed it.
    """
    last: dict[str, Event] = {}
    for event in events:
        if event.kind is EventKind.CLOSED and (event.issue not in last or last[event.issue].at <= event.at):
            last[event.issue] = event
    people: set[Person] = set()
    for membership in members:
        issue = issues.get(membership.item)
        if issue is None or membership.closed is None or membership.removed:
            continue
        actor = last[issue.id].actor if issue.id in last else None
        people |= {actor} if actor is not None and _is_human(actor) else set(issue.assignees)
    humans = [person for person in people if _is_human(person)]
    return tuple(sorted(humans, key=lambda person: (person.name.casefold(), person.id)))


def _is_human(person: Person) -> bool:
    return bool(person.name) and not person.name.endswith("[bot]")


def _forecasts_to_keep(forecasts: Sequence[PublishedForecast]) -> list[PublishedForecast]:
    """Keep the first and the last forecast, and between them those with the largest change of probability."""
    if len(forecasts) <= SHOWN:
        return list(forecasts)
    last = len(forecasts) - 1
    jumps = sorted(range(1, last), key=lambda i: (-abs(_p(forecasts[i]) - _p(forecasts[i - 1])), i))
    return [forecasts[i] for i in sorted({0, last, *jumps[: SHOWN - 2]})]


def _p(forecast: PublishedForecast) -> float:
    return 0.0 if forecast.probability is None else forecast.probability


# --- review questions -------------------------------------------------------------------------------------------------


def _questions(
    record: ClosingRecord,
    forecasts: Sequence[PublishedForecast],
    members: Sequence[Membership],
    issues: Mapping[str, Issue],
    project: str,
) -> Iterable[ReviewQuestion]:
    """Return three questions: about what happened first, then the general ones."""
    questions = [
        *_left_open(record),
        *_forecast(record, forecasts),
        *_scope(record),
        *_slow(members, issues, project),
        *_rush(record, members),
        *(
            ReviewQuestion(kind=kind)
            for kind in (ReviewQuestionKind.KEEP, ReviewQuestionKind.CHANGE, ReviewQuestionKind.NEXT)
        ),
    ]
    order = list(ReviewQuestionKind)
    return sorted(questions, key=lambda question: order.index(question.kind))[:QUESTIONS]


def _left_open(record: ClosingRecord) -> Iterable[ReviewQuestion]:
    counts = record.counts
    if counts.unfinished:
        yield ReviewQuestion(kind=ReviewQuestionKind.LEFT_OPEN, count=counts.unfinished, of=counts.total)
    missing = record.criteria.of - record.criteria.met
    if missing:
        yield ReviewQuestion(kind=ReviewQuestionKind.CRITERIA, count=missing, of=record.criteria.of)


def _forecast(record: ClosingRecord, forecasts: Sequence[PublishedForecast]) -> Iterable[ReviewQuestion]:
    """Ask about the earliest forecast that was wrong about its due date though it was sure, or doubtful.

    With items that were not done, no forecast came true.
    """
    missed = record.counts.unfinished
    for forecast in forecasts:
        if forecast.probability is None or forecast.due is None:
            continue
        late = (record.done - forecast.due).days
        if forecast.probability >= SURE and (missed or late > 0):
            yield ReviewQuestion(
                kind=ReviewQuestionKind.UNFORESEEN,
                probability=forecast.probability,
                day=forecast.at.date(),
                days=0 if missed else late,
                count=missed,
                of=record.counts.total if missed else 0,
            )
            return
        if forecast.probability < DOUBTFUL and not missed and late <= 0:
            yield ReviewQuestion(
                kind=ReviewQuestionKind.TURNED, probability=forecast.probability, day=forecast.at.date()
            )
            return


def _scope(record: ClosingRecord) -> Iterable[ReviewQuestion]:
    counts = record.counts
    if record.grown >= GROWTH and record.items_joined > 1:
        yield ReviewQuestion(kind=ReviewQuestionKind.GREW, count=record.items_joined, of=record.items_at_start)
    if record.moves and record.due is not None and record.baseline is not None and record.due > record.baseline:
        yield ReviewQuestion(
            kind=ReviewQuestionKind.SLIPPED, count=record.moves, days=(record.due - record.baseline).days
        )
    if counts.removed + record.items_left > 1:
        yield ReviewQuestion(kind=ReviewQuestionKind.CUT, count=counts.removed + record.items_left)


def _slow(members: Sequence[Membership], issues: Mapping[str, Issue], project: str) -> Iterable[ReviewQuestion]:
    """Ask about the item that took longest, if it took unusually long."""
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
        key = short_key(issue.key, project)
        yield ReviewQuestion(kind=ReviewQuestionKind.HELD_UP, days=round(longest), item=(key, issue.title, issue.url))


def _rush(record: ClosingRecord, members: Sequence[Membership]) -> Iterable[ReviewQuestion]:
    """Ask about the end, if a large part of the work was finished in the last fifth of the time."""
    if record.start is None or (record.done - record.start).days < 10:
        return
    edge = record.done - (record.done - record.start) * LATE_PART
    closed = [
        membership.closed.date() for membership in members if membership.closed is not None and not membership.removed
    ]
    late = sum(day > edge for day in closed)
    if len(closed) >= 5 and late >= LATE_SHARE * len(closed):
        yield ReviewQuestion(kind=ReviewQuestionKind.RUSH, count=late, of=len(closed))
