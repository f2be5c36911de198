"""Select what an audience is shown of a portfolio that was built from what it may read."""

from __future__ import annotations

from collections.abc import Set

from msgspec.structs import replace

from sync.assess.milestone import AssessedMilestone
from sync.assess.portfolio import AssessedJointMilestone, Portfolio
from sync.model.audience import Audience

__all__ = ["shown_to"]


def shown_to(audience: Audience, portfolio: Portfolio) -> tuple[list[AssessedMilestone], list[AssessedJointMilestone]]:
    """Return the milestones and the joint milestones that an audience is shown.

    ``portfolio`` is what the audience may read. A named audience is shown a joint milestone only if it may read every
    member; milestones name no other joint milestone.
    """
    joints = [
        joint
        for joint in portfolio.joints
        if audience.is_shown(joint.written) and not (audience.name and joint.missing)
    ]
    names = {joint.joint.name for joint in joints}
    milestones = [
        _without_hidden_joints(milestone, names)
        for milestone in portfolio.milestones
        if audience.is_shown(milestone.written, *milestone.other_ids)
    ]
    return milestones, joints


def _without_hidden_joints(milestone: AssessedMilestone, names: Set[str]) -> AssessedMilestone:
    """Return the milestone with the joint milestones (by name) that are shown: its text names no other."""
    return replace(milestone, commitments=tuple(entry for entry in milestone.commitments if entry.name in names))
