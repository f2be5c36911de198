"""containers."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sync.model.dates import end_of_day
from sync.model.membership import Container, Membership
from sync.model.tracker_data import (
    DueDate,
    Milestone,
    MilestoneKind,
    Project,
    State,
    uid,
)


def containers(
    milestones: Iterable[Milestone],
    due_dates: Mapping[str, Sequence[DueDate]],
    projects: Mapping[str, Project],
    stays: Mapping[str, Sequence[Membership]],
    *,
    source: str,
    zone: ZoneInfo,
    at: datetime,
) -> list[Container]:
    """Milestones as containers, as they stood at ``at`` (UTC).

    ``due_dates`` and ``projects`` are by native id, ``stays`` by container id. Days begin and end in ``zone``. The
    start is the one given, else the creation, else inferred for a Jira version, else when the first item joined. A
    milestone by rule has the habits of its project's others.
    """
    found = list(milestones)
    dues = {m.id: _due(m, due_dates.get(m.id, ()), at) for m in found}
    releases: dict[str, set[date]] = defaultdict(set)
    for m in found:
        due = dues[m.id][0]
        if m.kind is MilestoneKind.VERSION and due is not None and not _is_sprint(m):
            releases[m.project].add(due)
    earlier = {key: sorted(days) for key, days in releases.items()}
    usual = {m.project: m.kind for m in found if m.kind is not MilestoneKind.RULE}
    made = []
    for m in found:
        due, first_due = dues[m.id]
        key = uid(source, "milestone", m.id)
        project = projects[m.project].key if m.project in projects else m.project
        start = _start(m, due, earlier.get(m.project, ()), zone)
        made.append(
            Container(
                id=key,
                kind=(usual.get(m.project, MilestoneKind.MILESTONE) if m.kind is MilestoneKind.RULE else m.kind).value,
                stream=f"{project} {m.kind.value} {_without_digits(m.title)}".strip(),
                start=start or min((stay.joined for stay in stays.get(key, ())), default=None),
                due=None if due is None else end_of_day(due, zone),
                first_due=None if first_due is None else end_of_day(first_due, zone),
                ended=_ended(m, zone, at),
            )
        )
    return made


def _due(milestone: Milestone, notes: Sequence[DueDate], at: datetime) -> tuple[date | None, date | None]:
    """The due date that stood at a time, and the first one ever. What was seen first stood before, too."""
    known = [note.due for note in notes if note.seen <= at] or [note.due for note in notes[:1]] or [milestone.due]
    return known[-1], next((due for due in known if due is not None), None)


def _start(m: Milestone, due: date | None, releases: Sequence[date], zone: ZoneInfo) -> datetime | None:
    if m.start is not None:
        return _start_of_day(m.start, zone)
    if m.created_at is not None:
        return m.created_at
    if m.kind is not MilestoneKind.VERSION or due is None:
        return None
    days = 14  # before the due moment
    if not _is_sprint(m):
        before = bisect_left(releases, due)
        days = min(max((due - releases[before - 1]).days, 28), 150) if before else 90
    return None if due.toordinal() <= days + 1 else end_of_day(due - timedelta(days=days), zone)


def _start_of_day(day: date, zone: ZoneInfo) -> datetime:
    return end_of_day(day - timedelta(days=1), zone) if day > date.min else datetime.min.replace(tzinfo=UTC)


def _ended(m: Milestone, zone: ZoneInfo, at: datetime) -> datetime | None:
    """When it was closed, if that was by ``at``; a version is released on its release date, from that day's start."""
    if m.state is State.OPEN:
        return None
    if m.kind is MilestoneKind.VERSION and m.due is not None:
        return min(end_of_day(m.due, zone), at) if _start_of_day(m.due, zone) <= at else None
    ended = m.closed_at
    if ended is None:
        return at  # closed, and nobody says when
    return ended if ended <= at else None


def _is_sprint(m: Milestone) -> bool:
    return "sprint" in m.title.lower()


def _without_digits(title: str) -> str:
    """The title without its numbers and what binds them (``2.0.1``), so that a series has one name."""
    return " ".join(re.sub(r"\d+(?:[.\-_/:]\d+)*", " ", title).split())
