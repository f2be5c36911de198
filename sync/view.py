"""What a summary may tell one audience about one milestone, and the hash of what it means."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import Struct

from sync.coordination import Criteria, Finding
from sync.marker import Told
from sync.model import DueDate, Health, Issue, Milestone, Status, Value
from sync.nudges import Load

__all__ = [
    "Budget",
    "Changes",
    "Commitment",
    "Fellow",
    "Forecast",
    "Override",
    "Point",
    "Seen",
    "View",
    "meaning",
]


class Seen(Struct, frozen=True, kw_only=True):
    """When a source was last read in full, by its configured name, and since when that fails. Times in UTC."""

    name: str
    at: datetime | None = None
    stale_since: datetime | None = None


class Changes(Struct, frozen=True, kw_only=True):
    """What happened to the items (uids) since ``since``, the time of the comment that stands."""

    since: datetime
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    reopened: tuple[str, ...] = ()
    estimated: tuple[str, ...] = ()


class Forecast(Struct, frozen=True, kw_only=True):
    """A forecast of this milestone that was published earlier."""

    at: datetime
    probability: float | None = None
    p50: date | None = None
    p85: date | None = None
    due: date | None = None


class Point(Struct, frozen=True):
    """Items done and in scope at the end of a day."""

    on: date
    done: int
    scope: int


class Budget(Struct, frozen=True, kw_only=True):
    """Seconds of work over the milestone's items; ``items`` of them have an estimate."""

    estimate: int
    spent: int
    remaining: int | None = None
    items: int = 0


class Override(Struct, frozen=True, kw_only=True):
    """What a person says the status is, until when and why; shown beside the computed one."""

    status: Status
    by: str
    until: date | None = None
    because: str = ""


class Fellow(Struct, frozen=True, kw_only=True):
    """Another member of a joint milestone that this audience may read; ``key`` and ``title`` are foreign."""

    key: str
    title: str
    status: Status
    url: str = ""


class Commitment(Struct, frozen=True, kw_only=True):
    """A joint milestone that this one is part of. ``status`` is None where this audience may not know it.

    ``fellows`` are the other members that it may read, ``blind`` those of all members that cannot be forecast: None for
    one that it may not read. ``hidden`` says that there are members which it may not read.
    """

    name: str
    owner: str = ""
    due: date | None = None
    status: Status | None = None
    probability: float | None = None
    p50: date | None = None
    p85: date | None = None
    fellows: tuple[Fellow, ...] = ()
    blind: tuple[Fellow | None, ...] = ()
    hidden: bool = False


class View(Struct, frozen=True, kw_only=True):
    """All that a summary may tell one audience; nothing else reaches the document.

    ``items`` maps the uid of every issue that may be named to it; ``open`` are the uids of the members that are open
    now. ``changes`` is None when no comment stands yet. ``due_dates`` are all that were seen, oldest first.
    ``then`` is what was told before the changes; ``forecasts`` were published earlier, oldest first; ``calibration``
    says in our words how such forecasts did. ``points`` draw the burn-up. ``commands`` says whether people's
    ``/milesync`` comments are listened to; ``aggregate`` that sources count whose items this audience may not read.
    ``commitments`` are the joint milestones that it is part of, ``findings`` what its definition lacks, ``criteria``
    its exit criteria. ``good_news`` is a line of our own words; ``page`` the address of its page in the report;
    ``loads`` are people who carry too much, ``unreviewed`` the uids of open issues that wait for a reviewer.
    """

    health: Health
    milestone: Milestone
    project: str
    items: Mapping[str, Issue] = {}
    open: tuple[str, ...] = ()
    changes: Changes | None = None
    owners: tuple[str, ...] = ()
    due_dates: tuple[DueDate, ...] = ()
    sources: tuple[Seen, ...] = ()
    then: Told | None = None
    forecasts: tuple[Forecast, ...] = ()
    calibration: str = ""
    points: tuple[Point, ...] = ()
    budget: Budget | None = None
    override: Override | None = None
    commands: bool = False
    aggregate: bool = False
    commitments: tuple[Commitment, ...] = ()
    findings: tuple[Finding, ...] = ()
    criteria: Criteria = Criteria()
    good_news: str = ""
    page: str = ""
    loads: tuple[Load, ...] = ()
    unreviewed: tuple[str, ...] = ()


def meaning(view: View) -> str:
    """A hash of what the summary means: status, reasons, levers, dates, items and P to 5 %. The same meaning is not
    written again. The wording, times of day and the list of changes do not count: when nothing has changed since the
    comment that stands, its list of changes still holds.
    """
    health = view.health
    said: Any = (
        health.status,
        health.unknown,
        None if health.probability is None else round(health.probability * 20),
        (health.due, health.baseline, health.dates.p50, health.dates.p85),
        (health.counts.open, health.counts.done, health.counts.removed),
        sorted((one.kind.value, sorted(one.items), _rounded(one.values)) for one in health.reasons),
        [
            (one.kind.value, one.items, _rounded(one.values), round((one.probability or 0) * 20))
            for one in health.levers
        ],
        [(uid, *_told(view.items.get(uid))) for uid in sorted(view.open)],
        view.milestone.title,
        view.owners,
        view.override,
        sorted(source.name for source in view.sources if source.stale_since is not None),
        view.aggregate,
        [msgspec.structs.replace(one, probability=None, p50=None) for one in view.commitments],
        (view.findings, view.criteria),
        *([view.page] if view.page else []),
        (view.loads, view.unreviewed),
    )
    return hashlib.blake2b(msgspec.json.encode(said, order="sorted"), digest_size=8).hexdigest()


def _told(issue: Issue | None) -> tuple[Any, ...]:
    if issue is None:
        return ()
    return (issue.title, issue.due, issue.estimate, issue.points, bool(issue.assignees), bool(issue.blocked_by))


def _rounded(values: Mapping[str, Value]) -> list[tuple[str, Value]]:
    """Values about as their sentences show them: one that wanders in its decimals says nothing new."""
    return sorted(
        (name, round(value, 1 if abs(value) < 1 else 0) if isinstance(value, float) else value)
        for name, value in values.items()
    )
