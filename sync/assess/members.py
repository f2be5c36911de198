"""Resolve the members of joint milestones: from ids as people write them to uids."""

from __future__ import annotations

from collections.abc import Mapping

from sync.model.joint import JointMilestone
from sync.model.tracker_data import matches_pattern

__all__ = ["resolve_members"]


def resolve_members(joint: JointMilestone, uid_by_id: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return the uids of the members, in their order and without repeats, and the member ids that match no milestone.

    ``uid_by_id``: id as people write it -> uid. A ``*`` in a member id matches any text, unless a milestone has just
    that id.
    """
    uids: dict[str, None] = {}
    missing = []
    for member in joint.members:
        if member in uid_by_id:
            matches = [uid_by_id[member]]
        else:
            matches = [
                uid for name, uid in sorted(uid_by_id.items()) if "*" in member and matches_pattern(name, member)
            ]
        uids |= dict.fromkeys(matches)
        missing += [] if matches else [member]
    return list(uids), missing
