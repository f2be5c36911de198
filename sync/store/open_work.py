"""Count the open issues of projects that are in no milestone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Engine, case, func, select

from sync.model.tracker_data import State, Visibility
from sync.store import tables as schema
from sync.store.database import reading
from sync.store.upsert import chunks

__all__ = ["open_work"]


def open_work(
    engine: Engine,
    source: str,
    projects: Collection[str],
    since: datetime,
    *,
    ignored: Collection[str] = (),
    status_issues: Collection[str] = (),
) -> Mapping[str, tuple[int, int]]:
    """Return the number of open issues without a milestone of each project (native id) that has any.

    The second number is that of those updated at or after ``since`` (UTC). Confidential issues, pull requests,
    ``status_issues`` (native ids), the types in ``ignored`` (lower case) and issues that are a milestone themselves,
    such as epics, do not count.
    """
    issue, milestone = schema.issue, schema.milestone
    containers = select(milestone.c.url).where(milestone.c.deleted_at.is_(None))
    recent = func.sum(case((issue.c.updated_at >= since, 1), else_=0))
    query = (
        select(issue.c.project, issue.c.type, func.count(), recent)
        .join(schema.source, schema.source.c.n == issue.c.source)
        .where(schema.source.c.url == source, issue.c.deleted_at.is_(None))
        .where(issue.c.state == State.OPEN, issue.c.milestones == (), issue.c.is_pull_request.is_(False))
        .where(issue.c.visibility.in_((Visibility.PUBLIC, Visibility.PROJECT)), issue.c.url.not_in(containers))
        .group_by(issue.c.project, issue.c.type)
    )
    counts, recently = Counter[str](), Counter[str]()
    with reading(engine) as connection:
        for batch in chunks(sorted(projects)):
            own = query.where(issue.c.project.in_(batch))
            parts = [(1, own), *((-1, own.where(issue.c.id.in_(ids))) for ids in chunks(sorted(status_issues)))]
            for sign, part in parts:
                for project, kind, n, n_recent in connection.execute(part):
                    if kind.lower() not in ignored:
                        counts[project] += sign * n
                        recently[project] += sign * int(n_recent)
    return {project: (n, recently[project]) for project, n in counts.items() if n}
