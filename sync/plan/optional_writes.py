"""The optional kinds of write: how each is planned, and how it is removed when milesync retires. Pure.

A new kind needs a module with these two functions and an entry in `OPTIONAL_WRITES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from sync.plan.attachment import plan_attachment, retire_attachments
from sync.plan.board_status import plan_board_update, retire_board_updates
from sync.plan.description import plan_description, retire_descriptions
from sync.plan.desired import Plan
from sync.plan.inputs import PlannerInput, RetirementInput
from sync.plan.item_labels import retire_item_labels
from sync.plan.native_health import plan_native_health, retire_native_health
from sync.tracker.actions import Action

__all__ = ["OPTIONAL_WRITES", "OptionalWrite", "plan_optional_writes", "retire_optional_writes"]


class OptionalWrite(Struct, frozen=True):
    """One optional kind of write.

    ``retire`` returns the plans that remove it. ``plan`` returns the writes for one milestone, and the reason if a
    write that the configuration asks for is left out; None: the engine plans it for a whole connection.
    """

    retire: Callable[[RetirementInput], Iterable[Plan]]
    plan: Callable[[PlannerInput], tuple[Sequence[Action], str]] | None = None


OPTIONAL_WRITES = (
    OptionalWrite(retire_item_labels),
    OptionalWrite(retire_descriptions, plan_description),
    OptionalWrite(retire_native_health, plan_native_health),
    OptionalWrite(retire_board_updates, plan_board_update),
    OptionalWrite(retire_attachments, plan_attachment),
)
"""In the order of planning and of retirement."""


def plan_optional_writes(state: PlannerInput) -> tuple[list[Action], str]:
    """Return the optional writes of one milestone, and the first reason for a write that is left out."""
    actions: list[Action] = []
    reasons: list[str] = []
    for write in OPTIONAL_WRITES:
        if write.plan is not None:
            planned, reason = write.plan(state)
            actions += planned
            reasons += [reason] if reason else []
    return actions, reasons[0] if reasons else ""


def retire_optional_writes(retirement: RetirementInput) -> Iterator[Plan]:
    """Yield the plans that remove all optional writes."""
    for write in OPTIONAL_WRITES:
        yield from write.retire(retirement)
