"""Select the memberships that count: issues, changes or both, and each piece of work once.

A change that closes an issue of the same container is one item with it, and the issue represents both: as long as one
of them is in the container, the issue is. So no time has both, and none of the two is lost when only one moves.

| in the container                            | counted                                            |
|---------------------------------------------|----------------------------------------------------|
| issue from day 1, its change from day 5     | the issue from day 1                               |
| change from day 1, its issue from day 5     | the issue from day 1                               |
| both; the issue leaves on day 8             | the issue, which is done when the change is closed |
| both; the change leaves on day 8            | the issue                                          |
| the change leaves before its issue joins    | the change, later the issue                        |
| a change that closes two issues             | the two issues                                     |
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from sync.history.membership_table import NEVER, MembershipTable
from sync.model.counting import Counting

__all__ = ["WorkTable"]


class WorkTable:
    """Memberships of all work, with the changes among the items.

    ``closes``: each change (item id) with the issues (item ids) that it closes. Ids without a membership are ignored.
    """

    def __init__(self, table: MembershipTable, closes: Mapping[str, Collection[str]]) -> None:
        self.table, self._closes = table, closes
        self._code = table.item_codes({*closes, *(issue for issues in closes.values() for issue in issues)})
        self.is_change = np.zeros(len(table.items), dtype=np.bool_)
        self.is_change[[self._code[change] for change in closes if change in self._code]] = True

    @property
    def changes(self) -> frozenset[str]:
        """The ids of the items that are changes."""
        return frozenset(self._closes.keys() & self._code.keys())

    def changes_of(self, table: MembershipTable) -> MembershipTable:
        """Return the memberships of changes in a part of the table."""
        return table.select(self.is_change[table.item])

    def kinds(self) -> dict[str, tuple[bool, bool]]:
        """Return container id -> whether it ever had an issue, and whether it ever had a change."""
        n, is_change = len(self.table.containers), self.is_change[self.table.item]
        changes, issues = (np.bincount(self.table.container[mask], minlength=n) > 0 for mask in (is_change, ~is_change))
        return dict(zip(self.table.containers, zip(issues.tolist(), changes.tolist(), strict=True), strict=True))

    def once(self, table: MembershipTable) -> MembershipTable:
        """Return a part of the table with each piece of work once; the same object if it is so already."""
        closing = {
            self._code[change]: [self._code[issue] for issue in issues if issue in self._code]
            for change, issues in self._closes.items()
            if change in self._code
        }
        return _with_pairs(table, {change: issues for change, issues in closing.items() if issues})

    def page_memberships(self, countings: Mapping[str, Counting], default: Counting) -> MembershipTable:
        """Return the memberships of the work that counts in each container (id); the same object if it is all work.

        A change is listed next to the issue that it closes. ``default``: the way of counting of other containers.
        """
        ways = [countings.get(name, default) for name in self.table.containers]
        issues = np.array([way.has_issues for way in ways], dtype=np.bool_)
        changes = np.array([way.has_changes for way in ways], dtype=np.bool_)
        container, is_change = self.table.container, self.is_change[self.table.item]
        counts = np.where(is_change, changes[container], issues[container])
        return self.table if counts.all() else self.table.select(counts)


class _Span:
    """One uninterrupted time of a change in a container: ``rows`` of the table, and the closure at its end."""

    def __init__(self, table: MembershipTable, rows: Sequence[int]) -> None:
        self.rows, last = rows, rows[-1]
        self.begin, self.end = int(table.joined[rows[0]]), _end(table, last)
        self.closed, self.removed = int(table.closed[last]), bool(table.removed[last])


def _with_pairs(table: MembershipTable, closing: Mapping[int, Sequence[int]]) -> MembershipTable:
    """Return the table in which issues represent the changes that close them (codes of items)."""
    if not closing:
        return table
    original, closed = table, {issue for issues in closing.values() for issue in issues}
    rows_of: dict[tuple[int, int], list[int]] = defaultdict(list)
    involved = np.zeros(len(table.items), dtype=np.bool_)
    involved[[*closing, *closed]] = True
    for row in np.flatnonzero(involved[table.item]).tolist():
        rows_of[int(table.container[row]), int(table.item[row])].append(row)
    table = table.copy()
    replaced: list[int] = []
    for (container, change), rows in rows_of.items():
        for span in _spans(table, rows) if change in closing else ():
            issues = [row for issue in closing[change] for row in rows_of.get((container, issue), ())]
            together = [row for row in issues if table.joined[row] < span.end and span.begin < _end(table, row)]
            if together:
                _represent(table, sorted(together, key=lambda row: (table.joined[row], row)), span)
                replaced += span.rows
    if not replaced:
        return original
    keep = np.ones(len(table), dtype=np.bool_)
    keep[replaced] = False
    return table.select(keep)


def _spans(table: MembershipTable, rows: Sequence[int]) -> Iterator[_Span]:
    """Yield the uninterrupted times of one item in one container: a reopening goes on where it begins."""
    span: list[int] = []
    for row in sorted(rows, key=lambda row: (table.joined[row], row)):
        if span and _end(table, span[-1]) < table.joined[row]:
            yield _Span(table, span)
            span = []
        span.append(row)
    if span:
        yield _Span(table, span)


def _represent(table: MembershipTable, rows: Sequence[int], span: _Span) -> None:
    """Extend the times of issues, in the order of joining, so that together they cover the time of their change."""
    table.joined[rows[0]] = min(int(table.joined[rows[0]]), span.begin)
    last = rows[0]
    for row in rows[1:]:
        if table.joined[row] > _end(table, last):
            _extend(table, last, int(table.joined[row]), span)
            if table.item[row] == table.item[last]:  # it goes on in its own next row, and has not left
                table.left[last], table.reopened[last] = NEVER, table.joined[row]
        if _end(table, row) > _end(table, last):
            last = row
    if _end(table, last) < span.end:
        _extend(table, last, span.end, span)


def _extend(table: MembershipTable, row: int, until: int, span: _Span) -> None:
    """Let an issue stay until a moment after it left. If it left open, it is closed when the change is."""
    left = int(table.left[row])
    table.left[row] = until
    if table.closed[row] >= left:
        closed = max(span.closed, left)
        table.closed[row] = closed if closed < until else NEVER
        table.removed[row] = span.removed and closed < until


def _end(table: MembershipTable, row: int) -> int:
    return int(min(table.left[row], table.reopened[row]))
