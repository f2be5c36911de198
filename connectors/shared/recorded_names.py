"""Events of labels and states: of those names only that decide when an issue was finished.

A team can name the labels and states of done, removed and started issues. Their past is read from the tracker's
history. Events of other names would only fill the store. Names are compared as in `sync.model.item_state`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from sync.model.item_state import fold_name, fold_names
from sync.model.tracker_data import Event, EventKind, Person

__all__ = ["RecordedNames"]


class RecordedNames(Struct, frozen=True):
    """Names (folded) of a connection's labels and states whose changes become events."""

    labels: frozenset[str] = frozenset()
    states: frozenset[str] = frozenset()

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> RecordedNames:
        """Return the names of the options ``recorded_labels`` and ``recorded_states``."""
        names = (fold_names(map(str, options.get(f"recorded_{kind}") or ())) for kind in ("labels", "states"))
        return cls(*names)

    def __bool__(self) -> bool:
        """Return whether any name counts."""
        return bool(self.labels or self.states)

    def label_change(
        self, issue: str, at: datetime, label: str, *, added: bool, actor: Person | None = None
    ) -> Iterator[Event]:
        """Yield the event of a label that was added to or removed from an issue (native id); none for other names."""
        if fold_name(label) in self.labels:
            kind = EventKind.LABELED if added else EventKind.UNLABELED
            yield Event(issue=issue, at=at, kind=kind, value=label, actor=actor)

    def label_changes(
        self, issue: str, at: datetime, before: Iterable[str], after: Iterable[str], actor: Person | None = None
    ) -> Iterator[Event]:
        """Yield the events of an issue (native id) whose labels changed."""
        old, new = set(before), set(after)
        for label in sorted(old ^ new):
            yield from self.label_change(issue, at, label, added=label in new, actor=actor)

    def state_change(
        self, issue: str, at: datetime, before: str, after: str, actor: Person | None = None
    ) -> Iterator[Event]:
        """Yield the event of an issue (native id) whose state changed; none if neither name counts."""
        if not self.states.isdisjoint((fold_name(before), fold_name(after))):
            yield Event(issue=issue, at=at, kind=EventKind.STATUS, value=after, actor=actor)
