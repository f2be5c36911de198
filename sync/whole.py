"""The milestones with their relations, and what the readers of each one's comment may know of the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.assessment import Assessed
from sync.model import Health, JointMilestone, UnknownWhy
from sync.timeline import Dependency, Moved, Span
from sync.view import Commitment, Fellow

__all__ = ["JointAssessed", "Whole", "as_seen", "may_know", "sees"]


@dataclass(frozen=True)
class JointAssessed:
    """A joint milestone with its health: ``missing`` are members (as written) that are not known here, ``blind`` are
    those that cannot be forecast. ``counted``: member (uid) -> its open items that count in it; ``correlation`` is
    that of the members, in their order (empty when one cannot be forecast).
    """

    joint: JointMilestone
    health: Health
    members: tuple[Assessed, ...]
    missing: tuple[str, ...]
    blind: tuple[Assessed, ...]
    counted: Mapping[str, int]
    correlation: tuple[tuple[float, ...], ...]

    @property
    def written(self) -> str:
        """The id that people write; also its identity."""
        return f"joint:{self.joint.name}"

    def explain(self) -> dict[str, Any]:
        """The numbers behind its health, as plain JSON-able data."""
        members = [
            {
                "id": one.written,
                "status": one.health.status,
                "probability": one.health.probability,
                "dates": msgspec.to_builtins(one.health.dates),
                "open": one.health.counts.open,
                "open_counted_here": self.counted[one.uid],
            }
            for one in self.members
        ]
        return {
            "container": self.written,
            "health": msgspec.to_builtins(self.health),
            "members": members,
            "missing": list(self.missing),
            "cannot_be_forecast": [one.written for one in self.blind],
            "correlation": [list(row) for row in self.correlation],
        }

    @property
    def stale(self) -> bool:
        """Whether a member's project could not be read: then nothing is to be remembered."""
        return any(one.health.unknown is UnknownWhy.STALE for one in self.blind)


@dataclass(frozen=True)
class Whole:
    """Every milestone and joint milestone at one time, with what each waits for.

    ``dependencies`` are between uids, ``spans`` their planned times; ``moved`` takes all of them into account, while
    the healths leave out what their readers may not know of. ``horizons``: up to when (days) each is forecast.
    """

    milestones: tuple[Assessed, ...]
    joints: tuple[JointAssessed, ...]
    dependencies: tuple[Dependency, ...]
    spans: Mapping[str, Span]
    moved: Moved
    horizons: Mapping[str, float]


# --- who may know what ------------------------------------------------------------------------------------------------


def sees(reader: Assessed, other: Assessed) -> bool:
    """Whether everybody who reads one milestone's comment may read the other milestone."""
    same = reader.source.name == other.source.name and reader.project.id == other.project.id
    return same or other.project.public


def may_know(reader: Assessed, other: Assessed) -> bool:
    """Whether status, probability and dates that one's readers see may depend on the other."""
    return sees(reader, other) or other.source.share == "aggregate"


def as_seen(made: JointAssessed, reader: Assessed, unseen: Mapping[str, bool]) -> Commitment:
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
    blind = [_fellow(one) if sees(reader, one) else None for one in made.blind] + [None] * len(made.missing)
    return msgspec.structs.replace(
        known,
        due=health.due,
        status=health.status,
        probability=health.probability,
        p50=health.dates.p50,
        p85=health.dates.p85,
        blind=tuple(_without_repeats(blind)),
    )


def _without_repeats(blind: Iterable[Fellow | None]) -> Iterator[Fellow | None]:
    """One that may not be named stands for any number: even how many there are is not told."""
    named = False
    for one in blind:
        if one is not None or not named:
            yield one
        named |= one is None


def _fellow(other: Assessed) -> Fellow:
    key = f"{other.project.key}{other.milestone.written}"
    return Fellow(key=key, title=other.milestone.title, status=other.health.status, url=other.milestone.url)
