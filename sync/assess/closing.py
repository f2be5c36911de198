"""Build closing records of the milestones that were observed while they ran, and are over now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sync.assess.milestone import AssessedMilestone
from sync.health.closing import FinishedMilestone, closing_record
from sync.model.closing import ClosingRecord
from sync.store.store import Store

__all__ = ["new_closing_records"]


def new_closing_records(store: Store, assessed: Sequence[AssessedMilestone]) -> Iterator[ClosingRecord]:
    """Yield records of milestones that are over, have no record yet, and were seen running before."""
    done = {milestone.uid: milestone for milestone in assessed if milestone.health.status.is_over}
    for uid in sorted(done.keys() - store.records(done).keys()):
        milestone = done[uid]
        forecasts, was_running = store.published(uid)
        if was_running:
            source = milestone.connection.connector.base_url
            finished = FinishedMilestone(
                health=milestone.health,
                milestone=milestone.milestone,
                memberships=milestone.memberships,
                issues=milestone.issues,
                events=store.events(source, milestones=[milestone.milestone.id]),
                due_dates=milestone.due_dates,
                forecasts=forecasts,
                criteria=milestone.criteria,
                project=milestone.project.key,
                zone=milestone.connection.zone,
            )
            yield closing_record(finished)
