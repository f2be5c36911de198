"""One picture of a milestone's burn-up, attached to its status issue where that is asked for.

A tracker cannot rewrite a file, so a new one is uploaded and the old one goes, and watchers may be told of both. That
happens only when the picture tells something else, once a day at most, and not on quiet days. Ours is what our own
account uploaded **and** what has a name of our form::

    milesync-burn-up-acme-0123abcd-0123456789ab.png

It names the instance, and has digests of whose milestone it is and of what it tells, so nothing has to be remembered to
know that it still holds. What a person deleted stays so. Pure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from sync.action import Attach, Attached, Detach, StatusIssue
from sync.desired import Desired, Plan

__all__ = ["RHYTHM", "Name", "attaching", "detaching"]

RHYTHM = timedelta(days=1)
"""How old a picture must be before another one takes its place."""

_FORM = re.compile(r"(milesync-burn-up-(.+)-[0-9a-f]{8})-([0-9a-f]{12})(?: ?\([^()]*\))?\.png")
"""A tracker may add something in brackets to a name that is there already."""


class Name(Struct, frozen=True):
    """The name of a file of ours: ``stem`` tells instance and milestone, ``told`` what is in it (12 hex digits)."""

    stem: str
    told: str
    instance: str

    def __str__(self) -> str:
        return f"{self.stem}-{self.told}.png"

    @classmethod
    def of(cls, milestone: str, told: str, instance: str) -> Name:
        """The name of the picture of a milestone (uid)."""
        whose = hashlib.blake2b(milestone.encode(), digest_size=4).hexdigest()
        return cls(f"milesync-burn-up-{instance}-{whose}", told, instance)

    @classmethod
    def read(cls, name: str) -> Name | None:
        """The parts of a name; None for one that is not of our form."""
        found = _FORM.fullmatch(name)
        return cls(found[1], found[3], found[2]) if found else None


def attaching(
    want: Desired, have: StatusIssue | None, instance: str, now: datetime
) -> tuple[list[Attach | Detach], str]:
    """The uploads and removals, and why one that is asked for is left out.

    Of several that a lost answer left, the newest that is right stays.
    """
    if want.undrawn:
        return [], want.undrawn
    if want.picture is None or have is None or have.files is None:
        return [], ""
    if want.picture and have.files.why:
        return [], have.files.why
    if want.quiet:
        return [], ""
    name = Name.of(want.milestone, want.picture, instance)
    mine = sorted(_ours(have, instance, name.stem), key=lambda one: (one.created_at, one.id))
    right = [one for one in mine if Name.read(one.name) == name]
    to: dict[str, Any] = {k: getattr(want, k) for k in ("milestone", "project", "project_key")} | {"issue": have.issue}
    if not want.picture:
        return [Detach(**to, file=one.id, name=one.name) for one in mine], ""
    made: list[Attach | Detach] = []
    kept = (right or mine)[-1:]
    if not right and (now - mine[-1].created_at >= RHYTHM if mine else name.stem not in want.pictured):
        made, kept = [Attach(**to, name=str(name), again=bool(mine))], []
    return made + [Detach(**to, file=one.id, name=one.name, superseded=True) for one in mine if one not in kept], ""


def detaching(issue: StatusIssue, to: Mapping[str, Any], instance: str) -> Plan:
    """Take every picture of this instance away; ``to`` says for which milestone."""
    ours = _ours(issue, instance)
    return Plan(actions=tuple(Detach(**to, issue=issue.issue, file=one.id, name=one.name) for one in ours))


def _ours(issue: StatusIssue, instance: str, stem: str = "") -> Iterator[Attached]:
    for one in issue.files.ours if issue.files else ():
        name = Name.read(one.name)
        if name and name.instance == instance and stem in ("", name.stem):
            yield one
