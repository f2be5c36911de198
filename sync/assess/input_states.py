"""Name the inputs of each verdict with their state: its own project, and those of the milestones that it waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sync.assess.milestone import AssessedMilestone
from sync.assess.outage import RemovedMilestone
from sync.assess.snapshot import Snapshot
from sync.assess.visibility import can_read
from sync.forecast.dependencies import Dependency
from sync.health.missing_input import Outage
from sync.model.inputs import Input, InputState

__all__ = ["InputStates"]


class InputStates:
    """States of the inputs of all milestones (by uid). ``known``: the dependencies that the successors' readers may
    know. ``removed``: the predecessors of removed projects. ``never_read``: the milestones that wait for a project that
    was never read.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        milestones: Mapping[str, AssessedMilestone],
        known: Sequence[Dependency],
        removed: Mapping[str, Sequence[RemovedMilestone]],
        never_read: Sequence[tuple[str, Outage]],
    ) -> None:
        self._snapshot, self._milestones, self._removed = snapshot, milestones, removed
        self._never_read = {uid for uid, _ in never_read}
        self._before: dict[str, list[str]] = {}
        for dependency in known:
            self._before.setdefault(dependency.after, []).append(dependency.before)

    def of_milestone(self, uid: str) -> tuple[Input, ...]:
        """Return the inputs of a milestone, its own project first, without names that its readers may not know."""
        reader = self._milestones[uid]
        upstream = list(self._upstream([uid]))
        found = [self._shown(reader, other) for other in upstream]
        if any(other.uid in self._never_read for other in upstream):
            found.append(Input(connection="", project="", state=InputState.NEVER_READ))
        return tuple(dict.fromkeys(found))

    def of_joint(self, uids: Sequence[str], removed: Sequence[RemovedMilestone]) -> tuple[Input, ...]:
        """Return the inputs of a joint milestone with these members, all by name."""
        return tuple(dict.fromkeys(self._named(other) for other in (*self._upstream(uids), *removed)))

    def _upstream(self, uids: Sequence[str]) -> Iterator[AssessedMilestone | RemovedMilestone]:
        """Yield the milestones and all that they wait for, directly or through others, each once."""
        waiting, seen = list(uids), set[str]()
        while waiting:
            uid = waiting.pop(0)
            if uid not in seen:
                seen.add(uid)
                yield self._milestones[uid]
                yield from self._removed.get(uid, ())
                waiting += self._before.get(uid, ())

    def _shown(self, reader: AssessedMilestone, other: AssessedMilestone | RemovedMilestone) -> Input:
        own = self._named(other)
        return own if can_read(reader, other) else Input(connection="", project="", state=own.state)

    def _named(self, other: AssessedMilestone | RemovedMilestone) -> Input:
        name, key = other.connection.name, other.project.key
        if isinstance(other, RemovedMilestone):
            return _missing(name, key, other.outage)
        outage = self._snapshot.outage_of(other.connection.source, key, other.uid)
        if outage is not None:
            return _missing(name, key, outage)
        return Input(connection=name, project=key, state=InputState.READ, since=other.read_at)


def _missing(connection: str, project: str, outage: Outage) -> Input:
    state = InputState.NEVER_READ if outage.since is None else InputState.STALE
    return Input(connection=connection, project=project, state=state, since=outage.since, failure=outage.failure)
