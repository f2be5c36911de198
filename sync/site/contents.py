"""From the store to everything that the report shows: assessments now and then, pages, and the record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from sync.assess.milestone import AssessedMilestone, AssessmentRules
from sync.assess.portfolio import AssessedJointMilestone, Portfolio
from sync.assess.relations import build_portfolio
from sync.assess.snapshot import Snapshot
from sync.forecast.batch import forecast_batches
from sync.model.audience import EVERYBODY, Audience
from sync.model.health import Health, Status
from sync.report.page_links import has_page
from sync.site.calibration import DateReliability, Replayed, promises, replayed
from sync.site.joint_page import JointPage, joint_page
from sync.site.milestone_page import MilestonePage, Waiting, page
from sync.site.portfolio import Change, DateRange, Row, changes, joint_row, row, said, span, worst_first
from sync.site.whatif_table import WhatIf, what_if
from sync.store.store import AssessmentSummary, Store
from sync.tracker.connection import Connection
from sync.tracker.observed import StatusIssue

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
    assessed: tuple[AssessedMilestone, ...]
    joints: tuple[AssessedJointMilestone, ...]
    rows: tuple[Row, ...]
    span: DateRange
    since: tuple[Since, ...]
    stale: tuple[Stale, ...]
    oldest: datetime | None
    pages: tuple[MilestonePage, ...]
    joint_pages: tuple[JointPage, ...]
    replayed: Replayed
    promises: tuple[DateReliability, ...]


def gather(
    store: Store,
    sources: Sequence[Connection],
    at: datetime,
    book: AssessmentRules,
    audience: Audience,
    *,
    replay: bool = False,
) -> Contents:
    """Everything for the report as an audience may read it, at a time (UTC). Reads the store, asks no tracker."""
    reading = Snapshot(store, sources, at, book, replay=replay, audience=audience)
    whole = build_portfolio(reading)
    assessed = [milestone for milestone in whole.milestones if audience.shown(milestone.written)]
    joints = _whole_ones(whole.joints, audience)
    rows = [
        row(milestone, paged=has_page(milestone.running, milestone.milestone.closed_at, at)) for milestone in assessed
    ]
    own = {milestone.uid: line for milestone, line in zip(assessed, rows, strict=True)}
    paged = [(milestone, own[milestone.uid]) for milestone in assessed if own[milestone.uid].page]
    whole_ones = [(joint, joint_row(joint, {milestone.uid for milestone, _ in paged})) for joint in joints]
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
        oldest=min((milestone.read_at for milestone in assessed if milestone.read_at), default=None),
        pages=tuple(_pages(store, reading, whole, paged, turns, kept, audience)),
        joint_pages=tuple(joint_page(joint, line, turns.get(joint.written, ())) for joint, line in whole_ones),
        replayed=replayed(past, at, book.calendar),
        promises=tuple(kept),
    )


def _since(
    store: Store,
    sources: Sequence[Connection],
    at: datetime,
    word: str,
    book: AssessmentRules,
    audience: Audience,
    rows: Sequence[Row],
) -> Since:
    then = store.said_at(at, audience.name)
    recomputed = not then
    if recomputed:
        then = _then(build_portfolio(Snapshot(store, sources, at, book, replay=True, audience=audience)))
    shown = [r for r in rows if r.health.status is not Status.DONE or r.uid in then]
    return Since(at, word, tuple(changes(shown, then)), recomputed)


def _then(whole: Portfolio) -> dict[str, AssessmentSummary]:
    found = {milestone.uid: said(milestone.health) for milestone in whole.milestones}
    return found | {joint.written: said(joint.health) for joint in whole.joints}


def _whole_ones(joints: Sequence[AssessedJointMilestone], audience: Audience) -> list[AssessedJointMilestone]:
    """The joint milestones that an audience is shown: those of which it may read every member."""
    return [joint for joint in joints if audience.shown(joint.written) and not (audience.name and joint.missing)]


def _stale(store: Store, sources: Sequence[Connection], audience: Audience) -> tuple[Stale, ...]:
    """What could not be read, also where nothing is known of it. An audience is told of projects that it may read only:
    of what was never read nobody knows who may.
    """
    failed, found = store.stale(), set[tuple[str, datetime | None]]()
    for source in sources:
        origin = source.connector.base_url
        watched = store.watched(source.name, origin)
        known = {p.key for p in store.projects(origin) if p.id in watched and audience.sees(source.name, p)}
        named = known.union(source.projects) if audience is EVERYBODY else known
        found |= {(f"{source.name}:{key}", failed[origin, key]) for key in named if (origin, key) in failed}
    return tuple(Stale(name, since) for name, since in sorted(found, key=lambda one: one[0]))


def _turns(store: Store, reading: Snapshot, audience: Audience) -> dict[str, list[AssessmentSummary]]:
    """What was said to an audience until then, where it was new, by container."""
    found = store.turns(audience.name)
    return {name: [said for said in told if said.at <= reading.at] for name, told in found.items()}


def _pages(
    store: Store,
    reading: Snapshot,
    whole: Portfolio,
    paged: Sequence[tuple[AssessedMilestone, Row]],
    turns: Mapping[str, Sequence[AssessmentSummary]],
    kept: Sequence[DateReliability],
    audience: Audience,
) -> list[MilestonePage]:
    observed = store.observed()
    tables = _tables(reading, [milestone for milestone, _ in paged])
    promise = {one.stream: one for one in kept}
    before, after = _waiting(whole, {milestone.uid: line for milestone, line in paged})
    # a record was written for those who read the milestone's comment
    records = store.records([milestone.uid for milestone, _ in paged]) if audience is EVERYBODY else {}
    return [
        page(
            milestone,
            line,
            turns=turns.get(milestone.uid, ()),
            status_issue=_seen(milestone, observed.get(milestone.uid, (None, None))[0], audience),
            what_if=tables.get(milestone.uid),
            explained=_explained(reading, milestone),
            score=reading.scores.get(milestone.stream),
            promise=promise.get(milestone.stream),
            before=before.get(milestone.uid, ()),
            after=after.get(milestone.uid, ()),
            record=records.get(milestone.uid) if milestone.health.status is Status.DONE else None,
        )
        for milestone, line in paged
    ]


def _seen(milestone: AssessedMilestone, issue: StatusIssue | None, audience: Audience) -> StatusIssue | None:
    """The status issue, if an audience may know of it: one that a person chose may be in another project."""
    return issue if audience is EVERYBODY or not milestone.report_on else None


def _waiting(whole: Portfolio, lines: Mapping[str, Row]) -> tuple[dict[str, list[Waiting]], dict[str, list[Waiting]]]:
    """What each milestone waits for, and what waits for it, by uid."""
    known = {milestone.uid: lines.get(milestone.uid) or row(milestone, paged=False) for milestone in whole.milestones}
    before: dict[str, list[Waiting]] = defaultdict(list)
    after: dict[str, list[Waiting]] = defaultdict(list)
    for dependency in whole.dependencies:
        before[dependency.after].append(Waiting(known[dependency.before], dependency.issues))
        after[dependency.before].append(Waiting(known[dependency.after], dependency.issues))
    return before, after


def _explained(reading: Snapshot, milestone: AssessedMilestone) -> Mapping[str, Any]:
    """Every number behind it; where other milestones moved its health, what it would be alone stands beside."""
    found = reading.explain(milestone.written) or {}
    told = msgspec.to_builtins(milestone.health)
    return found if found.get("health") == told else {**found, "health": told, "health_alone": found.get("health")}


def _tables(reading: Snapshot, ones: Sequence[AssessedMilestone]) -> Mapping[str, WhatIf]:
    """What would be if, for each milestone that has a forecast of its own."""
    found: dict[str, WhatIf] = {}
    for milestone in ones:
        if not _asks(milestone.health):
            continue
        past, _ = reading.history(milestone.source, milestone.project)
        (outlook,) = forecast_batches(past, [past.ledger.index[milestone.uid]], [reading.at], reading.book.calendar)
        table = what_if(outlook, 0, milestone.health.probability)
        if table is not None:
            found[milestone.uid] = table
    return found


def _asks(health: Health) -> bool:
    """Whether a forecast stands behind its probability; where the hit rate stands in for it, nothing can be asked."""
    return health.probability is not None and not health.basis.calibrating
