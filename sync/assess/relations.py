"""Milestones in relation to each other: what each waits for, the joint ones, and what their definitions lack.

A forecast that depends on another milestone depends on its data: where the readers of a comment may not see that
milestone, and its connection does not share aggregates, the dependency moves nothing that they read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sync.assess.milestone import AssessedMilestone
from sync.assess.portfolio import AssessedJointMilestone, Portfolio
from sync.assess.snapshot import Snapshot
from sync.assess.visibility import as_seen, may_know, sees
from sync.forecast import dependencies as timeline
from sync.forecast import joint
from sync.forecast.batch import ForecastBatch
from sync.forecast.dependencies import Dependency, PlannedTime, Propagated
from sync.forecast.history_tables import HistoryTables
from sync.forecast.joint import Curve
from sync.health import definition as coordination
from sync.health import reminders as nudges
from sync.health.joint import joint_health, moved_health
from sync.health.reminders import Load
from sync.history import counting
from sync.history.ledger import days
from sync.model import definition
from sync.model.dates import end_of_day
from sync.model.errors import DependencyCycleError
from sync.model.health import Health, Status
from sync.model.joint import JointMilestone

__all__ = ["AssessedJointMilestone", "Portfolio", "build_portfolio"]

Floats = NDArray[np.float64]

_FORECAST = (Status.ON_TRACK, Status.AT_RISK, Status.OFF_TRACK, Status.OVERDUE)


def build_portfolio(reading: Snapshot) -> Portfolio:
    """Assess every milestone, then their relations.

    Raises `DependencyCycleError`, naming the milestones as people write them, when configured dependencies form a
    circle.
    """
    return _PortfolioBuilder(reading).whole()


class _PortfolioBuilder:
    def __init__(self, reading: Snapshot) -> None:
        self.reading, self.book, self.now = reading, reading.book, days(reading.at)
        self.calendar = self.book.calendar
        self.alone = {milestone.uid: milestone for milestone in reading.assess()}
        self.named = {milestone.written: milestone.uid for milestone in self.alone.values()}
        self.open = {
            uid: _open(milestone, reading) if milestone.running else [] for uid, milestone in self.alone.items()
        }
        self.members = reading.members
        self.dependencies, self.circles = self._dependencies()
        self.outlooks = self._outlooks(self._wanted())
        self.curves = self._curves({})
        self.spans = {uid: PlannedTime(float(o.start[k]), float(o.due[k])) for uid, (o, k) in self.outlooks.items()}

    # --- who belongs together -----------------------------------------------------------------------------------------

    def _dependencies(self) -> tuple[list[Dependency], dict[str, int]]:
        """Those to go by, without circles of links; and in how many circles each milestone is."""
        written = {
            (b, a) for before, after in self.book.dependencies for b in self._each(before) for a in self._each(after)
        }
        told = [Dependency(before=b, after=a) for b, a in sorted(written) if b != a]
        linked = [d for d in self._links() if (d.before, d.after) not in written]
        try:
            public, circles = timeline.acyclic(told, [d for d in linked if self._all_public(d)])
        except DependencyCycleError as error:
            raise DependencyCycleError([self.alone[uid].written for uid in error.ids]) from None
        kept, others = timeline.acyclic(public, [d for d in linked if not self._all_public(d)])
        within: dict[str, int] = defaultdict(int)
        for round_trip in circles:
            for uid in set(round_trip.ids):
                within[uid] += 1
        for round_trip in others:
            for uid in set(round_trip.ids):
                within[uid] += not self.alone[uid].project.public
        return kept, within

    def _all_public(self, dependency: Dependency) -> bool:
        return self.alone[dependency.before].project.public and self.alone[dependency.after].project.public

    def _wanted(self) -> list[str]:
        """The milestones whose paths are asked for: first those that are public and have no private reason for it.

        The paths of each depend on who comes before it, so that what is private moves nothing that is public.
        """
        asked = {uid for found, _ in self.members.values() for uid in found}
        asked |= {uid for d in self.dependencies if self._all_public(d) for uid in (d.before, d.after)}
        wanted = asked | {uid for d in self.dependencies for uid in (d.before, d.after)}
        return sorted(wanted, key=lambda uid: (not (uid in asked and self.alone[uid].project.public), uid))

    def _each(self, written: str) -> list[str]:
        name = written.removeprefix("joint:")
        if name != written:
            return self.members[name][0] if name in self.members else []
        return [self.named[written]] if written in self.named else []

    def _links(self) -> Iterator[Dependency]:
        """Milestones whose open issues are blocked by open issues of others."""
        holders: dict[str, list[str]] = defaultdict(list)
        names: dict[tuple[str, str, str], str] = {}
        for uid, items in self.open.items():
            milestone = self.alone[uid]
            for item in items:
                holders[item].append(uid)
                issue = milestone.issues[item]
                names.update(dict.fromkeys(_names(milestone.source.name, issue.project, issue.key, issue.url), item))
        blockers: dict[tuple[str, str], set[str]] = defaultdict(set)
        blocked: dict[tuple[str, str], set[str]] = defaultdict(set)
        for item, after in ((item, uid) for item, uids in holders.items() for uid in uids):
            waiting = self.alone[after].issues[item]
            for word in waiting.blocked_by:
                asked = _names(self.alone[after].source.name, waiting.project, word, word)
                by = next((names[name] for name in asked if name in names), None)
                for before in holders.get(by or "", ()):
                    if by is not None and after not in holders[by] and before not in holders[item]:
                        blockers[before, after].add(by)
                        blocked[before, after].add(item)
        for (before, after), found in sorted(blockers.items()):
            yield timeline.blocking(
                before,
                after,
                blockers=len(found),
                of=len(self.open[before]),
                blocked=len(blocked[before, after]),
                waiting_of=len(self.open[after]),
            )

    # --- paths --------------------------------------------------------------------------------------------------------

    def _outlooks(self, uids: Sequence[str]) -> dict[str, tuple[ForecastBatch, int]]:
        learnt = {uid: self._past(uid) for uid in uids}
        place: dict[str, tuple[ForecastBatch, int]] = {}
        for past in {id(past): past for past in learnt.values()}.values():
            mine = [uid for uid in uids if learnt[uid] is past]
            index = np.array([past.ledger.index[uid] for uid in mine], dtype=np.int64)
            outlook = ForecastBatch(past, index, np.full(len(mine), self.now), self.calendar)
            place |= {uid: (outlook, k) for k, uid in enumerate(mine)}
        return {uid: place[uid] for uid in uids}

    def _past(self, uid: str) -> HistoryTables:
        return self.reading.history(self.alone[uid].source, self.alone[uid].project)[0]

    def _curves(self, remaining: Mapping[str, int]) -> dict[str, Curve]:
        """The curve of each milestone that is done or can be forecast; ``remaining`` open items where not all count."""
        found: dict[str, Curve] = {}
        for outlook in {id(o): o for o, _ in self.outlooks.values()}.values():
            mine = {k: uid for uid, (o, k) in self.outlooks.items() if o is outlook}
            healths = [self.alone[mine[k]].health for k in range(len(mine))]
            published = np.array([np.nan if h.probability is None else h.probability for h in healths])
            left = np.array([remaining.get(mine[k], int(outlook.open[k])) for k in range(len(mine))], dtype=np.float64)
            for k, curve in enumerate(joint.curves(outlook, published, left)):
                if healths[k].status is Status.DONE:
                    found[mine[k]] = Curve.done(self.now)
                elif curve is not None and healths[k].status in _FORECAST:
                    found[mine[k]] = curve
        return found

    def _paths(self, curves: Mapping[str, Curve]) -> dict[str, Floats]:
        if not curves:
            return {}
        uids = [uid for uid in self.outlooks if uid in curves]
        paths = joint.completion_samples(uids, [curves[uid] for uid in uids], self._togetherness(uids))
        return dict(zip(uids, paths, strict=True))

    def _togetherness(self, uids: Sequence[str]) -> Floats:
        past, _ = self.reading.history(self.alone[uids[0]].source)
        return joint.correlation_matrix(past, [self.alone[uid].stream for uid in uids], self.now)

    # --- the whole ----------------------------------------------------------------------------------------------------

    def whole(self) -> Portfolio:
        own = self._paths(self.curves)
        told = [d for d in self.dependencies if may_know(self.alone[d.after], self.alone[d.before])]
        shown = timeline.propagate(own, self.spans, told, self.now)
        moved = shown if len(told) == len(self.dependencies) else self._all(own)
        healths = {uid: self._moved(uid, own, shown) for uid in shown.held}
        milestones = {
            uid: replace(milestone, health=healths.get(uid, milestone.health)) for uid, milestone in self.alone.items()
        }
        joints = [self._joint(asked, milestones, own, told, shown) for asked in self.book.joints]
        shared = self._shared_people(milestones)
        unseen = {
            uid: any(not sees(self.alone[uid], self.alone[b]) for b in waits) for uid, waits in shown.held.items()
        }
        for uid, milestone in milestones.items():
            mine = [made for made in joints if any(member.uid == uid for member in made.members)]
            milestones[uid] = replace(
                milestone,
                commitments=tuple(as_seen(made, milestone, unseen) for made in mine),
                findings=self._findings(milestone, shared.get(uid, {})),
                criteria=coordination.criteria(milestone.milestone.description),
                aggregate=unseen.get(uid, False),
                loads=self._loads(milestone),
                unreviewed=self._unreviewed(milestone),
            )
        joints = [replace(made, members=tuple(milestones[member.uid] for member in made.members)) for made in joints]
        horizons = {uid: curve.horizon for uid, curve in self.curves.items()}
        return Portfolio(
            tuple(milestones.values()), tuple(joints), tuple(self.dependencies), self.spans, moved, horizons
        )

    def _all(self, own: Mapping[str, Floats]) -> Propagated:
        return timeline.propagate(own, self.spans, self.dependencies, self.now)

    def _moved(self, uid: str, own: Mapping[str, Floats], moved: Propagated) -> Health:
        milestone = self.alone[uid]
        _, rules = self.reading.history(milestone.source, milestone.project)
        horizon = max(self.curves[name].horizon for name in (uid, *moved.held[uid]))
        return moved_health(
            milestone.health,
            own[uid],
            moved.paths[uid],
            due=self.spans[uid].due,
            horizon=horizon,
            count=len(moved.held[uid]),
            previous=self.reading.previous.get(uid),
            rules=rules,
            calendar=self.calendar,
        )

    def _joint(
        self,
        asked: JointMilestone,
        milestones: Mapping[str, AssessedMilestone],
        own: Mapping[str, Floats],
        told: Sequence[Dependency],
        shown: Propagated,
    ) -> AssessedJointMilestone:
        uids, missing = self.members[asked.name]
        members = [milestones[uid] for uid in uids]
        blind = [milestone for milestone in members if milestone.uid not in self.curves]
        counted = joint.deduplicated_open_counts({uid: self.open[uid] for uid in uids})
        fewer = {uid: count for uid, count in counted.items() if count < len(self.open[uid])}
        paths = shown.paths
        if fewer and not blind:
            again = {**self.curves, **{uid: self._curves(fewer)[uid] for uid in fewer}}
            paths = timeline.propagate({**own, **self._paths(again)}, self.spans, told, self.now).paths
        dues = [self.spans[uid].due for uid in uids]
        due = days(end_of_day(asked.due, self.calendar.zone)) if asked.due else max(dues, default=np.nan)
        name = f"joint:{asked.name}"
        health = joint_health(
            name,
            [milestone.health for milestone in members],
            None if blind or missing or not members else np.max([paths[uid] for uid in uids], axis=0),
            at=self.reading.at,
            due=due,
            promised=asked.due,
            horizon=max((self.curves[uid].horizon for uid in uids if uid in self.curves), default=np.nan),
            counts=counting.merged_counts(
                [(self.reading.container(milestone.uid), milestone.memberships) for milestone in members],
                self.reading.at,
            ),
            previous=self.reading.previous.get(name),
            rules=self.book.rules,
            calendar=self.calendar,
        )
        return AssessedJointMilestone(
            asked,
            health,
            tuple(members),
            tuple(missing),
            tuple(blind),
            counted,
            () if blind else self._correlation(uids),
        )

    def _correlation(self, uids: Sequence[str]) -> tuple[tuple[float, ...], ...]:
        if not uids:
            return ()
        return tuple(tuple(round(float(value), 4) for value in row) for row in self._togetherness(uids))

    # --- definitions --------------------------------------------------------------------------------------------------

    def _shared_people(self, milestones: Mapping[str, AssessedMilestone]) -> dict[str, dict[str, int]]:
        people: dict[str, frozenset[str]] = {}
        planned: dict[str, tuple[date, date]] = {}
        for uid, milestone in milestones.items():
            health = milestone.health
            if (
                milestone.running
                and health.start is not None
                and health.due is not None
                and health.due >= health.at.date()
            ):
                planned[uid] = max(health.start, health.at.date()), health.due
                people[uid] = frozenset(
                    f"{milestone.source.name}/{person.id}"
                    for item in self.open[uid]
                    for person in milestone.issues[item].assignees
                )
        return coordination.overlaps(people, planned)

    def _unreviewed(self, milestone: AssessedMilestone) -> tuple[str, ...]:
        review = self.book.reminder_rules.review
        return tuple(
            uid for uid in sorted(self.open[milestone.uid]) if nudges.unreviewed(milestone.issues[uid], review)
        )

    def _loads(self, milestone: AssessedMilestone) -> tuple[Load, ...]:
        """Who of its people carries more than fits until its due date, in all that its readers may see."""
        today, due = milestone.health.at.date(), milestone.health.due
        if not self.book.reminder_rules.over_committed or not milestone.running or due is None or due < today:
            return ()
        mine = {person for uid in self.open[milestone.uid] for person in milestone.issues[uid].assignees}
        held = {
            person: [got for other, got in self._held[milestone.source.name, person.id] if sees(milestone, other)]
            for person in mine
        }
        return nudges.overcommitted(held, due, today, self.calendar)

    @cached_property
    def _held(self) -> Mapping[tuple[str, str], list[tuple[AssessedMilestone, nudges.Workload]]]:
        """By tracker and person: their open issues, each with the milestone that it is in."""
        found: dict[tuple[str, str], list[tuple[AssessedMilestone, nudges.Workload]]] = defaultdict(list)
        for milestone in self.alone.values():
            due = milestone.health.due
            if due is None:
                continue
            for uid in self.open[milestone.uid]:
                issue = milestone.issues[uid]
                got = nudges.Workload(uid=uid, issue=issue, milestone=milestone.uid, due=due)
                for person in issue.assignees:
                    found[milestone.source.name, person.id].append((milestone, got))
        return found

    def _findings(self, milestone: AssessedMilestone, shared: Mapping[str, int]) -> tuple[definition.Finding, ...]:
        """What its definition lacks. ``shared``: other milestones, and how many of its people each has."""
        if not milestone.running or milestone.health.status is Status.DONE:
            return ()
        return coordination.findings(
            milestone.milestone,
            milestone.health.due,
            [milestone.issues[item] for item in self.open[milestone.uid]],
            milestone.health.counts.total,
            owner=milestone.named.owner,
            calendar=self.calendar,
            shared=[count for other, count in shared.items() if sees(milestone, self.alone[other])],
            circular=self.circles.get(milestone.uid, 0),
        )


def _names(source: str, project: str, key: str, url: str) -> Iterator[tuple[str, str, str]]:
    """What an issue may be called by others: a number counts in its own project only, a whole key in its tracker."""
    yield source, project if key.startswith("#") else "", key
    yield "", "", url


def _open(milestone: AssessedMilestone, reading: Snapshot) -> list[str]:
    return [
        membership.item
        for membership in milestone.memberships
        if membership.item in milestone.issues and counting.is_open(membership, reading.at)
    ]
