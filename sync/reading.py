"""From the store's rows to each milestone's health: what belongs to it, for whom, at what time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from sync import health, history
from sync.also import untouched
from sync.assessment import Assessed, Rulebook
from sync.audience import EVERYBODY, Audience
from sync.capacity_replay import own_multipliers
from sync.capacity_replay import replay as replayed
from sync.forecast import Past, Rules
from sync.joint import members
from sync.ledger import Container, Ledger, days
from sync.model import (
    Health,
    Issue,
    Milestone,
    MilestoneKind,
    Project,
    Status,
    UnknownWhy,
    uid,
)
from sync.retained import Details, counted, retained
from sync.selfscore import StreamScore
from sync.source import Named, Source
from sync.stays import ledger_of
from sync.store import Store
from sync.track_record import earlier, told, track_record
from sync.view import Forecast

__all__ = ["Reading", "explain", "history_of", "scores"]


class Reading:
    """The store's rows as an audience may read them, read once for any number of questions about one time.

    Projects share one history, so that a young team may learn from another's milestones of the same kind; but public
    ones learn from public ones only, as their forecasts would else tell how private ones fared. A replay takes no
    memory of earlier statuses, and uses nothing that is dated after ``at``.
    """

    def __init__(
        self,
        store: Store,
        sources: Sequence[Source],
        at: datetime,
        book: Rulebook,
        *,
        replay: bool = False,
        audience: Audience = EVERYBODY,
    ) -> None:
        self.at, self.book = at, book
        reported = frozenset(uid for uid, (issue, _) in store.observed().items() if issue is not None)
        self._loaded = [_Loaded(store, source, at, audience, reported) for source in sources]
        self._histories = _Histories(self._loaded, book, at)
        self.ledger = self._histories.ledger
        named = {one.written(m): name for one in self._loaded for name, m in one.milestones.items()}
        self.members = {one.name: members(one, named) for one in book.joints}
        whole = {f"joint:{name}": found for name, (found, missing) in self.members.items() if not missing}
        self.scores = track_record(
            store, self.ledger, book.rules.tolerance, at, whole, only_known=audience is not EVERYBODY
        )
        self._memory = _Memory() if replay else _Memory.of(store, self.scores, audience, at)
        self._rooms = [room for one in self._loaded for room in one.rooms(self._memory, at, book)]

    @property
    def previous(self) -> Mapping[str, Health]:
        """The last health of each container, joint milestones among them; nothing in a replay."""
        return self._memory.previous

    def container(self, uid: str) -> Container:
        """A milestone as counting sees it. Raises KeyError."""
        return self.ledger.containers[self.ledger.index[uid]]

    def history(self, source: Source, project: Project | None = None) -> tuple[Past, Rules]:
        """What forecasts of a source's milestones learn from, with its rules; of one project, or without: of any."""
        return self._histories(source.tolerance, public=project is not None and project.public)

    def assess(self) -> list[Assessed]:
        """The health of every milestone that the sources admit, in the order of their names."""
        made: list[Assessed] = []
        for room in self._rooms:
            past, rules = self._histories(room.of.source.tolerance, public=room.public)
            verdicts = health.assess(past, list(room.milestones), self.at, rules=rules, **room.given)
            made += room.of.assessed(verdicts, self._memory)
        return sorted(made, key=lambda one: one.written)

    def explain(self, written: str) -> dict[str, Any] | None:
        """Every number behind the health of one milestone, by its written id; None when there is no such milestone."""
        for room in self._rooms:
            one = room.of
            for name, milestone in room.milestones.items():
                if one.written(milestone) == written:
                    past, rules = self._histories(one.source.tolerance, public=room.public)
                    found = health.explain(past, name, self.at, rules=rules, **room.given)
                    notes = [note for note in one.due_dates.get(milestone.id, ()) if note.seen <= self.at]
                    return found | {"due_dates": msgspec.to_builtins(notes)}
        return None


def explain(
    store: Store, sources: Sequence[Source], at: datetime, book: Rulebook, written: str, *, replay: bool = False
) -> dict[str, Any] | None:
    """Every number behind the health of one milestone: see `Reading`."""
    return Reading(store, sources, at, book, replay=replay).explain(written)


def history_of(store: Store, sources: Sequence[Source], at: datetime, book: Rulebook) -> Ledger:
    """The history of every milestone that the sources admit, as it stands at a time."""
    return Reading(store, sources, at, book, replay=True).ledger


def scores(store: Store, sources: Sequence[Source], at: datetime, book: Rulebook) -> dict[str, StreamScore]:
    """How the forecasts that were published turned out, by stream, as it stands at a time."""
    return Reading(store, sources, at, book).scores


class _Histories:
    """The common history, and what of it is public, counted once for each tolerance in use, with the rules that hold.

    The capacity dates' multipliers are those that this history itself teaches, the shipped ones while it is short.
    """

    def __init__(self, loaded: Sequence[_Loaded], book: Rulebook, at: datetime) -> None:
        containers = [c for one in loaded for c in one.containers]
        public = [c for one in loaded for c in one.containers if one.project_of(c.id).public]
        stays = [one.stays for one in loaded]
        self.ledger = ledger_of(containers, stays)
        self._public = self.ledger if len(public) == len(containers) else ledger_of(public, stays)
        self._book, self._at = book, at
        self._made: dict[tuple[int, float], tuple[Past, Rules]] = {}

    def __call__(self, tolerance: float, *, public: bool) -> tuple[Past, Rules]:
        ledger = self._public if public else self.ledger
        if (id(ledger), tolerance) not in self._made:
            rules = msgspec.structs.replace(self._book.rules, tolerance=tolerance)
            past = Past(ledger, rules)
            own = own_multipliers(replayed(past), days(self._at), rules)
            self._made[id(ledger), tolerance] = past, msgspec.structs.replace(rules, multipliers=own)
        return self._made[id(ledger), tolerance]


@dataclass(frozen=True)
class _Memory:
    """What earlier runs left: the last health of each container, stale projects, milestones with a status issue."""

    previous: Mapping[str, Health] = field(default_factory=dict)
    stale: Mapping[tuple[str, str], datetime | None] = field(default_factory=dict)
    pulled: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    reported: frozenset[str] = frozenset()
    forecasts: Mapping[str, tuple[Forecast, ...]] = field(default_factory=dict)
    scores: Mapping[str, StreamScore] = field(default_factory=dict)

    @classmethod
    def of(cls, store: Store, scores: Mapping[str, StreamScore], audience: Audience, at: datetime) -> _Memory:
        reported = frozenset(uid for uid, (issue, _) in store.observed().items() if issue is not None)
        return cls(
            previous=store.last_health(audience.name),
            stale=store.stale(),
            pulled=store.pulled(),
            reported=reported,
            forecasts=earlier(store, audience.name, at),
            scores=scores,
        )


@dataclass(frozen=True)
class _Room:
    """The milestones of a source (by uid) that anybody may read, or those that not everybody may, and what
    `sync.health` wants to know beside the history.
    """

    of: _Loaded
    public: bool
    milestones: Mapping[str, Milestone]
    given: Mapping[str, Any]


class _Loaded:
    """One source's rows, read once."""

    def __init__(
        self, store: Store, source: Source, at: datetime, audience: Audience, reported: Collection[str]
    ) -> None:
        origin = source.connector.source
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
        ours = store.status_issues(origin)
        marks = store.marks(origin)
        self.keys = {project.id: project.key for project in self.projects.values()}
        self.due_dates = store.due_dates(origin)
        kept = retained(store, origin, watched, source.removed, at, ours, marks, source.ignored)
        self.stays, self.estimated = kept.stays, dict(kept.estimated)
        self.by_container = self.stays.by_container()
        self.milestones = {  # a rule says where to look, not that there is something
            name: m
            for name, m in self.milestones.items()
            if m.kind is not MilestoneKind.RULE or name in self.by_container
        }
        self.containers: Sequence[Container] = history.containers(
            list(self.milestones.values()),
            self.due_dates,
            self.projects,
            self.by_container,
            source=origin,
            zone=source.zone,
            at=at,
        )
        self.open = self.stays.open_items(at)

        def read(ids: Iterable[str] | None = None) -> dict[str, Issue]:
            found = store.issues(origin, projects=watched) if ids is None else store.issues(origin, ids=list(ids))
            good = (one for one in found if counted(one, source.ignored) and one.id not in ours)
            named = {uid(origin, "issue", one.id): one for one in good}
            return named | untouched(named, marks, origin)

        running = [c.id for c in self.containers if c.ended is None or c.id in reported]
        items = {item for some in self.open.values() for item in some}
        items |= {item for name in running for item in self.stays.items_of(name)}
        begin = len(uid(origin, "issue", ""))
        self.issues = Details(read(item[begin:] for item in items), read)

    def _as_named(self, milestone: Milestone) -> Milestone:
        """The milestone with the start that a person gave it."""
        named = self._named(milestone)
        return msgspec.structs.replace(milestone, start=named.start) if named.start else milestone

    def _named(self, milestone: Milestone) -> Named:
        return self.source.named.get(f"{self.projects[milestone.project].key}{milestone.written}", Named())

    def written(self, milestone: Milestone) -> str:
        """The id that people write."""
        return f"{self.source.name}:{self.projects[milestone.project].key}{milestone.written}"

    def project_of(self, name: str) -> Project:
        """The project of a milestone, by its uid."""
        return self.projects[self.milestones[name].project]

    def rooms(self, memory: _Memory, at: datetime, book: Rulebook) -> Iterator[_Room]:
        """Its milestones, the public ones apart: nothing that is not public may enter what is told of them."""
        counts = self.stays.counts(self.containers, at)
        for public in (True, False):
            mine = {name: one for name, one in self.milestones.items() if self.project_of(name).public is public}
            if mine:
                given = {
                    "previous": memory.previous,
                    "issues": self.issues,
                    "members": {name: items for name, items in self.open.items() if name in mine},
                    "counts": counts,
                    "scores": memory.scores,
                    "calendar": book.calendar,
                }
                yield _Room(self, public, mine, given)

    def assessed(self, verdicts: Mapping[str, Health], memory: _Memory) -> Iterator[Assessed]:
        """Each milestone with its health; where the project's data is stale, it is unknown, and says since when."""
        containers = {c.id: c for c in self.containers}
        for name, verdict in verdicts.items():
            milestone, project = self.milestones[name], self.project_of(name)
            where = (self.source.connector.source, project.key)
            named = self._named(milestone)
            if where in memory.stale:
                verdict = _stale(verdict, memory.previous.get(name), memory.stale[where])
            yield Assessed(
                source=self.source,
                project=project,
                milestone=milestone,
                uid=name,
                written=self.written(milestone),
                stream=containers[name].stream,
                health=verdict,
                stays=self.by_container.get(name, ()),
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
    return msgspec.structs.replace(
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
