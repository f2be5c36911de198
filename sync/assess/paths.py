"""Completion paths of milestones with relations: their curves, sampled moments, and delays along dependencies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.assess.dependencies import DependencyGraph
from sync.assess.milestone import AssessedMilestone
from sync.assess.related_milestones import RelatedMilestones
from sync.assess.snapshot import Snapshot
from sync.assess.visibility import may_depend_on
from sync.forecast import joint as joint_forecast
from sync.forecast.batch import ForecastBatch
from sync.forecast.dependencies import (
    Dependency,
    PlannedTime,
    Predecessor,
    Propagated,
    dependencies_by_successor,
    propagate,
)
from sync.forecast.joint import Curve, published_curve
from sync.forecast.stream_correlation import StreamCorrelation
from sync.forecast.waiting import PredecessorsAfterCut, WaitingBatch
from sync.health.status import BANDS
from sync.history.ledger import days
from sync.model.health import Status

__all__ = ["CompletionPaths", "MemberChange"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_WITH_CURVE = (*BANDS, Status.OVERDUE)
"""Statuses of milestones with a completion curve."""


class MemberChange(Struct, frozen=True):
    """Change of a milestone (uid): ``cut`` of its open items leave, and it is due at ``due`` (None: unchanged).

    ``counted`` of its items then count for its completion; none: it is done. ``due`` is in days since 1970 UTC.
    """

    uid: str
    counted: int
    cut: int = 0
    due: float | None = None


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
        self.known = [own for own in graph.dependencies if may_depend_on(alone[own.after], alone[own.before])]
        self._predecessors = dependencies_by_successor(self.known)
        joints = (uids for uids, _ in snapshot.members.values())
        public = {uid for uid, milestone in alone.items() if milestone.project.is_public}
        shared = {uid for uid, milestone in alone.items() if milestone.connection.share == "aggregate"}
        self._related = RelatedMilestones(joints, graph.dependencies, public, shared)
        self.batches = self._forecast_batches(self._related.uids)
        self.planned_times = {
            uid: PlannedTime(float(batch.start[k]), float(batch.due[k])) for uid, (batch, k) in self.batches.items()
        }
        self.curves = self._curves()
        self.ranks = self._ranks()
        self.own = {uid: self.curves[uid].draw(ranks) for uid, ranks in self.ranks.items()}
        self.published = self.propagate(self.own, self.known)

    def everything(self) -> Propagated:
        """Return the paths with every dependency, known to the readers or not."""
        if len(self.known) == len(self.graph.dependencies):
            return self.published
        return self.propagate(self.own, self.graph.dependencies)

    def _curves(self) -> dict[str, Curve]:
        """Return the curve of each milestone that is done or can be forecast."""
        curves: dict[str, Curve] = {}
        for batch in {id(batch): batch for batch, _ in self.batches.values()}.values():
            own = {k: uid for uid, (other, k) in self.batches.items() if other is batch}
            healths = [self.alone[own[k]].health for k in range(len(own))]
            published = np.array([np.nan if health.probability is None else health.probability for health in healths])
            for k, curve in enumerate(joint_forecast.curves(batch, published)):
                if healths[k].status.is_over:
                    curves[own[k]] = Curve.done(self.clock)
                elif curve is not None and healths[k].status in _WITH_CURVE:
                    curves[own[k]] = curve
        return curves

    def propagate(self, paths: Mapping[str, Floats], dependencies: Sequence[Dependency]) -> Propagated:
        """Return the paths after the delays along ``dependencies``."""
        return propagate(paths, self.planned_times, dependencies, self.clock)

    def paths_after(self, changes: Sequence[MemberChange]) -> list[Floats]:
        """Return the completion moments of each changed milestone without the others."""
        curves = [Curve.done(self.clock)] * len(changes)
        for is_moved in (False, True):
            own = [k for k, change in enumerate(changes) if change.counted and (change.due is not None) is is_moved]
            for positions, batch in self.snapshot.batches([changes[k].uid for k in own]):
                places = [own[position] for position in positions]
                for k, curve in zip(places, self._curves_after(batch, [changes[k] for k in places]), strict=True):
                    curves[k] = curve
        return [curve.draw(self.ranks[change.uid]) for curve, change in zip(curves, changes, strict=True)]

    def _curves_after(self, batch: ForecastBatch, changes: Sequence[MemberChange]) -> Iterator[Curve]:
        """Yield the curves of the containers of a batch after their changes; all of them move, or none."""
        healths = [self.alone[change.uid].health for change in changes]
        cut, counted = (np.array(column) for column in zip(*((own.cut, own.counted) for own in changes), strict=True))
        dues = [change.due for change in changes if change.due is not None]
        plan = batch.moved(np.array(dues)) if dues else batch
        left = np.maximum(plan.open - cut, 0)
        own = plan.probability(left, left + plan.done)
        other = [h.probability if h.basis.calibrating or h.stale_since is not None else np.nan for h in healths]
        published = np.array(other, dtype=np.float64)  # where it is not the forecast's own
        curve = published_curve(plan.completion(counted, counted + plan.done), own, published)
        return (Curve(*plan.points(curve, k), float(horizon)) for k, horizon in enumerate(plan.horizon.tolist()))

    def correlation(self, uids: Sequence[str]) -> Floats:
        """Return the correlations between milestones that have curves: float64[m, m]."""
        return self._stream_correlation.matrix([self.alone[uid].stream for uid in uids])

    @cached_property
    def _stream_correlation(self) -> StreamCorrelation:
        first = next(uid for uid in self.batches if uid in self.curves)
        history, _ = self.snapshot.history(self.alone[first].connection)
        return StreamCorrelation(history, self.now)

    def horizon(self, uids: Iterable[str]) -> float:
        """Return the first end of the curves of the milestones that are not over, in days since 1970; NaN: none."""
        running = [uid for uid in uids if uid in self.curves and not self.alone[uid].health.status.is_over]
        return min((self.curves[uid].horizon for uid in running), default=np.nan)

    def predecessors(self, uid: str) -> Sequence[Dependency]:
        """Return the known dependencies of a milestone on others."""
        return self._predecessors.get(uid, ())

    def before(self, uids: Iterable[str]) -> list[Dependency]:
        """Return the known dependencies on which these milestones depend, directly or through others."""
        found, waiting = dict[str, Sequence[Dependency]](), list(uids)
        while waiting:
            uid = waiting.pop()
            if uid not in found:
                found[uid] = self.predecessors(uid)
                waiting += [own.before for own in found[uid]]
        return [own for dependencies in found.values() for own in dependencies]

    def waiting_batches(self, uids: Sequence[str]) -> Iterator[tuple[list[int], WaitingBatch]]:
        """Yield the forecasts of milestones with those that they wait for, with the positions of each in ``uids``."""
        for positions, batch in self.snapshot.batches(uids):
            own = [uids[k] for k in positions]
            yield positions, WaitingBatch(batch, [self.ranks[uid] for uid in own], list(map(self._after_cut, own)))

    def _after_cut(self, uid: str) -> PredecessorsAfterCut:
        dependencies = [own for own in self.predecessors(uid) if own.before in self.own]
        candidates = self.candidates(uid) if any(own.issues for own in dependencies) else ()

        def predecessors(cut: int) -> list[Predecessor]:
            paths = self.published.paths
            return [
                Predecessor(own, paths[own.before], self.planned_times[own.before])
                for own in self.without_items(dependencies, uid, candidates[:cut])
            ]

        return predecessors

    def candidates(self, uid: str) -> Sequence[str]:
        """Return the uids of the open items of a milestone to cut, best first."""
        return self.snapshot.advisor(uid).candidates(uid)

    def without_items(
        self, dependencies: Sequence[Dependency], uid: str, items: Collection[str]
    ) -> Sequence[Dependency]:
        """Return the dependencies after these items (uids) have left a milestone."""
        if not items:
            return dependencies
        return [own for dependency in dependencies if (own := self._without_items(dependency, uid, items)) is not None]

    def _without_items(self, dependency: Dependency, uid: str, items: Collection[str]) -> Dependency | None:
        before, after = dependency.before, dependency.after
        if not dependency.issues or uid not in (before, after):
            return dependency
        left = frozenset(self.open_items[uid]) - frozenset(items)
        other = frozenset(self.open_items[after if uid == before else before])
        links = self.graph.links[before, after]
        return links.dependency(left, other) if uid == before else links.dependency(other, left)

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

    def _ranks(self) -> dict[str, Ints]:
        """Return the rank of each path among the completion moments of its milestone."""
        ranks: dict[str, Ints] = {}
        for own in self._related.groups(uid for uid in self.batches if uid in self.curves):
            correlation = self.correlation(own)
            correlation[self._related.is_drawn_apart(own)] = 0.0
            ranks.update(zip(own, joint_forecast.completion_ranks(own, correlation), strict=True))
        return ranks
