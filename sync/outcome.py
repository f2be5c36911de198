"""What a run did, and how it tells of itself while it works."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import msgspec

from sync.action import Action, Receipt, notifies
from sync.desired import Plan

if TYPE_CHECKING:
    from sync.assessment import Assessed

__all__ = ["Failure", "Progress", "Result", "Written", "silent"]


class Progress(Protocol):
    """Shown to people while the engine works."""

    def __call__(self, step: str, detail: str = "") -> None:
        """``step`` is a verb of the engine, ``detail`` what it is at."""


@dataclass(frozen=True)
class Failure:
    """Something that went wrong for one connection or one of its projects."""

    connection: str
    project: str
    error: str
    cause: Exception | None = None


@dataclass(frozen=True)
class Written:
    """One write that was done."""

    action: Action
    receipt: Receipt


@dataclass
class Result:
    """What a run did."""

    assessed: list[Assessed] = field(default_factory=list)
    plan: Plan = field(default_factory=Plan)
    written: list[Written] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    held: bool = False
    """Whether it was refused because another run had, or took, the right to write; a little later it may be free."""

    @property
    def notifications(self) -> int:
        """How many notifications the writes have caused."""
        return sum(notifies(one.action, one.receipt) for one in self.written)

    def summary(self) -> str:
        """What is kept of it: a few numbers as JSON."""
        numbers = {
            "milestones": sum(1 for one in self.assessed if one.current),
            "planned": len(self.plan.actions),
            "applied": len(self.written),
            "notifications": self.notifications,
            "failures": len(self.failures),
            "refused": len(self.refused),
        }
        return msgspec.json.encode(numbers).decode()


def silent(step: str, detail: str = "") -> None:
    """Show nothing."""
