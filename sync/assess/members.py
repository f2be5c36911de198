"""Resolve the members of joint milestones: from ids as people write them to uids."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

from sync.model.joint import JointMilestone
from sync.model.tracker_data import matches_pattern

__all__ = ["IdIndex", "resolve_members"]


class IdIndex:
    """Ids as people write them, sorted by their beginnings and by their ends.

    A pattern is compared only with the ids that begin as it does, or with those that end as it does.
    """

    def __init__(self, ids: Collection[str]) -> None:
        self._ids = ids

    @cached_property
    def _by_beginning(self) -> Sequence[str]:
        return sorted(self._ids)

    @cached_property
    def _by_end(self) -> Sequence[str]:
        return sorted(written[::-1] for written in self._ids)

    def matching(self, pattern: str) -> list[str]:
        """Return the ids that match a pattern with at least one ``*``, sorted."""
        beginning, *_, end = pattern.split("*")
        found = _with_beginning(self._by_beginning, beginning)
        reversed_ids = _with_beginning(self._by_end, end[::-1])
        if len(reversed_ids) < len(found):
            found = sorted(written[::-1] for written in reversed_ids)
        return [written for written in found if matches_pattern(written, pattern)]


def _with_beginning(ids: Sequence[str], beginning: str) -> Sequence[str]:
    """Return the ids of a sorted sequence that have this beginning."""
    first = bisect_left(ids, beginning)
    return ids[first : bisect_right(ids, beginning, first, key=lambda written: written[: len(beginning)])]


def resolve_members(joint: JointMilestone, uid_by_id: Mapping[str, str], index: IdIndex) -> tuple[list[str], list[str]]:
    """Return the uids of the members, in their order and without repeats, and the member ids that match no milestone.

    ``uid_by_id``: id as people write it -> uid; ``index`` is that of its ids. A ``*`` in a member id matches any text,
    unless a milestone has just that id.
    """
    uids: dict[str, None] = {}
    missing = []
    for member in joint.members:
        written = [member] if member in uid_by_id else index.matching(member) if "*" in member else []
        uids |= dict.fromkeys(map(uid_by_id.__getitem__, written))
        missing += [] if written else [member]
    return list(uids), missing
