"""Find the data that is missing, and for how long the last verdicts are kept: failed pulls, and removed projects.

A project that no connection reads any more was removed from the configuration, or its name was changed. Milestones that
depended on it must not improve by that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property

from msgspec import Struct, field

from sync.assess.issue_names import issue_names
from sync.assess.members import IdIndex
from sync.health.missing_input import Outage, worst_outage
from sync.model.keys import whole_key
from sync.model.milestone_ids import plain_id
from sync.model.tracker_data import Milestone, Project, State, UnreadKind, uid
from sync.store.store import Store
from sync.tracker.connection import Connection

__all__ = ["GRACE", "GRACE_RUNS", "RemovedMilestone", "RemovedProjects", "find_outages", "find_removed", "find_unread"]

GRACE = timedelta(hours=24)
"""Time from the first failed pull for which the last verdict is kept."""
GRACE_RUNS = 3
"""Number of runs from the first failed pull on for which the last verdict is kept, if they take longer."""

_HTTP_STATUS = re.compile(r"\bHTTP \d{3}\b")
_NOT_CONFIGURED = "not configured"
_UNREAD = {
    UnreadKind.ISSUE: "an item cannot be read",
    UnreadKind.PULL_REQUEST: "an item cannot be read",
    UnreadKind.MERGE_REQUEST: "an item cannot be read",
    UnreadKind.MILESTONE: "the milestone cannot be read",
    UnreadKind.LIST: "",
    UnreadKind.BOARD: "its board cannot be read",
}


class RemovedMilestone(Struct, frozen=True, eq=False):
    """A milestone of a project that no connection reads any more. ``written``: its id as people write it."""

    connection: Connection
    project: Project
    milestone: Milestone
    written: str
    outage: Outage

    @property
    def uid(self) -> str:
        """Its identity in the store."""
        return uid(self.connection.source, "milestone", self.milestone.id)


class RemovedProjects(Struct, frozen=True, dict=True):
    """Open milestones of removed projects.

    ``milestones``: by written id. ``blockers``: by the names of their open issues (`issue_names`).
    """

    milestones: Mapping[str, RemovedMilestone] = field(default_factory=dict)
    blockers: Mapping[tuple[str, str, str], RemovedMilestone] = field(default_factory=dict)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The place of each milestone in ``milestones``, by written id."""
        return {written: place for place, written in enumerate(self.milestones)}

    @cached_property
    def index(self) -> IdIndex:
        """The written ids, to be matched with the patterns of joint milestones."""
        return IdIndex(self.milestones)


def find_outages(store: Store, now: datetime) -> Mapping[tuple[str, str], Outage]:
    """Return the outages at ``now`` (UTC) by source and project key."""
    failed = store.failed_pulls()
    if not failed:
        return {}
    started = store.runs_since(min(pull.failed_at for pull in failed.values()) - GRACE)
    return {
        key: Outage(
            since=pull.good_at,
            is_short=_is_short(pull.failed_at, started, now),
            failure=found[0] if (found := _HTTP_STATUS.search(pull.error)) else "",
        )
        for key, pull in failed.items()
    }


def find_unread(store: Store, now: datetime) -> Mapping[str, Outage]:
    """Return the outages at ``now`` (UTC) of milestones (uid) with an item that cannot be read, or that cannot be read
    themselves.
    """
    states = store.unread_rows()
    if not states:
        return {}
    started = store.runs_since(min(state.failed_at for state in states) - GRACE)
    outages: dict[str, Outage] = {}
    for state in states:
        is_short = _is_short(state.failed_at, started, now)
        outage = Outage(since=state.good_at, is_short=is_short, failure=_UNREAD[state.row.kind])
        for milestone in state.milestones:
            name = uid(state.source, "milestone", milestone)
            outages[name] = worst_outage(outages.get(name), outage) or outage
    return outages


def _is_short(failed_at: datetime, started: Sequence[datetime], now: datetime) -> bool:
    """Return whether the grace period after a failure is not over; ``started`` are the starts of runs."""
    return now - failed_at < GRACE or sum(at > failed_at for at in started) + 1 < GRACE_RUNS


def find_removed(
    store: Store, connections: Sequence[Connection], projects: Mapping[str, Sequence[Project]], now: datetime
) -> RemovedProjects:
    """Return the milestones of ``projects``, which no connection reads any more at ``now`` (UTC), by source."""
    milestones: dict[str, RemovedMilestone] = {}
    blockers: dict[tuple[str, str, str], RemovedMilestone] = {}
    for connection in connections:
        source = connection.source
        removed = {project.id: project for project in projects[source]}
        found = _removed_milestones(store, connection, removed, now) if removed else ()
        by_id = {own.milestone.id: own for own in found}
        milestones |= {milestone.written: milestone for milestone in by_id.values()}
        for issue in store.issues(source, projects=removed) if by_id else ():
            own = next((by_id[name] for name in issue.milestones if name in by_id), None)
            if own is not None and issue.state is State.OPEN:
                key = whole_key(issue.key, removed[issue.project].key)
                names = issue_names(connection.name, issue.project, key, issue.url)
                blockers |= dict.fromkeys(names, own)
    return RemovedProjects(milestones, blockers)


def _removed_milestones(
    store: Store, connection: Connection, removed: Mapping[str, Project], now: datetime
) -> Iterator[RemovedMilestone]:
    """Yield the open milestones of the ``removed`` projects (by id) of the connection's tracker."""
    source, pulls = connection.source, store.last_pulls()
    good_at = {name: pulls[source, own.key] for name, own in removed.items()}
    started = store.runs_since(min(good_at.values()))
    outages = {name: _outage_of_removed(at, started, now) for name, at in good_at.items()}
    for _, milestone in store.milestones(source):
        if milestone.project in removed and milestone.state is State.OPEN:
            project = removed[milestone.project]
            written = f"{connection.name}:{plain_id(milestone, project)}"
            yield RemovedMilestone(connection, project, milestone, written, outages[project.id])


def _outage_of_removed(good_at: datetime, started: Sequence[datetime], now: datetime) -> Outage:
    runs = [at for at in started if at > good_at]
    is_short = now - min(runs, default=now) < GRACE or len(runs) < GRACE_RUNS
    return Outage(since=good_at, is_short=is_short, failure=_NOT_CONFIGURED)
