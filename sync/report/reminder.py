"""The reminder comment, and the section of a summary on owners and reviewers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from sync.assess.milestone import AssessedMilestone
from sync.health.reminders import DueReminder, Load, Trouble, due_reminders
from sync.history.counting import is_open
from sync.markup.document import (
    Bullets,
    Document,
    Foreign,
    Inline,
    Item,
    Line,
    Lines,
    Mention,
    Section,
    Strong,
    join_parts,
)
from sync.model.settings import ReminderRules
from sync.model.team_words import OwnerOrigin, Owners
from sync.model.tracker_data import Person
from sync.report.attention import issue_item
from sync.report.figures import hours
from sync.report.phrases import capital, day, plural

__all__ = ["owner_lines", "person_name", "reminder", "wanted_reminders"]

SHOWN = 10
"""Maximum number of issues named for each person."""

_HANDLE = re.compile(r"@([A-Za-z0-9][\w.-]*)", re.ASCII)


def person_name(person: Person, *, mentions: bool) -> Inline:
    """Return a person as plain text, or as a mention where mentions are switched on."""
    return Mention(person.id, person.login or person.name, person.name) if mentions else Foreign(person.name)


def _owner(name: str, owners: Owners, *, mentions: bool) -> Inline:
    """Return an owner; only ``@login`` in the configuration can become a mention, never what a description says."""
    handle = _HANDLE.fullmatch(name) if owners.origin is OwnerOrigin.CONFIGURATION else None
    return Mention("", handle[1], name) if mentions and handle else Foreign(name)


def reminder(reminders: Sequence[DueReminder], owners: Owners, project: str, rules: ReminderRules) -> Document | None:
    """Return the comment that reminds owners of their issues; None without reminders.

    The comment names dates, not durations, so its text changes only when something happens. Keys of issues in
    ``project`` are shortened.
    """
    if not reminders:
        return None
    verb = "needs" if len(reminders) == 1 else "need"
    head = Lines(((Strong("Reminder"), f": {plural(len(reminders), 'open issue')} {verb} someone."),))
    sections = [Section(title="", blocks=(head,), weight=100)]
    people = {person for due in reminders for person in due.people}
    for person in sorted(people, key=lambda person: (person.name.casefold(), person.id)):
        theirs = [due for due in reminders if person in due.people]
        sections.append(_section((person_name(person, mentions=rules.mentions), ":"), theirs, project))
    unassigned = [due for due in reminders if not due.people]
    if unassigned:
        sections.append(_section(("Unassigned:",), unassigned, project))
    late = sum(due.late for due in reminders)
    if late:
        waits = f"{late} of these {'has' if late == 1 else 'have'} waited for more than {rules.escalate} days"
        who: Line = (
            (
                f"{waits}. For the owner of the milestone: ",
                *join_parts(_owner(name, owners, mentions=rules.mentions) for name in owners.names),
            )
            if owners.names
            else (f"{waits}, and no owner is set for the milestone.",)
        )
        sections.append(Section(title="", blocks=(Lines((who,)),), weight=90))
    return Document(tuple(sections))


def _section(who: Line, theirs: Sequence[DueReminder], project: str) -> Section:
    lines = [_line(due, project) for due in theirs[:SHOWN]]
    if len(theirs) > SHOWN:
        lines.append((f"and {len(theirs) - SHOWN} more",))
    return Section(title="", blocks=(Lines((who,)), Bullets(tuple(lines))), weight=50)


_WORDS = {
    Trouble.OVERDUE: ("overdue", "was due on"),
    Trouble.UNREVIEWED: ("without a reviewer", "since"),
    Trouble.UNOWNED: ("unassigned", "since"),
    Trouble.UNTOUCHED: ("no activity", "since"),
}


def _line(due: DueReminder, project: str) -> Line:
    word, when = _WORDS[due.trouble]
    if due.trouble is Trouble.UNREVIEWED and due.people:
        word = "waits for review"
    return (Strong(capital(word)), " ", issue_item(project, due.issue), f", {when} {day(due.since)}")


def owner_lines(loads: Sequence[Load], unreviewed: Sequence[Item]) -> list[Line]:
    """Return people with too much work, and issues without a reviewer."""
    lines: list[Line] = [_load(load) for load in loads]
    lines += [(Strong("No reviewer"), " ", item) for item in unreviewed[:SHOWN]]
    if len(unreviewed) > SHOWN:
        lines.append((Strong("No reviewer"), f" for {len(unreviewed) - SHOWN} more"))
    return lines


def _load(load: Load) -> Line:
    milestones = "" if load.milestones == 1 else f" in {load.milestones} milestones"
    left = "" if load.seconds is None else f", {hours(load.seconds)} h estimated to remain"
    rest = plural(load.days, "working day")
    are = "is" if load.days == 1 else "are"
    work = f"{plural(load.items, 'open issue')}{milestones} due by {day(load.until)}{left}; {rest} {are} left"
    return (Strong("Overloaded"), " ", Foreign(load.person.name), f": {work}.")


def wanted_reminders(milestone: AssessedMilestone, now: datetime, reminder_rules: ReminderRules) -> list[DueReminder]:
    """Return the issues of a running milestone whose owners need a reminder ``now`` (UTC)."""
    if not reminder_rules.reminders or not milestone.is_running or milestone.health.status.is_over:
        return []
    open_issues = [
        (milestone.issues[membership.item], membership.joined)
        for membership in milestone.memberships
        if membership.item in milestone.issues and is_open(membership, now)
    ]
    return due_reminders(open_issues, now, reminder_rules, milestone.connection.zone)
