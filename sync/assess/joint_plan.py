"""Plan of a joint milestone, with its probability after a change of one member or of its date."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sync.assess.milestone import AssessedMilestone
from sync.assess.paths import CompletionPaths
from sync.forecast.parameters import Rules
from sync.health.joint_levers import JointPlan, MemberPlan, joint_probability
from sync.health.levers import carry_over_days
from sync.health.status import BANDS
from sync.history.calendar import Calendar
from sync.history.ledger import days
from sync.model.dates import end_of_day
from sync.model.joint import JointMilestone

__all__ = ["JointPlanner"]

Floats = NDArray[np.float64]


class JointPlanner:
    """``paths`` are the completion moments of each member, with the milestones that it waits for."""

    def __init__(
        self,
        all_paths: CompletionPaths,
        joint: JointMilestone,
        members: Sequence[AssessedMilestone],
        paths: Sequence[Floats],
        calendar: Calendar,
    ) -> None:
        self._all_paths, self._joint, self._members, self._calendar = all_paths, joint, members, calendar
        self._uids = [member.uid for member in members]
        self._paths = dict(zip(self._uids, paths, strict=True))
        self._dues = {uid: all_paths.planned_times[uid].due for uid in self._uids}
        self._last = max(self._uids, key=lambda uid: (self._dues[uid], uid))
        own = joint.due
        self.due = self._dues[self._last] if own is None else days(end_of_day(own, calendar.zone))

    def plan(self, rules: Rules) -> JointPlan:
        """Return the plan."""
        written = {member.uid: member.written for member in self._members}
        return JointPlan(
            p=joint_probability(np.max(list(self._paths.values()), axis=0), self.due),
            target=rules.target,
            now=self._all_paths.now,
            start=min(self._all_paths.planned_times[uid].start for uid in self._uids),
            due=self.due,
            moved="" if self._joint.due is not None else written[self._last],
            members=[self._member(member, rules) for member in self._members],
            after=self._after,
            calendar=self._calendar,
        )

    def _member(self, member: AssessedMilestone, rules: Rules) -> MemberPlan:
        batch = self._all_paths.batch_of(member.uid)
        candidates = self._all_paths.snapshot.advisor(member.uid).candidates(member.uid)
        items, due = int(batch.open[0]), float(batch.due[0])
        most = min(int(rules.cut_share * items), items + int(batch.done[0]) - rules.least_items, len(candidates))
        planned = np.array([due - float(batch.start[0])])
        counts = member.health.band in BANDS and due - self._all_paths.now > carry_over_days(planned)[0]
        return MemberPlan(member.written, items, max(most, 0) if counts else 0, candidates)

    def _after(self, k: int, cut: int, due: float) -> float:
        """Return P after ``cut`` items of member k are cut and the due moment is moved to ``due``."""
        paths, moves_member = self._paths, self._joint.due is None and due != self.due
        if moves_member:
            paths = self._all_paths.after_change(self._uids, self._last, 0, due)
            due = max(due, *(other for uid, other in self._dues.items() if uid != self._last), -np.inf)
        elif cut:
            paths = self._all_paths.after_change(self._uids, self._uids[k], cut, None)
        return joint_probability(np.max(list(paths.values()), axis=0), due)
