"""The milestones with their relations, and what the readers of each one's comment may know of the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.assess.milestone import AssessedMilestone
from sync.forecast.dependencies import Dependency, PlannedTime, Propagated
from sync.model.health import Health, UnknownWhy
from sync.model.joint import JointMilestone

__all__ = ["AssessedJointMilestone", "Portfolio"]


@dataclass(frozen=True)
class AssessedJointMilestone:
    """A joint milestone with its health: ``missing`` are members (as written) that are not known here, ``blind`` are
    those that cannot be forecast. ``counted``: member (uid) -> its open items that count in it; ``correlation`` is
    that of the members, in their order (empty when one cannot be forecast).
    """

    joint: JointMilestone
    health: Health
    members: tuple[AssessedMilestone, ...]
    missing: tuple[str, ...]
    blind: tuple[AssessedMilestone, ...]
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
                "id": milestone.written,
                "status": milestone.health.status,
                "probability": milestone.health.probability,
                "dates": msgspec.to_builtins(milestone.health.dates),
                "open": milestone.health.counts.open,
                "open_counted_here": self.counted[milestone.uid],
            }
            for milestone in self.members
        ]
        return {
            "container": self.written,
            "health": msgspec.to_builtins(self.health),
            "members": members,
            "missing": list(self.missing),
            "cannot_be_forecast": [milestone.written for milestone in self.blind],
            "correlation": [list(row) for row in self.correlation],
        }

    @property
    def stale(self) -> bool:
        """Whether a member's project could not be read: then nothing is to be remembered."""
        return any(milestone.health.unknown is UnknownWhy.STALE for milestone in self.blind)


@dataclass(frozen=True)
class Portfolio:
    """Every milestone and joint milestone at one time, with what each waits for.

    ``dependencies`` are between uids, ``spans`` their planned times; ``moved`` takes all of them into account, while
    the healths leave out what their readers may not know of. ``horizons``: up to when (days) each is forecast.
    """

    milestones: tuple[AssessedMilestone, ...]
    joints: tuple[AssessedJointMilestone, ...]
    dependencies: tuple[Dependency, ...]
    spans: Mapping[str, PlannedTime]
    moved: Propagated
    horizons: Mapping[str, float]


# --- who may know what ------------------------------------------------------------------------------------------------
