"""Completion paths of milestones with relations: their curves, sampled moments, and delays along dependencies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sync.assess.dependencies import DependencyGraph, find_dependencies
from sync.assess.milestone import AssessedMilestone
from sync.assess.snapshot import Snapshot
from sync.assess.visibility import may_depend_on
from sync.forecast import joint as joint_forecast
from sync.forecast.batch import ForecastBatch, daily_batches
from sync.forecast.dependencies import Dependency, PlannedTime, Predecessor, Propagated, propagate
from sync.forecast.joint import Curve, published_curve
from sync.forecast.waiting import WaitingBatch
from sync.health.status import BANDS
from sync.history.ledger import days
from sync.model.health import Status

__all__ = ["CompletionPaths"]

Floats = NDArray[np.float64]

_WITH_CURVE = (*BANDS, Status.OVERDUE)
"""Statuses of milestones with a completion curve."""


class CompletionPaths:
    """Paths of the milestones that wait for others, or that others or a joint milestone wait for.

    ``alone`` are the milestones (by uid) as assessed without each other, ``open_items`` the uids of their open items.
    ``clock`` is that of the day, from which delays count (days since 1970 UTC).
    ``known`` are the dependencies that the readers of the successor may know.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        alone: Mapping[str, AssessedMilestone],
        open_items: Mapping[str, Sequence[str]],
        graph: DependencyGraph,
    ) -> None:
        self.snapshot, self.alone, self.open_items, self.graph = snapshot, alone, open_items, graph
        self.now = days(snapshot.at)
        self.clock = snapshot.rules.calendar.clock_of_day(self.now)
        self.known = self._known(graph.dependencies)
        self.batches = self._forecast_batches(self._uids_with_relations())
        self.planned_times = {
            uid: PlannedTime(float(batch.start[k]), float(batch.due[k])) for uid, (batch, k) in self.batches.items()
        }
        self.curves = self.curves_with({})
        self.shares = self._shares()
        self.own = self.paths_of(self.curves)
        self.published = self.propagate(self.own, self.known)

    def everything(self) -> Propagated:
        """Return the paths with every dependency, known to the readers or not."""
        if len(self.known) == len(self.graph.dependencies):
            return self.published
        return self.propagate(self.own, self.graph.dependencies)

    def curves_with(self, remaining: Mapping[str, int]) -> dict[str, Curve]:
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
                    curves[own[k]] = Curve.done(self.clock)
                elif curve is not None and healths[k].status in _WITH_CURVE:
                    curves[own[k]] = curve
        return curves

    def paths_of(self, curves: Mapping[str, Curve]) -> dict[str, Floats]:
        """Return the completion moments of milestones without the others."""
        return {uid: curves[uid].quantile(share) for uid, share in self.shares.items() if uid in curves}

    def propagate(self, paths: Mapping[str, Floats], dependencies: Sequence[Dependency]) -> Propagated:
        """Return the paths after the delays along ``dependencies``."""
        return propagate(paths, self.planned_times, dependencies, self.clock)

    def with_counts(self, open_items: Mapping[str, Sequence[str]]) -> dict[str, Floats]:
        """Return all paths without the others, with items that are in several of these milestones counted once."""
        counts = joint_forecast.deduplicated_open_counts(open_items)
        fewer = {uid: count for uid, count in counts.items() if count < len(open_items[uid])}
        if not fewer:
            return self.own
        changed = self.curves_with(fewer)
        return {**self.own, **self.paths_of({uid: changed[uid] for uid in fewer})}

    def after_change(self, uids: Sequence[str], uid: str, cut: int, due: float | None) -> dict[str, Floats]:
        """Return the paths of a joint milestone's members (``uids``) after a change of the member ``uid``.

        ``cut``: number of its items to cut, the best candidates first. ``due``: its new due moment; None: unchanged.
        """
        names = set(self.snapshot.advisor(uid).candidates(uid)[:cut])
        open_items = {name: self.open_items[name] for name in uids}
        open_items[uid] = [item for item in open_items[uid] if item not in names]
        counted = joint_forecast.deduplicated_open_counts(open_items)[uid]
        own = dict(self.with_counts(open_items))
        own[uid] = self._curve_after(uid, cut, counted, due).quantile(self.shares[uid])
        planned = dict(self.planned_times)
        if due is not None:
            planned[uid] = PlannedTime(planned[uid].start, due)
        dependencies = _before(uids, self.dependencies_without(uid, names))
        paths = propagate(own, planned, dependencies, self.clock).paths
        return {name: paths[name] for name in uids}

    def _curve_after(self, uid: str, cut: int, counted: int, due: float | None) -> Curve:
        """Return the curve of a milestone after a cut and a move, with ``counted`` of its open items."""
        batch, health = self.batch_of(uid), self.alone[uid].health
        if counted == 0:
            return Curve.done(self.clock)
        plan = batch if due is None else batch.moved(np.array([due]))
        left = np.maximum(plan.open - cut, 0)
        own = plan.probability(left, left + plan.done)
        published = np.array([health.probability if health.basis.calibrating else np.nan], dtype=np.float64)
        curve = published_curve(plan.completion(np.array([counted]), counted + plan.done), own, published)
        return Curve(*plan.points(curve, 0), float(plan.horizon[0]))

    def batch_of(self, uid: str) -> ForecastBatch:
        """Return the batch of one milestone, without the others."""
        milestone = self.alone[uid]
        history, _ = self.snapshot.history_of(milestone)
        calendar = self.snapshot.rules.calendar_of(milestone.connection)
        (batch,) = daily_batches(history, [history.ledger.index[uid]], self.snapshot.at, calendar)
        return batch

    def correlation(self, uids: Sequence[str]) -> Floats:
        """Return the correlation of the milestones' streams."""
        history, _ = self.snapshot.history(self.alone[uids[0]].connection)
        return joint_forecast.correlation_matrix(history, [self.alone[uid].stream for uid in uids], self.now)

    def horizon(self, uids: Iterable[str]) -> float:
        """Return the first end of the curves of the milestones that are not over, in days since 1970; NaN: none."""
        running = [uid for uid in uids if uid in self.curves and not self.alone[uid].health.status.is_over]
        return min((self.curves[uid].horizon for uid in running), default=np.nan)

    def waiting_batch(self, uid: str) -> WaitingBatch:
        """Return the forecast of a milestone with the milestones that it waits for."""
        candidates = self.snapshot.advisor(uid).candidates(uid)

        def predecessors(cut: int) -> list[Predecessor]:
            gone = set(candidates[:cut])
            dependencies = self.known if not gone else self.dependencies_without(uid, gone)
            paths = self.published.paths
            return [
                Predecessor(dependency, paths[dependency.before], self.planned_times[dependency.before])
                for dependency in dependencies
                if dependency.after == uid and dependency.before in self.own
            ]

        return WaitingBatch(self.batch_of(uid), self.shares[uid], predecessors)

    def dependencies_without(self, uid: str, items: set[str]) -> list[Dependency]:
        """Return the known dependencies after these items (uids) have left a milestone."""
        touching = [own for own in self.known if uid in (own.before, own.after)]
        if not any(own.issues for own in touching):
            return list(self.known)
        others = {name for own in touching for name in (own.before, own.after)}
        open_items = {name: self.open_items[name] for name in others}
        open_items[uid] = [item for item in self.open_items[uid] if item not in items]
        members = {name: uids for name, (uids, _) in self.snapshot.members.items()}
        alone = {name: self.alone[name] for name in others}
        found = find_dependencies(alone, open_items, members, self.snapshot.rules).dependencies
        rest = [own for own in self.known if uid not in (own.before, own.after)]
        return rest + [own for own in self._known(found) if uid in (own.before, own.after)]

    def _known(self, dependencies: Iterable[Dependency]) -> list[Dependency]:
        return [own for own in dependencies if may_depend_on(self.alone[own.after], self.alone[own.before])]

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
        histories = {uid: self.snapshot.history_of(self.alone[uid])[0] for uid in uids}
        positions: dict[str, tuple[ForecastBatch, int]] = {}
        for history in {id(history): history for history in histories.values()}.values():
            own = [uid for uid in uids if histories[uid] is history]
            index = np.array([history.ledger.index[uid] for uid in own], dtype=np.int64)
            calendars = [self.snapshot.rules.calendar_of(self.alone[uid].connection) for uid in own]
            clocks = np.array([calendar.clock_of_day(self.now) for calendar in calendars])
            counted_at = np.full(len(own), self.now)
            batch = ForecastBatch(history, index, clocks, self.snapshot.rules.calendar, counted_at=counted_at)
            positions |= {uid: (batch, k) for k, uid in enumerate(own)}
        return {uid: positions[uid] for uid in uids}

    def _shares(self) -> dict[str, Floats]:
        """Return the rank of each path among the completion moments of its milestone."""
        uids = [uid for uid in self.batches if uid in self.curves]
        if not uids:
            return {}
        return dict(zip(uids, joint_forecast.completion_shares(uids, self.correlation(uids)), strict=True))


def _before(uids: Sequence[str], dependencies: Sequence[Dependency]) -> list[Dependency]:
    """Return the dependencies on which these milestones depend, directly or through others."""
    needed, size = set(uids), 0
    while size < len(needed):
        size = len(needed)
        needed |= {own.before for own in dependencies if own.after in needed}
    return [own for own in dependencies if own.after in needed]
