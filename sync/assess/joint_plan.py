"""Completion moments of joint milestones, and their probabilities after changes of a member or of their dates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sync.assess.milestone import AssessedMilestone
from sync.assess.paths import CompletionPaths, MemberChange
from sync.forecast.dependencies import Dependency, PlannedTime, propagate
from sync.forecast.joint import deduplicated_open_counts
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
        self._open_items = {uid: all_paths.open_items[uid] for uid in self._uids}
        items = [item for items in self._open_items.values() for item in items]
        self._is_shared = len(set(items)) < len(items)
        self._before = all_paths.before(self._uids)
        involved = dict.fromkeys([*self._uids, *(own.before for own in self._before)])
        self._own = {uid: all_paths.own[uid] for uid in involved if uid in all_paths.own}
        self._planned = {uid: all_paths.planned_times[uid] for uid in self._own}
        dues = {uid: self._planned[uid].due for uid in self._uids}
        self._last = max(self._uids, key=lambda uid: (dues[uid], uid))
        self._due_of_others = max((due for uid, due in dues.items() if uid != self._last), default=-np.inf)
        self._due = dues[self._last] if joint.due is None else days(end_of_day(joint.due, calendar.zone))

    def fewer_items(self, uid: str = "", items: Sequence[str] = ()) -> dict[str, int]:
        """Return how many open items count in the members where not all do, after ``items`` have left one member."""
        open_items = self._left(uid, items)
        counts = deduplicated_open_counts(open_items) if self._is_shared else {}
        return {name: count for name, count in counts.items() if count < len(open_items[name])}

    def _left(self, uid: str, items: Sequence[str]) -> Mapping[str, Sequence[str]]:
        if not items:
            return self._open_items
        gone = set(items)
        return self._open_items | {uid: [item for item in self._open_items[uid] if item not in gone]}

    @cached_property
    def of_members(self) -> list[Floats]:
        """The completion moments of each member, with the milestones that it waits for.

        The `CountedPaths` of `fewer_items` must be drawn before.
        """
        return self._after_others(self._counted.of(self.fewer_items()), self._planned, self._before)

    @cached_property
    def last(self) -> Floats:
        """The moments at which the last member is done."""
        last: Floats = np.max(self.of_members, axis=0)
        return last

    def _after_others(
        self, changed: dict[str, Floats], planned: Mapping[str, PlannedTime], dependencies: Sequence[Dependency]
    ) -> list[Floats]:
        paths = propagate(self._own | changed, planned, dependencies, self._all_paths.clock).paths
        return [paths[uid] for uid in self._uids]

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
        counted = self.fewer_items(uid, items).get(uid, len(self._left(uid, items)[uid]))
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
        changed = self._counted.of(self.fewer_items_after(change)) | {uid: moments}
        planned = self._planned if due is None else self._planned | {uid: PlannedTime(self._planned[uid].start, due)}
        dependencies = self._all_paths.without_items(self._before, uid, items)
        last = np.max(self._after_others(changed, planned, dependencies), axis=0)
        return joint_probability(last, change.due if due is None else max(due, self._due_of_others))


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
