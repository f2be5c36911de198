"""Build the portfolio: every milestone with its dependencies, the joint milestones, and the checks across milestones.

A forecast that depends on another milestone depends on its data. If the readers of a comment may not read that
milestone, and its connection does not share aggregates, the dependency changes nothing that they read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from sync.assess.definition import DefinitionChecks
from sync.assess.dependencies import find_dependencies
from sync.assess.input_states import InputStates
from sync.assess.joint_plan import CountedPaths, JointPaths, JointPlanner
from sync.assess.milestone import AssessedMilestone
from sync.assess.missing_predecessors import outages_of_never_read, removed_members, removed_predecessors
from sync.assess.outage import RemovedMilestone
from sync.assess.paths import CompletionPaths
from sync.assess.portfolio import AssessedJointMilestone, Portfolio
from sync.assess.snapshot import Snapshot
from sync.assess.visibility import JointView, can_read, words_of_fellows
from sync.forecast import joint as joint_forecast
from sync.forecast.dependencies import Dependency, Propagated, topological_order
from sync.forecast.stats import allowed_open
from sync.health.joint import AssessmentContext, ForecastWindow, joint_health, moved_health
from sync.health.joint_levers import joint_levers, joint_reasons
from sync.health.missing_input import Outage, health_without_members, health_without_predecessor, worst_outage
from sync.health.reason_band import with_steady_reasons
from sync.health.status import BANDS
from sync.history import counting
from sync.history.calendar import Calendar
from sync.history.ledger import days
from sync.model.counting import joint_word
from sync.model.dates import day_of, end_of_day, week_until
from sync.model.health import Health, ReasonKind, Status, UnknownCause
from sync.model.joint import JointMilestone

__all__ = ["assess_healths", "build_portfolio"]

Floats = NDArray[np.float64]


def build_portfolio(snapshot: Snapshot) -> Portfolio:
    """Assess every milestone of a snapshot, then their relations.

    Raises `DependencyCycleError`, with the ids as people write them, if configured dependencies form a cycle.
    """
    return _PortfolioBuilder(snapshot).build()


def assess_healths(snapshot: Snapshot) -> dict[str, Health]:
    """Return the healths that `build_portfolio` gives milestones and joint milestones, by written id.

    Raises `DependencyCycleError`.
    """
    milestones, joints = _PortfolioBuilder(snapshot).assess()
    healths = {milestone.written: milestone.health for milestone in milestones.values()}
    return healths | {joint.written: joint.health for joint in joints}


class _PortfolioBuilder:
    """``alone`` are the milestones (by uid) as assessed without each other."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot, self.rules, self.now = snapshot, snapshot.rules, days(snapshot.at)
        self.alone = {milestone.uid: milestone for milestone in snapshot.assess()}
        self.open_items = {uid: _open_items(milestone, snapshot) for uid, milestone in self.alone.items()}
        members = {name: uids for name, (uids, _) in snapshot.members.items()}
        self.graph = find_dependencies(self.alone, self.open_items, members, self.rules)
        related = {uid for own in self.graph.dependencies for uid in (own.before, own.after)}.union(*members.values())
        self.alone |= snapshot.forecast_related(related)
        self.removed = removed_predecessors(self.alone, self.open_items, members, self.rules, snapshot.removed)
        self.paths = CompletionPaths(snapshot, self.alone, self.open_items, self.graph)
        outages = {
            (own.connection.name, key): outage
            for own in snapshot.rows
            for (source, key), outage in snapshot.outages.items()
            if source == own.source
        }
        self.never_read = list(outages_of_never_read(self.alone, members, self.rules, outages))
        self.inputs = InputStates(snapshot, self.alone, self.paths.known, self.removed, self.never_read)

    def assess(self) -> tuple[dict[str, AssessedMilestone], list[AssessedJointMilestone]]:
        """Return the milestones (by uid) and the joint milestones, without what the others mean for their readers."""
        milestones = dict(self.alone)
        for uid, health in self._healths_after_others(self.paths.published).items():
            milestones[uid] = replace(milestones[uid], health=health)
        for uid, outage in self._outages(self.paths.known).items():
            previous = self.snapshot.previous.get(uid)
            today = day_of(self.snapshot.at, self.alone[uid].connection.zone)
            health = health_without_predecessor(milestones[uid].health, self.alone[uid].health, previous, outage, today)
            milestones[uid] = replace(milestones[uid], health=health)
        return milestones, self._joints(milestones)

    def build(self) -> Portfolio:
        published, everything = self.paths.published, self.paths.everything()
        milestones, joints = self.assess()
        self._add_relations(milestones, joints, published)
        joints = [replace(joint, members=tuple(milestones[member.uid] for member in joint.members)) for joint in joints]
        return Portfolio(
            milestones=tuple(milestones.values()),
            joints=tuple(joints),
            dependencies=self.graph.dependencies,
            planned_times=self.paths.planned_times,
            propagation=everything,
            horizons={uid: self.paths.horizon([uid]) for uid in self.paths.curves},
            hidden=frozenset(
                uid for uid, paths in everything.paths.items() if not np.array_equal(paths, published.paths[uid])
            ),
            finished=self.snapshot.finished_by_project(),
        )

    def _outages(self, dependencies: Sequence[Dependency]) -> dict[str, Outage]:
        """Return the milestones (uid) that wait for one whose data is missing, directly or through others."""
        outages, unread = dict[str, Outage](), set[str]()
        missing = [(uid, milestone.outage) for uid, removed in self.removed.items() for milestone in removed]
        for uid, outage in (*missing, *self.never_read):
            outages[uid] = worst_outage(outages.get(uid), outage) or outage
        for uid, milestone in self.alone.items():
            own = self.snapshot.outage_of(milestone.connection.source, milestone.project.key, uid)
            if own is not None and milestone.health.stale_since is not None:
                outages[uid] = own
                unread.add(uid)
        before: dict[str, list[str]] = {}
        for dependency in dependencies:
            before.setdefault(dependency.after, []).append(dependency.before)
        for name in topological_order(dependencies):
            for predecessor in before.get(name, ()):
                worst = worst_outage(outages.get(name), outages.get(predecessor))
                if worst is not None:
                    outages[name] = worst
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
        views_by_member: dict[str, list[JointView]] = {}
        for joint in joints:
            view = JointView(joint, aggregate)
            for member in joint.members:
                views_by_member.setdefault(member.uid, []).append(view)
        wanted = self.snapshot.forecast_for
        for uid, milestone in milestones.items():
            if wanted is not None and uid not in wanted:
                continue
            views = views_by_member.get(uid, [])
            milestones[uid] = replace(
                milestone,
                commitments=tuple(view.commitment(milestone) for view in views),
                fellow_words=words_of_fellows(views, milestone),
                findings=checks.findings(milestone),
                is_aggregate=aggregate.get(uid, False),
                loads=checks.loads(milestone),
                unreviewed=checks.unreviewed(milestone),
                waiting_changes=checks.waiting_changes(milestone),
                inputs=self.inputs.of_milestone(uid),
            )

    # --- healths ------------------------------------------------------------------------------------------------------

    def _healths_after_others(self, propagation: Propagated) -> dict[str, Health]:
        """Return the healths of milestones (uid) after those that they wait for, with their reasons and levers.

        The last verdict of a stale milestone has those that it waits for in it. Counts and names may not depend on what
        the readers may not see.
        """
        uids = [uid for uid in propagation.deciding if self.alone[uid].health.stale_since is None]
        healths = {uid: self._moved_health(uid, propagation) for uid in uids}
        readable = [
            uid
            for uid in uids
            if self.snapshot.has_advice
            and all(can_read(self.alone[uid], self.alone[own.before]) for own in self.paths.predecessors(uid))
        ]
        for positions, batch in self.paths.waiting_batches(readable):
            own = [readable[k] for k in positions]
            advised = self.snapshot.advise(batch, [healths[uid] for uid in own])
            healths.update(zip(own, map(self._with_advice, [healths[uid] for uid in own], advised), strict=True))
        return healths

    def _moved_health(self, uid: str, propagation: Propagated) -> Health:
        milestone, predecessors = self.alone[uid], propagation.deciding[uid]
        _, parameters = self.snapshot.history_of(milestone)
        return moved_health(
            milestone.health,
            self.paths.own[uid],
            propagation.paths[uid],
            len(predecessors),
            ForecastWindow(self.paths.planned_times[uid].due, self.paths.horizon((uid, *predecessors))),
            AssessmentContext(
                self.snapshot.at,
                self.snapshot.previous.get(uid),
                parameters,
                self.rules.calendar_of(milestone.connection),
            ),
        )

    def _with_advice(self, health: Health, advised: Health) -> Health:
        """Return the health with the reasons and levers of ``advised``, after the reason of its predecessors."""
        waits = [reason for reason in health.reasons if reason.kind is ReasonKind.PREDECESSOR]
        reasons = sorted((*waits, *advised.reasons), key=lambda reason: -abs(reason.effect))
        health = replace(health, reasons=tuple(reasons), levers=advised.levers)
        return with_steady_reasons(health, self.snapshot.previous.get(health.container))

    # --- joint milestones ---------------------------------------------------------------------------------------------

    def _joints(self, milestones: Mapping[str, AssessedMilestone]) -> list[AssessedJointMilestone]:
        """Return the joint milestones, in their order."""
        counted = CountedPaths(self.paths)
        paths = [self._joint_paths(joint, milestones, counted) for joint in self.rules.joints]
        counted.draw(own.fewer_items() for own in paths if own is not None)
        joints = [self._joint(joint, milestones, own) for joint, own in zip(self.rules.joints, paths, strict=True)]
        known = {k: own for k, own in enumerate(paths) if own is not None and self._may_advise(joints[k])}
        plans = {k: own.plan(self.rules.parameters) for k, own in known.items()}
        wanted = self.snapshot.levers_for
        late = [
            k
            for k in known
            if joints[k].health.status is not Status.ON_TRACK and (wanted is None or joints[k].written in wanted)
        ]
        planner = JointPlanner(self.paths, counted, [known[k] for k in late])
        levers = dict(zip(late, joint_levers([plans[k] for k in late], planner.after), strict=True))
        for k, own in known.items():
            health, written = joints[k].health, [member.written for member in joints[k].members]
            reasons = [] if health.probability is None else joint_reasons(written, own.of_members, plans[k].p_of)
            health = replace(health, reasons=tuple(reasons), levers=levers.get(k, ()))
            joints[k] = replace(joints[k], health=health)
        return joints

    def _joint_paths(
        self, joint: JointMilestone, milestones: Mapping[str, AssessedMilestone], counted: CountedPaths
    ) -> JointPaths | None:
        """Return the paths of a joint milestone; None where a member is missing or cannot be forecast."""
        uids, missing = self.snapshot.members[joint.name]
        members = [milestones[uid] for uid in uids]
        if not members or missing or removed_members(joint, self.snapshot.removed) or self._unforecastable(members):
            return None
        return JointPaths(self.paths, counted, joint, members, self._joint_calendar(members))

    def _unforecastable(self, members: Sequence[AssessedMilestone]) -> tuple[AssessedMilestone, ...]:
        return tuple(
            member
            for member in members
            if member.uid not in self.paths.curves or member.health.unknown is UnknownCause.STALE
        )

    def _joint(
        self, joint: JointMilestone, milestones: Mapping[str, AssessedMilestone], paths: JointPaths | None
    ) -> AssessedJointMilestone:
        """Return a joint milestone without reasons and levers."""
        uids, missing = self.snapshot.members[joint.name]
        removed = removed_members(joint, self.snapshot.removed)
        members = [milestones[uid] for uid in uids]
        unforecastable = self._unforecastable(members)
        last = None if paths is None else paths.last
        if last is not None and any(_has_missed(member) for member in members):
            last = np.full_like(last, np.inf)
        health = self._without_missing_members(self._joint_health(joint, members, last), members, removed)
        return AssessedJointMilestone(
            joint=joint,
            health=health,
            members=tuple(members),
            missing=tuple(name for name in missing if name not in self.snapshot.removed.milestones),
            unforecastable=unforecastable,
            open_counts=joint_forecast.deduplicated_open_counts({uid: self.open_items[uid] for uid in uids}),
            correlation=() if unforecastable else self._rounded_correlation(uids),
            removed={milestone: self._last_status(milestone) for milestone in removed},
            inputs=self.inputs.of_joint(uids, removed),
        )

    def _last_status(self, milestone: RemovedMilestone) -> Status:
        last = self.snapshot.previous.get(milestone.uid)
        return Status.UNKNOWN if last is None else last.status

    def _without_missing_members(
        self, health: Health, members: Sequence[AssessedMilestone], removed: Sequence[RemovedMilestone]
    ) -> Health:
        """Return the health of a joint milestone, as of the last reading of its members whose data is missing."""
        stale = [member.health for member in members if member.health.stale_since is not None]
        outages = [
            Outage(since=member.stale_since, is_short=member.unknown is not UnknownCause.STALE) for member in stale
        ]
        outages += [milestone.outage for milestone in removed]
        if not outages:
            return health
        is_open = any(
            not member.health.status.is_over and member.health.counts.open
            for member in members
            if member.health.stale_since is None
        )
        since = min(outage.since for outage in outages if outage.since is not None)
        return health_without_members(
            health,
            self.snapshot.previous.get(health.container),
            Outage(since=since, is_short=all(outage.is_short for outage in outages)),
            day_of(self.snapshot.at, self._joint_calendar(members).zone),
            is_open=is_open,
        )

    def _joint_health(
        self, joint: JointMilestone, members: Sequence[AssessedMilestone], paths: Floats | None
    ) -> Health:
        uids, snapshot = [member.uid for member in members], self.snapshot
        calendar = self._joint_calendar(members)
        due = self._joint_due(joint, uids, calendar)
        horizon = self.paths.horizon(uids)
        counts = counting.merged_counts(
            [(snapshot.container(member.uid), member.memberships) for member in members],
            snapshot.at,
            week_until(snapshot.at, calendar.zone),
            snapshot.changes,
        )
        words = [member.connection.changes.word for member in members if member.health.counts.changes]
        counts = replace(counts, word=joint_word(words))
        previous = snapshot.previous.get(f"joint:{joint.name}")
        rules = replace(self.rules.parameters, method=snapshot.joint_method(uids))
        return joint_health(
            joint,
            [member.health for member in members],
            counts,
            paths,
            ForecastWindow(due, horizon),
            AssessmentContext(snapshot.at, previous, rules, calendar),
        )

    def _joint_due(self, joint: JointMilestone, uids: Sequence[str], calendar: Calendar) -> float:
        """Return the due moment of a joint milestone: the end of its own due day, or else that of the last member's."""
        if joint.due:
            return days(end_of_day(joint.due, calendar.zone))
        return max((self.paths.planned_times[uid].due for uid in uids), default=np.nan)

    def _may_advise(self, joint: AssessedJointMilestone) -> bool:
        """Return whether a joint milestone has reasons and levers.

        It has none in a snapshot without advice, with data missing, or with a member that waits for a milestone that
        its readers may not see.
        """
        is_wanted = self.snapshot.has_advice and joint.health.band in (*BANDS, Status.OVERDUE)
        return is_wanted and not any(
            member.health.stale_since is not None
            or _has_missed(member)
            or any(not can_read(member, self.alone[own.before]) for own in self.paths.predecessors(member.uid))
            for member in joint.members
        )

    def _joint_calendar(self, members: Sequence[AssessedMilestone]) -> Calendar:
        """Return the calendar in the time zone of the member that is due last."""
        dues = {milestone.uid: self.paths.planned_times[milestone.uid].due for milestone in members}
        known = [milestone for milestone in members if not np.isnan(dues[milestone.uid])]
        last = max(known, key=lambda milestone: (dues[milestone.uid], milestone.uid), default=None)
        return self.rules.calendar if last is None else self.rules.calendar_of(last.connection)

    def _rounded_correlation(self, uids: Sequence[str]) -> tuple[tuple[float, ...], ...]:
        if not uids:
            return ()
        rows = self.paths.correlation(uids).tolist()
        rounded = {value: round(value, 4) for row in rows for value in set(row)}  # few: one for each pair of streams
        return tuple(tuple(map(rounded.__getitem__, row)) for row in rows)


def _has_missed(milestone: AssessedMilestone) -> bool:
    """Return True if it ended with more items open or carried over than its tolerance allows: it will never be done."""
    counts = milestone.health.counts
    allowed = int(allowed_open(counts.total, milestone.tolerance))
    return milestone.health.status is Status.ENDED and counts.unfinished > allowed


def _open_items(milestone: AssessedMilestone, snapshot: Snapshot) -> list[str]:
    """Return the uids of the open items of a milestone; none once it has ended."""
    if not milestone.is_running:
        return []
    return [
        membership.item
        for membership in milestone.memberships
        if counting.is_open(membership, snapshot.at) and membership.item in milestone.issues
    ]
