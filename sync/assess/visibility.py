"""Decide what the readers of a milestone's comment may know of other milestones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter, itemgetter

import msgspec
from msgspec import Struct

from sync.assess.members import IdIndex, resolve_members
from sync.assess.milestone import AssessedMilestone
from sync.assess.outage import RemovedMilestone
from sync.assess.portfolio import AssessedJointMilestone
from sync.model.dates import day_of
from sync.model.health import WORST_FIRST
from sync.model.joint import MOST_BLIND, MOST_FELLOWS, Commitment, FellowWords, OtherMember
from sync.model.milestone_ids import plain_id
from sync.model.team_words import overdue_decisions

__all__ = ["JointView", "can_read", "may_depend_on", "unshared_connections", "words_of_fellows"]

AnyOther = AssessedMilestone | RemovedMilestone

ProjectKey = tuple[str, str]
"""Name of a connection, and id of a project."""


def can_read(reader: AssessedMilestone, other: AnyOther) -> bool:
    """Return whether everyone who reads the comment of ``reader`` may read the ``other`` milestone."""
    return other.project.is_public or _project_key(reader) == _project_key(other)


def may_depend_on(reader: AssessedMilestone, other: AnyOther) -> bool:
    """Return whether the published status and dates of ``reader`` may depend on the ``other`` milestone."""
    return can_read(reader, other) or _shares(other)


def _project_key(milestone: AnyOther) -> ProjectKey:
    return milestone.connection.name, milestone.project.id


def _shares(other: AnyOther) -> bool:
    return other.connection.share == "aggregate"


class _Fellow(Struct, frozen=True):
    """A member of a joint milestone as the others see it; ``place``: in the configured order."""

    place: int
    written: str
    shown: OtherMember
    words: FellowWords | None


class _Readable:
    """Fellows of a joint milestone, in their order, of which the readers of a project see the first ``most``."""

    def __init__(self, fellows: Iterable[tuple[AnyOther, _Fellow]], most: int) -> None:
        self._most = most
        self._by_project: dict[ProjectKey | None, list[tuple[int, _Fellow]]] = {}  # None: public ones
        for n, (other, fellow) in enumerate(fellows):
            project = None if other.project.is_public else _project_key(other)
            self._by_project.setdefault(project, []).append((n, fellow))

    def of(self, project: ProjectKey) -> tuple[list[_Fellow], int]:
        """Return the first fellows that the readers of a project may read, and the number of all that they may."""
        groups = [self._by_project.get(None, []), self._by_project.get(project, [])]
        first = sorted((entry for group in groups for entry in group[: self._most]), key=itemgetter(0))
        return [fellow for _, fellow in first[: self._most]], sum(map(len, groups))


class JointView:
    """View of a joint milestone: what the readers of its members' comments may know of it, found once a project.

    ``aggregate``: uid -> whether the milestone waits for milestones that its own readers may not read.
    """

    def __init__(self, joint: AssessedJointMilestone, aggregate: Mapping[str, bool]) -> None:
        self._joint = joint
        members = _members_in_order(joint)
        fellows = {
            other.written: _Fellow(place, other.written, _other_member(other, joint), _fellow_words(other))
            for place, other in enumerate(members)
        }
        worst = sorted(members, key=lambda other: WORST_FIRST.index(fellows[other.written].shown.status))
        # one more than a comment names, as each comment leaves out its own milestone
        self._readable = _Readable([(other, fellows[other.written]) for other in worst], MOST_FELLOWS + 1)
        self._blind = _Readable([(own, fellows[own.written]) for own in joint.unforecastable], MOST_BLIND)
        self._count = len(members)
        self._closed_projects = {
            _project_key(other) for other in members if not other.project.is_public and not _shares(other)
        }
        self._is_aggregate = any(aggregate.get(member.uid, False) for member in joint.members)
        self._by_project: dict[ProjectKey, tuple[Commitment, list[_Fellow]]] = {}

    def fellows(self, reader: AssessedMilestone) -> list[_Fellow]:
        """Return the other members that the comment of a member names, in the configured order."""
        _, readable = self._of_project(_project_key(reader))
        others = [fellow for fellow in readable if fellow.written != reader.written]
        return sorted(others[:MOST_FELLOWS], key=attrgetter("place"))

    def commitment(self, reader: AssessedMilestone) -> Commitment:
        """Return what the readers of a member's comment may know of the joint milestone."""
        commitment, _ = self._of_project(_project_key(reader))
        fellows = tuple(fellow.shown for fellow in self.fellows(reader))
        more = commitment.more_fellows - len(fellows)
        return msgspec.structs.replace(commitment, fellows=fellows, more_fellows=more)

    def _of_project(self, project: ProjectKey) -> tuple[Commitment, list[_Fellow]]:
        """Return what all comments of a project say, and its fellows, worst first; ``more_fellows`` are all of them."""
        if project not in self._by_project:
            readable, count = self._readable.of(project)
            joint = self._joint.joint
            known = Commitment(
                name=joint.name,
                owner=joint.owner,
                due=joint.due,
                more_fellows=count - 1,
                hidden=count < self._count or self._is_aggregate,
            )
            if self._closed_projects <= {project}:
                known = self._with_health(known, project)
            self._by_project[project] = known, readable
        return self._by_project[project]

    def _with_health(self, known: Commitment, project: ProjectKey) -> Commitment:
        health, (blind, count) = self._joint.health, self._blind.of(project)
        has_hidden = count < len(self._joint.unforecastable) or bool(self._joint.missing)
        return msgspec.structs.replace(
            known,
            due=health.due,
            status=health.status,
            probability=health.probability,
            p50=health.dates.p50,
            p85=health.dates.p85,
            blind=(*(fellow.shown for fellow in blind), *([None] if has_hidden else [])),
            more_blind=count - len(blind),
        )


def _members_in_order(joint: AssessedJointMilestone) -> list[AnyOther]:
    """Return all members, with those of removed projects: in the configured order, then those of other ids."""
    others: dict[str, AnyOther] = {other.written: other for other in joint.members}
    others |= {other.written: other for other in joint.removed}
    in_order, _ = resolve_members(joint.joint, {written: written for written in others}, IdIndex(others))
    return [others[written] for written in dict.fromkeys((*in_order, *others))]


def unshared_connections(joint: AssessedJointMilestone) -> list[str]:
    """Return the connections (names) whose members hide the status of a joint milestone from its other members."""
    members = {(member.connection.name, member.project.id): member for member in joint.members}
    if len(members) < 2:
        return []
    hidden = (own for own in members.values() if not own.project.is_public and own.connection.share == "none")
    return sorted({own.connection.name for own in hidden})


def words_of_fellows(views: Iterable[JointView], reader: AssessedMilestone) -> tuple[FellowWords, ...]:
    """Return the overdue decisions and the risks of the running milestones that the comment of the reader names.

    Days are those of each member's tracker.
    """
    words = {fellow.written: fellow.words for view in views for fellow in view.fellows(reader)}
    return tuple(own for own in words.values() if own is not None)


def _fellow_words(fellow: AnyOther) -> FellowWords | None:
    """Return the overdue decisions and the risks of a milestone; None where it has none, is over, or was removed."""
    if isinstance(fellow, RemovedMilestone) or fellow.health.status.is_over:
        return None
    overdue = overdue_decisions(fellow.words.decisions, day_of(fellow.health.at, fellow.connection.zone))
    if not overdue and not fellow.words.risks:
        return None
    return FellowWords(key=plain_id(fellow.milestone, fellow.project), decisions=overdue, risks=fellow.words.risks)


def _other_member(other: AnyOther, joint: AssessedJointMilestone) -> OtherMember:
    status = joint.removed[other] if isinstance(other, RemovedMilestone) else other.health.status
    key = plain_id(other.milestone, other.project)
    return OtherMember(key=key, title=other.milestone.title, status=status, url=other.milestone.url)
