"""What a run did, and how it tells of itself while it works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from sync.plan.desired import Plan
from sync.pull.progress import Failure
from sync.tracker.actions import Action, Receipt, kind_of

if TYPE_CHECKING:
    from sync.assess.milestone import AssessedMilestone

__all__ = ["AppliedAction", "Result"]


@dataclass(frozen=True)
class AppliedAction:
    """One write that was done."""

    action: Action
    receipt: Receipt


@dataclass
class Result:
    """What a run did."""

    assessed: list[AssessedMilestone] = field(default_factory=list)
    plan: Plan = field(default_factory=Plan)
    written: list[AppliedAction] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    lease_held: bool = False
    """Whether it was refused because another run had, or took, the right to write; a little later it may be free."""

    @property
    def notifications(self) -> int:
        """How many notifications the writes have caused."""
        return sum(kind_of(write.action).notifies(write.action) or write.receipt.loud for write in self.written)

    def summary(self) -> str:
        """What is kept of it: a few numbers as JSON."""
        numbers = {
            "milestones": sum(1 for milestone in self.assessed if milestone.current),
            "planned": len(self.plan.actions),
            "applied": len(self.written),
            "notifications": self.notifications,
            "failures": len(self.failures),
            "refused": len(self.refused),
        }
        return msgspec.json.encode(numbers).decode()


@dataclass(frozen=True)
class RoundResult:
    """A round that began at ``since`` (UTC) and of which nothing is left to write.

    ``well``: every connection was in it and no step failed; ``failed`` counts those that did, by connection.
    ``good`` is when the last round before it began that went well (UTC); None: nobody remembers one.
    """

    since: datetime
    well: bool
    failed: Mapping[str, int]
    good: datetime | None
