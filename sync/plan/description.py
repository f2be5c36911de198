"""Plan our lines in a milestone's own description, if the configuration asks for them. Pure.

Lines that a person edited stay as they are; lines that a person deleted are not added again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sync.plan.desired import CurrentDescription, Plan, Skipped
from sync.plan.inputs import PlannerInput, RetirementInput, address_of_milestone
from sync.tracker.actions import UpdateDescription
from sync.tracker.managed_block import find_block

if TYPE_CHECKING:
    from sync.assess.milestone import AssessedMilestone

__all__ = ["current_description", "plan_description", "retire_descriptions"]

EDITED = "a person edited our lines in its description, which stay"


def current_description(milestone: AssessedMilestone) -> CurrentDescription:
    """Return the milestone's description as it was pulled."""
    return CurrentDescription(
        native=milestone.milestone.id,
        key=milestone.milestone.key,
        url=milestone.milestone.url,
        text=milestone.milestone.description,
        limit=milestone.connection.connector.capabilities.description_limit,
    )


def plan_description(state: PlannerInput) -> tuple[tuple[UpdateDescription, ...], str]:
    """Return the write that adds, replaces or removes our lines; the reason is always empty."""
    want, current = state.desired, state.desired.current_description
    if want.description is None or current is None:
        return (), ""
    block = find_block(current.text, state.instance)
    if block is None and (want.previous.description or not want.description):
        return (), ""
    if block is not None and block.is_edited(want.milestone):
        return (), ""
    old_lines, mark = (current.text[block.start : block.end], block.mark) if block else ("", "")
    new_length = len(current.text.encode()) + len(want.description.encode()) - len(old_lines.encode())
    if old_lines.replace("\r\n", "\n") == want.description or new_length > current.limit:
        return (), ""
    update = UpdateDescription(
        **state.address,
        native=current.native,
        key=current.key,
        url=current.url,
        instance=state.instance,
        lines=want.description,
        was=mark,
    )
    return (update,), ""


def retire_descriptions(retirement: RetirementInput) -> Iterator[Plan]:
    """Yield the plans that remove our lines from the descriptions; lines that a person edited stay."""
    for milestone in retirement.milestones:
        block = find_block(milestone.milestone.description, retirement.instance)
        if block is None:
            continue
        if block.is_edited(milestone.uid):
            yield Plan(skipped=(Skipped(milestone.uid, EDITED),))
            continue
        removal = UpdateDescription(
            **address_of_milestone(milestone),
            native=milestone.milestone.id,
            key=milestone.milestone.key,
            url=milestone.milestone.url,
            instance=retirement.instance,
            lines="",
            was=block.mark,
        )
        yield Plan(actions=(removal,))
