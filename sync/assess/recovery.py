"""Recover the state that only our comments keep after the database was lost: baseline, status, re-plan and clock.

Milestones that the store knows nothing about may have a summary of ours. Its marker is read before anything new is
published: otherwise the first due date would be the one after a move, and the status would turn green by itself.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from sync.assess.milestone import AssessedMilestone
from sync.model.health import Dates, Health, Promise
from sync.model.tracker_data import DueDate
from sync.tracker.marker import last_marker
from sync.tracker.observed import StatusIssue

__all__ = ["RecoveredState", "recover"]


class RecoveredState(Struct, frozen=True):
    """The health that was published last, and the due dates before today's."""

    health: Health
    due_dates: tuple[DueDate, ...]


def recover(milestone: AssessedMilestone, have: StatusIssue | None, instance: str) -> RecoveredState | None:
    """Recover the state of a milestone from the marker of its summary comment; None without such a comment."""
    last = last_marker(milestone.uid, have, instance)
    if last is None or last.status is None or last.written is None:
        return None
    health = replace(
        milestone.health,
        at=last.written,
        status=last.status,
        band=last.status,
        since=last.since or last.written,
        previous_status=None,
        due=last.due,
        baseline=last.baseline,
        probability=last.probability,
        dates=Dates(
            p50=last.p50,
            p85=last.p85,
            p95=last.p95,
            capacity=milestone.health.dates.capacity,
            since=last.dated,
        ),
        promise=Promise(p50=last.p50, p70=last.p70, p85=last.p85) if last.due is None else None,
        reasons=(),
        levers=(),
        unknown=None,
        replan=last.replan,
        clock=last.clock,
        method=last.method,
    )
    first = min(milestone.milestone.created_at or last.written, last.written - timedelta(seconds=1))
    due_dates = [DueDate(first, last.baseline), DueDate(last.written, last.due)]
    return RecoveredState(health, tuple(due_date for due_date in due_dates if due_date.due is not None))
