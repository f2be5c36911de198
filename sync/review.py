"""Which milestones get their closing record now: those that were watched while they ran, and are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sync.assessment import Assessed
from sync.closing import freeze
from sync.model import Status
from sync.record import Record
from sync.store import Store

__all__ = ["frozen"]


def frozen(store: Store, assessed: Sequence[Assessed]) -> Iterator[Record]:
    """New records for milestones that are done, have none yet, and were seen running before."""
    done = {one.uid: one for one in assessed if one.health.status is Status.DONE}
    for uid in sorted(done.keys() - store.records(done).keys()):
        one = done[uid]
        told, watched = store.told(uid)
        if watched:
            yield freeze(
                one.health,
                one.milestone,
                one.stays,
                one.issues,
                store.events(one.source.connector.source, milestones=[one.milestone.id]),
                one.due_dates,
                told,
                criteria=one.criteria,
                project=one.project.key,
                zone=one.source.zone,
            )
