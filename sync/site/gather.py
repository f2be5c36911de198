"""From the store to everything that the report shows: assessments now and then, pages, and the record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from sync.action import StatusIssue
from sync.assessment import Assessed, Rulebook
from sync.audience import EVERYBODY, Audience
from sync.model import Health, Status
from sync.outlook import outlooks
from sync.pages import has_page
from sync.reading import Reading
from sync.site.jointpage import JointPage, joint_page
from sync.site.milestone import Page, Waiting, page
from sync.site.rows import Change, Row, Span, changes, joint_row, row, said, span, worst_first
from sync.site.track import Promise, Replayed, promises, replayed
from sync.site.whatif import WhatIf, what_if
from sync.source import Source
from sync.store import Said, Store
from sync.together import JointAssessed, Whole, relate

__all__ = ["Contents", "Since", "gather"]


@dataclass(frozen=True)
class Since:
    """What changed since an earlier time. ``recomputed`` says that nothing was stored then, so that it was replayed."""

    at: datetime
    word: str
    changes: tuple[Change, ...]
    recomputed: bool


@dataclass(frozen=True)
class Stale:
    """A project, or a word of the configuration, whose last pull failed: what is shown of it is unknown since its last
    full reading; None when there never was one.
    """

    name: str
    since: datetime | None


@dataclass(frozen=True)
class Contents:
    """The whole report for one audience at one time."""

    at: datetime
    audience: str
    assessed: tuple[Assessed, ...]
    joints: tuple[JointAssessed, ...]
    rows: tuple[Row, ...]
    span: Span
    since: tuple[Since, ...]
    stale: tuple[Stale, ...]
    oldest: datetime | None
    pages: tuple[Page, ...]
    joint_pages: tuple[JointPage, ...]
    replayed: Replayed
    promises: tuple[Promise, ...]


def gather(
    store: Store, sources: Sequence[Source], at: datetime, book: Rulebook, audience: Audience, *, replay: bool = False
) -> Contents:
    """Everything for the report as an audience may read it, at a time (UTC). Reads the store, asks no tracker."""
    reading = Reading(store, sources, at, book, replay=replay, audience=audience)
    whole = relate(reading)
    assessed = [one for one in whole.milestones if audience.shown(one.written)]
    joints = _whole_ones(whole.joints, audience)
    rows = [row(one, paged=has_page(one.running, one.milestone.closed_at, at)) for one in assessed]
    own = {one.uid: line for one, line in zip(assessed, rows, strict=True)}
    paged = [(one, own[one.uid]) for one in assessed if own[one.uid].page]
    whole_ones = [(one, joint_row(one, {one.uid for one, _ in paged})) for one in joints]
    rows += [line for _, line in whole_ones]
    past = reading.history(sources[0])[0]
    kept = promises(past, at, book.calendar, reading.scores)
    turns = _turns(store, reading, audience)
    return Contents(
        at=at,
        audience=audience.name,
        assessed=tuple(assessed),
        joints=tuple(joints),
        rows=tuple(worst_first(rows)),
        span=span([r.health for r in rows if r.health.status is not Status.DONE], at.date()),
        since=tuple(
            _since(store, sources, at - timedelta(days=days), word, book, audience, rows)
            for days, word in ((1, "yesterday"), (7, "last week"))
        ),
        stale=() if replay else _stale(store, sources, audience),
        oldest=min((one.read_at for one in assessed if one.read_at), default=None),
        pages=tuple(_pages(store, reading, whole, paged, turns, kept, audience)),
        joint_pages=tuple(joint_page(one, line, turns.get(one.written, ())) for one, line in whole_ones),
        replayed=replayed(past, at, book.calendar),
        promises=tuple(kept),
    )


def _since(
    store: Store,
    sources: Sequence[Source],
    at: datetime,
    word: str,
    book: Rulebook,
    audience: Audience,
    rows: Sequence[Row],
) -> Since:
    then = store.said_at(at, audience.name)
    recomputed = not then
    if recomputed:
        then = _then(relate(Reading(store, sources, at, book, replay=True, audience=audience)))
    shown = [r for r in rows if r.health.status is not Status.DONE or r.uid in then]
    return Since(at, word, tuple(changes(shown, then)), recomputed)


def _then(whole: Whole) -> dict[str, Said]:
    found = {one.uid: said(one.health) for one in whole.milestones}
    return found | {one.written: said(one.health) for one in whole.joints}


def _whole_ones(joints: Sequence[JointAssessed], audience: Audience) -> list[JointAssessed]:
    """The joint milestones that an audience is shown: those of which it may read every member."""
    return [one for one in joints if audience.shown(one.written) and not (audience.name and one.missing)]


def _stale(store: Store, sources: Sequence[Source], audience: Audience) -> tuple[Stale, ...]:
    """What could not be read, also where nothing is known of it. An audience is told of projects that it may read only:
    of what was never read nobody knows who may.
    """
    failed, found = store.stale(), set[tuple[str, datetime | None]]()
    for source in sources:
        origin = source.connector.source
        watched = store.watched(source.name, origin)
        known = {p.key for p in store.projects(origin) if p.id in watched and audience.sees(source.name, p)}
        named = known.union(source.projects) if audience is EVERYBODY else known
        found |= {(f"{source.name}:{key}", failed[origin, key]) for key in named if (origin, key) in failed}
    return tuple(Stale(name, since) for name, since in sorted(found, key=lambda one: one[0]))


def _turns(store: Store, reading: Reading, audience: Audience) -> dict[str, list[Said]]:
    """What was said to an audience until then, where it was new, by container."""
    found = store.turns(audience.name)
    return {name: [said for said in told if said.at <= reading.at] for name, told in found.items()}


def _pages(
    store: Store,
    reading: Reading,
    whole: Whole,
    paged: Sequence[tuple[Assessed, Row]],
    turns: Mapping[str, Sequence[Said]],
    kept: Sequence[Promise],
    audience: Audience,
) -> list[Page]:
    observed = store.observed()
    tables = _tables(reading, [one for one, _ in paged])
    promise = {one.stream: one for one in kept}
    before, after = _waiting(whole, {one.uid: line for one, line in paged})
    # a record was written for those who read the milestone's comment
    records = store.records([one.uid for one, _ in paged]) if audience is EVERYBODY else {}
    return [
        page(
            one,
            line,
            turns=turns.get(one.uid, ()),
            status_issue=_seen(one, observed.get(one.uid, (None, None))[0], audience),
            what_if=tables.get(one.uid),
            explained=_explained(reading, one),
            score=reading.scores.get(one.stream),
            promise=promise.get(one.stream),
            before=before.get(one.uid, ()),
            after=after.get(one.uid, ()),
            record=records.get(one.uid) if one.health.status is Status.DONE else None,
        )
        for one, line in paged
    ]


def _seen(one: Assessed, issue: StatusIssue | None, audience: Audience) -> StatusIssue | None:
    """The status issue, if an audience may know of it: one that a person chose may be in another project."""
    return issue if audience is EVERYBODY or not one.report_on else None


def _waiting(whole: Whole, lines: Mapping[str, Row]) -> tuple[dict[str, list[Waiting]], dict[str, list[Waiting]]]:
    """What each milestone waits for, and what waits for it, by uid."""
    known = {one.uid: lines.get(one.uid) or row(one, paged=False) for one in whole.milestones}
    before: dict[str, list[Waiting]] = defaultdict(list)
    after: dict[str, list[Waiting]] = defaultdict(list)
    for one in whole.dependencies:
        before[one.after].append(Waiting(known[one.before], one.issues))
        after[one.before].append(Waiting(known[one.after], one.issues))
    return before, after


def _explained(reading: Reading, one: Assessed) -> Mapping[str, Any]:
    """Every number behind it; where other milestones moved its health, what it would be alone stands beside."""
    found = reading.explain(one.written) or {}
    told = msgspec.to_builtins(one.health)
    return found if found.get("health") == told else {**found, "health": told, "health_alone": found.get("health")}


def _tables(reading: Reading, ones: Sequence[Assessed]) -> Mapping[str, WhatIf]:
    """What would be if, for each milestone that has a forecast of its own."""
    found: dict[str, WhatIf] = {}
    for one in ones:
        if not _asks(one.health):
            continue
        past, _ = reading.history(one.source, one.project)
        (outlook,) = outlooks(past, [past.ledger.index[one.uid]], [reading.at], reading.book.calendar)
        table = what_if(outlook, 0, one.health.probability)
        if table is not None:
            found[one.uid] = table
    return found


def _asks(health: Health) -> bool:
    """Whether a forecast stands behind its probability; where the hit rate stands in for it, nothing can be asked."""
    return health.probability is not None and not health.basis.calibrating
