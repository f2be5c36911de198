"""Digests of what the numbers behind milestones are computed from: with equal digests, they need no new computation."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from sync.assess.milestone import AssessedMilestone
from sync.assess.snapshot import Snapshot
from sync.forecast.input_digest import container_digest, history_digest
from sync.model.health import Health

__all__ = ["input_digests"]


def input_digests(snapshot: Snapshot, milestones: Sequence[AssessedMilestone]) -> dict[str, str]:
    """Return by uid a digest of all that `milestone_numbers` and what-if questions about a milestone depend on.

    The time of day is left out: the numbers name it, and nothing is computed from it but the state of the items.
    """
    found: dict[str, str] = {}
    histories: dict[tuple[int, float], bytes] = {}
    for places, batch in snapshot.batches([milestone.uid for milestone in milestones]):
        known_until = float(batch.at[0])
        key = (id(batch.tables), known_until)
        if key not in histories:
            histories[key] = history_digest(batch.tables, known_until, batch.calendar)
        for k, place in enumerate(places):
            own = container_digest(batch, k)
            values = msgspec.json.encode(_values(snapshot, milestones[place]))
            found[milestones[place].uid] = blake2b(histories[key] + own + values, digest_size=16).hexdigest()
    return found


def _values(snapshot: Snapshot, milestone: AssessedMilestone) -> list[object]:
    """Return the inputs in addition to the history."""
    previous = snapshot.previous.get(milestone.uid)
    return [
        _timeless(milestone.health),
        _timeless(snapshot.health_alone(milestone.uid)),
        None if previous is None else (previous.status, previous.since),
        snapshot.scores.get(milestone.stream),
        [note for note in milestone.due_dates if note.seen <= snapshot.at],
    ]


def _timeless(health: Health) -> bytes:
    """Return a health as JSON without the time of its assessment, which is also that of what is new in it."""
    return msgspec.json.encode(health).replace(msgspec.json.encode(health.at), b"null")
