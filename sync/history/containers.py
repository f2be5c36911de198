"""Derive containers from milestones: start, due date, end and stream of each, as of a time. Pure.

Start and end are days, because every tracker knows at least the day: the same facts have the same start and end in each
tracker.

The start is the first of these that is known:

1. the start day of the configuration or of the tracker (GitLab ``start_date``, Jira ``startDate``);
2. the day on which the milestone was created (GitHub, GitLab, sprints, epics);
3. the day on which its first item joined, if the tracker recorded that any item joined (Jira versions);
4. for a Jira version without such a record, the due day of the release before, 28 to 150 days before its own due day
   (without an earlier release 90 days, for a version that is called a sprint 14);
5. the day on which its first item joined.

Items that join until the end of the start day are the agreed scope (`Container.agreed_at`). In case 4 the start is no
known day, so items that join after that moment are added. If nothing has joined by then (an epic is filled days after
it was created), the agreed scope is what joins on the first day on which anything does. The start stays.

Of a listed milestone (`LISTED_ID_PREFIX`), such as a board's iteration, no history exists before milesync first saw it:
the items that it had then are the agreed scope, and `Container.known_from` is that time.

A milestone that is closed on its due day ends with that day: Jira knows only the day of a release, and an iteration
ends by its dates alone. A sprint ends at the moment of its completion.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sync.model.dates import day_of, end_of_day
from sync.model.membership import Container
from sync.model.tracker_data import (
    ENDING_ON_DAY,
    LISTED_ID_PREFIX,
    DueDate,
    Milestone,
    MilestoneKind,
    Project,
    State,
    uid,
)


class Joins(NamedTuple):
    """Joins of items into containers (ids): the time (UTC) of the ``first``, and where the tracker ``recorded`` any.

    Without any record, every item counts as a member since its own creation.
    """

    first: Mapping[str, datetime]
    recorded: Collection[str]


def containers(
    milestones: Iterable[Milestone],
    due_dates: Mapping[str, Sequence[DueDate]],
    projects: Mapping[str, Project],
    joins: Joins,
    *,
    source: str,
    zone: ZoneInfo,
    at: datetime,
) -> list[Container]:
    """Return the milestones as containers, as of ``at`` (UTC), in the same order.

    ``due_dates`` and ``projects`` are by native id. Days begin and end in ``zone``.
    An unknown start is None. A milestone by rule has the kind of the other milestones of its project.
    """
    all_milestones = list(milestones)
    dues = {milestone.id: _due_dates_at(milestone, due_dates.get(milestone.id, ()), at) for milestone in all_milestones}
    releases = _release_days(all_milestones, dues)
    usual_kind = {
        milestone.project: milestone.kind for milestone in all_milestones if milestone.kind is not MilestoneKind.RULE
    }
    result = []
    for milestone in all_milestones:
        due, first_due = dues[milestone.id]
        key = uid(source, "milestone", milestone.id)
        project = projects[milestone.project].key if milestone.project in projects else milestone.project
        start, agreed_at = _start(milestone, key, due, releases.get(milestone.project, ()), joins, zone)
        known_from = _known_from(milestone, due_dates.get(milestone.id, ()), agreed_at or start)
        agreed_at = known_from or agreed_at
        kind = milestone.kind
        if kind is MilestoneKind.RULE:
            kind = usual_kind.get(milestone.project, MilestoneKind.MILESTONE)
        result.append(
            Container(
                id=key,
                kind=kind.value,
                stream=f"{project} {milestone.kind.value} {_without_digits(milestone.title)}".strip(),
                start=start,
                due=None if due is None else end_of_day(due, zone),
                first_due=None if first_due is None else end_of_day(first_due, zone),
                ended=_ended(milestone, due, zone, at),
                agreed_at=_first_planning(agreed_at or start, joins.first.get(key), zone) or agreed_at,
                known_from=known_from,
                is_end_estimated=_is_end_estimated(milestone, due, zone, at),
            )
        )
    return result


def _due_dates_at(milestone: Milestone, due_dates: Sequence[DueDate], at: datetime) -> tuple[date | None, date | None]:
    """Return the due date at ``at``, and the first ever. The first one seen counts for the time before, too."""
    known = [note.due for note in due_dates if note.seen <= at] or [note.due for note in due_dates[:1]]
    known = known or [milestone.due]
    return known[-1], next((due for due in known if due is not None), None)


def _known_from(m: Milestone, due_dates: Sequence[DueDate], agreed_at: datetime | None) -> datetime | None:
    """Return when milesync first saw a listed milestone, if that was after ``agreed_at``; None for all others.

    The list of a parent's sub-issues has the time at which each was added.
    """
    if not m.id.startswith(LISTED_ID_PREFIX) or m.kind is MilestoneKind.PARENT or not due_dates:
        return None
    seen = due_dates[0].seen
    return seen if agreed_at is None or seen > agreed_at else None


def _first_planning(agreed_at: datetime | None, first_join: datetime | None, zone: ZoneInfo) -> datetime | None:
    """Return the end of the day on which the first item joined, if that was after ``agreed_at``; None otherwise."""
    if agreed_at is None or first_join is None or first_join <= agreed_at:
        return None
    return end_of_day(day_of(first_join, zone), zone)


def _release_days(
    milestones: Iterable[Milestone], dues: Mapping[str, tuple[date | None, date | None]]
) -> dict[str, list[date]]:
    """Return project id -> the due days of its Jira versions that are no sprints, in order."""
    days: dict[str, set[date]] = defaultdict(set)
    for milestone in milestones:
        due = dues[milestone.id][0]
        if milestone.kind is MilestoneKind.VERSION and due is not None and not _is_sprint(milestone):
            days[milestone.project].add(due)
    return {project: sorted(of_project) for project, of_project in days.items()}


def _start(
    m: Milestone, key: str, due: date | None, releases: Sequence[date], joins: Joins, zone: ZoneInfo
) -> tuple[datetime | None, datetime | None]:
    """Return the start of a milestone and the moment until which items join its agreed scope; see the module."""
    if m.start is not None:
        return _start_of_day(m.start, zone), end_of_day(m.start, zone)
    is_known = m.created_at is not None or key in joins.recorded
    if not is_known and m.kind is MilestoneKind.VERSION and due is not None:
        return _inferred_start(m, due, releases, zone), None
    begun = m.created_at or joins.first.get(key)
    if begun is None:
        return None, None
    day = day_of(begun, zone)
    return _start_of_day(day, zone), end_of_day(day, zone)


def _inferred_start(m: Milestone, due: date, releases: Sequence[date], zone: ZoneInfo) -> datetime | None:
    """Return the start of a Jira version by the release before; None if that is before the first year."""
    days = 14  # before the due moment
    if not _is_sprint(m):
        before = bisect_left(releases, due)
        days = min(max((due - releases[before - 1]).days, 28), 150) if before else 90
    return None if due.toordinal() <= days + 1 else end_of_day(due - timedelta(days=days), zone)


def _start_of_day(day: date, zone: ZoneInfo) -> datetime:
    return end_of_day(day - timedelta(days=1), zone) if day > date.min else datetime.min.replace(tzinfo=UTC)


def _ended(m: Milestone, due: date | None, zone: ZoneInfo, at: datetime) -> datetime | None:
    """Return the end of a closed milestone if it is not after ``at``, else None. Some kinds end with their due day."""
    if m.state is State.OPEN:
        return None
    if m.kind in ENDING_ON_DAY and m.due is not None:
        return min(end_of_day(m.due, zone), at) if _start_of_day(m.due, zone) <= at else None
    ended = m.closed_at
    if ended is None:
        return at  # closed at an unknown time
    if ended > at:
        return None
    if due is not None and m.kind is not MilestoneKind.SPRINT and day_of(ended, zone) == due:
        return min(end_of_day(due, zone), at)
    return ended


def _is_end_estimated(m: Milestone, due: date | None, zone: ZoneInfo, at: datetime) -> bool:
    """Return True if `_ended` returns ``at`` because the moment of the end is not known, or is still to come today."""
    if m.state is State.OPEN:
        return False
    if m.kind in ENDING_ON_DAY and m.due is not None:
        return end_of_day(m.due, zone) > at
    if m.closed_at is None:
        return True
    is_on_due_day = m.kind is not MilestoneKind.SPRINT and day_of(m.closed_at, zone) == due
    return is_on_due_day and due is not None and end_of_day(due, zone) > at


def _is_sprint(m: Milestone) -> bool:
    return "sprint" in m.title.lower()


def _without_digits(title: str) -> str:
    """Return the title without numbers and their separators (``2.0.1``), so that a series has one name."""
    return " ".join(re.sub(r"\d+(?:[.\-_/:]\d+)*", " ", title).split())
