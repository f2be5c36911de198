"""Everything that a milestone's own page tells, as plain values for its template."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec

from sync import report
from sync.action import StatusIssue
from sync.assessment import Assessed
from sync.desire import view
from sync.details import flagged
from sync.farewell import farewell
from sync.history import burnup, is_member, is_open
from sync.markup.document import Document, clean
from sync.markup.html import html
from sync.model import Health, Issue, Lever, Membership, Reason, Status
from sync.plan import Marker, MarkerKind
from sync.record import Record
from sync.selfscore import StreamScore
from sync.sentences import STATUS, against, day, lever, plural, reason
from sync.site import charts
from sync.site.charts import BurnUp
from sync.site.rows import Row
from sync.site.track import Promise
from sync.site.whatif import WhatIf
from sync.store import Said
from sync.view import Point, View

__all__ = ["POINTS", "Page", "Past", "Waiting", "burn_up_of", "page", "picture", "told", "turned"]

POINTS = 90
"""Days of the burn-up that are drawn at most."""

NAMED = 100
"""Items named in one list of a page at most; the rest is counted."""


@dataclass(frozen=True)
class Moved:
    """One change of scope."""

    at: datetime
    word: str
    issue: Issue | None


@dataclass(frozen=True)
class Worker:
    """A person and their items in the milestone; the name is empty for what nobody has."""

    name: str
    open: tuple[Issue, ...]
    done: int


@dataclass(frozen=True)
class Past:
    """Something that happened to the milestone as such."""

    at: datetime
    kind: str
    words: str
    status: Status | None = None


@dataclass(frozen=True)
class Pull:
    """A lever in words; ``probability`` is what it gives."""

    words: str
    effect: str
    probability: float | None
    items: tuple[Issue, ...]


@dataclass(frozen=True)
class Waiting:
    """Another milestone that this one waits for, or that waits for this one; ``issues`` blocked ones say so, with 0 of
    them the configuration does.
    """

    row: Row
    issues: int


@dataclass(frozen=True)
class Page:
    """One milestone. Foreign texts are as they came; the template escapes them."""

    one: Assessed
    row: Row
    verdict: str
    chart: BurnUp | None
    reasons: tuple[tuple[Reason, str], ...]
    levers: tuple[Pull, ...]
    what_if: WhatIf | None
    scope: tuple[Moved, ...]
    people: tuple[Worker, ...]
    attention: tuple[tuple[Issue, tuple[str, ...]], ...]
    history: tuple[Past, ...]
    status_issue: str
    explained: Mapping[str, Any]
    score: StreamScore | None
    promise: Promise | None
    before: tuple[Waiting, ...]
    after: tuple[Waiting, ...]
    record: str

    @property
    def alone(self) -> Mapping[str, Any] | None:
        """Its health without what it waits for, where that moves it."""
        found: Mapping[str, Any] | None = self.explained.get("health_alone")
        return found

    @property
    def health(self) -> Health:
        """Its health."""
        return self.row.health

    @property
    def days_left(self) -> int | None:
        """Days until the due date; negative once it has passed."""
        return (self.health.due - self.health.at.date()).days if self.health.due else None


def page(
    one: Assessed,
    line: Row,
    *,
    turns: Sequence[Said],
    status_issue: StatusIssue | None,
    what_if: WhatIf | None,
    explained: Mapping[str, Any],
    score: StreamScore | None,
    promise: Promise | None = None,
    before: Sequence[Waiting] = (),
    after: Sequence[Waiting] = (),
    record: Record | None = None,
) -> Page:
    """A milestone's page from its assessment, what was said and posted about it, and what was computed beforehand."""
    shown = view(one, now=one.health.at)
    return Page(
        one=one,
        row=line,
        verdict=html(Document((report.summary(shown).sections[0],))),
        chart=burn_up_of(one),
        reasons=tuple((why, reason(why)) for why in one.health.reasons),
        levers=tuple(_pull(one, offer) for offer in one.health.levers),
        what_if=what_if,
        scope=tuple(_scope(one)),
        people=tuple(_people(one)),
        attention=_attention(shown),
        history=tuple(_history(one, turns, status_issue)),
        status_issue=status_issue.url if status_issue else "",
        explained=explained,
        score=score,
        promise=promise,
        before=tuple(before),
        after=tuple(after),
        record=html(farewell(record)) if record else "",
    )


def burn_up_of(one: Assessed) -> BurnUp | None:
    """The burn-up of a milestone; None when it has not begun, or holds nothing."""
    health, zone = one.health, one.source.zone
    today = health.at.astimezone(zone).date()
    until = today
    if health.status is Status.DONE and one.milestone.closed_at is not None:
        until = min(until, one.milestone.closed_at.date())
    start = health.start
    if start is None or start >= until or not one.stays:
        return None
    span = (until - start).days
    count = min(POINTS, span + 1)
    days = sorted({start + timedelta(days=round(span * n / (count - 1))) for n in range(count)})
    points = [Point(on, done, scope) for on, scope, done in burnup(one.stays, days, zone)]
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


def picture(one: Assessed, *, percent: bool = True) -> bytes | None:
    """The burn-up as a PNG, for what cannot draw: attachments and e-mail. None when there is nothing to draw.

    Without ``percent`` it names no percentages.
    """
    chart = burn_up_of(one)
    return None if chart is None else charts.png(charts.burn_up(chart, percent=percent, dated=True))


def told(one: Assessed) -> str:
    """A digest (12 hex digits) of what the picture tells; empty when there is nothing to draw.

    That days go by tells nothing new, so a day counts only if a line moved on it, and a date of the forecast, which
    wanders from day to day, by its week.
    """
    chart = burn_up_of(one)
    if chart is None:
        return ""
    first = chart.points[0].on
    days = [first + timedelta(days=n) for n in range((chart.today - first).days + 1)]
    levels = list(burnup(one.stays, days, one.source.zone))
    moves = [now for before, now in pairwise(levels) if before[1:] != now[1:]]
    weeks = [None if on is None else on.isocalendar()[:2] for on in (chart.p50, chart.p85, chart.p95)]
    last = chart.points[-1]
    said = (levels[0], moves, last.done, last.scope, chart.over, chart.due, chart.baseline, weeks)
    return hashlib.blake2b(msgspec.json.encode(said), digest_size=6).hexdigest()


def _pull(one: Assessed, offer: Lever) -> Pull:
    words, effect = lever(offer, one.health.due)
    items = tuple(one.issues[uid] for uid in offer.items[:5] if uid in one.issues)
    return Pull(words, effect, offer.probability, items)


def _scope(one: Assessed) -> list[Moved]:
    """What joined after the start, left, was reopened, closed, or taken out, the newest first."""
    begin = _begin(one)
    reopened = {(stay.item, stay.reopened) for stay in one.stays if stay.reopened}
    found: list[Moved] = []
    for stay in one.stays:
        issue = one.issues.get(stay.item)
        if (stay.item, stay.joined) in reopened:
            found.append(Moved(stay.joined, "reopened", issue))
        elif stay.joined > begin:
            found.append(Moved(stay.joined, "added", issue))
        if stay.left is not None:
            found.append(Moved(stay.left, "removed", issue))
        if stay.closed is not None:
            found.append(Moved(stay.closed, "taken out" if stay.removed else "closed", issue))
    return sorted(found, key=lambda m: (m.at, m.word, m.issue.key if m.issue else ""), reverse=True)


def _begin(one: Assessed) -> datetime:
    """The end of its first day: what was there by then was planned."""
    start = one.health.start or min((stay.joined.date() for stay in one.stays), default=one.health.at.date())
    return datetime.combine(start, datetime.min.time(), one.source.zone) + timedelta(days=1)


def _people(one: Assessed) -> Iterable[Worker]:
    """Who has what, those with the most open items first, nobody's last."""
    at = one.health.at
    mine: dict[str, tuple[list[Issue], list[Issue]]] = {}
    for stay in _members(one.stays, at):
        issue = one.issues.get(stay.item)
        if issue is None or stay.removed:
            continue
        for name in [person.name for person in issue.assignees] or [""]:
            mine.setdefault(name, ([], []))[0 if is_open(stay, at) else 1].append(issue)
    for name in sorted(mine, key=lambda n: (not n, -len(mine[n][0]), -len(mine[n][1]), n)):
        has, did = mine[name]
        yield Worker(clean(name) if name else "", tuple(sorted(has, key=lambda i: i.updated_at)), len(did))


def _members(stays: Iterable[Membership], at: datetime) -> Iterable[Membership]:
    return (stay for stay in stays if is_member(stay, at))


def _attention(shown: View) -> tuple[tuple[Issue, tuple[str, ...]], ...]:
    return () if shown.health.status is Status.DONE else tuple(flagged(shown))


def _history(one: Assessed, turns: Sequence[Said], status_issue: StatusIssue | None) -> list[Past]:
    """Statuses, comments and slips, the newest first."""
    found = list(turned(turns))
    noted = [entry for entry in one.due_dates if entry.seen <= one.health.at]
    for before, after in pairwise(noted):
        since = f", since {day(after.after.date())}" if after.after and after.after.date() != after.seen.date() else ""
        found.append(Past(after.seen, "due date", f"{_slip(before.due, after.due)}{since}"))
    if noted and noted[0].due is not None:
        found.append(Past(noted[0].seen, "due date", f"first seen as {day(noted[0].due)}"))
    for comment in status_issue.comments if status_issue else ():
        marker = Marker.decode(comment.marker)
        if marker is not None and marker.kind is MarkerKind.TRANSITION and marker.status is not None:
            found.append(Past(comment.created_at, "comment", f"told: {STATUS[marker.status]}"))
        elif marker is not None and marker.kind is MarkerKind.SUMMARY:
            found.append(Past(comment.created_at, "comment", "summary comment made"))
    ended = one.milestone.closed_at
    if ended is not None and ended <= one.health.at:
        late = f", {against(ended.date(), one.health.due)}" if one.health.due else ""
        found.append(Past(ended, "closed", f"closed{late}"))
    return sorted(found, key=lambda past: past.at, reverse=True)


def turned(turns: Sequence[Said]) -> Iterator[Past]:
    """Each change of the status in what was said, given oldest first; told newest first."""
    statuses = [None, *(said.status for said in turns)]
    for before, said in reversed(list(zip(statuses, turns, strict=False))):
        if said.status is not before:
            was = f", was {STATUS[before]}" if before is not None else ""
            yield Past(said.at, "status", f"{STATUS[said.status]}{was}", said.status)


def _slip(before: date | None, after: date | None) -> str:
    if before is None or after is None:
        return f"{day(before) if before else 'none'} → {day(after) if after else 'none'}"
    days = (after - before).days
    return f"{day(before)} → {day(after)}, {plural(abs(days), 'day')} {'later' if days > 0 else 'earlier'}"
