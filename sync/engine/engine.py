"""Run the steps in their order: pull, assess, plan, apply.

Each step is one method and can be run alone. `Puller` reads the trackers, `Observer` reads the status issues,
`Writer` sends the writes. A step imports its own modules when it runs: a command that only assesses loads nothing that
plans or writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Self

import msgspec

from sync.assess.milestone import AssessedMilestone, AssessmentRules
from sync.assess.portfolio import AssessedJointMilestone, Portfolio
from sync.assess.relations import build_portfolio
from sync.assess.snapshot import Snapshot
from sync.engine.instance import refusal_of
from sync.engine.result import Result
from sync.model.audience import OPERATOR, Audience
from sync.model.policy import Limits
from sync.plan.desired import Plan
from sync.pull.parallel import side_by_side
from sync.pull.progress import Progress, silent
from sync.pull.pull import Puller, RoundShare, selected_connections
from sync.report.page_links import Pages
from sync.store.store import Store
from sync.telemetry.traces import span
from sync.tracker.actions import Action, OwnContent
from sync.tracker.connection import Connection
from sync.tracker.errors import SINGLE_FAULTS, LostIssueError

if TYPE_CHECKING:
    from sync.engine.desired import DesiredBuilder
    from sync.engine.observe import Observer
    from sync.engine.plan import Planner

__all__ = ["Engine"]

UNREAD = timedelta(days=1)
"""Time for which a project stays watched when no share of a round has read it: another share may still read it."""


@dataclass(eq=False, repr=False)
class Engine:
    """Run the steps over a set of connections and one store. ``holder`` names this process in leases; times are UTC.

    ``share`` limits the connections whose trackers are asked and written to. The assessment always uses the history of
    all connections.
    """

    connections: Sequence[Connection]
    store: Store
    instance: str
    clock: Callable[[], datetime]
    rules: AssessmentRules
    limits: Limits
    run_id: str
    holder: str
    progress: Progress = silent
    share: RoundShare | None = None
    pages: Pages | None = None
    """Addresses of the published report, to which comments link; None: no report is published."""
    puller: Puller | None = None
    """A puller that may have started early, with the same connections, store, clock and progress; None: a new one."""
    leftovers: list[str] = field(default_factory=list)
    """Messages about what the tracker refused to delete or close."""
    hands_over: bool = False
    """`adopt` writes although another instance wrote before: it replaces that instance's name."""
    obstacles: dict[str, str] | None = None
    """What only a person can clear, in words by milestone (uid), as of the last plan; None before the first one."""
    portfolio: Portfolio | None = None
    """The last assessment, with joint milestones and dependencies; None before the first one."""

    def __post_init__(self) -> None:
        self._puller = self.puller or Puller(self.connections, self.store, self.clock, self.progress)
        self.failures = self._puller.failures

    @cached_property
    def desired(self) -> DesiredBuilder:
        """The builder of the desired state of milestones."""
        from sync.engine.desired import DesiredBuilder

        return DesiredBuilder(self.store, self.instance, self.rules, self.pages)

    @cached_property
    def observer(self) -> Observer:
        """The reader of status issues."""
        from sync.engine.observe import Observer

        return Observer(
            connections=self.active_connections,
            store=self.store,
            instance=self.instance,
            clock=self.clock,
            progress=self.progress,
            failures=self.failures,
            record_failure=self._puller.record_failure,
        )

    @cached_property
    def planner(self) -> Planner:
        """The planner of the writes."""
        from sync.engine.plan import Planner

        return Planner(observer=self.observer, desired=self.desired, clock=self.clock, limits=self.limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._puller.close()

    @property
    def issue_count(self) -> int:
        """Number of issues pulled so far."""
        return self._puller.issue_count

    @property
    def has_read_project(self) -> bool:
        """Return whether at least one project was read to the end."""
        return self._puller.has_read_project

    @property
    def requests(self) -> dict[str, int]:
        """Requests sent so far, by connection."""
        return self._puller.requests

    @property
    def active_connections(self) -> list[Connection]:
        """The connections whose trackers are asked and written to."""
        return selected_connections(self.connections, self.share)

    @property
    def joints(self) -> tuple[AssessedJointMilestone, ...]:
        """The joint milestones of the last assessment."""
        return self.portfolio.joints if self.portfolio else ()

    # --- run -------------------------------------------------------------------------------------------------------

    def run(self) -> Result:
        """Pull, assess, plan, apply."""
        with span("run", run=self.run_id):
            self.store.start_run(self.run_id, self.clock())
            self.pull()
            return self._write_back()

    def write_back(self) -> Result:
        """Assess, plan, apply: run over what has been pulled."""
        with span("run", run=self.run_id):
            self.store.start_run(self.run_id, self.clock())
            if self.share is not None:
                for connection in self.active_connections:
                    self.store.unwatch(connection.name, connection.source, self.share.since - UNREAD)
            return self._write_back()

    def refresh(self) -> Result | None:
        """Run for the projects of the share's one connection that webhooks have marked as changed.

        None when no project is marked. Marks that arrive meanwhile stay for the next refresh; after a failure all do.
        """
        assert self.share is not None
        (connection,) = self.active_connections
        marked_projects = self.store.changed_projects().get(connection.name, {})
        configured = tuple(project for project in connection.projects if project in marked_projects)
        if not configured:
            self.store.clear_changed(connection.name, marked_projects)
            return None
        self.share = msgspec.structs.replace(self.share, projects=configured)
        result = self.run()
        is_read = all(isinstance(failure.cause, SINGLE_FAULTS) for failure in self.failures)
        if is_read and not result.lease_held:
            self.store.clear_changed(connection.name, marked_projects)
        return result

    def _write_back(self) -> Result:
        assessed = self.assess()
        plan = self.plan(assessed, to_write=True)
        result = Result(assessed=assessed, plan=plan, failures=self.failures)
        self.apply_into(result)
        self.store.finish_run(self.run_id, result.summary())
        return result

    # --- pull ------------------------------------------------------------------------------------------------------

    def pull(self) -> None:
        """Bring the store up to date, all connections at once; a failure of one does not delay the others."""
        self._puller.run(self.share)

    # --- assess ----------------------------------------------------------------------------------------------------

    def snapshot(self, at: datetime | None = None, audience: Audience = OPERATOR) -> Snapshot:
        """Return the rows that an audience may read, for an assessment now or for a replay of the time ``at`` (UTC)."""
        now, replay = at or self.clock(), at is not None
        return Snapshot(self.store, self.connections, now, self.rules, replay=replay, audience=audience)

    @span("assess")
    def assess(
        self, at: datetime | None = None, *, keep: bool = True, has_levers: bool = True
    ) -> list[AssessedMilestone]:
        """Return every milestone with its health, now or at ``at`` (UTC).

        ``keep`` stores the health, for hysteresis and scoring; a replay (``at``) stores nothing.
        Without ``has_levers`` no levers are computed.
        """
        self.progress("assess")
        self.portfolio = None  # an earlier one is freed before the next one is made
        snapshot = self.snapshot(at) if has_levers else self.snapshot(at).limit_levers(())
        self.portfolio = build_portfolio(snapshot)
        if keep and at is None:
            from sync.engine.recover import recover_lost_state

            if recover_lost_state(self.observer, self.run_id, self.portfolio.milestones, snapshot.previous):
                self.portfolio = build_portfolio(self.snapshot())
            self._save_assessment(self.portfolio)
        return list(self.portfolio.milestones)

    def _save_assessment(self, portfolio: Portfolio) -> None:
        """Store the health of current milestones and joint ones, and closing records.

        Stale ones are not stored, and none of a connection that may not write: its times are wrong.
        """
        from sync.assess.closing import new_closing_records

        active = {connection.name for connection in self.active_connections if not connection.write_obstacle()}
        fresh = [
            milestone
            for milestone in portfolio.milestones
            if milestone.is_current and milestone.connection.name in active and milestone.health.stale_since is None
        ]
        healths = [milestone.health for milestone in fresh]
        if len(active) == len(self.active_connections):
            healths += [joint.health for joint in portfolio.joints if not joint.is_stale]
        self.store.save_health(self.run_id, healths, {milestone.uid: milestone.stream for milestone in fresh})
        self.store.save_records(new_closing_records(self.store, portfolio, fresh))

    # --- plan ------------------------------------------------------------------------------------------------------

    @span("plan")
    def plan(self, assessed: Sequence[AssessedMilestone], *, fresh: bool = False, to_write: bool = False) -> Plan:
        """Return the writes that bring the trackers to the desired state.

        A status issue is observed where the pull shows a change, once a day, and where the plan would write to it;
        ``to_write``: only where the policy allows it. ``fresh`` observes all of them.
        """
        self.progress("plan", "")
        if self.instance_refusal():
            return Plan()
        plan = self.planner.plan(assessed, fresh=fresh, to_write=to_write)
        self._record_obstacles(plan, assessed)
        return plan

    def _record_obstacles(self, plan: Plan, assessed: Sequence[AssessedMilestone]) -> None:
        """Add to the failures what keeps milesync from writing, and keep what concerns one milestone in `obstacles`.

        That is clocks that differ, an unknown address or the account of another in our texts, a lost status issue.
        A lost one is a failure until a run has stored it: it may be lost on purpose, and no run fails for ever.
        """
        from sync.engine.obstacles import plan_obstacles

        for connection in self.active_connections:
            obstacle = connection.write_obstacle()
            if obstacle is not None:
                self._puller.record_failure(connection, "", obstacle)
        known = self.store.obstacles()
        self.obstacles = {}
        for milestone, error in plan_obstacles(plan, assessed, self.store.opened_status_issues()):
            self.obstacles[milestone.uid] = str(error)
            if not isinstance(error, LostIssueError) or known.get(milestone.uid) != str(error):
                self._puller.record_failure(milestone.connection, milestone.project.key, error)

    def _save_obstacles(self, result: Result) -> None:
        """Store the obstacles of the plan, and delete the others of its connections; nothing without a plan.

        Those of milestones that are not assessed any more (deleted, or not configured) are deleted too.
        """
        if self.obstacles is None:
            return
        planned = self.observer.ready()
        sources = tuple(f"{connection.source}/" for connection in self.active_connections)
        kept = {milestone.uid for milestone in result.assessed if milestone.connection.name not in planned}
        kept.update(self.obstacles, result.plan.undecided)
        cleared = [uid for uid in self.store.obstacles().keys() - kept if uid.startswith(sources)]
        self.store.save_obstacles(self.obstacles, self.clock(), cleared)

    def instance_refusal(self) -> str:
        """Return why nothing is planned or written after a change of instance; empty if writes are allowed."""
        return "" if self.hands_over else refusal_of(self.store, self.instance)

    # --- apply -----------------------------------------------------------------------------------------------------

    @span("apply")
    def apply_into(self, result: Result) -> None:
        """Send the result's planned writes as far as the policies allow, and add the outcome to the result.

        Plans above the limits are refused as a whole.
        """
        from sync.engine.plan import allowed_writes, held_back_by_policy
        from sync.plan.limits import over_limits

        refusal = self.instance_refusal()
        if refusal:
            result.refused = [refusal]
            return
        self._save_obstacles(result)
        for origin, labels in self.planner.finished_labels:
            self.store.delete_item_labels(origin, labels)
        allowed = allowed_writes(result.plan, result.assessed)
        writes = Plan(actions=tuple(action for _, action in allowed))
        result.refused = [str(refusal) for refusal in over_limits(writes, self.limits, len(result.assessed))]
        if result.refused:
            return
        result.held_back = held_back_by_policy(result.plan, result.assessed)
        if allowed or self.store.milestones_with(OwnContent.SUMMARY):
            self.store.save_label_prefixes(connection.prefix for connection in self.connections)
            if not self.hands_over:
                self.store.save_instance(self.instance)
        if allowed:
            self._send(allowed, result)

    def _send(self, allowed: Sequence[tuple[Connection, Action]], result: Result) -> None:
        """Send the writes, all trackers at once, and add the outcome to the result."""
        from sync.engine.apply import Writer
        from sync.report.burnup import render_attachment

        by_uid = {milestone.uid: milestone for milestone in result.assessed}
        trackers: dict[str, list[tuple[Connection, Action]]] = {}
        for connection, action in allowed:
            trackers.setdefault(connection.source, []).append((connection, action))
        writer = Writer(
            store=self.store,
            instance=self.instance,
            clock=self.clock,
            run_id=self.run_id,
            holder=self.holder,
            progress=self.progress,
            render_picture=lambda uid: render_attachment(by_uid[uid]),
            written_id=lambda uid: by_uid[uid].written if uid in by_uid else "",
            record_failure=self._puller.record_failure,
            leftovers=self.leftovers,
            lease_terms=self.observer.lease_terms,
        )
        for part in side_by_side(writer.apply, list(trackers.values()), [t[0][0].name for t in trackers.values()]):
            result.written += part.written
            result.refused += part.refused
            result.held_back += part.held_back
            result.lease_held |= part.lease_held
