"""The burn-up of a milestone: its data, the hash of its content, and the PNG, rendered just before an upload."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from itertools import pairwise

import msgspec
from msgspec import Struct

from sync.assess.milestone import AssessedMilestone
from sync.history.counting import burnup
from sync.installation import missing_extra
from sync.model.dates import day_of
from sync.report import charts
from sync.report.charts import BurnUp
from sync.report.facts import Point
from sync.telemetry.log import events as log

__all__ = ["BurnUpPicture", "burn_up_data", "burn_up_picture", "content_hash", "render_attachment", "render_png"]


class BurnUpPicture(Struct, frozen=True, kw_only=True):
    """The burn-up to attach to a status issue.

    ``content_hash`` identifies what the picture shows: empty for no picture, None when the tracker takes no files or
    the picture cannot be drawn. ``problem`` says why it cannot be drawn.
    """

    content_hash: str | None = None
    problem: str = ""


def burn_up_picture(milestone: AssessedMilestone) -> BurnUpPicture:
    """Return the burn-up to attach to the milestone's status issue, by its content; nothing is drawn yet."""
    if not milestone.connection.attaches(milestone.project.key):
        return BurnUpPicture(content_hash="" if milestone.connection.connector.capabilities.files else None)
    if not charts.can_render_png():
        return BurnUpPicture(problem=missing_extra("its burn-up", "site"))
    return BurnUpPicture(content_hash=content_hash(milestone))


def render_attachment(milestone: AssessedMilestone) -> bytes:
    """Render the burn-up as PNG. Return b"" on failure: a chart never fails a run."""
    try:
        return render_png(milestone) or b""
    except Exception:
        log.exception("the burn-up could not be drawn; the status issue gets none", milestone=milestone.written)
        return b""


POINTS = 90
"""Maximum number of days drawn in a burn-up."""


def burn_up_data(milestone: AssessedMilestone) -> BurnUp | None:
    """Return the burn-up of a milestone; None before its start and without items."""
    health, zone = milestone.health, milestone.connection.zone
    today = day_of(health.at, zone)
    until = today
    closed_on = milestone.milestone.closed_on(zone)
    if health.status.is_over and closed_on is not None:
        until = min(until, closed_on)
    start = milestone.charted_from
    if start is None or start >= until or not milestone.chart_memberships:
        return None
    span = (until - start).days
    count = min(POINTS, span + 1)
    days = sorted({start + timedelta(days=round(span * n / (count - 1))) for n in range(count)})
    points = [Point(on, done, scope) for on, scope, done in burnup(milestone.chart_memberships, days, zone)]
    is_running = not health.status.is_over
    # the last point must equal the counts of the health, which may be later than the end of the day
    counts = health.counts if milestone.page_memberships is None else health.counts.on_page
    points[-1] = Point(until, counts.done, counts.total) if is_running else points[-1]
    dates = health.dates if is_running else type(health.dates)()
    return BurnUp(
        points=points,
        noun=counts.noun,
        today=until,
        is_ended=not is_running,
        due=health.due,
        baseline=health.baseline,
        p50=dates.p50,
        p85=dates.p85,
        p95=dates.p95,
    )


def render_png(milestone: AssessedMilestone, *, percent: bool = True) -> bytes | None:
    """Render the burn-up as PNG for attachments and e-mail. None when there is nothing to draw.

    Without ``percent`` the chart names no percentages.
    """
    chart = burn_up_data(milestone)
    return None if chart is None else charts.png(charts.burn_up(chart, percent=percent, dated=True))


def content_hash(milestone: AssessedMilestone) -> str:
    """Return a hash (12 hex digits) of what the picture shows; empty when there is nothing to draw.

    The hash ignores days on which no line moved, and rounds forecast dates to their week, so that the passing of days
    alone makes no new picture.
    """
    chart = burn_up_data(milestone)
    if chart is None:
        return ""
    first = chart.points[0].on
    days = [first + timedelta(days=n) for n in range((chart.today - first).days + 1)]
    levels = list(burnup(milestone.chart_memberships, days, milestone.connection.zone))
    moves = [now for before, now in pairwise(levels) if before[1:] != now[1:]]
    weeks = [None if on is None else on.isocalendar()[:2] for on in (chart.p50, chart.p85, chart.p95)]
    last = chart.points[-1]
    content = (levels[0], moves, last.done, last.scope, chart.is_ended, chart.due, chart.baseline, weeks)
    return hashlib.blake2b(msgspec.json.encode(content), digest_size=6).hexdigest()
