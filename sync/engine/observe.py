"""Observe status issues through the connectors, and decide which stored observations are still valid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sync.assess.milestone import AssessedMilestone
from sync.model.policy import Policy
from sync.pull.parallel import side_by_side
from sync.pull.progress import Failure, Progress
from sync.store.database import StoreError
from sync.store.store import Store
from sync.telemetry.log import events as log
from sync.telemetry.traces import span
from sync.tracker.actions import OwnContent
from sync.tracker.connection import Connection
from sync.tracker.errors import MalformedError, TrackerError
from sync.tracker.observed import Observed, StatusIssue, Target, unclaimed_by

__all__ = ["Observer", "merge_observations"]

SWEEP = timedelta(days=1)
"""Maximum age of a stored observation when the pull shows no change of the status issue."""


@dataclass(kw_only=True)
class Observer:
    """Observe status issues and store the observations. A failure concerns the milestones of its connection only."""

    connections: Sequence[Connection]
    """The connections whose trackers may be asked."""
    store: Store
    instance: str
    clock: Callable[[], datetime]
    """The time in UTC."""
    progress: Progress
    failures: Sequence[Failure]
    """Failures of this run so far."""
    record_failure: Callable[[Connection, str, Exception], None]
    """Add a failure of a connection, or of one of its projects."""
    lease_terms: dict[str, int | None] = field(default_factory=dict)
    """Term of the write lease by tracker (source) at the first observation; None: another run held the lease."""
    early: Observed = field(default_factory=Observed)
    """The observation that was made before the assessment."""
    early_uids: set[str] = field(default_factory=set)
    """Milestones (uid) of the early observation: the plan does not observe them again."""
    _ready: set[str] | None = None

    def ready(self) -> set[str]:
        """Return the names of the connections whose capabilities are known.

        Some trackers have to be asked for their capabilities; each tracker is asked once, and a failure is recorded.
        """
        if self._ready is None:
            self._ready = set()
            for connection in self.connections:
                try:
                    connection.connector.capabilities  # noqa: B018 - the property sends the request
                except Exception as error:
                    if not isinstance(error, TrackerError):
                        log.exception("the connector failed", connection=connection.name)
                    if not any(failure.connection == connection.name for failure in self.failures):
                        self.record_failure(connection, "", error)
                else:
                    self._ready.add(connection.name)
        return self._ready

    def remembered(self, assessed: Sequence[AssessedMilestone]) -> dict[str, StatusIssue | None]:
        """Return the stored observations that are still valid, by milestone (uid); None: it had no status issue.

        That there is none stays valid while nothing is written there (policy ``plan``).
        """
        now, by_uid = self.clock(), {milestone.uid: milestone for milestone in assessed}
        obstacles = self.store.obstacles()
        recent: dict[str, tuple[StatusIssue | None, datetime]] = {}
        for uid, (issue, at) in self.store.last_observations().items():
            if uid not in by_uid:
                continue
            if abs(now - at) >= SWEEP and (issue is not None or _may_write(by_uid[uid])):
                continue
            if issue is not None and _has_unusable_part(issue):
                continue  # a person may repair an unusable board or attachment at any time
            if issue is None and uid in obstacles:
                continue  # a person may show the lost status issue again, or decide about a claim, at any time
            recent[uid] = issue, at
        changes = self._last_changes({uid: issue.issue for uid, (issue, _) in recent.items() if issue}, by_uid)
        return {
            uid: issue and unclaimed_by(issue, by_uid[uid].connection.ignored_accounts)
            for uid, (issue, at) in recent.items()
            if uid not in changes or changes[uid] <= at
        }

    def _last_changes(self, keys: Mapping[str, str], by_uid: Mapping[str, AssessedMilestone]) -> dict[str, datetime]:
        """Return the last change (UTC) of status issues that the pulls show, by milestone (uid).

        ``keys``: uid -> key of the status issue.
        """
        places: dict[str, dict[str, tuple[str, str]]] = {}
        for uid, key in keys.items():
            places.setdefault(by_uid[uid].connection.source, {})[uid] = by_uid[uid].project.id, key
        changes: dict[str, datetime] = {}
        for source, own in places.items():
            known = self.store.last_changes(source, set(own.values()))
            changes |= {uid: known[place] for uid, place in own.items() if place in known}
        return changes

    @span("observe")
    def observe(self, milestones: Sequence[AssessedMilestone]) -> Observed:
        """Read the status issues of these milestones, all connections at once."""
        by_connection: dict[str, list[tuple[AssessedMilestone, Target]]] = {}
        for milestone, target in zip(milestones, self.targets(milestones), strict=True):
            by_connection.setdefault(milestone.connection.name, []).append((milestone, target))
        observed = Observed()
        for part in side_by_side(self._observe_connection, list(by_connection.values()), list(by_connection)):
            observed = merge_observations(observed, part)
        return observed

    def observe_early(self, milestones: Sequence[AssessedMilestone]) -> None:
        """Read the status issues of these milestones before the assessment, and keep the result in `early`."""
        self.early, self.early_uids = self.observe(milestones), {milestone.uid for milestone in milestones}

    def _observe_connection(self, own: Sequence[tuple[AssessedMilestone, Target]]) -> Observed:
        """Read and store the status issues of one connection's milestones, each with its target."""
        connection, uids = own[0][0].connection, [milestone.uid for milestone, _ in own]
        self.progress("observe", f"{connection.name}: {len(own)} status issues")
        origin = connection.source
        self.lease_terms.setdefault(origin, self.store.term(origin))
        try:
            observed = connection.observe([target for _, target in own])
        except StoreError:
            raise
        except Exception as error:
            if not isinstance(error, TrackerError):
                log.exception("the connector failed", connection=connection.name)
            self.record_failure(connection, "", error)
            return Observed(failed=dict.fromkeys(uids, error))
        for cause in dict.fromkeys(observed.failed.values()):
            if isinstance(cause, MalformedError):
                self.record_failure(connection, cause.project, cause)
        if connection.write_obstacle() is None:
            seen = {uid: observed.issues.get(uid) for uid in uids if uid not in observed.failed}
            self.store.save_observed(seen, self.clock(), self.instance)
        return observed

    def targets(self, milestones: Sequence[AssessedMilestone]) -> list[Target]:
        """Return the target of each milestone."""
        if not milestones:
            return []
        uids = {milestone.uid for milestone in milestones}
        boards = self.store.places(OwnContent.BOARD, uids)
        last = {uid: issue for uid, (issue, _) in self.store.last_observations(uids).items()}
        return [self._target(own, last.get(own.uid), boards.get(own.uid, ())) for own in milestones]

    def _target(self, milestone: AssessedMilestone, last: StatusIssue | None, boards: Iterable[str]) -> Target:
        """Return the target of a milestone; ``last``: its status issue as last observed, None if unknown.

        ``boards`` are the boards that carry status updates of ours.
        """
        issue = milestone.report_on or (last.issue if last else "")
        wanted = {milestone.connection.optional_outputs_of(milestone.project.key).project_status, *boards} - {""}
        return Target(
            milestone=milestone.uid,
            project=milestone.project.id,
            project_key=milestone.project.key,
            issue=issue,
            instance=self.instance,
            boards=tuple(sorted(wanted)) if milestone.connection.connector.capabilities.boards else (),
            attaching=milestone.connection.attaches(milestone.project.key),
            former=milestone.connection.former_uids(milestone.uid),
            ignored_accounts=milestone.connection.ignored_accounts,
            last=last,
        )


def merge_observations(first: Observed, second: Observed) -> Observed:
    """Return both observations as one; the second one wins."""
    return Observed(
        issues={**first.issues, **second.issues},
        failed={**first.failed, **second.failed},
        labels={**first.labels, **second.labels},
        claims={**first.claims, **second.claims},
        closed_to_commands=first.closed_to_commands | second.closed_to_commands,
    )


def _may_write(milestone: AssessedMilestone) -> bool:
    return milestone.connection.policy_of(milestone.project.key) is not Policy.PLAN


def _has_unusable_part(issue: StatusIssue) -> bool:
    """Return whether a board or the attachments of the status issue could not be used."""
    parts = (*issue.boards, *([issue.files] if issue.files else ()))
    return any(part.why for part in parts)
