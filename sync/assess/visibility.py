"""Decide what the readers of a milestone's comment may know of other milestones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from sync.assess.members import resolve_members
from sync.assess.milestone import AssessedMilestone
from sync.assess.outage import RemovedMilestone
from sync.assess.portfolio import AssessedJointMilestone
from sync.model.dates import day_of
from sync.model.joint import Commitment, FellowWords, OtherMember
from sync.model.milestone_ids import plain_id
from sync.model.team_words import overdue_decisions

__all__ = ["can_read", "commitment_for", "may_depend_on", "unshared_connections", "words_of_fellows"]


def can_read(reader: AssessedMilestone, other: AssessedMilestone | RemovedMilestone) -> bool:
    """Return whether everyone who reads the comment of ``reader`` may read the ``other`` milestone."""
    same_project = reader.connection.name == other.connection.name and reader.project.id == other.project.id
    return same_project or other.project.is_public


def may_depend_on(reader: AssessedMilestone, other: AssessedMilestone | RemovedMilestone) -> bool:
    """Return whether the published status and dates of ``reader`` may depend on the ``other`` milestone."""
    return can_read(reader, other) or other.connection.share == "aggregate"


def commitment_for(
    joint: AssessedJointMilestone, reader: AssessedMilestone, aggregate: Mapping[str, bool]
) -> Commitment:
    """Return what the readers of a member's comment may know of the joint milestone.

    ``aggregate``: uid -> whether the milestone waits for milestones that its own readers may not read.
    """
    by_id: dict[str, AssessedMilestone | RemovedMilestone] = {other.written: other for other in joint.members}
    by_id = by_id | {other.written: other for other in joint.removed}
    in_order, _ = resolve_members(joint.joint, {name: name for name in by_id})
    others = [by_id[name] for name in in_order if name != reader.written]
    hidden = [other for other in others if not can_read(reader, other)]
    known = Commitment(
        name=joint.joint.name,
        owner=joint.joint.owner,
        due=joint.joint.due,
        fellows=tuple(_other_member(other, joint) for other in others if other not in hidden),
        hidden=bool(hidden) or any(aggregate.get(member.uid, False) for member in joint.members),
    )
    if not all(may_depend_on(reader, other) for other in hidden):
        return known
    health = joint.health
    blind = [_other_member(member, joint) if can_read(reader, member) else None for member in joint.unforecastable]
    blind += [None] * len(joint.missing)
    return msgspec.structs.replace(
        known,
        due=health.due,
        status=health.status,
        probability=health.probability,
        p50=health.dates.p50,
        p85=health.dates.p85,
        blind=tuple(_without_repeats(blind)),
    )


def unshared_connections(joint: AssessedJointMilestone) -> list[str]:
    """Return the connections (names) whose members hide the status of a joint milestone from its other members."""
    members = {(member.connection.name, member.project.id): member for member in joint.members}
    if len(members) < 2:
        return []
    hidden = (own for own in members.values() if not own.project.is_public and own.connection.share == "none")
    return sorted({own.connection.name for own in hidden})


def words_of_fellows(joints: Iterable[AssessedJointMilestone], reader: AssessedMilestone) -> tuple[FellowWords, ...]:
    """Return the overdue decisions and the risks of running milestones that share a joint milestone with the reader.

    Nothing of a member that the reader's audience may not read. Days are those of each member's tracker.
    """
    fellows = {member.uid: member for joint in joints for member in joint.members}
    return tuple(
        FellowWords(key=plain_id(fellow.milestone, fellow.project), decisions=overdue, risks=fellow.words.risks)
        for fellow in fellows.values()
        if fellow.uid != reader.uid and not fellow.health.status.is_over and can_read(reader, fellow)
        if (overdue := overdue_decisions(fellow.words.decisions, day_of(fellow.health.at, fellow.connection.zone)))
        or fellow.words.risks
    )


def _without_repeats(members: Iterable[OtherMember | None]) -> Iterator[OtherMember | None]:
    """Keep only the first None: the number of members that may not be named is hidden, too."""
    has_hidden = False
    for member in members:
        if member is not None or not has_hidden:
            yield member
        has_hidden |= member is None


def _other_member(other: AssessedMilestone | RemovedMilestone, joint: AssessedJointMilestone) -> OtherMember:
    status = joint.removed[other] if isinstance(other, RemovedMilestone) else other.health.status
    key = plain_id(other.milestone, other.project)
    return OtherMember(key=key, title=other.milestone.title, status=status, url=other.milestone.url)
