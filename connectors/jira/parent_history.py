"""The ancestors of issues over time, from the changes of their own parents and of their parents' parents. Pure.

An issue joins an initiative when its epic does, although nothing in the issue's own changelog says so.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sync.model.tracker_data import Person

__all__ = ["ParentChange", "ParentHistory"]

_BEFORE = datetime.min.replace(tzinfo=UTC)


class ParentChange(NamedTuple):
    """A change of an issue's parent at a time (UTC): the ids of the parents before and after it, empty for none."""

    at: datetime
    before: str
    after: str
    actor: Person | None = None


class ParentHistory:
    """Present parents, and the changes of parents, by issue id.

    Jira forbids circles, and data that was imported has them: an ancestor that was met before ends the chain.
    """

    def __init__(self) -> None:
        self.present: dict[str, str] = {}
        self.changes: dict[str, Sequence[ParentChange]] = {}

    def ever(self, issue: str) -> set[str]:
        """All parents that an issue has or had."""
        changes = self.changes.get(issue, ())
        return {self.present.get(issue, ""), *(id_ for change in changes for id_ in change[1:3])} - {""}

    def ancestors(self, issue: str, at: datetime | None = None) -> tuple[str, ...]:
        """The ancestors of an issue at a time (UTC), its parent first; None: now."""
        found: list[str] = []
        parent = self._parent(issue, at)
        while parent and parent != issue and parent not in found:
            found.append(parent)
            parent = self._parent(parent, at)
        return tuple(found)

    def _parent(self, issue: str, at: datetime | None) -> str:
        changes = self.changes.get(issue)
        if at is None or not changes:
            return self.present.get(issue, "")
        return next((change.after for change in reversed(changes) if change.at <= at), changes[0].before)

    def moves(
        self, issue: str, parent: str, changes: Sequence[ParentChange]
    ) -> Iterator[tuple[ParentChange, set[str], set[str]]]:
        """Yield each change that moved an issue, with the ancestors that it left and joined, oldest first.

        ``parent`` is its present parent (id), ``changes`` are those of its own parent, oldest first.
        """
        own = [change.at for change in changes]

        def ancestors(at: datetime) -> set[str]:
            n = bisect_right(own, at)
            first = changes[n - 1].after if n else changes[0].before if changes else parent
            return {first, *self.ancestors(first, at)} - {"", issue}

        parents = {parent, *(id_ for change in changes for id_ in change[1:3])} - {"", issue}
        above = [change for above in self._ever_above(parents) - {issue} for change in self.changes.get(above, ())]
        before = ancestors(_BEFORE)
        for change in sorted([*changes, *above], key=lambda change: change.at):
            after = ancestors(change.at)
            if after != before:
                yield change, before - after, after - before
            before = after

    def _ever_above(self, parents: set[str]) -> set[str]:
        """These issues, and everything that ever was above them."""
        seen, waiting = set[str](), set(parents)
        while waiting:
            current = waiting.pop()
            seen.add(current)
            waiting |= self.ever(current) - seen
        return seen
