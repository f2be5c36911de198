"""Gather everything that the report shows from the store: present and earlier assessments, pages, calibration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from ipaddress import ip_address
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sync.assess.explain import batch_numbers
from sync.assess.input_digests import input_digests
from sync.assess.milestone import AssessedMilestone, AssessmentRules
from sync.assess.portfolio import AnyMilestone, AssessedJointMilestone, Portfolio
from sync.assess.portfolio_findings import find_in_portfolio
from sync.assess.relations import assess_healths, build_portfolio
from sync.assess.shown import shown_to
from sync.assess.snapshot import Snapshot
from sync.forecast.track_record import LEAST_DATES, has_track_record
from sync.model.audience import OPERATOR, Audience
from sync.model.closing import ClosingRecord
from sync.model.dates import day_of
from sync.model.health import Health
from sync.model.inputs import InputState
from sync.model.portfolio_finding import PortfolioFinding
from sync.report.page_links import has_page
from sync.report.verdict import outage_words
from sync.site.calibration import (
    DateReliability,
    GivenDates,
    ReplayResult,
    date_reliabilities,
    given_dates,
    replay_forecasts,
    replay_inputs,
)
from sync.site.joint_page import JointPage, joint_page
from sync.site.milestone_page import DependencyRow, MilestonePage, PageFacts, PageNumbers, milestone_page
from sync.site.portfolio import (
    Change,
    DateRange,
    Row,
    assessment_summary,
    changes,
    date_range,
    joint_row,
    milestone_row,
    worst_first,
)
from sync.site.whatif_table import what_if
from sync.store.assessments import AssessmentSummary
from sync.store.store import Store
from sync.tracker.connection import Connection
from sync.tracker.observed import StatusIssue

__all__ = ["ChangesSince", "Contents", "StaleProject", "gather"]


@dataclass(frozen=True)
class ChangesSince:
    """Changes since an earlier time (UTC). ``is_recomputed``: no assessment was stored then, so it was replayed."""

    at: datetime
    word: str
    changes: tuple[Change, ...]
    is_recomputed: bool


@dataclass(frozen=True)
class StaleProject:
    """A project, or an entry of the configuration, whose last pull failed.

    ``outage`` says since when, and how many milestones have no present verdict because of it: those of ``rows``.
    """

    name: str
    outage: str
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Contents:
    """The whole report for one audience at one time (UTC). ``oldest``: the oldest full pull; None without any.

    ``numbers`` computes those of some of the pages, by the uid of the milestone, ``replay`` the back-test from inputs
    with the digest ``replay_inputs``.
    ``is_local``: all trackers are on this machine, as the sandbox's are.
    """

    at: datetime
    audience: str
    assessed: tuple[AssessedMilestone, ...]
    joints: tuple[AssessedJointMilestone, ...]
    rows: tuple[Row, ...]
    span: DateRange
    since: tuple[ChangesSince, ...]
    stale: tuple[StaleProject, ...]
    oldest: datetime | None
    pages: tuple[MilestonePage, ...]
    numbers: Callable[[Collection[str]], Mapping[str, PageNumbers]]
    joint_pages: tuple[JointPage, ...]
    replay: Callable[[], ReplayResult]
    replay_inputs: str
    reliabilities: tuple[DateReliability, ...]
    given_dates: tuple[GivenDates, ...]
    findings: tuple[PortfolioFinding, ...] = ()
    is_local: bool = False
    least_dates: int = LEAST_DATES

    @property
    def has_track_record(self) -> bool:
        """True if a stream of the report has a track record."""
        return any(has_track_record(entry.score) for entry in self.reliabilities)


def gather(
    store: Store,
    connections: Sequence[Connection],
    at: datetime,
    book: AssessmentRules,
    audience: Audience,
    *,
    replay: bool = False,
    known: Portfolio | None = None,
) -> Contents:
    """Gather the report as an audience may read it, at a time (UTC). Reads the store and asks no tracker.

    ``known``: a portfolio that stays in memory, whose issues are shared.
    """
    # first, since a replay takes as much memory as the present
    earlier = [
        _earlier_state(store, connections, at - timedelta(days=days), word, book, audience)
        for days, word in ((1, "yesterday"), (7, "last week"))
    ]
    reading = Snapshot(store, connections, at, book, replay=replay, audience=audience)
    _share_issues(reading, known)
    portfolio = build_portfolio(reading)
    assessed, joints = shown_to(audience, portfolio)
    rows = [
        milestone_row(milestone, at, paged=has_page(milestone.is_running, milestone.milestone.closed_at, at))
        for milestone in assessed
    ]
    paged = [(milestone, row) for milestone, row in zip(assessed, rows, strict=True) if row.page]
    joint_rows = [(joint, joint_row(joint, at, {milestone.uid for milestone, _ in paged})) for joint in joints]
    rows += [row for _, row in joint_rows]
    tables = reading.history(connections[0])[0]
    zones = {milestone.uid: milestone.connection.zone for milestone in portfolio.milestones}
    reliabilities = date_reliabilities(tables.ledger, at, book.calendar, reading.container_rules, reading.scores, zones)
    assessments = _earlier_assessments(store, reading, audience)
    records = _readable_records(store, [joint.health for joint in joints], audience)
    return Contents(
        at=at,
        audience=audience.name,
        assessed=tuple(assessed),
        joints=tuple(joints),
        rows=tuple(worst_first(rows)),
        span=date_range([row.health for row in rows if not row.health.status.is_over], _today(rows, at)),
        since=tuple(_changes_since(state, rows) for state in earlier),
        findings=find_in_portfolio(store, portfolio, audience, replay=replay),
        stale=()
        if replay
        else _stale_projects(store, connections, audience, tuple(zip([*assessed, *joints], rows, strict=True))),
        oldest=min((milestone.read_at for milestone in assessed if milestone.read_at), default=None),
        pages=tuple(_pages(store, reading, portfolio, paged, assessments, reliabilities, audience)),
        numbers=lambda uids: _page_numbers(reading, [milestone for milestone, _ in paged if milestone.uid in uids]),
        joint_pages=tuple(
            joint_page(joint, row, assessments.get(joint.written, ()), records.get(joint.written))
            for joint, row in joint_rows
        ),
        replay=lambda: replay_forecasts(tables, at, book.calendar),
        replay_inputs=replay_inputs(tables, at, book.calendar),
        reliabilities=tuple(reliabilities),
        given_dates=tuple(given_dates(reading.scores)),
        is_local=all(_is_loopback(connection.connector.base_url) for connection in connections),
    )


def _share_issues(reading: Snapshot, known: Portfolio | None) -> None:
    issues = {milestone.connection.name: milestone.issues for milestone in known.milestones} if known else {}
    for rows in reading.rows:
        rows.share_issues(issues.get(rows.connection.name))


def _today(rows: Sequence[Row], at: datetime) -> date:
    """Return the day in which most milestones are, as connections can be in several time zones."""
    days = [row.facts.today for row in rows]
    return max(sorted(set(days)), key=days.count) if days else day_of(at, ZoneInfo("UTC"))


@dataclass(frozen=True)
class _EarlierState:
    """The assessments as of an earlier time (UTC), by container; see `ChangesSince`."""

    at: datetime
    word: str
    assessments: Mapping[str, AssessmentSummary]
    is_recomputed: bool


def _earlier_state(
    store: Store,
    connections: Sequence[Connection],
    at: datetime,
    word: str,
    book: AssessmentRules,
    audience: Audience,
) -> _EarlierState:
    """Return the assessments stored by ``at``; replay them when none are stored."""
    stored = store.as_of(at, audience.name)
    if stored:
        return _EarlierState(at, word, stored, is_recomputed=False)
    replayed = Snapshot(store, connections, at, book, replay=True, audience=audience).without_advice()
    healths = assess_healths(replayed).values()
    summaries = {health.container: assessment_summary(health) for health in healths}
    return _EarlierState(at, word, summaries, is_recomputed=True)


def _changes_since(earlier: _EarlierState, rows: Sequence[Row]) -> ChangesSince:
    """Compare the rows with the earlier assessments."""
    shown = [row for row in rows if not row.health.status.is_over or row.uid in earlier.assessments]
    changed = tuple(changes(shown, earlier.assessments))
    return ChangesSince(earlier.at, earlier.word, changed, earlier.is_recomputed)


def _is_loopback(address: str) -> bool:
    """Return whether a web address is of this machine, as the sandbox's are."""
    host = urlsplit(address).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _stale_projects(
    store: Store,
    connections: Sequence[Connection],
    audience: Audience,
    milestones: Sequence[tuple[AnyMilestone, Row]],
) -> tuple[StaleProject, ...]:
    """Return the projects whose last pull failed, never pulled ones included.

    An audience sees only projects that it may read. Who may read a project that was never pulled is unknown, so only
    the report for everybody lists it.
    """
    failed, stale = store.stale_projects(), dict[str, StaleProject]()
    for connection in connections:
        origin = connection.source
        watched = store.watched_projects(connection.name, origin)
        pulled = {p.key for p in store.projects(origin) if p.id in watched and audience.may_read(connection.name, p)}
        keys = pulled.union(connection.projects) if audience is OPERATOR else pulled
        for key in (key for key in keys if (origin, key) in failed):
            hidden = tuple(row for milestone, row in milestones if _misses(milestone, connection.name, key))
            outage = outage_words(failed[origin, key], [row.facts for row in hidden])
            stale[f"{connection.name}:{key}"] = StaleProject(f"{connection.name}:{key}", outage, hidden)
    return tuple(stale[name] for name in sorted(stale))


def _misses(milestone: AnyMilestone, connection: str, pattern: str) -> bool:
    """Return whether data of a project, or of the projects of a pattern, is missing for the milestone's verdict."""
    return milestone.health.stale_since is not None and any(
        entry.connection == connection and entry.state is not InputState.READ and fnmatchcase(entry.project, pattern)
        for entry in milestone.inputs
    )


def _earlier_assessments(store: Store, reading: Snapshot, audience: Audience) -> dict[str, list[AssessmentSummary]]:
    """Return the assessments that changed what an audience knew, up to the time of the reading, by container."""
    assessments = store.status_changes(audience.name)
    return {name: [entry for entry in entries if entry.at <= reading.at] for name, entries in assessments.items()}


def _pages(
    store: Store,
    reading: Snapshot,
    portfolio: Portfolio,
    paged: Sequence[tuple[AssessedMilestone, Row]],
    assessments: Mapping[str, Sequence[AssessmentSummary]],
    reliabilities: Sequence[DateReliability],
    audience: Audience,
) -> list[MilestonePage]:
    for rows in reading.rows:
        rows.prefetch_items({milestone.uid for milestone, _ in paged})
    observed = store.last_observations()
    digests = input_digests(reading, [milestone for milestone, _ in paged])
    reliability = {entry.stream: entry for entry in reliabilities}
    records = _readable_records(store, [milestone.health for milestone, _ in paged], audience)
    before, after = _dependency_rows(portfolio, {milestone.uid: row for milestone, row in paged}, reading.at)
    return [
        milestone_page(
            milestone,
            row,
            PageFacts(
                assessments=assessments.get(milestone.uid, ()),
                status_issue=_readable_issue(milestone, observed.get(milestone.uid, (None, None))[0], audience),
                inputs=digests[milestone.uid],
                score=reading.scores.get(milestone.stream),
                reliability=reliability.get(milestone.stream),
                before=tuple(before.get(milestone.uid, ())),
                after=tuple(after.get(milestone.uid, ())),
                record=records.get(milestone.uid),
            ),
        )
        for milestone, row in paged
    ]


def _readable_records(store: Store, healths: Iterable[Health], audience: Audience) -> Mapping[str, ClosingRecord]:
    """Return the closing records of what is over, by container.

    A record holds items that the readers of the milestone's comment may see, but not every audience.
    """
    if audience is not OPERATOR:
        return {}
    return store.records([health.container for health in healths if health.status.is_over])


def _readable_issue(milestone: AssessedMilestone, issue: StatusIssue | None, audience: Audience) -> StatusIssue | None:
    """Return the status issue if the audience may see it: an issue that a person chose may be in another project."""
    return issue if audience is OPERATOR or not milestone.report_on else None


def _dependency_rows(
    portfolio: Portfolio, rows: Mapping[str, Row], at: datetime
) -> tuple[dict[str, list[DependencyRow]], dict[str, list[DependencyRow]]]:
    """Return by uid the milestones that each milestone waits for, and those that wait for it."""
    known = {
        milestone.uid: rows.get(milestone.uid) or milestone_row(milestone, at, paged=False)
        for milestone in portfolio.milestones
    }
    before: dict[str, list[DependencyRow]] = defaultdict(list)
    after: dict[str, list[DependencyRow]] = defaultdict(list)
    for dependency in portfolio.dependencies:
        before[dependency.after].append(DependencyRow(known[dependency.before], dependency.issues))
        after[dependency.before].append(DependencyRow(known[dependency.after], dependency.issues))
    return before, after


def _page_numbers(reading: Snapshot, milestones: Sequence[AssessedMilestone]) -> dict[str, PageNumbers]:
    """Return the numbers of the pages of milestones, by uid."""
    found: dict[str, PageNumbers] = {}
    for places, batch in reading.batches([milestone.uid for milestone in milestones]):
        own = [milestones[place] for place in places]
        # what has no forecast of its own has no what-if table
        healths = [milestone.health for milestone in own]
        published = [health.probability if _has_own_forecast(health) else None for health in healths]
        explained = batch_numbers(reading, batch, own)
        for milestone, table in zip(own, what_if(batch, published), strict=True):
            found[milestone.uid] = PageNumbers(explained[milestone.uid], table)
    return found


def _has_own_forecast(health: Health) -> bool:
    """Return whether the probability comes from a forecast; while the stream is calibrated it is the hit rate."""
    return health.probability is not None and not health.basis.calibrating
