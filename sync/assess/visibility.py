"""Decide what the readers of a milestone's comment may know of other milestones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from sync.assess.members import IdIndex, resolve_members
from sync.assess.milestone import AssessedMilestone
from sync.assess.outage import RemovedMilestone
from sync.assess.portfolio import AssessedJointMilestone
from sync.model.dates import day_of
from sync.model.joint import Commitment, FellowWords, OtherMember
from sync.model.milestone_ids import plain_id
from sync.model.team_words import overdue_decisions

__all__ = ["JointView", "can_read", "may_depend_on", "unshared_connections", "words_of_fellows"]


def can_read(reader: AssessedMilestone, other: AssessedMilestone | RemovedMilestone) -> bool:
    """Return whether everyone who reads the comment of ``reader`` may read the ``other`` milestone."""
    same_project = reader.connection.name == other.connection.name and reader.project.id == other.project.id
    return same_project or other.project.is_public


def may_depend_on(reader: AssessedMilestone, other: AssessedMilestone | RemovedMilestone) -> bool:
    """Return whether the published status and dates of ``reader`` may depend on the ``other`` milestone."""
    return can_read(reader, other) or other.connection.share == "aggregate"


class JointView:
    """View of a joint milestone: what the readers of its members' comments may know of it, found once a project.

    ``aggregate``: uid -> whether the milestone waits for milestones that its own readers may not read.
    """

    def __init__(self, joint: AssessedJointMilestone, aggregate: Mapping[str, bool]) -> None:
        self._joint = joint
        by_id: dict[str, AssessedMilestone | RemovedMilestone] = {other.written: other for other in joint.members}
        by_id = by_id | {other.written: other for other in joint.removed}
        in_order, _ = resolve_members(joint.joint, {name: name for name in by_id}, IdIndex(by_id))
        self._others = {name: (by_id[name], _other_member(by_id[name], joint)) for name in in_order}
        self._is_aggregate = any(aggregate.get(member.uid, False) for member in joint.members)
        self._by_project: dict[tuple[str, str], tuple[Commitment, dict[str, int]]] = {}
        self.words = [(own, words) for own in joint.members if (words := _fellow_words(own)) is not None]

    def commitment(self, reader: AssessedMilestone) -> Commitment:
        """Return what the readers of a member's comment may know of the joint milestone."""
        project = reader.connection.name, reader.project.id
        if project not in self._by_project:
            names = [name for name, (other, _) in self._others.items() if can_read(reader, other)]
            places = {name: place for place, name in enumerate(names)}
            self._by_project[project] = self._commitment(reader, names), places
        commitment, places = self._by_project[project]
        place = places.get(reader.written, len(places))
        fellows = commitment.fellows[:place] + commitment.fellows[place + 1 :]
        return msgspec.structs.replace(commitment, fellows=fellows)

    def _commitment(self, reader: AssessedMilestone, readable: Collection[str]) -> Commitment:
        """Return what the readers of a project's comments may know, with all members that they may read as fellows."""
        joint, health = self._joint.joint, self._joint.health
        known = Commitment(
            name=joint.name,
            owner=joint.owner,
            due=joint.due,
            fellows=tuple(self._others[name][1] for name in readable),
            hidden=len(readable) < len(self._others) or self._is_aggregate,
        )
        if not all(may_depend_on(reader, other) for other, _ in self._others.values()):
            return known
        unforecastable = self._joint.unforecastable
        blind = [_other_member(own, self._joint) if can_read(reader, own) else None for own in unforecastable]
        blind += [None] * len(self._joint.missing)
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


def words_of_fellows(views: Iterable[JointView], reader: AssessedMilestone) -> tuple[FellowWords, ...]:
    """Return the overdue decisions and the risks of running milestones that share a joint milestone with the reader.

    Nothing of a member that the reader's audience may not read. Days are those of each member's tracker.
    """
    fellows = {fellow.uid: (fellow, words) for view in views for fellow, words in view.words}
    return tuple(words for fellow, words in fellows.values() if fellow.uid != reader.uid and can_read(reader, fellow))


def _fellow_words(fellow: AssessedMilestone) -> FellowWords | None:
    """Return the overdue decisions and the risks of a milestone; None where it has none, or is over."""
    if fellow.health.status.is_over:
        return None
    overdue = overdue_decisions(fellow.words.decisions, day_of(fellow.health.at, fellow.connection.zone))
    if not overdue and not fellow.words.risks:
        return None
    return FellowWords(key=plain_id(fellow.milestone, fellow.project), decisions=overdue, risks=fellow.words.risks)


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
