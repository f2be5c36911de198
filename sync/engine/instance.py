"""Detect a change of the setting ``instance``: markers in the trackers then hold the former name."""

from __future__ import annotations

from sync.store.store import Store
from sync.tracker.marker import Marker

__all__ = ["former_instance", "refusal_of"]


def former_instance(store: Store, instance: str) -> str:
    """Return the instance that wrote with this store before, if it is not the configured one; else an empty text.

    Versions before revision 0011 of the database did not store it: then it is that of our status issues.
    """
    known = store.written_instance() or _observed_instance(store, instance)
    return "" if known == instance else known


def refusal_of(store: Store, instance: str) -> str:
    """Return why nothing may be written under this name; empty if writes are allowed."""
    former = former_instance(store, instance)
    return former and (
        f"the texts in the trackers are of instance {former!r}, and the configuration names {instance!r}: "
        "`milesync adopt` renames them, `milesync retire` removes them"
    )


def _observed_instance(store: Store, instance: str) -> str:
    """Return the one instance in the markers of our status issues, by their last observations."""
    opened = store.opened_status_issues()
    observations = store.last_observations().items()
    texts = [issue.marker for uid, (issue, _) in observations if issue is not None and (uid, issue.issue) in opened]
    names = {marker.instance for marker in map(Marker.decode, texts) if marker is not None}
    return instance if instance in names or len(names) != 1 else names.pop()
