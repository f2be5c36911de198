"""Plan the picture of a milestone's burn-up on its status issue, if the configuration asks for it. Pure.

A tracker cannot replace a file: a new picture is uploaded, then the old one is deleted, and both may notify watchers.
So a new picture is attached only if its content has changed, once a day at most, and not on quiet days. A file is ours
if our account uploaded it **and** its name is an `AttachmentName` of this instance; the name holds the content's
hash, so nothing must be stored. A picture that a person deleted is not attached again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from sync.plan.desired import Plan
from sync.plan.inputs import PlannerInput, RetirementInput
from sync.tracker.actions import Attach, Detach
from sync.tracker.attachment import AttachmentName
from sync.tracker.observed import Attached, StatusIssue

__all__ = ["MIN_REPLACEMENT_AGE", "plan_attachment", "remove_attachments", "retire_attachments"]

MIN_REPLACEMENT_AGE = timedelta(days=1)
"""Minimum age of a picture before a new one replaces it."""


def plan_attachment(state: PlannerInput) -> tuple[list[Attach | Detach], str]:
    """Return the uploads and deletions, and the reason if a picture that is asked for is left out.

    If lost answers have left several pictures, the newest with the right content stays.
    """
    want, issue = state.desired, state.issue
    if want.picture_problem:
        return [], want.picture_problem
    if want.picture is None or issue is None or issue.files is None:
        return [], ""
    if want.picture and issue.files.why:
        return [], issue.files.why
    if want.quiet:
        return [], ""
    name = AttachmentName.of(want.milestone, want.picture, state.instance)
    ours = sorted(_ours(issue, state.instance, name.stem), key=lambda attached: (attached.created_at, attached.id))
    current = [attached for attached in ours if AttachmentName.read(attached.name) == name]
    address = state.address | {"issue": issue.issue}
    if not want.picture:
        return [Detach(**address, file=attached.id, name=attached.name) for attached in ours], ""
    actions: list[Attach | Detach] = []
    kept = (current or ours)[-1:]
    is_due = state.now - ours[-1].created_at >= MIN_REPLACEMENT_AGE if ours else name.stem not in want.previous.pictures
    if not current and is_due:
        actions, kept = [Attach(**address, name=str(name), again=bool(ours))], []
    actions += [
        Detach(**address, file=attached.id, name=attached.name, superseded=True)
        for attached in ours
        if attached not in kept
    ]
    return actions, ""


def remove_attachments(issue: StatusIssue, address: Mapping[str, Any], instance: str) -> Plan:
    """Return the deletions of all pictures of this instance; ``address`` holds the milestone's fields of an action."""
    return Plan(
        actions=tuple(
            Detach(**address, issue=issue.issue, file=attached.id, name=attached.name)
            for attached in _ours(issue, instance)
        )
    )


def retire_attachments(retirement: RetirementInput) -> Iterator[Plan]:
    """Yield the plans that delete our pictures. Milestones may share a status issue, which is planned once."""
    planned: set[tuple[str, str]] = set()
    for milestone, issue, address in retirement.status_issues():
        key = (milestone.connection.source, issue.issue)
        if key not in planned:
            planned.add(key)
            yield remove_attachments(issue, address, retirement.instance)


def _ours(issue: StatusIssue, instance: str, stem: str = "") -> Iterator[Attached]:
    """Yield our files; an empty ``stem`` means those of all milestones."""
    for attached in issue.files.ours if issue.files else ():
        name = AttachmentName.read(attached.name)
        if name and name.instance == instance and stem in ("", name.stem):
            yield attached
