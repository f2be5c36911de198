"""Which milestones get their closing record now: those that were watched while they ran, and are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sync.assess.milestone import AssessedMilestone
from sync.health.closing import freeze
from sync.model.closing import ClosingRecord
from sync.model.health import Status
from sync.store.store import Store

__all__ = ["new_closing_records"]


def new_closing_records(store: Store, assessed: Sequence[AssessedMilestone]) -> Iterator[ClosingRecord]:
    """New records for milestones that are done, have none yet, and were seen running before."""
    done = {milestone.uid: milestone for milestone in assessed if milestone.health.status is Status.DONE}
    for uid in sorted(done.keys() - store.records(done).keys()):
        milestone = done[uid]
        told, watched = store.told(uid)
        if watched:
            yield freeze(
                milestone.health,
                milestone.milestone,
                milestone.memberships,
                milestone.issues,
                store.events(milestone.source.connector.base_url, milestones=[milestone.milestone.id]),
                milestone.due_dates,
                told,
                criteria=milestone.criteria,
                project=milestone.project.key,
                zone=milestone.source.zone,
            )
