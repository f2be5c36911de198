"""Recover what a lost database knew about milestones from our own comments, before the first assessment is stored."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sync.assess.milestone import AssessedMilestone
from sync.assess.recovery import recover
from sync.engine.observe import Observer

__all__ = ["recover_lost_state"]


def recover_lost_state(
    observer: Observer, run_id: str, assessed: Sequence[AssessedMilestone], previous: Collection[str]
) -> bool:
    """Store the last health and the due dates that our comments hold; return whether a comment held any.

    Only milestones (uid) without a stored health (``previous``) and without a stored observation are observed.
    """
    store, observed = observer.store, observer.store.observed_milestones()
    unknown = [
        milestone
        for milestone in assessed
        if milestone.is_current
        and milestone.uid not in previous
        and milestone.uid not in observed
        and milestone.connection.name in observer.ready()
    ]
    observer.observe_early(unknown)
    healths = []
    for milestone in unknown:
        state = recover(milestone, observer.early.issues.get(milestone.uid), observer.instance)
        if state is not None:
            store.note_due_dates(milestone.connection.source, milestone.milestone.id, state.due_dates)
            healths.append(state.health)
    store.save_health(run_id, healths, {milestone.uid: milestone.stream for milestone in unknown})
    return bool(healths)
