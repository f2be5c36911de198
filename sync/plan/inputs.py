"""Inputs of the planners: one milestone, desired and observed, and all that is needed to retire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from sync.model.dates import day_of
from sync.model.item_label import ItemLabel
from sync.plan.desired import Desired
from sync.tracker.marker import Marker, own_comments
from sync.tracker.observed import Observed, OurComment, StatusIssue

if TYPE_CHECKING:
    from sync.assess.milestone import AssessedMilestone

__all__ = ["PlannerInput", "RetirementInput", "address_of", "address_of_milestone"]


class PlannerInput(Struct, frozen=True):
    """One milestone: what is desired, and its status issue as it was observed. None: it has no status issue.

    ``now`` is in UTC. ``is_new``: the plan creates the status issue.
    """

    desired: Desired
    issue: StatusIssue | None
    instance: str
    now: datetime
    is_new: bool = False

    @property
    def address(self) -> dict[str, Any]:
        """The fields that every action of this milestone has."""
        return address_of(self.desired)

    @property
    def today(self) -> date:
        """The present day of the connection."""
        return self.day_of(self.now)

    def day_of(self, moment: datetime) -> date:
        """Return the day of a moment in the zone of the connection."""
        return day_of(moment, self.desired.zone)

    def comments(self) -> list[tuple[OurComment, Marker]]:
        """Return our comments about the milestone, with their markers."""
        return own_comments(self.issue.comments if self.issue else (), self.instance, self.desired.milestone)


class RetirementInput(Struct, frozen=True, kw_only=True):
    """All that is needed to remove the optional writes of an instance.

    ``native_health`` is the value that we set last, by milestone (uid); ``item_labels`` are our labels on items, by
    the tracker's base URL.
    """

    milestones: Sequence[AssessedMilestone]
    observed: Observed
    instance: str
    native_health: Mapping[str, str]
    item_labels: Mapping[str, Sequence[ItemLabel]]

    def status_issues(self) -> Iterator[tuple[AssessedMilestone, StatusIssue, dict[str, Any]]]:
        """Yield each milestone that has a status issue, the issue, and the fields that every action of it has."""
        for milestone in self.milestones:
            issue = self.observed.issues.get(milestone.uid)
            if issue is not None:
                yield milestone, issue, address_of_milestone(milestone)


def address_of(desired: Desired) -> dict[str, Any]:
    """Return the fields that every action of a milestone has."""
    return {"milestone": desired.milestone, "project": desired.project, "project_key": desired.project_key}


def address_of_milestone(milestone: AssessedMilestone) -> dict[str, Any]:
    """Return the fields that every action of a milestone has."""
    return {"milestone": milestone.uid, "project": milestone.project.id, "project_key": milestone.project.key}
