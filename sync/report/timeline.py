"""The timeline as people and calendars read it: milestones in the order of their dates, with what holds each up.

Times and titles are for whoever runs milesync: it sees every configured project.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from typing import Any

import numpy as np
from msgspec import Struct

from sync.assess.portfolio import Portfolio
from sync.forecast import dependencies as timeline
from sync.forecast import joint
from sync.history.calendar import Calendar
from sync.model.health import Dates, Health, Status
from sync.model.tracker_data import DueDate
from sync.report.phrases import STATUS, percent

__all__ = ["Schedule", "TimelineEntry", "Waits", "icalendar", "mermaid", "schedule"]


class Waits(Struct, frozen=True, kw_only=True):
    """One that a milestone waits for. ``because`` is ``configured`` or ``blocked_issues``, ``issues`` how many are.

    ``sets_the_date``: how likely it is the one that sets the milestone's date.
    """

    id: str
    because: str
    issues: int
    sets_the_date: float


class TimelineEntry(Struct, frozen=True, kw_only=True):
    """One milestone. Dates are the forecast's with everything that it waits for; ``days_lost`` to that, on average.

    ``replans`` are the due dates that were seen, oldest first; trackers do not tell who set them.
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
    days_lost: float
    after: tuple[Waits, ...]
    replans: tuple[DueDate, ...]
    members: tuple[str, ...] = ()


class Schedule(Struct, frozen=True, kw_only=True):
    """Every milestone that runs. ``critical`` is the chain (ids) that ends last, ``chains`` are all of them."""

    at: datetime
    milestones: tuple[TimelineEntry, ...]
    critical: tuple[str, ...]
    chains: tuple[tuple[str, ...], ...]


def schedule(whole: Portfolio, at: datetime, calendar: Calendar) -> Schedule:
    """What `milesync timeline` shows. Milestones that are over are left out, unless one that runs waits for them."""
    written = {milestone.uid: milestone.written for milestone in whole.milestones}
    needed = {d.before for d in whole.dependencies}
    entries = []
    for milestone in whole.milestones:
        if not milestone.running and milestone.uid not in needed:
            continue
        probability, dates = _forecast(whole, milestone.uid, milestone.health, calendar)
        entries.append(
            TimelineEntry(
                id=milestone.written,
                title=milestone.milestone.title,
                url=milestone.milestone.url,
                after=tuple(_waits(whole, milestone.uid, written)),
                replans=milestone.due_dates,
                days_lost=round(whole.propagation.cost.get(milestone.uid, 0.0), 1),
                **_common(milestone.health, probability, dates),
            )
        )
    entries += [
        TimelineEntry(
            id=made.written,
            title=made.joint.name,
            url="",
            after=(),
            replans=(),
            days_lost=0.0,
            members=tuple(member.written for member in made.members),
            **_common(made.health, made.health.probability, made.health.dates),
        )
        for made in whole.joints
    ]
    entries.sort(key=lambda entry: (entry.due is None, entry.due or date.max, entry.id))
    chains = _chains(whole, written)
    return Schedule(at=at, milestones=tuple(entries), critical=chains[0] if chains else (), chains=tuple(chains))


def _common(health: Health, probability: float | None, dates: Dates) -> dict[str, Any]:
    return {
        "start": health.start,
        "due": health.due,
        "baseline": health.baseline,
        "status": health.status,
        "probability": probability,
        "p50": dates.p50,
        "p85": dates.p85,
        "p95": dates.p95,
    }


def _forecast(whole: Portfolio, uid: str, health: Health, calendar: Calendar) -> tuple[float | None, Dates]:
    """The published forecast; where the milestone waits for others, with every one of them."""
    waits = whole.propagation.held.get(uid)
    if not waits:
        return health.probability, health.dates
    paths = whole.propagation.paths[uid]
    horizon = max(whole.horizons[name] for name in (uid, *waits))
    p50, p85, p95 = (calendar.day_of(m if m <= horizon else np.inf) for m in joint.quantiles(paths))
    probability = None if health.probability is None else joint.chance(paths, whole.planned_times[uid].due)
    return probability, Dates(p50=p50, p85=p85, p95=p95, horizon=calendar.day_of(horizon))


def _waits(whole: Portfolio, uid: str, written: dict[str, str]) -> Iterator[Waits]:
    for dependency in whole.dependencies:
        if dependency.after == uid:
            share = whole.propagation.held.get(uid, {}).get(dependency.before, 0.0)
            why = "blocked_issues" if dependency.issues else "configured"
            yield Waits(
                id=written[dependency.before], because=why, issues=dependency.issues, sets_the_date=round(share, 3)
            )


def _chains(whole: Portfolio, written: dict[str, str]) -> list[tuple[str, ...]]:
    """The chains that set dates, the one that ends last first."""
    inner = {before for waits in whole.propagation.held.values() for before in waits}
    ends = [uid for uid, waits in whole.propagation.held.items() if waits and uid not in inner]
    ends.sort(key=lambda uid: (-joint.quantiles(whole.propagation.paths[uid])[1], written[uid]))
    return [tuple(written[uid] for uid in timeline.critical(whole.propagation, end)) for end in ends]


# --- Mermaid ---------------------------------------------------------------------------------------------------------

_UNSAFE = re.compile(r"[^\w .()/+-]+", re.ASCII)


def mermaid(shown: Schedule) -> str:
    """A gantt chart: a bar to the due date, and a diamond at the date that is 85 % certain."""
    lines = [
        "gantt",
        f"    title Milestones on {shown.at.date()}",
        "    dateFormat YYYY-MM-DD",
        "    axisFormat %d %b %Y",
        "    inclusiveEndDates",
    ]
    section = ""
    for n, entry in enumerate(shown.milestones):
        if entry.due is None and entry.p85 is None:
            continue
        where = _safe(entry.id.rpartition(":")[2].rstrip("0123456789").rstrip("#%/") if entry.url else "joint")
        if where != section:
            section = where
            lines.append(f"    section {section}")
        begin = entry.start or shown.at.date()
        crit = "crit, " if entry.id in shown.critical else ""
        state = "done, " if entry.status is Status.DONE else "active, "
        if entry.due is not None:
            lines.append(f"    - {_safe(entry.title)} :{crit}{state}m{n}, {min(begin, entry.due)}, {entry.due}")
        if entry.p85 is not None and entry.status is not Status.DONE:
            lines.append(f"    - {_safe(entry.title)} 85 percent certain :{crit}milestone, p{n}, {entry.p85}, 0d")
    return "\n".join(lines) + "\n"


def _safe(text: str) -> str:
    """A name in which no sign means anything to Mermaid."""
    return " ".join(_UNSAFE.sub(" ", text).split())[:60] or "unnamed"


# --- iCalendar -------------------------------------------------------------------------------------------------------


def icalendar(shown: Schedule, instance: str) -> bytes:
    """RFC 5545: for each milestone an all-day event on its due day, and one on the day that is 85 % certain.

    The events keep their identity from export to export, so a calendar that subscribes moves them. Raises ImportError
    without the extra ``timeline``.
    """
    import icalendar as ical

    calendar = ical.Calendar()
    calendar.add("prodid", "-//milesync//timeline//EN")
    calendar.add("version", "2.0")
    calendar.add("name", f"milesync {instance}")
    for entry in shown.milestones:
        for kind, day, words in _days(entry):
            event = ical.Event()
            event.add("uid", f"{kind}-{_identity(entry.id)}@{instance}.milesync")
            event.add("dtstamp", shown.at.astimezone(UTC))
            event.add("dtstart", day)
            event.add("dtend", day + timedelta(days=1))
            event.add("summary", f"{words}: {entry.title}")
            event.add("description", _described(entry))
            event.add("transp", "TRANSPARENT")
            event.add("categories", [STATUS[entry.status]])
            if entry.url:
                event.add("url", entry.url)
            calendar.add_component(event)
    made: bytes = calendar.to_ical()
    return made


def _days(entry: TimelineEntry) -> Iterable[tuple[str, date, str]]:
    if entry.due is not None:
        yield "due", entry.due, "Due"
    if entry.p85 is not None and entry.status is not Status.DONE:
        yield "p85", entry.p85, "85 % certain"


def _described(entry: TimelineEntry) -> str:
    odds = "" if entry.probability is None else f", {percent(entry.probability)} likely in time"
    waits: Sequence[str] = [wait.id for wait in entry.after]
    return f"{entry.id}: {STATUS[entry.status]}{odds}" + (f"; waits for {', '.join(waits)}" if waits else "")


def _identity(written: str) -> str:
    return blake2b(written.encode(), digest_size=8).hexdigest()
