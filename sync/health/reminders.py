"""Reminders to the owners of single issues: what asks for its owner, since when, and who carries too much.

=============  ======================================================================================
overdue        the issue has a due date of its own, and it has passed
unreviewed     it is in a review state (or bears a review label), and nobody is assigned to it
unowned        nobody is assigned to it
untouched      it has had an owner and no activity for 14 days
=============  ======================================================================================

Somebody is reminded when one of these has lasted for the grace period. All of it is read from the issues as they are:
nothing about a person is stored, and nobody's speed is measured.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from sync.model.settings import ReminderRules
from sync.model.tracker_data import Issue, Person

if TYPE_CHECKING:
    from sync.history.calendar import Calendar

__all__ = ["DueReminder", "Load", "Trouble", "Workload", "due_reminders", "overcommitted", "unreviewed"]

UNTOUCHED = timedelta(days=14)
WORKDAY = 8 * 3600
"""Seconds of work in a day, where estimates are compared with the days that are left."""

LEAST_ITEMS = 5
"""With fewer open issues nobody is called over-committed, where nothing is estimated."""


class Trouble(StrEnum):
    """What an issue asks its owner for, the most pressing first."""

    OVERDUE = "overdue"
    UNREVIEWED = "unreviewed"
    UNOWNED = "unowned"
    UNTOUCHED = "untouched"


class DueReminder(Struct, frozen=True, kw_only=True):
    """One issue that asks for its owner. ``late``: for so long that the milestone's owner is asked too."""

    issue: Issue
    trouble: Trouble
    since: date
    late: bool = False


def due_reminders(items: Iterable[tuple[Issue, datetime]], at: datetime, rules: ReminderRules) -> list[DueReminder]:
    """The open issues (each with when it joined) that ask for their owner at a time, the longest first."""
    found = []
    for issue, joined in items:
        first = next(_troubles(issue, joined, at, rules), None)
        if first is None:
            continue
        trouble, since = first
        days = (at.date() - since).days
        if days >= rules.grace:
            found.append(DueReminder(issue=issue, trouble=trouble, since=since, late=days >= rules.escalate))
    order = list(Trouble)
    return sorted(found, key=lambda want: (want.since, order.index(want.trouble), want.issue.id))


def _troubles(issue: Issue, joined: datetime, at: datetime, rules: ReminderRules) -> Iterator[tuple[Trouble, date]]:
    if issue.due is not None and issue.due < at.date():
        yield Trouble.OVERDUE, issue.due
    if unreviewed(issue, rules.review):
        yield Trouble.UNREVIEWED, issue.updated_at.date()
    if not issue.assignees:
        yield Trouble.UNOWNED, joined.date()
    elif at - issue.updated_at > UNTOUCHED:
        yield Trouble.UNTOUCHED, issue.updated_at.date()


def unreviewed(issue: Issue, review: Collection[str]) -> bool:
    """Whether it waits for a reviewer that nobody has named; no tracker that we read tells more than the assignee."""
    words = {issue.raw_state.lower(), *(label.lower() for label in issue.labels)}
    return not issue.assignees and not words.isdisjoint(name.lower() for name in review)


# --- who carries too much --------------------------------------------------------------------------------------------


class Workload(Struct, frozen=True, kw_only=True):
    """An open issue in a milestone, for counting: ``uid`` of the issue, and its milestone's due date."""

    uid: str
    issue: Issue
    milestone: str
    due: date


class Load(Struct, frozen=True, kw_only=True):
    """Somebody's open issues that are due by a date, over all milestones that these readers may see. ``seconds`` of
    estimates remain (None: most have none); ``days`` are the working days until then.
    """

    person: Person
    items: int
    milestones: int
    until: date
    days: int
    seconds: int | None = None


def overcommitted(
    held: Mapping[Person, Sequence[Workload]], until: date, today: date, calendar: Calendar
) -> tuple[Load, ...]:
    """Those of these people, each with their open issues in all milestones, who have more due by a date than fits.

    Where most of it is estimated: more than eight hours for each working day. Else more issues than working days, and
    at least `LEAST_ITEMS`. An issue in several milestones counts once.
    """
    days = sum(calendar.is_working_day(today + timedelta(days=n)) for n in range((until - today).days + 1))
    found = []
    for person in sorted(held, key=lambda one: (one.name.casefold(), one.id)):
        own = {load.uid: load for load in held[person] if load.due <= until}
        known = [left for load in own.values() if (left := _left(load.issue)) is not None]
        seconds = sum(known) if 2 * len(known) > len(own) else None
        too_much = len(own) >= LEAST_ITEMS and len(own) > days if seconds is None else seconds > days * WORKDAY
        if own and too_much:
            milestones = {load.milestone for load in held[person] if load.due <= until}
            found.append(
                Load(
                    person=person,
                    items=len(own),
                    milestones=len(milestones),
                    until=until,
                    days=days,
                    seconds=seconds,
                )
            )
    return tuple(found)


def _left(issue: Issue) -> int | None:
    """Seconds of work that remain by its estimate."""
    if issue.remaining is not None:
        return issue.remaining
    return None if issue.estimate is None else max(0, issue.estimate - (issue.spent or 0))
