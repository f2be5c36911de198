"""The burn-up on a status issue: what it is to tell, and the drawing itself at the last moment before the upload."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import msgspec
import structlog

from sync.assess.milestone import AssessedMilestone
from sync.history.counting import burnup
from sync.model.health import Status
from sync.report import charts
from sync.report.charts import BurnUp
from sync.report.view import Point

__all__ = ["drawn", "to_draw"]

LACKING = "its burn-up needs the extra `site`: pip install 'milesync[site]'"

log = structlog.get_logger("milesync")


def to_draw(milestone: AssessedMilestone) -> dict[str, Any]:
    """``picture`` and ``undrawn`` of what should stand for a milestone: see `sync.plan.desired.Desired`."""
    if not milestone.source.attaches(milestone.project.key):
        return {"picture": "" if milestone.source.connector.capabilities.files else None}
    if find_spec("vl_convert") is None:
        return {"undrawn": LACKING}

    return {"picture": told(milestone)}


def drawn(milestone: AssessedMilestone) -> bytes:
    """The picture as a PNG; empty when it cannot be made: no run ends for want of it."""
    try:
        return picture(milestone) or b""
    except Exception:
        log.exception("a burn-up could not be drawn; the status issue goes without", milestone=milestone.uid)
        return b""


POINTS = 90
"""Days of the burn-up that are drawn at most."""


def burn_up_of(milestone: AssessedMilestone) -> BurnUp | None:
    """The burn-up of a milestone; None when it has not begun, or holds nothing."""
    health, zone = milestone.health, milestone.source.zone
    today = health.at.astimezone(zone).date()
    until = today
    if health.status is Status.DONE and milestone.milestone.closed_at is not None:
        until = min(until, milestone.milestone.closed_at.date())
    start = health.start
    if start is None or start >= until or not milestone.stays:
        return None
    span = (until - start).days
    count = min(POINTS, span + 1)
    days = sorted({start + timedelta(days=round(span * n / (count - 1))) for n in range(count)})
    points = [Point(on, done, scope) for on, scope, done in burnup(milestone.stays, days, zone)]
    running = health.status is not Status.DONE
    # a chart whose last point differs from the counts beside it would be worse than none at the very last hour
    points[-1] = Point(until, health.counts.done, health.counts.total) if running else points[-1]
    dates = health.dates if running else type(health.dates)()
    return BurnUp(
        points=points,
        today=until,
        over=not running,
        due=health.due,
        baseline=health.baseline,
        p50=dates.p50,
        p85=dates.p85,
        p95=dates.p95,
    )


def picture(milestone: AssessedMilestone, *, percent: bool = True) -> bytes | None:
    """The burn-up as a PNG, for what cannot draw: attachments and e-mail. None when there is nothing to draw.

    Without ``percent`` it names no percentages.
    """
    chart = burn_up_of(milestone)
    return None if chart is None else charts.png(charts.burn_up(chart, percent=percent, dated=True))


def told(milestone: AssessedMilestone) -> str:
    """A digest (12 hex digits) of what the picture tells; empty when there is nothing to draw.

    That days go by tells nothing new, so a day counts only if a line moved on it, and a date of the forecast, which
    wanders from day to day, by its week.
    """
    chart = burn_up_of(milestone)
    if chart is None:
        return ""
    first = chart.points[0].on
    days = [first + timedelta(days=n) for n in range((chart.today - first).days + 1)]
    levels = list(burnup(milestone.stays, days, milestone.source.zone))
    moves = [now for before, now in pairwise(levels) if before[1:] != now[1:]]
    weeks = [None if on is None else on.isocalendar()[:2] for on in (chart.p50, chart.p85, chart.p95)]
    last = chart.points[-1]
    said = (levels[0], moves, last.done, last.scope, chart.over, chart.due, chart.baseline, weeks)
    return hashlib.blake2b(msgspec.json.encode(said), digest_size=6).hexdigest()
