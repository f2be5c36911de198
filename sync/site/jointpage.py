"""Everything that a joint milestone's own page tells: its members, what cannot be forecast, and its burn-up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sync.dates import end_of_day
from sync.history import is_member, is_open
from sync.markup.document import clean
from sync.model import Health, Status
from sync.site.charts import BurnUp
from sync.site.milestone import POINTS, Past, turned
from sync.site.rows import Row
from sync.store import Said
from sync.together import JointAssessed
from sync.view import Point

__all__ = ["JointPage", "Member", "joint_page"]


@dataclass(frozen=True)
class Member:
    """A member's line. ``counted`` of its open items count in the whole (each item counts once); ``blind``: it cannot
    be forecast, so that the whole cannot.
    """

    row: Row
    counted: int
    blind: bool


@dataclass(frozen=True)
class JointPage:
    """One joint milestone. Foreign texts are as they came; the template escapes them."""

    made: JointAssessed
    row: Row
    members: tuple[Member, ...]
    missing: tuple[str, ...]
    chart: BurnUp | None
    history: tuple[Past, ...]
    explained: Mapping[str, Any]

    @property
    def health(self) -> Health:
        """Its health."""
        return self.row.health


def joint_page(made: JointAssessed, line: Row, turns: Sequence[Said]) -> JointPage:
    """A joint milestone's page from its assessment and what was said about it."""
    blind = {one.uid for one in made.blind}
    return JointPage(
        made=made,
        row=line,
        members=tuple(Member(row, made.counted.get(row.uid, 0), row.uid in blind) for row in line.members),
        missing=tuple(map(clean, made.missing)),
        chart=_burn_up(made),
        history=tuple(turned(turns)),
        explained=made.explain(),
    )


def _burn_up(made: JointAssessed) -> BurnUp | None:
    """Each item once, in however many members it is; None when nothing has begun."""
    health = made.health
    starts = [one.health.start for one in made.members if one.health.start is not None]
    ends = [one.milestone.closed_at for one in made.members]
    until = health.at.date()
    closed = [end.date() for end in ends if end is not None]
    if health.status is Status.DONE and len(closed) == len(ends):
        until = min(until, max(closed))
    if not starts or min(starts) >= until or not health.counts.total:
        return None
    span = (until - min(starts)).days
    count = min(POINTS, span + 1)
    days = sorted({min(starts) + timedelta(days=round(span * n / (count - 1))) for n in range(count)})
    points = [*_lines(made, days[:-1]), Point(until, health.counts.done, health.counts.total)]
    dates = health.dates if health.status is not Status.DONE else type(health.dates)()
    return BurnUp(
        points=points,
        today=until,
        over=health.status is Status.DONE,
        due=health.due,
        baseline=health.baseline,
        p50=dates.p50,
        p85=dates.p85,
        p95=dates.p95,
    )


def _lines(made: JointAssessed, days: Iterable[date]) -> Iterable[Point]:
    for day in days:
        scope: set[str] = set()
        open_then: set[str] = set()
        for one in made.members:
            at = end_of_day(day, one.source.zone)
            still = {stay.item for stay in one.stays if is_open(stay, at)}
            open_then |= still
            scope |= still | {stay.item for stay in one.stays if is_member(stay, at) and not stay.removed}
        yield Point(day, len(scope - open_then), len(scope))
