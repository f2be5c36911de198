"""Reminders to the owners of single issues, and people with more work than fits until a due date.

=============  ========================================================================================
overdue        the issue has a due date of its own, and it has passed
unreviewed     the issue is in a review state, or has a review label, and has no assignee; a pull or merge request has
               a review label and no reviewer, or waits for its reviewers
unowned        the issue has no assignee
untouched      the issue has an assignee, and no activity for 14 days
=============  ========================================================================================

A reminder is due when one of these has lasted for the grace period. All of it is read from the issues as they are:
nothing about a person is stored, and no person's speed is measured.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import accumulate
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from msgspec import Struct

from sync.model.settings import ReminderRules
from sync.model.tracker_data import Issue, Person
from sync.model.work_time import WorkTime

if TYPE_CHECKING:
    from sync.history.calendar import Calendar

__all__ = ["DueReminder", "Load", "PersonalWork", "Trouble", "Workload", "due_reminders", "overcommitted", "unreviewed"]

_UTC = ZoneInfo("UTC")
_WORK_TIME = WorkTime()

UNTOUCHED = timedelta(days=14)
"""Days without activity after which an issue is untouched; counted in whole days, so nothing changes in the middle of
a day, as in `sync.health.attention`."""

LEAST_ITEMS = 5
"""Least number of open issues of an overcommitted person, where most issues have no estimate."""


class Trouble(StrEnum):
    """Cause of a reminder, the most urgent first."""

    OVERDUE = "overdue"
    UNREVIEWED = "unreviewed"
    UNOWNED = "unowned"
    UNTOUCHED = "untouched"


class DueReminder(Struct, frozen=True, kw_only=True):
    """One issue that needs its owner, since a day. ``late``: for so long that the milestone's owner is asked, too."""

    issue: Issue
    trouble: Trouble
    since: date
    late: bool = False

    @property
    def people(self) -> tuple[Person, ...]:
        """The people to remind: the reviewers who were asked, or else the assignees."""
        is_asked = self.trouble is Trouble.UNREVIEWED and self.issue.is_pull_request
        return self.issue.reviewers if is_asked else self.issue.assignees


def due_reminders(
    items: Iterable[tuple[Issue, datetime]], at: datetime, rules: ReminderRules, zone: ZoneInfo = _UTC
) -> list[DueReminder]:
    """Return the open issues (each with when it joined) that need their owner at a time, the longest first.

    Days are those of ``zone``.
    """
    now, reminders = at.astimezone(zone), []
    for issue, joined in items:
        first = next(_troubles(issue, joined, now, rules), None)
        if first is None:
            continue
        trouble, since = first
        days = (now.date() - since).days
        if days >= rules.grace:
            reminders.append(DueReminder(issue=issue, trouble=trouble, since=since, late=days >= rules.escalate))
    order = list(Trouble)
    return sorted(reminders, key=lambda reminder: (reminder.since, order.index(reminder.trouble), reminder.issue.id))


def _troubles(issue: Issue, joined: datetime, now: datetime, rules: ReminderRules) -> Iterator[tuple[Trouble, date]]:
    """Yield the causes of a reminder, each with the day since when it holds, in the zone of ``now``."""
    asked_at = issue.review_since or issue.updated_at
    updated, in_milestone_since, asked = (m.astimezone(now.tzinfo) for m in (issue.updated_at, joined, asked_at))
    if issue.due is not None and issue.due < now.date():
        yield Trouble.OVERDUE, issue.due
    if issue.review_since is not None or unreviewed(issue, rules.review):
        yield Trouble.UNREVIEWED, asked.date()
    if issue.needs_owner:
        yield Trouble.UNOWNED, in_milestone_since.date()
    elif now.date() - updated.date() > UNTOUCHED:
        yield Trouble.UNTOUCHED, updated.date()


def unreviewed(issue: Issue, review: Collection[str]) -> bool:
    """Return whether an issue is in review without an assignee, or a pull or merge request without a reviewer.

    ``review``: names of states and labels, in any case, that mean a review.
    """
    names = {issue.raw_state.lower(), *(label.lower() for label in issue.labels)}
    people = issue.reviewers if issue.is_pull_request else issue.assignees
    return not people and not names.isdisjoint(name.lower() for name in review)


# --- overcommitted people ---------------------------------------------------------------------------------------------


class Workload(Struct, frozen=True, kw_only=True):
    """One open issue in a milestone: the ``uid`` of the issue, the milestone's uid and due date."""

    uid: str
    issue: Issue
    milestone: str
    due: date


class Load(Struct, frozen=True, kw_only=True):
    """Open issues of a person that are due by a day, over all milestones that these readers may read.

    ``seconds``: remaining work by estimates; None: most issues have no estimate. ``days``: working days until then.
    """

    person: Person
    items: int
    milestones: int
    until: date
    days: int
    seconds: int | None = None


class PersonalWork:
    """Open issues of a person in milestones, sorted so that those due by a day are counted without a look at each.

    An issue in several milestones counts once, from the first of their due dates on.
    """

    def __init__(self, work: Iterable[Workload]) -> None:
        by_due = sorted(work, key=lambda own: own.due)
        first: dict[str, Workload] = {}
        for own in by_due:
            first.setdefault(own.uid, own)
        remaining = [_remaining(own.issue) for own in first.values()]
        self._dues = [own.due for own in first.values()]
        self._estimated = list(accumulate((seconds is not None for seconds in remaining), initial=0))
        self._seconds = list(accumulate((seconds or 0 for seconds in remaining), initial=0))
        self._milestone_dues = sorted({own.milestone: own.due for own in by_due}.values())

    def items(self, until: date) -> int:
        """Return the number of issues that are due by a day."""
        return bisect_right(self._dues, until)

    def milestones(self, until: date) -> int:
        """Return the number of milestones with these issues that are due by a day."""
        return bisect_right(self._milestone_dues, until)

    def seconds(self, until: date) -> int | None:
        """Return the work that remains by estimates; None if most issues have no estimate."""
        items = self.items(until)
        return self._seconds[items] if 2 * self._estimated[items] > items else None


def overcommitted(
    work_by_person: Mapping[Person, PersonalWork],
    until: date,
    today: date,
    calendar: Calendar,
    work_time: WorkTime = _WORK_TIME,
) -> tuple[Load, ...]:
    """Return the people with more work due by a day than fits, from their open issues in all milestones.

    If most of it is estimated: more than the working time until then. Otherwise more issues than working days, and at
    least `LEAST_ITEMS`.
    """
    days = sum(calendar.is_working_day(today + timedelta(days=n)) for n in range((until - today).days + 1))
    available = work_time.seconds(days, weekdays=7 - len(calendar.weekend))
    loads = []
    for person in sorted(work_by_person, key=lambda person: (person.name.casefold(), person.id)):
        work = work_by_person[person]
        items, seconds = work.items(until), work.seconds(until)
        is_too_many = items >= LEAST_ITEMS and items > days
        if is_too_many if seconds is None else seconds > available:
            load = Load(
                person=person, items=items, milestones=work.milestones(until), until=until, days=days, seconds=seconds
            )
            loads.append(load)
    return tuple(loads)


def _remaining(issue: Issue) -> int | None:
    """Return the seconds of work that remain by the estimate; None without one."""
    if issue.remaining is not None:
        return issue.remaining
    return None if issue.estimate is None else max(0, issue.estimate - (issue.spent or 0))
