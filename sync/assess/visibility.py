"""visibility."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from sync.assess.milestone import AssessedMilestone
from sync.assess.portfolio import AssessedJointMilestone
from sync.model.joint import Commitment, OtherMember


def sees(reader: AssessedMilestone, other: AssessedMilestone) -> bool:
    """Whether everybody who reads one milestone's comment may read the other milestone."""
    same = reader.source.name == other.source.name and reader.project.id == other.project.id
    return same or other.project.public


def may_know(reader: AssessedMilestone, other: AssessedMilestone) -> bool:
    """Whether status, probability and dates that one's readers see may depend on the other."""
    return sees(reader, other) or other.source.share == "aggregate"


def as_seen(made: AssessedJointMilestone, reader: AssessedMilestone, unseen: Mapping[str, bool]) -> Commitment:
    """What the readers of one member's comment are told of the joint milestone. ``unseen``: the milestones that wait
    for some which their own readers may not see.
    """
    others = [other for other in made.members if other.uid != reader.uid]
    hidden = [other for other in others if not sees(reader, other)]
    known = Commitment(
        name=made.joint.name,
        owner=made.joint.owner,
        due=made.joint.due,
        fellows=tuple(_fellow(other) for other in others if other not in hidden),
        hidden=bool(hidden) or any(unseen.get(member.uid, False) for member in made.members),
    )
    if not all(may_know(reader, other) for other in hidden):
        return known
    health = made.health
    blind = [_fellow(milestone) if sees(reader, milestone) else None for milestone in made.blind] + [None] * len(
        made.missing
    )
    return msgspec.structs.replace(
        known,
        due=health.due,
        status=health.status,
        probability=health.probability,
        p50=health.dates.p50,
        p85=health.dates.p85,
        blind=tuple(_without_repeats(blind)),
    )


def _without_repeats(blind: Iterable[OtherMember | None]) -> Iterator[OtherMember | None]:
    """One that may not be named stands for any number: even how many there are is not told."""
    named = False
    for other in blind:
        if other is not None or not named:
            yield other
        named |= other is None


def _fellow(other: AssessedMilestone) -> OtherMember:
    key = f"{other.project.key}{other.milestone.written}"
    return OtherMember(key=key, title=other.milestone.title, status=other.health.status, url=other.milestone.url)
