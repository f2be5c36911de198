"""Plan the writes: observe the status issues, build the desired state, compare both."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sync.assess.milestone import AssessedMilestone
from sync.engine.desired import DesiredBuilder
from sync.engine.observe import Observer, merge_observations
from sync.engine.result import HeldBack
from sync.model.item_label import ItemLabel
from sync.model.policy import Limits, Policy
from sync.plan.desired import Plan, merge_plans
from sync.plan.inputs import PlannerInput
from sync.plan.issue_state import is_muted
from sync.plan.item_labels import plan_item_labels
from sync.plan.limits import spread_rewriting
from sync.plan.reconcile import reconcile
from sync.tracker.actions import Action, OwnContent, kind_of
from sync.tracker.connection import Connection
from sync.tracker.observed import Observed, StatusIssue

__all__ = ["Planner", "allowed_writes", "held_back_by_policy"]


@dataclass(kw_only=True)
class Planner:
    """Plan the writes for assessed milestones."""

    observer: Observer
    desired: DesiredBuilder
    clock: Callable[[], datetime]
    """The time in UTC."""
    limits: Limits
    finished_labels: list[tuple[str, list[ItemLabel]]] = field(default_factory=list)
    """Item labels whose reason has ended, by tracker URL; their rows may be deleted from the store."""

    def plan(self, assessed: Sequence[AssessedMilestone], *, fresh: bool, to_write: bool = False) -> Plan:
        """Return the writes that bring the trackers to the desired state.

        A status issue is observed where the pull shows a change, once a day, and where the plan would write to it;
        ``to_write``: only where the policy allows it. ``fresh`` observes all of them. Of the summaries to rewrite for a
        new day, or after a change of the forecast's method, the plan holds as many as the limits allow.
        """
        managed = [
            milestone
            for milestone in assessed
            if milestone.is_current and milestone.connection.name in self.observer.ready()
        ]
        if fresh:
            return self._spread(self._reconcile(managed, {}, self.observer.observe(managed)), assessed)[0]
        early = self.observer.early_uids
        stored = {uid: issue for uid, issue in self.observer.remembered(assessed).items() if uid not in early}
        missing = [m for m in managed if m.uid not in stored and m.uid not in early]
        seen = merge_observations(self.observer.early, self.observer.observe(missing))
        plan, later = self._spread(self._reconcile(managed, stored, seen), assessed)
        planned = [action for _, action in allowed_writes(plan, assessed)] if to_write else plan.actions
        writes = [action for action in planned if kind_of(action).is_observable]
        touched = {action.milestone for action in writes} - seen.issues.keys() - seen.failed.keys()
        outdated = [milestone for milestone in managed if milestone.uid in touched and milestone.uid in stored]
        if outdated:
            seen = merge_observations(seen, self.observer.observe(outdated))
            stored = {uid: issue for uid, issue in stored.items() if uid not in touched}
            plan, _ = self._spread(self._reconcile(managed, stored, seen), assessed, later)
        return plan

    def _spread(
        self, plan: Plan, assessed: Sequence[AssessedMilestone], later: Collection[str] = ()
    ) -> tuple[Plan, frozenset[str]]:
        """Leave out what a later run rewrites: see `spread_rewriting`."""
        if not plan.recomputed and not plan.refreshed:
            return plan, frozenset()
        allowed = {action.milestone for _, action in allowed_writes(plan, assessed)}
        free = {action.milestone for action in plan.actions} - allowed
        return spread_rewriting(plan, self.limits, len(assessed), free=free, later=later)

    def _reconcile(
        self, managed: Sequence[AssessedMilestone], stored: Mapping[str, StatusIssue | None], seen: Observed
    ) -> Plan:
        """Compare desired with observed: ``stored`` are valid earlier observations, ``seen`` was read just now."""
        issues = {uid: issue for uid, issue in stored.items() if issue is not None}
        observed = merge_observations(Observed(issues=issues), seen)
        store, instance = self.observer.store, self.observer.instance
        desired = self.desired.build(managed, observed, store.milestones_with(OwnContent.SUMMARY), self.clock())
        plan = reconcile(desired, observed, instance=instance, now=self.clock())
        states = (PlannerInput(want, observed.issues.get(want.milestone), instance, self.clock()) for want in desired)
        muted = {state.desired.milestone for state in states if is_muted(state)}
        return merge_plans([plan, *self._item_label_plans(managed, muted, observed)])

    def _item_label_plans(
        self, managed: Sequence[AssessedMilestone], muted: Collection[str], seen: Observed
    ) -> Iterator[Plan]:
        """Yield the plan for the labels on the items of each connection."""
        self.finished_labels = []
        for connection in self.observer.connections:
            milestones = [milestone for milestone in managed if milestone.connection.name == connection.name]
            if not milestones:
                continue
            origin = connection.source
            labels = self.observer.store.item_labels(origin)
            plan, finished = plan_item_labels(
                milestones, labels, muted=muted, project_labels=seen.labels, now=self.clock()
            )
            self.finished_labels.append((origin, finished))
            yield plan


def allowed_writes(plan: Plan, assessed: Sequence[AssessedMilestone]) -> list[tuple[Connection, Action]]:
    """Return the planned writes that the policies of their projects allow, each with its connection."""
    return [(connection, action) for connection, action in _writes(plan, assessed) if _may_write(connection, action)]


def held_back_by_policy(plan: Plan, assessed: Sequence[AssessedMilestone]) -> list[HeldBack]:
    """Return the planned writes that the policies of their projects do not allow."""
    return [
        HeldBack(action, setting=connection.policy_setting_of(action.project_key))
        for connection, action in _writes(plan, assessed)
        if not _may_write(connection, action)
    ]


def _writes(plan: Plan, assessed: Sequence[AssessedMilestone]) -> list[tuple[Connection, Action]]:
    connections = {milestone.uid: milestone.connection for milestone in assessed}
    return [(connections[action.milestone], action) for action in plan.actions]


def _may_write(connection: Connection, action: Action) -> bool:
    return connection.policy_of(action.project_key) is not Policy.PLAN
