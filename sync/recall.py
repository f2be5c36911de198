"""What only our comments remember once the database is lost: the first due date, a status and since when, a re-plan.

A milestone that the store knows nothing said about may have a summary of ours all the same. Its marker is read before
anything is said anew: otherwise a due date that was moved would be the first one, and turn a status green by itself.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from sync.action import StatusIssue
from sync.assessment import Assessed
from sync.desire import last_marker
from sync.model import Dates, DueDate, Health

__all__ = ["Recalled", "recalled"]


class Recalled(Struct, frozen=True):
    """The health that was told last, and the due dates that were seen before today's."""

    health: Health
    dues: tuple[DueDate, ...]


def recalled(one: Assessed, have: StatusIssue | None, instance: str) -> Recalled | None:
    """What the summary that stands remembers of a milestone; None where none stands."""
    last = last_marker(one.uid, have, instance)
    if last is None or last.status is None or last.written is None:
        return None
    health = replace(
        one.health,
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
    first = min(one.milestone.created_at or last.written, last.written - timedelta(seconds=1))
    dues = [DueDate(first, last.baseline), DueDate(last.written, last.due)]
    return Recalled(health, tuple(note for note in dues if note.due is not None))
