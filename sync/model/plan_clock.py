"""Plan clock: the plan that a milestone had before its due date was moved later, and the time of that move."""

from __future__ import annotations

from datetime import date, datetime

from msgspec import Struct

__all__ = ["PlanClock"]


class PlanClock(Struct, frozen=True, kw_only=True):
    """The clock of a plan whose due date was moved later.

    ``due`` is the due date of the plan: the first one, or the last one that passed with the milestone open.
    ``moved_at`` (UTC) is the time of the first move to a date after the plan's; no later move changes it.
    `sync.history.plan_clock` has the rules, `sync.forecast.clock` the probability.
    """

    due: date
    moved_at: datetime
