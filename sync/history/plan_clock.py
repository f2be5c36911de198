"""Derive the clock of a plan from the due dates that a milestone had over time. Pure.

========================================  ==============================================================================
event                                     the clock
========================================  ==============================================================================
the first due date is set                 it is the plan's due date
the due date moves to a later day         its time becomes ``moved_at``, unless an earlier move did; the plan's due date
than the plan's                           stays, for this move and for all later ones
the due date moves to the plan's day, or  no change
to an earlier one
the date in force has passed, then moves  the plan's due date becomes that date; ``moved_at`` stays
the due date is removed                   no change: setting a later date afterwards is the move
========================================  ==============================================================================

A tracker's own history dates each move; otherwise a move has the time of the first pull that saw it. A clock that an
earlier assessment published, or that the marker of our comment kept, is continued: it may know moves from before the
history begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from sync.model.dates import end_of_day
from sync.model.plan_clock import PlanClock
from sync.model.tracker_data import DueDate

__all__ = ["KnownPlan", "plan_clock"]


class KnownPlan(Struct, frozen=True):
    """Clock and due date of a milestone ``at`` an earlier time (UTC), as published then."""

    at: datetime
    due: date | None
    clock: PlanClock


class _Plan(Struct, frozen=True):
    """``due`` is the plan's due date, ``current`` the one in force; None: not set (``current``: or removed)."""

    due: date | None = None
    moved_at: datetime | None = None
    current: date | None = None

    def after(self, note: DueDate, zone: ZoneInfo) -> _Plan:
        """Return the plan after the due date that ``note`` records came into force."""
        if note.due == self.current:
            return self
        due = self.due
        if self.current is not None and note.seen > end_of_day(self.current, zone):
            due = self.current
        if note.due is None:
            return _Plan(due, self.moved_at, None)
        due = due or note.due
        is_first_move = note.due > due and self.moved_at is None
        return _Plan(due, note.seen if is_first_move else self.moved_at, note.due)

    @property
    def clock(self) -> PlanClock | None:
        if self.due is None or self.moved_at is None:
            return None
        return PlanClock(due=self.due, moved_at=self.moved_at)


def plan_clock(notes: Sequence[DueDate], known: KnownPlan | None, zone: ZoneInfo) -> PlanClock | None:
    """Return the clock after the due dates ``notes``, oldest first; None: never moved to a later day than planned.

    ``known``: a clock from an earlier assessment. Its move counts, unless the notes have an earlier one. A date has
    passed when its day has ended in ``zone``.
    """
    recorded = _follow(_Plan(), notes, zone).clock
    if known is None or (recorded is not None and recorded.moved_at < known.clock.moved_at):
        return recorded
    plan = _Plan(known.clock.due, known.clock.moved_at, known.due)
    later = [note for note in notes if note.seen > known.at]
    return _follow(plan, later or notes[-1:], zone).clock


def _follow(plan: _Plan, notes: Iterable[DueDate], zone: ZoneInfo) -> _Plan:
    for note in notes:
        plan = plan.after(note, zone)
    return plan
