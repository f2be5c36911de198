"""The timeline for people and calendars: milestones in the order of their dates, with their dependencies.

It contains every configured project, so it is for the operator of milesync, not for an audience.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from typing import Any

import numpy as np
from msgspec import Struct

from sync.assess.portfolio import Portfolio
from sync.forecast import dependencies as timeline
from sync.forecast import joint
from sync.health.joint import ForecastWindow, dates_of_paths
from sync.history.calendar import Calendar
from sync.history.ledger import days
from sync.markup.document import clean
from sync.model.characters import one_line
from sync.model.health import Dates, Health, Status
from sync.model.tracker_data import DueDate
from sync.report.phrases import STATUS, minute, percent
from sync.report.verdict import as_of
from sync.report.verdict_facts import VerdictFacts, joint_verdict_facts, verdict_facts

__all__ = ["Schedule", "TimelineEntry", "Waits", "build_schedule", "icalendar", "mermaid"]


class Waits(Struct, frozen=True, kw_only=True):
    """A milestone for which another one waits.

    ``because`` is ``configured`` or ``blocked_issues``, ``issues`` the number of blocked issues. ``sets_the_date`` is
    the probability that this dependency determines the date.
    """

    id: str
    because: str
    issues: int
    sets_the_date: float


class TimelineEntry(Struct, frozen=True, kw_only=True):
    """A milestone of the timeline.

    The forecast includes all dependencies; ``days_lost`` is their average cost. ``replans`` are the due dates that
    were seen, oldest first; trackers do not report who set them. ``project`` is empty for a joint milestone, ``today``
    is the day of the assessment in its time zone. ``horizon``: the day on which the forecast ends; a date without a
    value is after it. ``as_of``: the time (UTC) of a verdict that is kept while data is
    missing; None for a present one.
    """

    id: str
    title: str
    url: str
    start: date | None
    due: date | None
    baseline: date | None
    status: Status
    probability: float | None
    p50: date | None
    p85: date | None
    p95: date | None
    horizon: date | None = None
    days_lost: float = 0.0
    after: tuple[Waits, ...] = ()
    replans: tuple[DueDate, ...] = ()
    members: tuple[str, ...] = ()
    project: str = ""
    today: date
    as_of: datetime | None = None


class Schedule(Struct, frozen=True, kw_only=True):
    """All running milestones at a time (UTC). ``chains`` are chains of dependencies (ids), ``critical`` ends last."""

    at: datetime
    milestones: tuple[TimelineEntry, ...]
    critical: tuple[str, ...]
    chains: tuple[tuple[str, ...], ...]


def build_schedule(portfolio: Portfolio, at: datetime, calendar: Calendar) -> Schedule:
    """Build what `milesync timeline` shows: running milestones, and ended ones for which another milestone waits."""
    written = {milestone.uid: milestone.written for milestone in portfolio.milestones}
    needed = {d.before for d in portfolio.dependencies}
    entries = []
    for milestone in portfolio.milestones:
        if not milestone.is_running and milestone.uid not in needed:
            continue
        facts = verdict_facts(milestone, now=at)
        forecast = _forecast(portfolio, milestone.uid, milestone.health, calendar.in_zone(facts.zone))
        entries.append(
            _entry(
                facts,
                forecast,
                after=tuple(_waits(portfolio, milestone.uid, written)),
                replans=milestone.due_dates,
                days_lost=round(portfolio.propagation.delays.get(milestone.uid, 0.0), 1),
            )
        )
    entries += [
        _entry(
            joint_verdict_facts(joint_milestone, now=at),
            (joint_milestone.health.probability, joint_milestone.health.dates),
            members=tuple(member.written for member in joint_milestone.members),
        )
        for joint_milestone in portfolio.joints
    ]
    entries.sort(key=lambda entry: (entry.due is None, entry.due or date.max, entry.id))
    chains = _chains(portfolio, written)
    return Schedule(at=at, milestones=tuple(entries), critical=chains[0] if chains else (), chains=tuple(chains))


def _entry(facts: VerdictFacts, forecast: tuple[float | None, Dates], **relations: Any) -> TimelineEntry:
    """Return the entry of a milestone or joint milestone; ``forecast``: its probability and dates."""
    health, (probability, dates) = facts.health, forecast
    return TimelineEntry(
        id=facts.written,
        title=facts.milestone.title,
        url=facts.milestone.url,
        start=health.start,
        due=health.due,
        baseline=health.baseline,
        status=health.status,
        probability=probability,
        p50=dates.p50,
        p85=dates.p85,
        p95=dates.p95,
        horizon=dates.horizon,
        project=facts.project,
        today=facts.today,
        as_of=facts.as_of,
        **relations,
    )


def _forecast(portfolio: Portfolio, uid: str, health: Health, calendar: Calendar) -> tuple[float | None, Dates]:
    """Return the published forecast; for a milestone with hidden dependencies, the forecast that includes them."""
    if uid not in portfolio.hidden:
        return health.probability, health.dates
    waits = portfolio.propagation.deciding.get(uid, {})
    paths = portfolio.propagation.paths[uid]
    due = portfolio.planned_times[uid].due
    horizon = float(np.nanmin([portfolio.horizons[name] for name in (uid, *waits)]))
    probability = None if health.probability is None else joint.share_done_by(paths, due)
    return probability, dates_of_paths(paths, ForecastWindow(due, horizon), days(health.at), calendar)


def _waits(portfolio: Portfolio, uid: str, written: dict[str, str]) -> Iterator[Waits]:
    for dependency in portfolio.dependencies:
        if dependency.after == uid:
            share = portfolio.propagation.deciding.get(uid, {}).get(dependency.before, 0.0)
            why = "blocked_issues" if dependency.issues else "configured"
            yield Waits(
                id=written[dependency.before], because=why, issues=dependency.issues, sets_the_date=round(share, 3)
            )


def _chains(portfolio: Portfolio, written: dict[str, str]) -> list[tuple[str, ...]]:
    """Return the chains of dependencies that determine dates, the last to end first."""
    inner = {before for waits in portfolio.propagation.deciding.values() for before in waits}
    ends = [uid for uid, waits in portfolio.propagation.deciding.items() if waits and uid not in inner]
    ends.sort(key=lambda uid: (-joint.quantile_moments(portfolio.propagation.paths[uid])[1], written[uid]))
    return [tuple(written[uid] for uid in timeline.critical_chain(portfolio.propagation, end)) for end in ends]


# --- Mermaid ---------------------------------------------------------------------------------------------------------

_UNSAFE = re.compile(r"[^\w .()/+-]+")

_STATEMENT = re.compile(
    r"(acc(title|descr)|axisformat|call|click|dateformat|excludes|gantt|href|includes|inclusiveenddates|section"
    r"|tickinterval|title|todaymarker|topaxis|weekday|weekend)|\d{4}-\d{2}-\d{2}",
    re.IGNORECASE,
)
"""What Mermaid reads at the start of a line as a statement or a date, not as the name of a task."""


def mermaid(schedule: Schedule) -> str:
    """Return a Mermaid gantt chart: a bar to the due date, a diamond at the date that is 85% certain."""
    lines = [
        "gantt",
        f"    title Milestones as of {minute(schedule.at)}",
        "    dateFormat YYYY-MM-DD",
        "    axisFormat %d %b %Y",
        "    inclusiveEndDates",
    ]
    section = ""
    for n, entry in enumerate(schedule.milestones):
        if entry.due is None and entry.p85 is None:
            continue
        section_name = _safe(entry.project or "joint")
        if section_name != section:
            section = section_name
            lines.append(f"    section {section}")
        begin = entry.start or entry.today
        critical = "crit, " if entry.id in schedule.critical else ""
        state = "done, " if entry.status.is_over else "active, "
        name = _task_name(entry.title)
        if entry.due is not None:
            lines.append(f"    {name} :{critical}{state}m{n}, {min(begin, entry.due)}, {entry.due}")
        if entry.p85 is not None and not entry.status.is_over:
            lines.append(f"    {name} 85 percent sure :{critical}milestone, p{n}, {entry.p85}, 0d")
    return "\n".join(lines) + "\n"


def _task_name(title: str) -> str:
    name = _safe(title).lstrip("+-./ ")
    return name if name and not _STATEMENT.match(name) else f"Milestone {name}".rstrip()


def _safe(text: str) -> str:
    """Return a name without any sign that has a meaning in Mermaid."""
    return " ".join(_UNSAFE.sub(" ", text).split())[:60].rstrip() or "unnamed"


# --- iCalendar -------------------------------------------------------------------------------------------------------


def icalendar(schedule: Schedule, instance: str) -> bytes:
    """Return an RFC 5545 calendar: per milestone an all-day event on its due day, and one on its 85% day.

    Events keep their identity in each export, so a subscribed calendar moves them. Raises ImportError without the
    extra ``timeline``.
    """
    import icalendar as ical

    calendar = ical.Calendar()
    calendar.add("prodid", "-//milesync//timeline//EN")
    calendar.add("version", "2.0")
    calendar.add("name", f"milesync {instance}")
    for entry in schedule.milestones:
        for kind, day, words in _days(entry):
            event = ical.Event()
            event.add("uid", f"{kind}-{_identity(entry.id)}@{instance}.milesync")
            event.add("dtstamp", schedule.at.astimezone(UTC))
            event.add("dtstart", day)
            event.add("dtend", day + timedelta(days=1))
            event.add("summary", f"{words}: {clean(entry.title)}")
            event.add("description", _description(entry))
            event.add("transp", "TRANSPARENT")
            event.add("categories", [STATUS[entry.status]])
            if entry.url:
                event.add("url", one_line(entry.url))
            calendar.add_component(event)
    document: bytes = calendar.to_ical()
    return document


def _days(entry: TimelineEntry) -> Iterable[tuple[str, date, str]]:
    if entry.due is not None:
        yield "due", entry.due, "Due"
    if entry.p85 is not None and not entry.status.is_over:
        yield "p85", entry.p85, "85% sure"


def _description(entry: TimelineEntry) -> str:
    odds = "" if entry.probability is None else f", {percent(entry.probability)} likely in time"
    waits = [clean(wait.id) for wait in entry.after]
    kept = f", {as_of(entry.as_of)}" if entry.as_of else ""
    return f"{clean(entry.id)}: {STATUS[entry.status]}{odds}{kept}" + (
        f"; waits for {', '.join(waits)}" if waits else ""
    )


def _identity(written: str) -> str:
    return blake2b(written.encode(), digest_size=8).hexdigest()
