"""Completion moments of joint milestones, and their probabilities after changes of a member or of their dates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sync.assess.milestone import AssessedMilestone
from sync.assess.paths import CompletionPaths, MemberChange
from sync.forecast.dependencies import PlannedTime, dependencies_by_successor, propagate
from sync.forecast.joint import LastMoments, deduplicated_open_counts
from sync.forecast.parameters import Rules
from sync.health.joint_levers import JointChange, JointPlan, MemberPlan, joint_probability
from sync.health.levers import carry_over_days
from sync.health.status import BANDS
from sync.history.calendar import Calendar
from sync.history.ledger import days
from sync.model.dates import end_of_day
from sync.model.joint import JointMilestone

__all__ = ["CountedPaths", "JointPaths", "JointPlanner"]

Floats = NDArray[np.float64]


class CountedPaths:
    """Completion moments of milestones without the others, where not all of their open items count; drawn once each."""

    def __init__(self, all_paths: CompletionPaths) -> None:
        self._all_paths = all_paths
        self._drawn: dict[tuple[str, int], Floats] = {}

    def draw(self, wanted: Iterable[Mapping[str, int]]) -> None:
        """Draw the moments of the milestones (uid) with so many of their items, all at once."""
        pairs = dict.fromkeys(pair for counts in wanted for pair in counts.items() if pair not in self._drawn)
        changes = [MemberChange(*pair) for pair in pairs if not self._all_paths.alone[pair[0]].health.status.is_over]
        for change, moments in zip(changes, self._all_paths.paths_after(changes), strict=True):
            self._drawn[change.uid, change.counted] = moments

    def of(self, counts: Mapping[str, int]) -> dict[str, Floats]:
        """Return the moments of these milestones, as they were drawn for so many items."""
        return {uid: self._drawn.get((uid, count), self._all_paths.own[uid]) for uid, count in counts.items()}


class JointPaths:
    """Completion moments of a joint milestone whose members can all be forecast. Days are since 1970 UTC."""

    def __init__(
        self,
        all_paths: CompletionPaths,
        counted: CountedPaths,
        joint: JointMilestone,
        members: Sequence[AssessedMilestone],
        calendar: Calendar,
    ) -> None:
        self._all_paths, self._counted, self._joint, self._members = all_paths, counted, joint, members
        self._calendar = calendar
        self._uids = [member.uid for member in members]
        self._places = {uid: place for place, uid in enumerate(self._uids)}
        self._open_items = {uid: all_paths.open_items[uid] for uid in self._uids}
        items = [item for items in self._open_items.values() for item in items]
        self._is_shared = len(set(items)) < len(items)
        self._before = all_paths.before(self._uids)
        self._predecessors = dependencies_by_successor(self._before)
        self._successors: dict[str, list[str]] = {}
        for dependency in self._before:
            self._successors.setdefault(dependency.before, []).append(dependency.after)
        involved = dict.fromkeys([*self._uids, *(own.before for own in self._before)])
        self._own = {uid: all_paths.own[uid] for uid in involved if uid in all_paths.own}
        self._planned = {uid: all_paths.planned_times[uid] for uid in self._own}
        dues = {uid: self._planned[uid].due for uid in self._uids}
        self._last = max(self._uids, key=lambda uid: (dues[uid], uid))
        self._due_of_others = max((due for uid, due in dues.items() if uid != self._last), default=-np.inf)
        self._due = dues[self._last] if joint.due is None else days(end_of_day(joint.due, calendar.zone))

    def fewer_items(self, uid: str = "", items: Sequence[str] = ()) -> dict[str, int]:
        """Return how many open items count in the members where not all do, after ``items`` have left one member."""
        if not self._is_shared:
            return {}
        open_items = {**self._open_items, uid: self._left(uid, items)} if items else self._open_items
        counts = deduplicated_open_counts(open_items)
        return {name: count for name, count in counts.items() if count < len(open_items[name])}

    def _left(self, uid: str, items: Sequence[str]) -> Sequence[str]:
        gone = set(items)
        return [item for item in self._open_items[uid] if item not in gone]

    @cached_property
    def _fewer_items(self) -> Mapping[str, int]:
        return self.fewer_items()

    @cached_property
    def _paths(self) -> Mapping[str, Floats]:
        """The completion moments of the members and of those that they wait for (uids).

        The `CountedPaths` of `fewer_items` must be drawn before.
        """
        own = self._own | self._counted.of(self._fewer_items)
        return propagate(own, self._planned, self._before, self._all_paths.clock).paths

    @cached_property
    def of_members(self) -> list[Floats]:
        """The completion moments of each member, with the milestones that it waits for."""
        return [self._paths[uid] for uid in self._uids]

    @cached_property
    def last(self) -> Floats:
        """The moments at which the last member is done."""
        last: Floats = np.max(self.of_members, axis=0)
        return last

    @cached_property
    def _moments(self) -> LastMoments:
        return LastMoments(self.of_members)

    # --- changes ------------------------------------------------------------------------------------------------------

    def plan(self, rules: Rules) -> JointPlan:
        """Return the plan whose levers are searched."""
        written = {member.uid: member.written for member in self._members}
        return JointPlan(
            p=joint_probability(self.last, self._due),
            target=rules.target,
            now=self._all_paths.now,
            start=min(self._planned[uid].start for uid in self._uids),
            due=self._due,
            moved="" if self._joint.due is not None else written[self._last],
            members=[self._member(member, rules) for member in self._members],
            calendar=self._calendar,
        )

    def _member(self, member: AssessedMilestone, rules: Rules) -> MemberPlan:
        batch, k = self._all_paths.batches[member.uid]
        candidates = self._all_paths.candidates(member.uid)
        items, due = int(batch.open[k]), float(batch.due[k])
        most = min(int(rules.cut_share * items), items + int(batch.done[k]) - rules.least_items, len(candidates))
        planned = np.array([due - float(batch.start[k])])
        counts = member.health.band in BANDS and due - self._all_paths.now > carry_over_days(planned)[0]
        return MemberPlan(member.written, items, max(most, 0) if counts else 0, candidates)

    def changed_member(self, change: JointChange) -> MemberChange | None:
        """Return what a change means for a member; None where only the joint milestone's own date moves."""
        uid, items, due = self._effect(change)
        if due is None and not items:
            return None
        counted = self.fewer_items(uid, items).get(uid, len(self._left(uid, items)))
        return MemberChange(uid, counted, len(items), due)

    def _effect(self, change: JointChange) -> tuple[str, Sequence[str], float | None]:
        """Return the member that changes, the items that leave it, and its new due moment (None: unchanged)."""
        if self._joint.due is None and change.due != self._due:
            return self._last, (), change.due
        uid = self._uids[change.member]
        return uid, self._all_paths.candidates(uid)[: change.cut], None

    def fewer_items_after(self, change: JointChange) -> dict[str, int]:
        """Return `fewer_items` of the members that do not change."""
        uid, items, _ = self._effect(change)
        return {name: count for name, count in self.fewer_items(uid, items).items() if name != uid}

    def probability_after(self, change: JointChange, moments: Floats | None) -> float:
        """Return the probability after a change; ``moments``: those of the changed member, None: none changes."""
        if moments is None:
            return joint_probability(self.last, change.due)
        uid, items, due = self._effect(change)
        counts = self.fewer_items_after(change)
        changed = self._counted.of(counts) | {uid: moments}
        affected = self._affected(uid, counts)
        waits = [own for name in affected for own in self._predecessors.get(name, ())]
        dependencies = self._all_paths.without_items(waits, uid, items)
        own = {wait.before: self._paths[wait.before] for wait in dependencies if wait.before in self._own}
        own |= {name: changed.get(name, self._own[name]) for name in affected if name in self._own}
        planned = self._planned if due is None else self._planned | {uid: PlannedTime(self._planned[uid].start, due)}
        paths = propagate(own, planned, dependencies, self._all_paths.clock).paths
        members = {self._places[name]: paths[name] for name in affected if name in self._places}
        last = np.max([self._moments.without(members), *members.values()], axis=0)
        return joint_probability(last, change.due if due is None else max(due, self._due_of_others))

    def _affected(self, uid: str, counts: Mapping[str, int]) -> list[str]:
        """Return the milestones (uids) whose moments may change with a member, where ``counts`` items count in others.

        They are this member, those in which another number of items counts now, and all that wait for one of these.
        """
        found = dict[str, None]()
        waiting = [uid, *(name for name, _ in counts.items() ^ self._fewer_items.items())]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = None
                waiting += self._successors.get(name, ())
        return list(found)


class JointPlanner:
    """Probabilities of several joint milestones after changes, all changed members forecast in one pass."""

    def __init__(self, all_paths: CompletionPaths, counted: CountedPaths, joints: Sequence[JointPaths]) -> None:
        self._all_paths, self._counted, self._joints = all_paths, counted, joints

    def after(self, changes: Sequence[JointChange]) -> list[float]:
        """Return the probability of each joint milestone (by position) after its change."""
        joints = [self._joints[change.joint] for change in changes]
        self._counted.draw(joint.fewer_items_after(change) for joint, change in zip(joints, changes, strict=True))
        members = [joint.changed_member(change) for joint, change in zip(joints, changes, strict=True)]
        moments = iter(self._all_paths.paths_after([member for member in members if member is not None]))
        return [
            joint.probability_after(change, None if member is None else next(moments))
            for joint, change, member in zip(joints, changes, members, strict=True)
        ]
