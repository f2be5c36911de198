"""Build the portfolio: every milestone with its dependencies, the joint milestones, and the checks across milestones.

A forecast that depends on another milestone depends on its data. If the readers of a comment may not read that
milestone, and its connection does not share aggregates, the dependency changes nothing that they read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sync.assess.definition import DefinitionChecks
from sync.assess.dependencies import find_dependencies
from sync.assess.milestone import AssessedMilestone
from sync.assess.portfolio import AssessedJointMilestone, Portfolio
from sync.assess.snapshot import Snapshot
from sync.assess.visibility import can_read, commitment_for, may_depend_on
from sync.forecast import joint as joint_forecast
from sync.forecast.batch import ForecastBatch
from sync.forecast.dependencies import Dependency, PlannedTime, Propagated, propagate, topological_order
from sync.forecast.joint import Curve
from sync.health.definition import criteria
from sync.health.joint import AssessmentContext, ForecastWindow, joint_health, moved_health
from sync.health.missing_input import Outage, health_without_predecessor, worst_outage
from sync.health.status import BANDS
from sync.history import counting
from sync.history.calendar import Calendar
from sync.history.ledger import days
from sync.model.dates import end_of_day
from sync.model.health import Health, Status, UnknownCause
from sync.model.joint import JointMilestone

__all__ = ["build_portfolio"]

Floats = NDArray[np.float64]

_WITH_CURVE = (*BANDS, Status.OVERDUE)
"""Statuses of milestones with a completion curve."""


def build_portfolio(snapshot: Snapshot) -> Portfolio:
    """Assess every milestone of a snapshot, then their relations.

    Raises `DependencyCycleError`, with the ids as people write them, if configured dependencies form a cycle.
    """
    return _PortfolioBuilder(snapshot).build()


class _PortfolioBuilder:
    """``alone`` are the milestones (by uid) as assessed without each other."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot, self.rules, self.now = snapshot, snapshot.rules, days(snapshot.at)
        self.alone = {milestone.uid: milestone for milestone in snapshot.assess()}
        self.open_items = {uid: _open_items(milestone, snapshot) for uid, milestone in self.alone.items()}
        members = {name: uids for name, (uids, _) in snapshot.members.items()}
        self.graph = find_dependencies(self.alone, self.open_items, members, self.rules)
        self.batches = self._forecast_batches(self._uids_with_relations())
        self.curves = self._curves({})
        self.planned_times = {
            uid: PlannedTime(float(batch.start[k]), float(batch.due[k])) for uid, (batch, k) in self.batches.items()
        }
        self.own_paths = self._paths(self.curves)

    def build(self) -> Portfolio:
        alone, dependencies = self.alone, self.graph.dependencies
        known = [own for own in dependencies if may_depend_on(alone[own.after], alone[own.before])]
        published = self._propagate(self.own_paths, known)
        everything = published if len(known) == len(dependencies) else self._propagate(self.own_paths, dependencies)
        milestones = dict(alone)
        for uid in published.deciding:
            milestones[uid] = replace(milestones[uid], health=self._health_after_others(uid, published))
        for uid, outage in self._outages(known).items():
            previous = self.snapshot.previous.get(uid)
            health = health_without_predecessor(milestones[uid].health, alone[uid].health, previous, outage)
            milestones[uid] = replace(milestones[uid], health=health)
        joints = [self._joint(joint, milestones, known, published) for joint in self.rules.joints]
        self._add_relations(milestones, joints, published)
        joints = [replace(joint, members=tuple(milestones[member.uid] for member in joint.members)) for joint in joints]
        return Portfolio(
            milestones=tuple(milestones.values()),
            joints=tuple(joints),
            dependencies=dependencies,
            planned_times=self.planned_times,
            propagation=everything,
            horizons={uid: self._horizon([uid]) for uid in self.curves},
            hidden=frozenset(
                uid for uid, paths in everything.paths.items() if not np.array_equal(paths, published.paths[uid])
            ),
            finished=self.snapshot.finished_by_project(),
        )

    def _outages(self, dependencies: Sequence[Dependency]) -> dict[str, Outage]:
        """Return the milestones (uid) that wait for one whose data is missing, directly or through others."""
        outages: dict[str, Outage] = {}
        for uid, milestone in self.alone.items():
            outage = self.snapshot.outages.get((milestone.connection.connector.base_url, milestone.project.key))
            if outage is not None and milestone.health.stale_since is not None:
                outages[uid] = outage
        unread = set(outages)
        for name in topological_order(dependencies):
            for dependency in dependencies:
                outage = worst_outage(outages.get(name), outages.get(dependency.before))
                if dependency.after == name and outage is not None:
                    outages[name] = outage
        return {uid: outage for uid, outage in outages.items() if uid not in unread}

    def _add_relations(
        self,
        milestones: dict[str, AssessedMilestone],
        joints: Sequence[AssessedJointMilestone],
        published: Propagated,
    ) -> None:
        """Replace each milestone by one with its joint milestones and the checks of its definition."""
        aggregate = {
            uid: any(not can_read(self.alone[uid], self.alone[before]) for before in predecessors)
            for uid, predecessors in published.deciding.items()
        }
        checks = DefinitionChecks(milestones, self.open_items, self.graph.cycles, self.rules)
        for uid, milestone in milestones.items():
            own_joints = [joint for joint in joints if any(member.uid == uid for member in joint.members)]
            milestones[uid] = replace(
                milestone,
                commitments=tuple(commitment_for(joint, milestone, aggregate) for joint in own_joints),
                findings=checks.findings(milestone),
                criteria=criteria(milestone.milestone.description),
                is_aggregate=aggregate.get(uid, False),
                loads=checks.loads(milestone),
                unreviewed=checks.unreviewed(milestone),
            )

    # --- completion paths ---------------------------------------------------------------------------------------------

    def _uids_with_relations(self) -> list[str]:
        """Return the milestones that need paths: first those that are public and needed for a public reason.

        The paths of each depend on the ones before it. In this order nothing private changes anything public.
        """
        dependencies = self.graph.dependencies
        public_reason = {uid for uids, _ in self.snapshot.members.values() for uid in uids}
        for dependency in dependencies:
            uids = {dependency.before, dependency.after}
            if all(self.alone[uid].project.is_public for uid in uids):
                public_reason |= uids
        needed = public_reason | {uid for own in dependencies for uid in (own.before, own.after)}
        return sorted(needed, key=lambda uid: (not (uid in public_reason and self.alone[uid].project.is_public), uid))

    def _forecast_batches(self, uids: Sequence[str]) -> dict[str, tuple[ForecastBatch, int]]:
        """Return, for each milestone, the batch that forecasts it and its position there. One batch per history."""
        histories = {uid: self.snapshot.history(self.alone[uid].connection, self.alone[uid].project)[0] for uid in uids}
        positions: dict[str, tuple[ForecastBatch, int]] = {}
        for history in {id(history): history for history in histories.values()}.values():
            own = [uid for uid in uids if histories[uid] is history]
            index = np.array([history.ledger.index[uid] for uid in own], dtype=np.int64)
            batch = ForecastBatch(history, index, np.full(len(own), self.now), self.rules.calendar)
            positions |= {uid: (batch, k) for k, uid in enumerate(own)}
        return {uid: positions[uid] for uid in uids}

    def _curves(self, remaining: Mapping[str, int]) -> dict[str, Curve]:
        """Return the curve of each milestone that is done or can be forecast.

        ``remaining``: uid -> number of open items to count, where not all of them count.
        """
        curves: dict[str, Curve] = {}
        for batch in {id(batch): batch for batch, _ in self.batches.values()}.values():
            own = {k: uid for uid, (other, k) in self.batches.items() if other is batch}
            healths = [self.alone[own[k]].health for k in range(len(own))]
            published = np.array([np.nan if health.probability is None else health.probability for health in healths])
            open_counts = [remaining.get(own[k], int(batch.open[k])) for k in range(len(own))]
            own_curves = joint_forecast.curves(batch, published, np.array(open_counts, dtype=np.float64))
            for k, curve in enumerate(own_curves):
                if healths[k].status.is_over:
                    curves[own[k]] = Curve.done(self.now)
                elif curve is not None and healths[k].status in _WITH_CURVE:
                    curves[own[k]] = curve
        return curves

    def _paths(self, curves: Mapping[str, Curve]) -> dict[str, Floats]:
        if not curves:
            return {}
        uids = [uid for uid in self.batches if uid in curves]
        paths = joint_forecast.completion_samples(uids, [curves[uid] for uid in uids], self._correlation(uids))
        return dict(zip(uids, paths, strict=True))

    def _correlation(self, uids: Sequence[str]) -> Floats:
        history, _ = self.snapshot.history(self.alone[uids[0]].connection)
        return joint_forecast.correlation_matrix(history, [self.alone[uid].stream for uid in uids], self.now)

    def _propagate(self, paths: Mapping[str, Floats], dependencies: Sequence[Dependency]) -> Propagated:
        return propagate(paths, self.planned_times, dependencies, self.now)

    # --- healths ------------------------------------------------------------------------------------------------------

    def _health_after_others(self, uid: str, propagation: Propagated) -> Health:
        """Return the health of a milestone after those that it waits for."""
        milestone, predecessors = self.alone[uid], propagation.deciding[uid]
        _, parameters = self.snapshot.history(milestone.connection, milestone.project)
        horizon = self._horizon((uid, *predecessors))
        return moved_health(
            milestone.health,
            self.own_paths[uid],
            propagation.paths[uid],
            len(predecessors),
            ForecastWindow(self.planned_times[uid].due, horizon),
            AssessmentContext(
                self.snapshot.at,
                self.snapshot.previous.get(uid),
                parameters,
                self.rules.calendar_of(milestone.connection),
            ),
        )

    def _joint(
        self,
        joint: JointMilestone,
        milestones: Mapping[str, AssessedMilestone],
        dependencies: Sequence[Dependency],
        propagation: Propagated,
    ) -> AssessedJointMilestone:
        uids, missing = self.snapshot.members[joint.name]
        members = [milestones[uid] for uid in uids]
        unforecastable = tuple(
            member for member in members if member.uid not in self.curves or member.health.unknown is UnknownCause.STALE
        )
        open_counts = joint_forecast.deduplicated_open_counts({uid: self.open_items[uid] for uid in uids})
        paths = None
        if members and not missing and not unforecastable:
            member_paths = self._member_paths(open_counts, dependencies, propagation)
            paths = np.max([member_paths[uid] for uid in uids], axis=0)
        health = self._joint_health(joint, members, paths)
        stale = [member for member in members if member.health.stale_since is not None]
        if stale and all(member.health.unknown is None for member in stale):
            since = min(member.health.stale_since for member in stale if member.health.stale_since is not None)
            previous = self.snapshot.previous.get(health.container)
            health = health_without_predecessor(health, health, previous, Outage(since=since, is_short=True))
        return AssessedJointMilestone(
            joint=joint,
            health=health,
            members=tuple(members),
            missing=tuple(missing),
            unforecastable=unforecastable,
            open_counts=open_counts,
            correlation=() if unforecastable else self._rounded_correlation(uids),
        )

    def _member_paths(
        self, open_counts: Mapping[str, int], dependencies: Sequence[Dependency], propagation: Propagated
    ) -> Mapping[str, Floats]:
        """Return the paths of all milestones, with items that are in several members counted once."""
        fewer = {uid: count for uid, count in open_counts.items() if count < len(self.open_items[uid])}
        if not fewer:
            return propagation.paths
        changed = self._curves(fewer)
        curves = {**self.curves, **{uid: changed[uid] for uid in fewer}}
        return self._propagate({**self.own_paths, **self._paths(curves)}, dependencies).paths

    def _joint_health(
        self, joint: JointMilestone, members: Sequence[AssessedMilestone], paths: Floats | None
    ) -> Health:
        uids, snapshot = [member.uid for member in members], self.snapshot
        last_due = max((self.planned_times[uid].due for uid in uids), default=np.nan)
        calendar = self._joint_calendar(members)
        due = days(end_of_day(joint.due, calendar.zone)) if joint.due else last_due
        horizon = self._horizon(uids)
        counts = counting.merged_counts(
            [(snapshot.container(member.uid), member.memberships) for member in members], snapshot.at
        )
        previous = snapshot.previous.get(f"joint:{joint.name}")
        return joint_health(
            joint,
            [member.health for member in members],
            counts,
            paths,
            ForecastWindow(due, horizon),
            AssessmentContext(snapshot.at, previous, self.rules.parameters, calendar),
        )

    def _horizon(self, uids: Iterable[str]) -> float:
        """Return the first end of the curves of the milestones that are not done, in days since 1970; NaN: none."""
        running = [uid for uid in uids if uid in self.curves and self.alone[uid].health.status is not Status.DONE]
        return min((self.curves[uid].horizon for uid in running), default=np.nan)

    def _joint_calendar(self, members: Sequence[AssessedMilestone]) -> Calendar:
        """Return the calendar in the time zone of the member that is due last."""
        dues = {milestone.uid: self.planned_times[milestone.uid].due for milestone in members}
        known = [milestone for milestone in members if not np.isnan(dues[milestone.uid])]
        last = max(known, key=lambda milestone: (dues[milestone.uid], milestone.uid), default=None)
        return self.rules.calendar if last is None else self.rules.calendar_of(last.connection)

    def _rounded_correlation(self, uids: Sequence[str]) -> tuple[tuple[float, ...], ...]:
        if not uids:
            return ()
        return tuple(tuple(round(float(value), 4) for value in row) for row in self._correlation(uids))


def _open_items(milestone: AssessedMilestone, snapshot: Snapshot) -> list[str]:
    """Return the uids of the open items of a milestone; none once it has ended."""
    if not milestone.is_running:
        return []
    return [
        membership.item
        for membership in milestone.memberships
        if membership.item in milestone.issues and counting.is_open(membership, snapshot.at)
    ]
