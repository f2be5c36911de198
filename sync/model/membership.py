"""membership."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class Membership(Struct, frozen=True, kw_only=True):
    """One stay of one item in one container, with at most one closure.

    The item is a member from ``joined`` until ``left``; it is open until ``closed``. A reopening ends the stay at
    ``reopened`` and begins the next one there, so an item has several stays when it moved or was reopened, and at
    any time at most one of them holds. None means: has not happened. ``removed`` says that the closure took the
    item out of scope (not planned, duplicate, won't do) instead of finishing it.
    """

    container: str
    item: str
    joined: datetime
    left: datetime | None = None
    closed: datetime | None = None
    reopened: datetime | None = None
    removed: bool = False


class Counts(Struct, frozen=True, kw_only=True):
    """Items of a milestone at a time. ``closed`` counts every closure; ``removed`` those of them that left scope.

    ``added`` joined after the milestone's start; ``added_week`` in the last seven days.
    """

    open: int = 0
    closed: int = 0
    removed: int = 0
    added: int = 0
    added_week: int = 0

    @property
    def done(self) -> int:
        """Closed as finished work."""
        return self.closed - self.removed

    @property
    def total(self) -> int:
        """Scope: what is open and what was finished."""
        return self.open + self.done


class Container(Struct, frozen=True, kw_only=True):
    """Whatever holds items over time, reduced to what counting needs. ``id`` is opaque.

    ``start`` and ``due`` are moments (due = the end of the due day); ``first_due`` is the baseline's moment.
    ``ended`` is when it was closed or released; None while it runs. ``stream`` names its series: project, kind and
    title without digits.
    """

    id: str
    kind: str
    stream: str
    start: datetime | None
    due: datetime | None
    first_due: datetime | None = None
    ended: datetime | None = None
