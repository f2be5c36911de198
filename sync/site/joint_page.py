"""The page of a joint milestone: its members, the members without a forecast, its burn-up and its history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sync.assess.portfolio import AssessedJointMilestone
from sync.history.counting import is_carried, is_done, is_open
from sync.markup.document import clean
from sync.markup.html import html
from sync.model.closing import ClosingRecord
from sync.model.dates import day_of, end_of_day
from sync.model.health import Health
from sync.report.burnup import POINTS
from sync.report.charts import BurnUp
from sync.report.closing_comment import closing_comment
from sync.report.facts import Point
from sync.site.milestone_page import HistoryEvent, status_events
from sync.site.portfolio import Row
from sync.store.assessments import AssessmentSummary

__all__ = ["JointPage", "Member", "joint_page"]


@dataclass(frozen=True)
class Member:
    """The row of a member.

    ``counted`` of its open items count in the joint milestone, where each item counts once. ``blind``: the member has
    no forecast, so the joint milestone has none.
    """

    row: Row
    counted: int
    blind: bool


@dataclass(frozen=True)
class JointPage:
    """The values of one page. Foreign texts are unescaped; the template escapes them.

    ``record`` is the closing record as HTML; empty without one.
    """

    row: Row
    members: tuple[Member, ...]
    missing: tuple[str, ...]
    chart: BurnUp | None
    history: tuple[HistoryEvent, ...]
    explained: Mapping[str, Any]
    record: str = ""

    @property
    def health(self) -> Health:
        """Health of the joint milestone."""
        return self.row.health


def joint_page(
    joint: AssessedJointMilestone,
    row: Row,
    assessments: Sequence[AssessmentSummary],
    record: ClosingRecord | None = None,
) -> JointPage:
    """Return the page of a joint milestone from its assessment, its earlier ones (oldest first) and closing record."""
    blind = {milestone.uid for milestone in joint.unforecastable}
    return JointPage(
        row=row,
        members=tuple(
            Member(member, joint.open_counts.get(member.uid, 0), member.uid in blind) for member in row.members
        ),
        missing=tuple(map(clean, joint.missing)),
        chart=_burn_up(joint),
        history=tuple(status_events(assessments)),
        explained=joint.explain(),
        record=html(closing_comment(record)) if record else "",
    )


def _burn_up(joint: AssessedJointMilestone) -> BurnUp | None:
    """Return the burn-up over all members, each item counted once; None before the start and without items."""
    health = joint.health
    starts = [milestone.health.start for milestone in joint.members if milestone.health.start is not None]
    ends = [milestone.milestone.closed_on(milestone.connection.zone) for milestone in joint.members]
    until = day_of(health.at, joint.zone)
    closed = [end for end in ends if end is not None]
    if health.status.is_over and len(closed) == len(ends):
        until = min(until, max(closed))
    known = [day_of(milestone.known_from, joint.zone) for milestone in joint.members if milestone.known_from]
    first = max([min(starts), *known]) if starts else until
    if first >= until or not health.counts.total:
        return None
    span = (until - first).days
    count = min(POINTS, span + 1)
    days = sorted({first + timedelta(days=round(span * n / (count - 1))) for n in range(count)})
    points = [*_lines(joint, days[:-1]), Point(until, health.counts.done, health.counts.total)]
    dates = health.dates if not health.status.is_over else type(health.dates)()
    return BurnUp(
        points=points,
        noun=health.counts.noun,
        today=until,
        is_ended=health.status.is_over,
        due=health.due,
        baseline=health.baseline,
        p50=dates.p50,
        p85=dates.p85,
        p95=dates.p95,
    )


def _lines(joint: AssessedJointMilestone, days: Iterable[date]) -> Iterable[Point]:
    for day in days:
        open_items: set[str] = set()
        done: set[str] = set()
        carried: set[str] = set()
        for milestone in joint.members:
            at = end_of_day(day, milestone.connection.zone)
            for items, is_so in ((open_items, is_open), (done, is_done), (carried, is_carried)):
                items |= {membership.item for membership in milestone.memberships if is_so(membership, at)}
        yield Point(day, len(done - open_items), len(open_items | done | carried))
