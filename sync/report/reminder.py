"""The reminder comment, and what a summary says about owners and reviewers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from sync.assess.milestone import AssessedMilestone
from sync.health.reminders import DueReminder, Load, Trouble, due_reminders
from sync.history.counting import is_open
from sync.markup.document import Block, Bullets, Document, Foreign, Inline, Item, Line, Lines, Mention, Section, Strong
from sync.model.health import Status
from sync.model.settings import ReminderRules
from sync.model.tracker_data import Issue, Person
from sync.report.phrases import capital, day, plural

__all__ = ["owners", "person_name", "reminder", "wanted_reminders"]

SHOWN = 10
"""Issues that are named for each person."""

_HANDLE = re.compile(r"@([A-Za-z0-9][\w.-]*)", re.ASCII)


def person_name(person: Person, *, mentions: bool) -> Inline:
    """A person: as plain text, or as a mention where that was switched on."""
    return Mention(person.id, person.login or person.name, person.name) if mentions else Foreign(person.name)


def _owner(written: str, *, mentions: bool) -> Inline:
    """The milestone's owner, as the configuration names them: ``@login`` can become a mention."""
    handle = _HANDLE.fullmatch(written)
    return Mention("", handle[1], written) if mentions and handle else Foreign(written)


def reminder(found: Sequence[DueReminder], owner: str, project: str, rules: ReminderRules) -> Document | None:
    """The comment that asks owners for their issues; None when nobody is to be asked. It names days, not how long ago,
    so that it says the same until something has happened. Keys are short in their own ``project``.
    """
    if not found:
        return None
    verb = "needs" if len(found) == 1 else "need"
    head = Lines(((Strong("Reminder"), f": {plural(len(found), 'open issue')} {verb} somebody."),))
    sections = [Section(title="", blocks=(head,), weight=100)]
    people = {person for want in found for person in want.issue.assignees}
    for person in sorted(people, key=lambda one: (one.name.casefold(), one.id)):
        theirs = [want for want in found if person in want.issue.assignees]
        sections.append(_asked((person_name(person, mentions=rules.mentions), ":"), theirs, project))
    nobodys = [want for want in found if not want.issue.assignees]
    if nobodys:
        sections.append(_asked(("Nobody yet:",), nobodys, project))
    late = sum(want.late for want in found)
    if late:
        waits = f"{late} of these {'has' if late == 1 else 'have'} waited for more than {rules.escalate} days"
        who: Line = (
            (f"{waits}, which is for the owner of the milestone: ", _owner(owner, mentions=rules.mentions))
            if owner
            else (f"{waits}, and nobody is named as owner of the milestone.",)
        )
        sections.append(Section(title="", blocks=(Lines((who,)),), weight=90))
    return Document(tuple(sections))


def _asked(who: Line, theirs: Sequence[DueReminder], project: str) -> Section:
    lines = [_line(want, project) for want in theirs[:SHOWN]]
    if len(theirs) > SHOWN:
        lines.append((f"and {len(theirs) - SHOWN} more",))
    return Section(title="", blocks=(Lines((who,)), Bullets(tuple(lines))), weight=50)


_WORDS = {
    Trouble.OVERDUE: ("overdue", "was due on"),
    Trouble.UNREVIEWED: ("without a reviewer", "since"),
    Trouble.UNOWNED: ("unassigned", "since"),
    Trouble.UNTOUCHED: ("untouched", "since"),
}


def _line(want: DueReminder, project: str) -> Line:
    word, when = _WORDS[want.trouble]
    return (Strong(capital(word)), " ", _item(want.issue, project), f", {when} {day(want.since)}")


def _item(issue: Issue, project: str) -> Item:
    return Item(issue.key.removeprefix(project) or issue.key, issue.title, issue.url)


def owners(loads: Sequence[Load], waiting: Sequence[Issue], project: str = "") -> Iterable[Section]:
    """Who carries more than fits, and what waits for a reviewer; nothing when nothing is to be said."""
    lines: list[Line] = [_load(load) for load in loads]
    lines += [(Strong("No reviewer"), " ", _item(issue, project)) for issue in waiting[:SHOWN]]
    if len(waiting) > SHOWN:
        lines.append((Strong("No reviewer"), f" for {len(waiting) - SHOWN} more"))
    blocks: tuple[Block, ...] = (Bullets(tuple(lines)),)
    if lines:
        yield Section(title="Owners and reviewers", blocks=blocks, weight=55)


def _load(load: Load) -> Line:
    where = "" if load.milestones == 1 else f" in {load.milestones} milestones"
    hours = "" if load.seconds is None else f" with {round(load.seconds / 3600)} h left by their estimates"
    rest = plural(load.days, "working day")
    are = "is" if load.days == 1 else "are"
    work = f"{plural(load.items, 'open issue')}{where} due by {day(load.until)}{hours}; {rest} {are} left"
    return (Strong("Too much"), " for ", Foreign(load.person.name), f": {work}.")


def wanted_reminders(milestone: AssessedMilestone, now: datetime, reminder_rules: ReminderRules) -> list[DueReminder]:
    """The issues of a running milestone for which owners are to be reminded."""
    if not reminder_rules.reminders or not milestone.running or milestone.health.status is Status.DONE:
        return []
    held = [
        (milestone.issues[membership.item], membership.joined)
        for membership in milestone.memberships
        if membership.item in milestone.issues and is_open(membership, now)
    ]
    return due_reminders(held, now, reminder_rules)
