"""Everything that a joint milestone's own page tells: its members, what cannot be forecast, and its burn-up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sync.assess.portfolio import AssessedJointMilestone
from sync.history.counting import is_done, is_open
from sync.markup.document import clean
from sync.model.dates import end_of_day
from sync.model.health import Health, Status
from sync.report.burnup import POINTS
from sync.report.charts import BurnUp
from sync.report.view import Point
from sync.site.milestone_page import HistoryEvent, turned
from sync.site.portfolio import Row
from sync.store.store import AssessmentSummary

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

    made: AssessedJointMilestone
    row: Row
    members: tuple[Member, ...]
    missing: tuple[str, ...]
    chart: BurnUp | None
    history: tuple[HistoryEvent, ...]
    explained: Mapping[str, Any]

    @property
    def health(self) -> Health:
        """Its health."""
        return self.row.health


def joint_page(made: AssessedJointMilestone, line: Row, turns: Sequence[AssessmentSummary]) -> JointPage:
    """A joint milestone's page from its assessment and what was said about it."""
    blind = {milestone.uid for milestone in made.blind}
    return JointPage(
        made=made,
        row=line,
        members=tuple(Member(row, made.counted.get(row.uid, 0), row.uid in blind) for row in line.members),
        missing=tuple(map(clean, made.missing)),
        chart=_burn_up(made),
        history=tuple(turned(turns)),
        explained=made.explain(),
    )


def _burn_up(made: AssessedJointMilestone) -> BurnUp | None:
    """Each item once, in however many members it is; None when nothing has begun."""
    health = made.health
    starts = [milestone.health.start for milestone in made.members if milestone.health.start is not None]
    ends = [milestone.milestone.closed_at for milestone in made.members]
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


def _lines(made: AssessedJointMilestone, days: Iterable[date]) -> Iterable[Point]:
    for day in days:
        scope: set[str] = set()
        open_then: set[str] = set()
        for milestone in made.members:
            at = end_of_day(day, milestone.source.zone)
            still = {membership.item for membership in milestone.memberships if is_open(membership, at)}
            open_then |= still
            scope |= still | {membership.item for membership in milestone.memberships if is_done(membership, at)}
        yield Point(day, len(scope - open_then), len(scope))
