"""Build the closing record of a milestone that is over: figures, kept forecasts, thanks and review questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from sync.history.counting import is_carried, is_done, is_member
from sync.model.closing import ClosingRecord, NextMilestone, ReviewQuestion, ReviewQuestionKind
from sync.model.dates import day_of, end_of_day
from sync.model.definition import Criteria
from sync.model.health import Health
from sync.model.membership import Membership
from sync.model.published import PublishedForecast
from sync.model.robots import is_robot
from sync.model.tracker_data import DueDate, Issue, MilestoneKind, Person

__all__ = ["FORTNIGHT", "FinishedMilestone", "closing_record", "last_closing"]

FORTNIGHT = 14
"""Days before the end: the record keeps the last forecast that was published by then."""

QUESTIONS = 3
"""Number of review questions in a record."""

SHOWN = 6
"""Number of forecasts that a record keeps: the first, the last, that of two weeks before the end, and where they moved
most in between."""

SURE, DOUBTFUL = 0.7, 0.35
"""Least probability of a sure forecast; a doubtful one is below the second."""

GROWTH, SLOW_DAYS, LATE_SHARE, LATE_PART = 0.2, 14, 0.4, 0.2
"""Least share of scope growth, least days of a slow item, least share of items in the last part of the time."""

_UTC = ZoneInfo("UTC")


class FinishedMilestone(Struct, frozen=True, kw_only=True):
    """Everything that the closing record of a milestone, or of a joint milestone, is made from.

    ``ended_on`` is the day on which it was closed; None if it was not, or the day is not known. ``issues`` are by item.
    ``forecasts`` are all that were published, oldest first. ``project`` is its key, and ``url`` the milestone's page.
    ``next_milestones`` are those of its carried-over items. Days are those of ``zone``.
    """

    health: Health
    title: str
    memberships: Sequence[Membership]
    issues: Mapping[str, Issue]
    kind: MilestoneKind = MilestoneKind.MILESTONE
    ended_on: date | None = None
    due_dates: Sequence[DueDate] = ()
    forecasts: Sequence[PublishedForecast] = ()
    criteria: Criteria = Criteria()
    next_milestones: Sequence[NextMilestone] = ()
    project: str = ""
    url: str = ""
    zone: ZoneInfo = _UTC

    def members(self) -> list[Membership]:
        """Return the memberships that count at the time of the assessment."""
        return [membership for membership in self.memberships if _is_counted(membership, self.health.at)]

    def day_of(self, moment: datetime) -> date:
        """Return the day of a moment (UTC) in the project's zone."""
        return day_of(moment, self.zone)


def closing_record(finished: FinishedMilestone) -> ClosingRecord:
    """Build the closing record of a milestone that is over."""
    health, issues, members = finished.health, finished.issues, finished.members()
    began, joined, left = _scope_of(finished, members)
    items = [issues[item] for item in sorted({membership.item for membership in members} & issues.keys())]
    done = _done(finished, members)
    record = ClosingRecord(
        container=health.container,
        at=health.at,
        title=finished.title,
        kind=finished.kind,
        project=finished.project,
        url=finished.url,
        zone=finished.zone.key,
        done=done,
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
        forecasts=tuple(_forecasts_to_keep(finished, done)),
        thanks=_contributors(members, issues, health.at),
        next_milestones=tuple(finished.next_milestones),
    )
    return replace(record, questions=tuple(_questions(record, finished, members)))


def last_closing(memberships: Iterable[Membership], at: datetime) -> datetime | None:
    """Return when the last of the items that count at ``at`` was closed; None without a closed one."""
    closed = (membership.closed for membership in memberships if _is_counted(membership, at))
    return max((moment for moment in closed if moment is not None and moment <= at), default=None)


def _is_counted(membership: Membership, at: datetime) -> bool:
    return is_member(membership, at) or is_carried(membership, at) or is_done(membership, at)


def _scope_of(finished: FinishedMilestone, members: Sequence[Membership]) -> tuple[int, int, int]:
    """Count the items at the end of the first day, those that joined later, and those that left for good.

    An item that had left by the end of the first day was no part of the plan.
    """
    at, start, now = finished.health.at, finished.health.start, {membership.item for membership in members}
    if start is None:
        return len(now), 0, 0
    planned_at = min(end_of_day(start, finished.zone), at)
    first = {membership.item for membership in finished.memberships if _is_counted(membership, planned_at)}
    later = {
        membership.item
        for membership in finished.memberships
        if planned_at < membership.joined <= at and (membership.left is None or membership.left > membership.joined)
    }
    return len(first), len(later - first), len((first | later) - now)


def _done(finished: FinishedMilestone, members: Sequence[Membership]) -> date:
    """Return the day on which the last item was closed; if items were not done, that on which the milestone ended."""
    health, ended = finished.health, finished.ended_on
    closed = last_closing(members, health.at)
    is_unfinished = health.counts.unfinished > 0
    if is_unfinished and ended is None and health.due is not None:
        return health.due
    if ended is not None and (is_unfinished or closed is None):
        return ended
    return finished.day_of(closed or health.since)


def _contributors(members: Sequence[Membership], issues: Mapping[str, Issue], at: datetime) -> tuple[Person, ...]:
    """Return the assignees of the finished items, by name, without programs.

    Who closed an item is not asked: closing is often the click of another person.
    """
    people: dict[str, Person] = {}
    for membership in members:
        issue = issues.get(membership.item)
        if issue is not None and is_done(membership, at):
            people |= {person.id: person for person in issue.assignees if person.name and not is_robot(person)}
    return tuple(sorted(people.values(), key=lambda person: (person.name.casefold(), person.id)))


def _forecasts_to_keep(finished: FinishedMilestone, done: date) -> list[PublishedForecast]:
    """Keep the first and the last forecast, that of two weeks before the end, and those with the largest change.

    Of several forecasts on one day, the last one counts.
    """
    given = [f for f in finished.forecasts if f.probability is not None or f.p85 is not None]
    forecasts = list({finished.day_of(f.at): f for f in given}.values())
    if len(forecasts) <= SHOWN:
        return forecasts
    last = len(forecasts) - 1
    kept = {0, last}
    kept |= set([i for i, f in enumerate(forecasts) if (done - finished.day_of(f.at)).days >= FORTNIGHT][-1:])
    jumps = sorted(range(1, last), key=lambda i: (-abs(_p(forecasts[i]) - _p(forecasts[i - 1])), i))
    others = [i for i in jumps if i not in kept]
    return [forecasts[i] for i in sorted({*kept, *others[: SHOWN - len(kept)]})]


def _p(forecast: PublishedForecast) -> float:
    return 0.0 if forecast.probability is None else forecast.probability


# --- review questions -------------------------------------------------------------------------------------------------


def _questions(
    record: ClosingRecord, finished: FinishedMilestone, members: Sequence[Membership]
) -> Iterable[ReviewQuestion]:
    """Return three questions: about what happened first, then the general ones."""
    questions = [
        *_unfinished(record),
        *_forecast(record, finished),
        *_scope(record),
        *_slow(record, members, finished.issues),
        *_rush(record, members),
        *(
            ReviewQuestion(kind=kind)
            for kind in (ReviewQuestionKind.KEEP, ReviewQuestionKind.CHANGE, ReviewQuestionKind.NEXT)
        ),
    ]
    order = list(ReviewQuestionKind)
    return sorted(questions, key=lambda question: order.index(question.kind))[:QUESTIONS]


def _unfinished(record: ClosingRecord) -> Iterable[ReviewQuestion]:
    counts = record.counts
    if counts.open:
        yield ReviewQuestion(kind=ReviewQuestionKind.LEFT_OPEN, count=counts.open, of=counts.total)
    elif counts.carried:
        days = 0 if record.start is None else (record.done - record.start).days
        yield ReviewQuestion(kind=ReviewQuestionKind.CARRIED, count=counts.carried, of=counts.total, days=days)
    missing = record.criteria.of - record.criteria.met
    if missing:
        yield ReviewQuestion(kind=ReviewQuestionKind.CRITERIA, count=missing, of=record.criteria.of)


def _forecast(record: ClosingRecord, finished: FinishedMilestone) -> Iterable[ReviewQuestion]:
    """Ask about the earliest forecast that was wrong about its due date though it was sure, or doubtful.

    With items that were not done, no forecast came true.
    """
    missed = record.counts.unfinished
    for forecast in finished.forecasts:
        if forecast.probability is None or forecast.due is None:
            continue
        late = (record.done - forecast.due).days
        if forecast.probability >= SURE and (missed or late > 0):
            yield ReviewQuestion(
                kind=ReviewQuestionKind.UNFORESEEN,
                probability=forecast.probability,
                day=finished.day_of(forecast.at),
                days=0 if missed else late,
                count=missed,
                of=record.counts.total if missed else 0,
            )
            return
        if forecast.probability < DOUBTFUL and not missed and late <= 0:
            day = finished.day_of(forecast.at)
            yield ReviewQuestion(kind=ReviewQuestionKind.TURNED, probability=forecast.probability, day=day)
            return


def _scope(record: ClosingRecord) -> Iterable[ReviewQuestion]:
    counts = record.counts
    if record.items_at_start and record.items_joined > 1 and record.grown >= GROWTH:
        yield ReviewQuestion(kind=ReviewQuestionKind.GREW, count=record.items_joined, of=record.items_at_start)
    if record.moves and record.due is not None and record.baseline is not None and record.due > record.baseline:
        yield ReviewQuestion(
            kind=ReviewQuestionKind.SLIPPED, count=record.moves, days=(record.due - record.baseline).days
        )
    if counts.removed + record.items_left > 1:
        yield ReviewQuestion(kind=ReviewQuestionKind.CUT, count=counts.removed + record.items_left)


def _slow(
    record: ClosingRecord, members: Sequence[Membership], issues: Mapping[str, Issue]
) -> Iterable[ReviewQuestion]:
    """Ask about the item that took longest in the milestone, if it took unusually long. ``of`` is the usual time."""
    days = {
        membership.item: (record.day_of(membership.closed) - record.day_of(membership.joined)).days
        for membership in members
        if membership.closed is not None and is_done(membership, record.at) and membership.item in issues
    }
    if len(days) < 3:
        return
    slowest = max(days, key=lambda item: (days[item], item))
    usual = round(median(days.values()))
    if days[slowest] >= max(SLOW_DAYS, 2 * usual):
        issue = issues[slowest]
        yield ReviewQuestion(
            kind=ReviewQuestionKind.HELD_UP, days=days[slowest], of=usual, item=(issue.key, issue.title, issue.url)
        )


def _rush(record: ClosingRecord, members: Sequence[Membership]) -> Iterable[ReviewQuestion]:
    """Ask about the end, if a large part of the work was finished in the last fifth of the time."""
    if record.start is None or (record.done - record.start).days < 10:
        return
    last_part = (record.done - record.start) * LATE_PART
    closed = {
        membership.item: record.day_of(membership.closed)
        for membership in members
        if membership.closed is not None and is_done(membership, record.at)
    }
    late = sum(timedelta(0) <= record.done - day < last_part for day in closed.values())
    if len(closed) >= 5 and late >= LATE_SHARE * len(closed):
        yield ReviewQuestion(kind=ReviewQuestionKind.RUSH, count=late, of=len(closed))
