"""Find issues in a milestone that their tracker's lists never named, so that milesync cannot report on it.

A token may see an issue without seeing its milestone, and an old server may leave a group's milestones out of a list.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import Engine, Select, exists, select

from sync.store import tables as schema
from sync.store.database import reading

__all__ = ["UnlistedMilestone", "unlisted_milestones"]

SETTLING = timedelta(hours=1)
"""Time between an issue's last change and a complete pull, after which that pull's list must name its milestone."""

_ANY_DOUBTFUL = """\
SELECT 1 FROM member LEFT JOIN milestone ON milestone.source = member.source AND milestone.id = member.milestone
WHERE milestone.id IS NULL OR milestone.deleted_at IS NOT NULL LIMIT 1
"""
"""Usually there is none. Compiling the whole query takes longer than all other statements of `status` together."""


class UnlistedMilestone(Struct, frozen=True):
    """A milestone, by its native id, that no list of the source named, and the keys of the project's issues in it."""

    source: str
    project_key: str
    milestone: str
    issues: tuple[str, ...]


def unlisted_milestones(engine: Engine) -> list[UnlistedMilestone]:
    """Return the milestones that issues refer to and that no list named, by source, project and id.

    A deleted milestone counts if an issue was changed in it later. Only projects that a connection reads count.
    """
    with reading(engine) as connection:
        if connection.exec_driver_sql(_ANY_DOUBTFUL).first() is None:
            return []
        keys: dict[tuple[str, str, str], list[str]] = {}
        for row in connection.execute(_members_of_unlisted()):
            if row.milestone in row.milestones and row.updated_at <= row.good_at - SETTLING:
                keys.setdefault((row.url, row.project_key, row.milestone), []).append(row.key)
    return [UnlistedMilestone(*place, issues=tuple(issues)) for place, issues in keys.items()]


def _members_of_unlisted() -> Select[Any]:
    """Return the query of the issues in milestones that no list named, with the issue's own milestones."""
    source, project, pull, watch = schema.source, schema.project, schema.pull, schema.watch
    issue, member, milestone = schema.issue, schema.member, schema.milestone
    listed = (milestone.c.source == member.c.source) & (milestone.c.id == member.c.milestone)
    # only these are joined with their issues: of all others the index of the members is enough
    doubtful = (
        select(member.c.source, member.c.milestone)
        .distinct()
        .outerjoin(milestone, listed)
        .where(milestone.c.id.is_(None) | milestone.c.deleted_at.is_not(None))
        .cte("doubtful")
    )
    return (
        select(source.c.url, project.c.key.label("project_key"), issue.c.key, issue.c.updated_at, issue.c.milestones)
        .add_columns(pull.c.good_at, member.c.milestone)
        .select_from(doubtful)
        .join(member, (member.c.source == doubtful.c.source) & (member.c.milestone == doubtful.c.milestone))
        .join(issue, (issue.c.source == member.c.source) & (issue.c.id == member.c.issue))
        .join(source, source.c.n == member.c.source)
        .join(project, (project.c.source == issue.c.source) & (project.c.id == issue.c.project))
        .join(pull, (pull.c.source == issue.c.source) & (pull.c.project_key == project.c.key))
        .outerjoin(milestone, listed)
        .where(milestone.c.id.is_(None) | (milestone.c.deleted_at < issue.c.updated_at))
        .where(issue.c.deleted_at.is_(None), pull.c.good_at.is_not(None))
        .where(exists().where(watch.c.source == issue.c.source, watch.c.project == issue.c.project))
        .order_by(source.c.url, project.c.key, member.c.milestone, issue.c.id)
    )
