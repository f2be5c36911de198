"""The results of a run and of a distributed round."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from sync.plan.desired import Plan
from sync.pull.progress import Failure
from sync.tracker.actions import Action, Receipt, kind_of

if TYPE_CHECKING:
    from sync.assess.milestone import AssessedMilestone

__all__ = ["AppliedAction", "HeldBack", "Result", "RoundResult"]


class AppliedAction(Struct, frozen=True):
    """A write that was sent, with the tracker's receipt."""

    action: Action
    receipt: Receipt


class HeldBack(Struct, frozen=True):
    """A planned write that was not made, and what held it back.

    ``setting`` is the policy's setting that allows no write; empty: ``cause`` is a failure or a refusal, in words.
    """

    action: Action
    cause: str = ""
    setting: str = ""


class Result(Struct):
    """The result of a run."""

    assessed: list[AssessedMilestone] = field(default_factory=list)
    plan: Plan = field(default_factory=Plan)
    written: list[AppliedAction] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    held_back: list[HeldBack] = field(default_factory=list)
    """The planned writes that the policy or a failure held back; those that ``refused`` names are not among them."""
    lease_held: bool = False
    """A write was refused because another run held the lease, or took it; a retry after half a minute may succeed."""

    @property
    def notifications(self) -> int:
        """Number of notifications that the writes caused."""
        return sum(kind_of(write.action).notifies(write.action) or write.receipt.loud for write in self.written)

    def summary(self) -> str:
        """Return the numbers of the run as JSON, for the store."""
        numbers = {
            "milestones": sum(1 for milestone in self.assessed if milestone.is_current),
            "planned": len(self.plan.actions),
            "applied": len(self.written),
            "notifications": self.notifications,
            "failures": len(self.failures),
            "refused": len(self.refused),
        }
        return msgspec.json.encode(numbers).decode()


class RoundResult(Struct, frozen=True):
    """The result of a round that began at ``since`` (UTC) and whose writes have ended."""

    since: datetime
    is_ok: bool
    """All connections took part and no step failed."""
    failures: Mapping[str, int]
    """Number of failed steps by connection."""
    last_good: datetime | None
    """Start (UTC) of the last round before it that was ok; None: the queue remembers no such round."""
