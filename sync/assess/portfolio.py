"""Portfolio: all milestones with dependencies and joint milestones. `visibility` decides what each audience sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct, field

from sync.assess.milestone import AssessedMilestone
from sync.assess.outage import RemovedMilestone
from sync.forecast.dependencies import Dependency, PlannedTime, Propagated
from sync.model.dates import end_of_day
from sync.model.health import Health, Status
from sync.model.inputs import Input
from sync.model.joint import JointMilestone

__all__ = ["AnyMilestone", "AssessedJointMilestone", "Portfolio"]


class AssessedJointMilestone(Struct, frozen=True):
    """A joint milestone with its health.

    ``missing``: member ids (as written) that match no milestone. ``unforecastable``: members that cannot be forecast.
    ``open_counts``: member (uid) -> its open items that count here. ``correlation``: that of the members, in their
    order; empty if a member cannot be forecast. ``removed``: members whose project was removed from the configuration,
    with their last status.
    ``inputs``: the projects whose data its health is made from, all of them visible; see `sync.assess.visibility`.
    """

    joint: JointMilestone
    health: Health
    members: tuple[AssessedMilestone, ...]
    missing: tuple[str, ...]
    unforecastable: tuple[AssessedMilestone, ...]
    open_counts: Mapping[str, int]
    correlation: tuple[tuple[float, ...], ...]
    removed: Mapping[RemovedMilestone, Status] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()

    @property
    def written(self) -> str:
        """The id that people write; also its uid."""
        return f"joint:{self.joint.name}"

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which its days begin and end: that of the member that is due last; UTC without one."""
        ends = {
            (end_of_day(member.health.due, member.connection.zone), member.uid): member.connection.zone
            for member in self.members
            if member.health.due is not None
        }
        return ends[max(ends)] if ends else ZoneInfo("UTC")

    def explain(self) -> dict[str, Any]:
        """Return the numbers behind its health, as JSON-able data."""
        members = [
            {
                "id": milestone.written,
                "status": milestone.health.status,
                "probability": milestone.health.probability,
                "dates": msgspec.to_builtins(milestone.health.dates),
                "open": milestone.health.counts.on_page.open,
                "open_counted_here": self.open_counts[milestone.uid],
            }
            for milestone in self.members
        ]
        return {
            "container": self.written,
            "health": msgspec.to_builtins(self.health),
            "members": members,
            "missing": list(self.missing),
            "cannot_be_forecast": [milestone.written for milestone in self.unforecastable],
            "correlation": [list(row) for row in self.correlation],
        }

    @property
    def is_stale(self) -> bool:
        """True if the data of a member is stale; then its health is not stored."""
        return bool(self.removed) or any(milestone.health.stale_since is not None for milestone in self.members)


AnyMilestone = AssessedMilestone | AssessedJointMilestone


class Portfolio(Struct, frozen=True):
    """All milestones and joint milestones at one time, with their dependencies.

    ``dependencies`` and ``planned_times`` are by uid. ``propagation`` takes every dependency into account; the healths
    leave out those that their readers may not know: ``hidden`` are the milestones (uid) for which this makes a
    difference. ``horizons``: uid -> end of its completion curve, in days since 1970; NaN once it is done. ``finished``:
    project as people write it -> number of its finished milestones, from which the forecasts learn.
    """

    milestones: tuple[AssessedMilestone, ...]
    joints: tuple[AssessedJointMilestone, ...]
    dependencies: tuple[Dependency, ...]
    planned_times: Mapping[str, PlannedTime]
    propagation: Propagated
    horizons: Mapping[str, float]
    hidden: frozenset[str] = frozenset()
    finished: Mapping[str, int] = field(default_factory=dict)
