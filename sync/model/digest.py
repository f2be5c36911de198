"""State of a milestone in the last digest that an audience got."""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from sync.model.health import Status

__all__ = ["LastSent"]


class LastSent(Struct, frozen=True, kw_only=True):
    """The state of one milestone in the last digest; ``asked`` is the day on which a decision was last asked for.

    ``method`` is that of the health. ``decisions``: the days of the listed decisions, each with whether it had passed.
    """

    status: Status
    due: date | None = None
    probability: float | None = None
    p85: date | None = None
    ended: bool = False
    asked: date | None = None
    silent: bool = False
    method: int = 1
    decisions: tuple[tuple[date, bool], ...] = ()
