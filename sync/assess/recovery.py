"""What only our comments remember once the database is lost: the first due date, a status and since when, a re-plan.

A milestone that the store knows nothing said about may have a summary of ours all the same. Its marker is read before
anything is said anew: otherwise a due date that was moved would be the first one, and turn a status green by itself.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from sync.assess.milestone import AssessedMilestone
from sync.model.health import Dates, Health
from sync.model.tracker_data import DueDate
from sync.tracker.marker import last_marker
from sync.tracker.observed import StatusIssue

__all__ = ["RecoveredState", "recover"]


class RecoveredState(Struct, frozen=True):
    """The health that was told last, and the due dates that were seen before today's."""

    health: Health
    dues: tuple[DueDate, ...]


def recover(milestone: AssessedMilestone, have: StatusIssue | None, instance: str) -> RecoveredState | None:
    """What the summary that stands remembers of a milestone; None where none stands."""
    last = last_marker(milestone.uid, have, instance)
    if last is None or last.status is None or last.written is None:
        return None
    health = replace(
        milestone.health,
        at=last.written,
        status=last.status,
        band=last.status,
        since=last.since or last.written,
        was=None,
        due=last.due,
        baseline=last.baseline,
        probability=last.probability,
        dates=Dates(p50=last.p50),
        reasons=(),
        levers=(),
        unknown=None,
        replan=last.replan,
    )
    first = min(milestone.milestone.created_at or last.written, last.written - timedelta(seconds=1))
    dues = [DueDate(first, last.baseline), DueDate(last.written, last.due)]
    return RecoveredState(health, tuple(note for note in dues if note.due is not None))
