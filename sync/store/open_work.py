"""Count the open issues of projects that are in no milestone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Engine, Row, case, func, select

from sync.model.item_state import StateRules, fold_name, fold_names
from sync.model.tracker_data import State, Visibility
from sync.store import tables as schema
from sync.store.database import reading
from sync.store.upsert import chunks

__all__ = ["open_work"]

_USUAL = StateRules()


def open_work(
    engine: Engine,
    source: str,
    projects: Collection[str],
    since: datetime,
    *,
    ignored: Collection[str] = (),
    status_issues: Collection[str] = (),
    rules: Mapping[str, StateRules] = MappingProxyType({}),
) -> Mapping[str, tuple[int, int]]:
    """Return the number of open issues without a milestone of each project (native id) that has any.

    The second number is that of those updated at or after ``since`` (UTC). Confidential issues, pull requests,
    ``status_issues`` (native ids), the types in ``ignored`` (lower case) and issues that are a milestone themselves,
    such as epics, do not count. ``rules``: those for the state of an item, by project, if they are not the usual ones.
    """
    issue, milestone = schema.issue, schema.milestone
    containers = select(milestone.c.url).where(milestone.c.deleted_at.is_(None))
    recent = func.sum(case((issue.c.updated_at >= since, 1), else_=0)).label("recent")
    kind = (issue.c.project, issue.c.type, issue.c.state, issue.c.raw_state, issue.c.labels)
    query = (
        select(*kind, func.count().label("n"), recent)
        .join(schema.source, schema.source.c.n == issue.c.source)
        .where(schema.source.c.url == source, issue.c.deleted_at.is_(None))
        .where(issue.c.milestones == (), issue.c.is_pull_request.is_(False))
        .where(issue.c.visibility.in_((Visibility.PUBLIC, Visibility.PROJECT)), issue.c.url.not_in(containers))
        .group_by(*kind)
    )
    if not any(own.started.states for own in rules.values()):  # otherwise some that are closed are open by the rules
        query = query.where(issue.c.state == State.OPEN)
    counts, recently = Counter[str](), Counter[str]()
    left_out, *others = [*chunks(sorted(status_issues))] or [[]]
    with reading(engine) as connection:
        for batch in chunks(sorted(projects)):
            own = query.where(issue.c.project.in_(batch), issue.c.id.not_in(left_out))
            parts = [(1, own), *((-1, own.where(issue.c.id.in_(ids))) for ids in others)]
            for sign, part in parts:
                for row in connection.execute(part):
                    if row.type.lower() not in ignored and _is_open(row, rules.get(row.project, _USUAL)):
                        counts[row.project] += sign * row.n
                        recently[row.project] += sign * int(row.recent)
    return {project: (n, recently[project]) for project, n in counts.items() if n}


def _is_open(row: Row[Any], rules: StateRules) -> bool:
    is_closed = row.state == State.CLOSED
    return not rules.is_finished(is_closed=is_closed, state=fold_name(row.raw_state), labels=fold_names(row.labels))
