"""Snapshot: the milestones that an audience may read, with their health, at one time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from itertools import islice
from operator import itemgetter
from typing import Any, Self

import msgspec
from msgspec import Struct, field

from sync.assess.history_size import FinishedMilestones
from sync.assess.members import IdIndex, resolve_members
from sync.assess.milestone import AssessedMilestone, AssessmentRules
from sync.assess.outage import RemovedProjects, find_outages, find_removed, find_unread
from sync.assess.rows import ConnectionRows, load_rows
from sync.assess.track_record import Methods, forecasts_of_last_week, recent_forecasts, track_record
from sync.forecast.batch import ForecastBatch, daily_batches
from sync.forecast.history_tables import HistoryTables
from sync.forecast.input_digest import history_digest
from sync.forecast.outcomes import NEVER_READ, ContainerRules, LedgerOutcomes
from sync.forecast.parameters import Rules
from sync.forecast.track_record import StreamScore
from sync.forecast.waiting import WaitingBatch
from sync.health.advice import Advisor
from sync.health.assess import AssessmentInputs, assess, explain_batch, has_enough_data
from sync.health.missing_input import Outage, health_without_data, worst_outage
from sync.history.ledger import Ledger, changed_containers, days
from sync.history.membership_table import ledger_of
from sync.history.plan_clock import KnownPlan
from sync.model.audience import OPERATOR, Audience
from sync.model.counting import comparable_methods, joint_counting, joint_states, method_number
from sync.model.dates import day_of
from sync.model.health import Health
from sync.model.membership import Container
from sync.model.milestone_ids import MilestoneIds
from sync.model.published import PublishedForecast
from sync.model.team_words import NO_WORDS
from sync.model.tracker_data import Milestone, Project
from sync.store.store import Store
from sync.tracker.connection import Connection

__all__ = ["Snapshot"]


class Snapshot:
    """Rows as an audience may read them, loaded once for any number of questions about one time.

    Projects share one history, so that a young team learns from another team's milestones of the same kind. Public
    milestones learn from public ones only: otherwise their forecasts would reveal how private ones fared.

    ``removed``: milestones of projects that were removed from the configuration; none in a replay.
    ``replay``: ignore the statuses of earlier runs. Nothing that is dated after ``at`` (UTC) is used. ``inputs``:
    what to assess instead of what is in the store, for what-if. ``levers_for``: the containers whose levers are
    computed; None: all. ``forecast_for``: likewise for their forecasts. ``has_advice``: reasons and levers are
    computed.
    """

    def __init__(
        self,
        store: Store,
        connections: Sequence[Connection],
        at: datetime,
        rules: AssessmentRules,
        *,
        replay: bool = False,
        audience: Audience = OPERATOR,
        inputs: _SnapshotInputs | None = None,
    ) -> None:
        self.at = at
        self._same = partial(Snapshot, store, connections, at, replay=replay, audience=audience)
        loaded = inputs or _SnapshotInputs.load(store, connections, at, audience, replay=replay)
        self.rows, self.removed, self._runs = loaded.rows, loaded.removed, loaded.runs
        rows = self.rows
        self.ids = MilestoneIds(own for connection_rows in rows for own in connection_rows.ids.by_uid.values())
        self.rules = rules = _with_ids(rules, self.ids)
        for text in audience.follows:
            self.ids.find(text)  # an ambiguous one is refused
        self.container_rules = {uid: found for own in rows for uid, found in self._container_rules(own)}
        self._histories = _Histories(rows, rules, frozenset(self._unread()))
        self.ledger = self._histories.ledger
        ids = [own.id_of(milestone) for own in rows for milestone in own.read_milestones.values()]
        uid_by_id = {text: own.uid for own in ids for text in own.others} | {own.written: own.uid for own in ids}
        index = IdIndex(uid_by_id)
        self.members = {joint.name: resolve_members(joint, uid_by_id, index) for joint in rules.joints}
        complete = {f"joint:{name}": uids for name, (uids, missing) in self.members.items() if not missing}
        outcomes = LedgerOutcomes(self.ledger, at, self.container_rules, complete)
        readable = None if audience is OPERATOR else {*self.ledger.index, *complete}
        methods = Methods(rules.parameters.method, dict(self._comparable_methods()))
        self.scores = track_record(store, outcomes, at, methods, readable)
        if not replay and inputs is None:
            self._runs = self._runs.with_forecasts(store, audience, at, methods)
        self.levers_for: frozenset[str] | None = None
        self.forecast_for: frozenset[str] | None = None
        self.has_advice = True
        self._groups = [group for own in rows for group in _visibility_groups(own, self._runs, self.scores)]
        self._group_of = {uid: k for k, group in enumerate(self._groups) for uid in group.milestones}
        self._advisors: dict[int, Advisor] = {}
        self._healths_alone: dict[str, Health] = {}
        self._finished_by_ledger: dict[int, FinishedMilestones] = {}

    def limit_levers(self, written: Collection[str]) -> Self:
        """Compute the levers, which are most of the work, of these milestones only; no health so far may be in use.

        Joint milestones have their own ids. Raises `AmbiguousIdError`.
        """
        found = [(text, self.ids.find(text)) for text in written]
        self.levers_for = levers_for = frozenset(text if own is None else own.uid for text, own in found)
        self._change_inputs(levers_for=levers_for)
        return self

    def limit_forecasts(self, written: Collection[str]) -> Self:
        """Forecast these milestones only, and those with relations; no health so far may be in use.

        The others have the status that facts alone give: their people, dates and issues count, and nothing shows them.
        Joint milestones have their own ids. Raises `AmbiguousIdError`.
        """
        self.forecast_for = self.limit_levers(written).levers_for
        self._change_inputs(forecast_for=self.forecast_for)
        return self

    def forecast_related(self, uids: Collection[str]) -> dict[str, AssessedMilestone]:
        """Return the milestones with relations (uids) that `limit_forecasts` left out, now with their forecast."""
        if self.forecast_for is None or self.forecast_for.issuperset(uids):
            return {}
        left = frozenset(uids) - self.forecast_for
        self.forecast_for |= left
        self._change_inputs(forecast_for=self.forecast_for)
        for uid in left:
            self._healths_alone.pop(uid)
        return {milestone.uid: milestone for milestone in self.assess() if milestone.uid in left}

    def without_advice(self) -> Self:
        """Compute neither reasons nor levers; no health so far may be in use."""
        self.has_advice = False
        self._change_inputs(has_advice=False)
        return self

    def _change_inputs(self, **changes: Any) -> None:
        self._groups = [
            msgspec.structs.replace(group, inputs=msgspec.structs.replace(group.inputs, **changes))
            for group in self._groups
        ]

    def changed(self, rows: Sequence[ConnectionRows], rules: AssessmentRules) -> Snapshot:
        """Return the snapshot of the same time and audience with other rows and rules, without advice, for what-if.

        It keeps the healths of the milestones for which neither changes anything; no health of it may be in use.
        """
        snapshot = self._same(rules, inputs=_SnapshotInputs(rows, self.removed, self._runs)).without_advice()
        if self._healths_alone and self._learns_as(snapshot):
            affected = changed_containers(self.ledger, snapshot.ledger) | self._recounted(snapshot)
            snapshot.keep({uid: health for uid, health in self._healths_alone.items() if uid not in affected})
        return snapshot

    def keep(self, healths: Mapping[str, Health]) -> None:
        """Keep these healths of milestones (by uid) alone, without their advice, and assess only the others."""
        self._healths_alone |= {
            uid: msgspec.structs.replace(health, reasons=(), levers=()) for uid, health in healths.items()
        }

    def _learns_as(self, other: Snapshot) -> bool:
        """Return whether the forecasts of both snapshots learn from the same past, by the same rules and calendar."""
        if self.scores != other.scores:
            return False
        digests = [
            history_digest(own.history(own.rows[0].connection)[0], days(own.at), own.rules.calendar)
            for own in (self, other)
        ]
        return digests[0] == digests[1]

    def _recounted(self, other: Snapshot) -> set[str]:
        """Return the milestones (uids) that have other counts in the other snapshot."""
        pairs = zip(self.rows, other.rows, strict=True)
        return {uid for own, theirs in pairs for uid in own.counts if own.counts[uid] != theirs.counts[uid]}

    def _container_rules(self, rows: ConnectionRows) -> Iterator[tuple[str, ContainerRules]]:
        for uid in rows.containers:
            project = rows.project_of(uid)
            outage = self._runs.outage_of(rows.source, project.key, uid)
            known_until = None if outage is None else outage.since or NEVER_READ
            if project.id in rows.removed:
                known_until = self._runs.read_at.get((rows.source, project.key))
            yield uid, ContainerRules(rows.connection.zone, rows.tolerance_of(uid), known_until)

    def _comparable_methods(self) -> Iterator[tuple[str, frozenset[int]]]:
        """Yield each container with the methods of its comparable forecasts."""
        method = self.rules.parameters.method
        for own in self.rows:
            kinds = own.work.kinds()
            for uid, container in own.containers.items():
                has_issues, has_changes = kinds.get(uid, (False, False))
                number = method_number(method, container.counting, container.states)
                yield uid, comparable_methods(number, has_issues=has_issues, has_changes=has_changes)
        for name, (uids, _) in self.members.items():
            yield f"joint:{name}", frozenset({self.joint_method(uids)})

    def joint_method(self, members: Collection[str]) -> int:
        """Return the number of the method of a joint milestone of these milestones (uids)."""
        own = [self.container(uid) for uid in members]
        counting = joint_counting([container.counting for container in own])
        return method_number(
            self.rules.parameters.method, counting, joint_states([container.states for container in own])
        )

    def _unread(self) -> Iterator[str]:
        """Yield the milestones (uid) from which nothing is learnt.

        The outcome is not known of those that were due during an outage of their data, nor the growth of those that
        had started before milesync first saw them, without a history in the tracker.
        """
        for own in self.rows:
            for uid, container in own.containers.items():
                known_until, due = self.container_rules[uid].known_until, container.due
                is_outage = known_until is not None and due is not None and due >= known_until
                if is_outage or container.known_from is not None:
                    yield uid

    @cached_property
    def changes(self) -> frozenset[str]:
        """The items (uids) that are changes: pull or merge requests."""
        return frozenset[str]().union(*(own.work.changes for own in self.rows))

    @property
    def outages(self) -> Mapping[tuple[str, str], Outage]:
        """The projects whose data is missing, by source and project key; empty in a replay."""
        return self._runs.outages

    def outage_of(self, source: str, project_key: str, uid: str) -> Outage | None:
        """Return the outage of a milestone's own data: of its project, or of one of its items; None without one."""
        return self._runs.outage_of(source, project_key, uid)

    @property
    def previous(self) -> Mapping[str, Health]:
        """The last health of each container, including joint milestones; empty in a replay."""
        return self._runs.healths

    def container(self, uid: str) -> Container:
        """Return a milestone as a container. Raises KeyError."""
        return self.ledger.containers[self.ledger.index[uid]]

    def history(self, connection: Connection) -> tuple[HistoryTables, Rules]:
        """Return the whole history, and the parameters with a connection's tolerance."""
        return self._histories.tables(connection.tolerance, public=False)

    def history_of(self, milestone: AssessedMilestone) -> tuple[HistoryTables, Rules]:
        """Return history and parameters for the forecast of a milestone: of a public one, the public history."""
        return self._histories.tables(milestone.tolerance, public=milestone.project.is_public)

    def assess(self) -> list[AssessedMilestone]:
        """Return every milestone that the configuration admits, with its health, in the order of written ids."""
        milestones: list[AssessedMilestone] = []
        for group in self._groups:
            history, _ = self._histories.tables(group.tolerance, public=group.public)
            calendar = self.rules.calendar_of(group.rows.connection)
            left = [uid for uid in group.milestones if uid not in self._healths_alone]
            self._healths_alone |= assess(history, left, self.at, calendar, group.inputs)
            healths = {uid: self._healths_alone[uid] for uid in group.milestones}
            milestones += _assessed(group, healths, self._runs, self._finished(history.ledger))
        return sorted(milestones, key=lambda milestone: milestone.written)

    def batches(self, uids: Sequence[str]) -> Iterator[tuple[list[int], ForecastBatch]]:
        """Yield batches that forecast these milestones (repeats allowed), each with their positions in ``uids``."""
        positions: dict[int, list[int]] = defaultdict(list)
        for place, uid in enumerate(uids):
            positions[self._group_of[uid]].append(place)
        for k, own in positions.items():
            group = self._groups[k]
            history, _ = self._histories.tables(group.tolerance, public=group.public)
            calendar = self.rules.calendar_of(group.rows.connection)
            index = [history.ledger.index[uids[place]] for place in own]
            places = iter(own)
            for batch in daily_batches(history, index, self.at, calendar):
                yield list(islice(places, len(batch.index))), batch

    def health_alone(self, uid: str) -> Health:
        """Return the health of an assessed milestone without its relations. Raises KeyError before `assess`."""
        return self._healths_alone[uid]

    def advise(self, batch: WaitingBatch, healths: Sequence[Health]) -> list[Health]:
        """Return the healths of the milestones of a batch, with reasons and levers that include those before them."""
        advisor = self.advisor(healths[0].container)
        return advisor.advise(batch, healths, has_enough_data(batch), batch.after_change)

    def advisor(self, uid: str) -> Advisor:
        """Return the advisor of a milestone. Raises KeyError for an unknown one."""
        k = self._group_of[uid]
        group = self._groups[k]
        if k not in self._advisors:
            history, _ = self._histories.tables(group.tolerance, public=group.public)
            self._advisors[k] = group.inputs.advisor(history)
        return self._advisors[k]

    def finished_by_project(self) -> dict[str, int]:
        """Return project (``gh:acme/app``) -> number of its finished milestones, from which the forecasts learn."""
        return self._finished(self.ledger).by_project(self.rows)

    def _finished(self, ledger: Ledger) -> FinishedMilestones:
        if id(ledger) not in self._finished_by_ledger:
            self._finished_by_ledger[id(ledger)] = FinishedMilestones(ledger, self.at)
        return self._finished_by_ledger[id(ledger)]

    def explain(self, uids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return every number behind the health of each of these milestones without its relations, by uid."""
        found: dict[str, dict[str, Any]] = {}
        for places, batch in self.batches(uids):
            found |= self.explain_batch(batch, [uids[place] for place in places])
        return found

    def explain_batch(self, batch: ForecastBatch, own: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the same for a batch of `batches`, which forecasts the milestones ``own``."""
        group = self._groups[self._group_of[own[0]]]
        if not self._healths_alone.keys() >= set(own):
            self._healths_alone |= assess(batch.tables, own, self.at, batch.calendar, group.inputs)
        healths = [self._healths_alone[uid] for uid in own]
        found: dict[str, dict[str, Any]] = {}
        for uid, numbers in zip(own, explain_batch(batch, healths, group.inputs), strict=True):
            seen = group.rows.due_dates.get(group.milestones[uid].id, ())
            due_dates = [due for due in seen if due.seen <= self.at]
            found[uid] = numbers | {"due_dates": msgspec.to_builtins(due_dates)}
        return found


def _removed_by_connection(
    removed: Mapping[str, Sequence[Project]], connections: Sequence[Connection]
) -> dict[str, frozenset[str]]:
    """Return connection -> the removed projects (native ids) of its tracker, with its first connection only."""
    first = {connection.source: connection.name for connection in reversed(connections)}
    return {
        connection.name: frozenset(own.id for own in removed[connection.source])
        if first[connection.source] == connection.name
        else frozenset()
        for connection in connections
    }


def _with_ids(rules: AssessmentRules, ids: MilestoneIds) -> AssessmentRules:
    """Return the rules with each milestone by its own id. Raises `AmbiguousIdError`."""
    joints = [
        msgspec.structs.replace(joint, members=tuple(ids.canonical(text) for text in joint.members))
        for joint in rules.joints
    ]
    dependencies = tuple((ids.canonical(before), ids.canonical(after)) for before, after in rules.dependencies)
    return msgspec.structs.replace(rules, joints=tuple(joints), dependencies=dependencies)


class _Histories:
    """The common history and its public part, counted once for each tolerance in use, with the parameters.

    Nothing is learnt from the milestones in ``unread`` (uid).
    """

    def __init__(self, rows: Sequence[ConnectionRows], rules: AssessmentRules, unread: Collection[str]) -> None:
        self._unread = unread
        containers = [container for own in rows for container in own.containers.values()]
        self._rows, self.ledger = rows, ledger_of(containers, [own.counted_memberships for own in rows])
        self._parameters = rules.parameters
        self._tables: dict[tuple[int, float], tuple[HistoryTables, Rules]] = {}

    @cached_property
    def _public(self) -> Ledger:
        public = [c for own in self._rows for c in own.containers.values() if own.project_of(c.id).is_public]
        if len(public) == len(self.ledger.containers):
            return self.ledger
        return ledger_of(public, [own.counted_memberships for own in self._rows])

    def tables(self, tolerance: float, *, public: bool) -> tuple[HistoryTables, Rules]:
        ledger = self._public if public else self.ledger
        key = (id(ledger), tolerance)
        if key not in self._tables:
            parameters = msgspec.structs.replace(self._parameters, tolerance=tolerance)
            self._tables[key] = HistoryTables(ledger, parameters, self._unread), parameters
        return self._tables[key]


class _PreviousRuns(Struct, frozen=True):
    """Results of earlier runs: the last health of each container, outages, milestones with a status issue.

    ``outages`` and ``read_at`` (times in UTC) are by source and project key, ``forecasts`` and ``last_week`` by
    container. ``unread``: the outages of milestones (uid) with an item that cannot be read.
    """

    healths: Mapping[str, Health] = field(default_factory=dict)
    outages: Mapping[tuple[str, str], Outage] = field(default_factory=dict)
    unread: Mapping[str, Outage] = field(default_factory=dict)
    read_at: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    reported: frozenset[str] = frozenset()
    forecasts: Mapping[str, tuple[PublishedForecast, ...]] = field(default_factory=dict)
    last_week: Mapping[str, tuple[PublishedForecast, ...]] = field(default_factory=dict)

    @property
    def known_plans(self) -> Mapping[str, KnownPlan]:
        """The clock of each container whose due date was moved later than planned, as of its last health."""
        return {
            container: KnownPlan(health.at, health.due, health.clock)
            for container, health in self.healths.items()
            if health.clock is not None
        }

    def outage_of(self, source: str, project_key: str, uid: str) -> Outage | None:
        """Return the outage of a milestone's own data; None without one."""
        return worst_outage(self.outages.get((source, project_key)), self.unread.get(uid))

    def with_forecasts(self, store: Store, audience: Audience, at: datetime, methods: Methods) -> _PreviousRuns:
        """Add the comparable forecasts of the last weeks."""
        return msgspec.structs.replace(
            self,
            forecasts=recent_forecasts(store, audience.name, at, methods),
            last_week=forecasts_of_last_week(store, audience.name, at, methods),
        )

    @classmethod
    def load(cls, store: Store, audience: Audience, at: datetime, reported: frozenset[str]) -> _PreviousRuns:
        return cls(
            healths=store.last_health(audience.name),
            outages=find_outages(store, at),
            unread=find_unread(store, at),
            read_at=store.last_pulls(),
            reported=reported,
        )


class _SnapshotInputs(Struct, frozen=True):
    """Inputs of a snapshot besides its rules."""

    rows: Sequence[ConnectionRows]
    removed: RemovedProjects
    runs: _PreviousRuns

    @classmethod
    def load(
        cls, store: Store, connections: Sequence[Connection], at: datetime, audience: Audience, *, replay: bool
    ) -> _SnapshotInputs:
        reported = frozenset(uid for uid, has_issue in store.observed_milestones().items() if has_issue)
        runs = _PreviousRuns() if replay else _PreviousRuns.load(store, audience, at, reported)
        known = runs.known_plans
        removed = {source: store.removed_projects(source) for source in {own.source for own in connections}}
        own_removed = _removed_by_connection(removed, connections)
        rows = [
            load_rows(store, connection, at, audience, reported, known, own_removed[connection.name])
            for connection in connections
        ]
        if replay:
            return cls([msgspec.structs.replace(own, is_present=False) for own in rows], RemovedProjects(), runs)
        return cls(rows, find_removed(store, connections, removed, at), runs)


class _VisibilityGroup(Struct, frozen=True):
    """The milestones (by uid) of a connection that are public, or those that are not, and the inputs of their health.

    The two are assessed apart: the health of a public milestone must not depend on private data. So are milestones of
    different tolerances: the history of each counts what was done with that tolerance.
    """

    rows: ConnectionRows
    public: bool
    tolerance: float
    milestones: Mapping[str, Milestone]
    inputs: AssessmentInputs


def _visibility_groups(
    rows: ConnectionRows, runs: _PreviousRuns, scores: Mapping[str, StreamScore]
) -> Iterator[_VisibilityGroup]:
    groups: dict[tuple[bool, float], dict[str, Milestone]] = defaultdict(dict)
    for uid, milestone in rows.read_milestones.items():
        groups[not rows.project_of(uid).is_public, rows.tolerance_of(uid)][uid] = milestone
    for (is_private, tolerance), own in sorted(groups.items(), key=itemgetter(0)):
        inputs = AssessmentInputs(
            previous=runs.healths,
            issues=rows.issues,
            members={uid: items for uid, items in rows.open_items.items() if uid in own},
            changes={uid: changes for uid, changes in rows.open_changes.items() if uid in own},
            counts=rows.counts,
            scores=scores,
        )
        yield _VisibilityGroup(rows, not is_private, tolerance, own, inputs)


def _assessed(
    group: _VisibilityGroup, healths: Mapping[str, Health], runs: _PreviousRuns, finished: FinishedMilestones
) -> Iterator[AssessedMilestone]:
    """Combine each milestone with its health, or the one for missing data (`sync.health.missing_input`)."""
    rows = group.rows
    for uid, health in healths.items():
        milestone, project = rows.milestones[uid], rows.project_of(uid)
        container, overrides = rows.containers[uid], rows.overrides(milestone)
        key = (rows.source, project.key)
        outage = runs.outage_of(*key, uid)
        if outage is not None:
            today = day_of(health.at, rows.connection.zone)
            health = health_without_data(health, runs.healths.get(uid), outage, today)
        yield AssessedMilestone(
            connection=rows.connection,
            project=project,
            milestone=milestone,
            uid=uid,
            written=rows.written(milestone),
            other_ids=rows.id_of(milestone).others,
            stream=container.stream,
            health=health,
            memberships=rows.by_container.get(uid, ()),
            page_memberships=None if rows.page_by_container is None else rows.page_by_container.get(uid, ()),
            open_changes=tuple(rows.open_changes.get(uid, ())),
            issues=rows.issues,
            due_dates=tuple(rows.due_dates.get(milestone.id, ())),
            overrides=overrides,
            project_keys=rows.project_keys,
            is_running=container.ended is None,
            known_from=container.known_from,
            has_status_issue=uid in runs.reported or bool(overrides.report_on),
            read_at=runs.read_at.get(key),
            missing_since=None if outage is None else health.stale_since,
            forecasts=runs.forecasts.get(uid, ()),
            last_week=runs.last_week.get(uid, ()),
            estimated_at=rows.estimated,
            score=group.inputs.scores.get(container.stream),
            history=finished.size_for(uid),
            work_time=rows.work_time,
            contradicting=rows.contradicting_in(uid),
            words=rows.words.get(uid, NO_WORDS),
            tolerance=group.tolerance,
        )
