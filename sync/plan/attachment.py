"""One picture of a milestone's burn-up, attached to its status issue where that is asked for.

A tracker cannot rewrite a file, so a new one is uploaded and the old one goes, and watchers may be told of both. That
happens only when the picture tells something else, once a day at most, and not on quiet days. Ours is what our own
account uploaded **and** what has a name of our form::

    milesync-burn-up-acme-0123abcd-0123456789ab.png

It names the instance, and has digests of whose milestone it is and of what it tells, so nothing has to be remembered to
know that it still holds. What a person deleted stays so. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sync.plan.desired import Desired, Plan
from sync.tracker.actions import Attach, Detach
from sync.tracker.attachment import AttachmentName
from sync.tracker.observed import Attached, StatusIssue

__all__ = ["RHYTHM", "plan_attachment", "remove_attachments"]

RHYTHM = timedelta(days=1)
"""How old a picture must be before another one takes its place."""


def plan_attachment(
    want: Desired, have: StatusIssue | None, instance: str, now: datetime
) -> tuple[list[Attach | Detach], str]:
    """The uploads and removals, and why one that is asked for is left out.

    Of several that a lost answer left, the newest that is right stays.
    """
    if want.picture_problem:
        return [], want.picture_problem
    if want.picture is None or have is None or have.files is None:
        return [], ""
    if want.picture and have.files.why:
        return [], have.files.why
    if want.quiet:
        return [], ""
    name = AttachmentName.of(want.milestone, want.picture, instance)
    mine = sorted(_ours(have, instance, name.stem), key=lambda attached: (attached.created_at, attached.id))
    right = [attached for attached in mine if AttachmentName.read(attached.name) == name]
    to: dict[str, Any] = {k: getattr(want, k) for k in ("milestone", "project", "project_key")} | {"issue": have.issue}
    if not want.picture:
        return [Detach(**to, file=attached.id, name=attached.name) for attached in mine], ""
    made: list[Attach | Detach] = []
    kept = (right or mine)[-1:]
    if not right and (now - mine[-1].created_at >= RHYTHM if mine else name.stem not in want.previous.pictures):
        made, kept = [Attach(**to, name=str(name), again=bool(mine))], []
    return made + [
        Detach(**to, file=attached.id, name=attached.name, superseded=True) for attached in mine if attached not in kept
    ], ""


def remove_attachments(issue: StatusIssue, to: Mapping[str, Any], instance: str) -> Plan:
    """Take every picture of this instance away; ``to`` says for which milestone."""
    ours = _ours(issue, instance)
    return Plan(
        actions=tuple(Detach(**to, issue=issue.issue, file=attached.id, name=attached.name) for attached in ours)
    )


def _ours(issue: StatusIssue, instance: str, stem: str = "") -> Iterator[Attached]:
    for attached in issue.files.ours if issue.files else ():
        name = AttachmentName.read(attached.name)
        if name and name.instance == instance and stem in ("", name.stem):
            yield attached
