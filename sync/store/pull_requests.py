"""Difference of a tracker's own counter of each open milestone and the rows in it that are stored.

From a connector that delivers no changes, it is their number; from others, an error of the counter. Only milestones of
completely read projects are counted, as the difference is wrong while rows are missing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Row, select, update

from sync.model.tracker_data import State
from sync.store import tables as schema
from sync.store.upsert import chunks, in_projects

__all__ = ["count_pull_requests"]


def count_pull_requests(connection: Connection, source: int, projects: Collection[str]) -> None:
    """Save the differences for the open milestones of these projects (native ids)."""
    table = schema.milestone
    for batch in chunks(sorted(projects)):
        listed = table.c.listed_open.is_not(None) & table.c.deleted_at.is_(None) & (table.c.state == State.OPEN)
        query = select(table).where(table.c.source == source, in_projects(table, source, batch), listed)
        milestones = {row.id: row for row in connection.execute(query)}
        issues = _issue_counts(connection, source, milestones)
        for key, row in milestones.items():
            values = _pull_requests(row, issues[key])
            if values != {name: getattr(row, name) for name in values}:
                mine = (table.c.source == source) & (table.c.id == key)
                connection.execute(update(table).where(mine).values(values))


def _issue_counts(connection: Connection, source: int, milestones: Collection[str]) -> Mapping[str, Counter[State]]:
    """Count the stored issues and changes that are in each of these milestones now, by state."""
    issue, member = schema.issue, schema.member
    counts: Mapping[str, Counter[State]] = defaultdict(Counter)
    for batch in chunks(sorted(milestones)):
        query = (
            select(member.c.milestone, issue.c.state, issue.c.milestones)
            .join(issue, (issue.c.source == member.c.source) & (issue.c.id == member.c.issue))
            .where(member.c.source == source, member.c.milestone.in_(batch), issue.c.deleted_at.is_(None))
        )
        for row in connection.execute(query):
            counts[row.milestone][row.state] += row.milestone in row.milestones
    return counts


def _pull_requests(milestone: Row[Any], issues: Mapping[State, int]) -> dict[str, int]:
    """Return the columns with the differences. They are negative where more rows are stored than the tracker counts."""
    return {
        "open_pull_requests": milestone.listed_open - issues[State.OPEN],
        "closed_pull_requests": (milestone.listed_closed or 0) - issues[State.CLOSED],
    }
