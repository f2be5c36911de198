"""A container's counts in the plainest way, membership by membership: the oracle for the counts in columns."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sync.history.counting import is_carried, is_done, is_member, is_open
from sync.model.membership import Container, Counts, Membership

WEEK = timedelta(days=7)


def counts(container: Container, memberships: Iterable[Membership], at: datetime) -> Counts:
    """Count the items of one container at ``at``.

    ``added`` are those that are in its scope now and not in its agreed scope (``added_week``: nor there a week before
    ``at``).
    """
    rows = list(memberships)

    def members_at(moment: datetime) -> list[Membership]:
        return [row for row in rows if is_member(row, moment) or is_carried(row, moment) or is_done(row, moment)]

    members = members_at(at)
    carried = [membership for membership in members if is_carried(membership, at)]
    closed = [membership for membership in members if not is_open(membership, at) and membership not in carried]

    def joined_after(moment: datetime) -> int:
        before = {membership.item for membership in members_at(moment)}
        return sum(membership.item not in before for membership in members)

    start = None if container.start is None or container.start > at else container.agreed_at or container.start
    return Counts(
        open=len(members) - len(closed) - len(carried),
        closed=len(closed),
        removed=sum(membership.removed for membership in closed),
        added=0 if start is None else joined_after(min(start, at)),
        added_week=0 if start is None else joined_after(min(max(start, at - WEEK), at)),
        carried=len(carried),
    )
