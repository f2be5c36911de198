"""From the store's rows to each milestone's health: what belongs to it, for whom, at what time."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from sync.assess.membership_cache import LazyIssues, counted, load_memberships
from sync.assess.milestone import AssessedMilestone, AssessmentRules
from sync.assess.track_record import earlier, told, track_record
from sync.forecast.history_tables import HistoryTables
from sync.forecast.joint import members
from sync.forecast.parameters import Rules
from sync.forecast.throughput_calibration import own_multipliers
from sync.forecast.throughput_calibration import replay as replayed
from sync.forecast.track_record import StreamScore
from sync.health import assess as health
from sync.history import containers as containers_
from sync.history.ledger import days
from sync.history.membership_table import ledger_of
from sync.model.audience import EVERYBODY, Audience
from sync.model.health import Health, Status, UnknownWhy
from sync.model.item_label import undo_own_touches
from sync.model.membership import Container
from sync.model.published import PublishedForecast
from sync.model.tracker_data import Issue, Milestone, MilestoneKind, Project, uid
from sync.store.store import Store
from sync.tracker.connection import Connection, MilestoneOverrides

__all__ = ["Snapshot"]


class Snapshot:
    """The store's rows as an audience may read them, read once for any number of questions about one time.

    Projects share one history, so that a young team may learn from another's milestones of the same kind; but public
    ones learn from public ones only, as their forecasts would else tell how private ones fared. A replay takes no
    memory of earlier statuses, and uses nothing that is dated after ``at``.
    """

    def __init__(
        self,
        store: Store,
        sources: Sequence[Connection],
        at: datetime,
        book: AssessmentRules,
        *,
        replay: bool = False,
        audience: Audience = EVERYBODY,
    ) -> None:
        self.at, self.book = at, book
        reported = frozenset(uid for uid, (issue, _) in store.last_observations().items() if issue is not None)
        self._loaded = [_ConnectionRows(store, source, at, audience, reported) for source in sources]
        self._histories = _Histories(self._loaded, book, at)
        self.ledger = self._histories.ledger
        named = {rows.written(m): name for rows in self._loaded for name, m in rows.milestones.items()}
        self.members = {joint.name: members(joint, named) for joint in book.joints}
        whole = {f"joint:{name}": found for name, (found, missing) in self.members.items() if not missing}
        self.scores = track_record(
            store, self.ledger, book.rules.tolerance, at, whole, only_known=audience is not EVERYBODY
        )
        self._memory = _PreviousRuns() if replay else _PreviousRuns.of(store, self.scores, audience, at)
        self._rooms = [room for rows in self._loaded for room in rows.rooms(self._memory, at, book)]

    @property
    def previous(self) -> Mapping[str, Health]:
        """The last health of each container, joint milestones among them; nothing in a replay."""
        return self._memory.previous

    def container(self, uid: str) -> Container:
        """A milestone as counting sees it. Raises KeyError."""
        return self.ledger.containers[self.ledger.index[uid]]

    def history(self, source: Connection, project: Project | None = None) -> tuple[HistoryTables, Rules]:
        """What forecasts of a source's milestones learn from, with its rules; of one project, or without: of any."""
        return self._histories(source.tolerance, public=project is not None and project.public)

    def assess(self) -> list[AssessedMilestone]:
        """The health of every milestone that the sources admit, in the order of their names."""
        made: list[AssessedMilestone] = []
        for room in self._rooms:
            past, rules = self._histories(room.of.source.tolerance, public=room.public)
            verdicts = health.assess(past, list(room.milestones), self.at, rules=rules, **room.given)
            made += room.of.assessed(verdicts, self._memory)
        return sorted(made, key=lambda milestone: milestone.written)

    def explain(self, written: str) -> dict[str, Any] | None:
        """Every number behind the health of one milestone, by its written id; None when there is no such milestone."""
        for room in self._rooms:
            rows = room.of
            for name, milestone in room.milestones.items():
                if rows.written(milestone) == written:
                    past, rules = self._histories(rows.source.tolerance, public=room.public)
                    found = health.explain(past, name, self.at, rules=rules, **room.given)
                    notes = [note for note in rows.due_dates.get(milestone.id, ()) if note.seen <= self.at]
                    return found | {"due_dates": msgspec.to_builtins(notes)}
        return None


class _Histories:
    """The common history, and what of it is public, counted once for each tolerance in use, with the rules that hold.

    The capacity dates' multipliers are those that this history itself teaches, the shipped ones while it is short.
    """

    def __init__(self, loaded: Sequence[_ConnectionRows], book: AssessmentRules, at: datetime) -> None:
        containers = [c for rows in loaded for c in rows.containers]
        public = [c for rows in loaded for c in rows.containers if rows.project_of(c.id).public]
        memberships = [rows.memberships for rows in loaded]
        self.ledger = ledger_of(containers, memberships)
        self._public = self.ledger if len(public) == len(containers) else ledger_of(public, memberships)
        self._book, self._at = book, at
        self._made: dict[tuple[int, float], tuple[HistoryTables, Rules]] = {}

    def __call__(self, tolerance: float, *, public: bool) -> tuple[HistoryTables, Rules]:
        ledger = self._public if public else self.ledger
        if (id(ledger), tolerance) not in self._made:
            rules = dataclasses.replace(self._book.rules, tolerance=tolerance)
            past = HistoryTables(ledger, rules)
            own = own_multipliers(replayed(past), days(self._at), rules)
            self._made[id(ledger), tolerance] = past, dataclasses.replace(rules, multipliers=own)
        return self._made[id(ledger), tolerance]


@dataclass(frozen=True)
class _PreviousRuns:
    """What earlier runs left: the last health of each container, stale projects, milestones with a status issue."""

    previous: Mapping[str, Health] = field(default_factory=dict)
    stale: Mapping[tuple[str, str], datetime | None] = field(default_factory=dict)
    pulled: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    reported: frozenset[str] = frozenset()
    forecasts: Mapping[str, tuple[PublishedForecast, ...]] = field(default_factory=dict)
    scores: Mapping[str, StreamScore] = field(default_factory=dict)

    @classmethod
    def of(cls, store: Store, scores: Mapping[str, StreamScore], audience: Audience, at: datetime) -> _PreviousRuns:
        reported = frozenset(uid for uid, (issue, _) in store.last_observations().items() if issue is not None)
        return cls(
            previous=store.last_health(audience.name),
            stale=store.stale(),
            pulled=store.pulled(),
            reported=reported,
            forecasts=earlier(store, audience.name, at),
            scores=scores,
        )


@dataclass(frozen=True)
class _VisibilityGroup:
    """The milestones of a source (by uid) that anybody may read, or those that not everybody may, and what
    `sync.health.assess` wants to know beside the history.
    """

    of: _ConnectionRows
    public: bool
    milestones: Mapping[str, Milestone]
    given: Mapping[str, Any]


class _ConnectionRows:
    """One source's rows, read once."""

    def __init__(
        self, store: Store, source: Connection, at: datetime, audience: Audience, reported: Collection[str]
    ) -> None:
        origin = source.connector.base_url
        self.source = source
        watched = store.watched(source.name, origin)
        self.projects = {
            project.id: project
            for project in store.projects(origin)
            if project.id in watched and audience.sees(source.name, project)
        }
        if audience is not EVERYBODY:
            watched = frozenset(self.projects)
        self.milestones = {
            uid(origin, "milestone", m.id): self._as_named(m)
            for _, m in store.milestones(origin)
            if m.project in self.projects
            and (m.kind is MilestoneKind.RULE or source.admits(self.projects[m.project].key, m.title))
            and (m.created_at is None or m.created_at <= at)
        }
        ours = store.status_issue_ids(origin)
        marks = store.item_labels(origin)
        self.keys = {project.id: project.key for project in self.projects.values()}
        self.due_dates = store.due_dates(origin)
        kept = load_memberships(store, origin, watched, source.removed, at, ours, marks, source.ignored)
        self.memberships, self.estimated = kept.memberships, dict(kept.estimated)
        self.by_container = self.memberships.by_container()
        self.milestones = {  # a rule says where to look, not that there is something
            name: m
            for name, m in self.milestones.items()
            if m.kind is not MilestoneKind.RULE or name in self.by_container
        }
        self.containers: Sequence[Container] = containers_.containers(
            list(self.milestones.values()),
            self.due_dates,
            self.projects,
            self.by_container,
            source=origin,
            zone=source.zone,
            at=at,
        )
        self.open = self.memberships.open_items(at)

        def read(ids: Iterable[str] | None = None) -> dict[str, Issue]:
            found = store.issues(origin, projects=watched) if ids is None else store.issues(origin, ids=list(ids))
            good = (issue for issue in found if counted(issue, source.ignored) and issue.id not in ours)
            named = {uid(origin, "issue", issue.id): issue for issue in good}
            return named | undo_own_touches(named, marks, origin)

        running = [c.id for c in self.containers if c.ended is None or c.id in reported]
        items = {item for some in self.open.values() for item in some}
        items |= {item for name in running for item in self.memberships.items_of(name)}
        begin = len(uid(origin, "issue", ""))
        self.issues = LazyIssues(read(item[begin:] for item in items), read)

    def _as_named(self, milestone: Milestone) -> Milestone:
        """The milestone with the start that a person gave it."""
        named = self._named(milestone)
        return dataclasses.replace(milestone, start=named.start) if named.start else milestone

    def _named(self, milestone: Milestone) -> MilestoneOverrides:
        return self.source.named.get(f"{self.projects[milestone.project].key}{milestone.written}", MilestoneOverrides())

    def written(self, milestone: Milestone) -> str:
        """The id that people write."""
        return f"{self.source.name}:{self.projects[milestone.project].key}{milestone.written}"

    def project_of(self, name: str) -> Project:
        """The project of a milestone, by its uid."""
        return self.projects[self.milestones[name].project]

    def rooms(self, memory: _PreviousRuns, at: datetime, book: AssessmentRules) -> Iterator[_VisibilityGroup]:
        """Its milestones, the public ones apart: nothing that is not public may enter what is told of them."""
        counts = self.memberships.counts(self.containers, at)
        for public in (True, False):
            mine = {
                name: milestone for name, milestone in self.milestones.items() if self.project_of(name).public is public
            }
            if mine:
                given = {
                    "previous": memory.previous,
                    "issues": self.issues,
                    "members": {name: items for name, items in self.open.items() if name in mine},
                    "counts": counts,
                    "scores": memory.scores,
                    "calendar": book.calendar,
                }
                yield _VisibilityGroup(self, public, mine, given)

    def assessed(self, verdicts: Mapping[str, Health], memory: _PreviousRuns) -> Iterator[AssessedMilestone]:
        """Each milestone with its health; where the project's data is stale, it is unknown, and says since when."""
        containers = {c.id: c for c in self.containers}
        for name, verdict in verdicts.items():
            milestone, project = self.milestones[name], self.project_of(name)
            where = (self.source.connector.base_url, project.key)
            named = self._named(milestone)
            if where in memory.stale:
                verdict = _stale(verdict, memory.previous.get(name), memory.stale[where])
            yield AssessedMilestone(
                source=self.source,
                project=project,
                milestone=milestone,
                uid=name,
                written=self.written(milestone),
                stream=containers[name].stream,
                health=verdict,
                memberships=self.by_container.get(name, ()),
                issues=self.issues,
                due_dates=tuple(self.due_dates.get(milestone.id, ())),
                named=named,
                project_keys=self.keys,
                running=containers[name].ended is None,
                reported=name in memory.reported or bool(named.report_on),
                read_at=memory.pulled.get(where),
                forecasts=memory.forecasts.get(name, ()),
                estimated=self.estimated,
                calibration=told(memory.scores, containers[name].stream),
            )


def _stale(now: Health, last: Health | None, since: datetime | None) -> Health:
    """Incomplete data never turns green: unknown, since the last good pull."""
    since = since or (last.at if last else now.at)
    return dataclasses.replace(
        now,
        status=Status.UNKNOWN,
        band=Status.UNKNOWN,
        unknown=UnknownWhy.STALE,
        stale_since=since,
        probability=None,
        dates=type(now.dates)(),
        reasons=(),
        levers=(),
        confidence=None,
    )
