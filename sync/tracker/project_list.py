"""The projects of an owner, group or site, for `milesync check`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

__all__ = ["ListedProject", "ListingTracker"]


class ListedProject(Struct, frozen=True, kw_only=True):
    """A project by its key. ``open_milestones`` is None where the tracker's list has no such number."""

    key: str
    open_milestones: int | None = None


@runtime_checkable
class ListingTracker(Protocol):
    """A connector that lists the projects of an owner, group or site."""

    def list_projects(self, pattern: str) -> Sequence[ListedProject]:
        """Return the projects that a pattern of the configuration names (``acme/*``), the most active first.

        A tracker that has no order by activity lists them by key. Raises a `TrackerError`.
        """
        ...
