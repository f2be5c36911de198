"""Joint milestones, and what the readers of a member may know of them."""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from sync.model.health import Status
from sync.model.team_words import Decision

__all__ = ["MOST_BLIND", "MOST_FELLOWS", "Commitment", "FellowWords", "JointMilestone", "OtherMember"]

MOST_FELLOWS, MOST_BLIND = 50, 5
"""Maximum numbers of other members, and of members without a forecast, that the comment of a member names."""


class JointMilestone(Struct, frozen=True, kw_only=True):
    """One commitment made of milestones in one or several trackers; ``members`` are ids as people write them.

    A ``*`` in a member matches any text: ``gl:acme/*%2.0`` is the milestone 2.0 of every project of the group.
    """

    name: str
    members: tuple[str, ...]
    owner: str = ""
    due: date | None = None


class OtherMember(Struct, frozen=True, kw_only=True):
    """Another member of a joint milestone that this audience may read; ``key`` and ``title`` are foreign text."""

    key: str
    title: str
    status: Status
    url: str = ""


class FellowWords(Struct, frozen=True, kw_only=True):
    """Overdue decisions and risks of another member (its ``key``) that this audience may read; all is foreign text."""

    key: str
    decisions: tuple[Decision, ...] = ()
    risks: tuple[str, ...] = ()


class Commitment(Struct, frozen=True, kw_only=True):
    """A joint milestone that a milestone is part of. ``status`` None: this audience may not know it.

    ``fellows`` are the other members that the audience may read: of more than `MOST_FELLOWS`, those with the worst
    status. ``blind`` are the first members that cannot be forecast; None, the last, is all members that it may not
    read. ``more_fellows`` and ``more_blind`` count those that are left out. ``hidden``: it may not read some
    members.
    """

    name: str
    owner: str = ""
    due: date | None = None
    status: Status | None = None
    probability: float | None = None
    p50: date | None = None
    p85: date | None = None
    fellows: tuple[OtherMember, ...] = ()
    blind: tuple[OtherMember | None, ...] = ()
    more_fellows: int = 0
    more_blind: int = 0
    hidden: bool = False
