"""Health: status with hysteresis, ranked reasons, levers with computed effect, and when there is no forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from sync.calendar import Calendar
from sync.forecast import Past, Rules
from sync.ledger import Ledger
from sync.model import Counts, Health, Issue

__all__ = ["StreamScore", "assess", "explain"]


class StreamScore(Struct, frozen=True):
    """How a stream's resolved forecasts did: number, mean Brier score, and that of always quoting its hit rate.

    ``hit_rate`` is the share of them whose milestone was done by its due date.
    """

    resolved: int
    brier: float
    reference: float
    hit_rate: float


def assess(
    ledger: Ledger | Past,
    targets: Sequence[str],
    at: datetime,
    *,
    previous: Mapping[str, Health],
    issues: Mapping[str, Issue],
    members: Mapping[str, Sequence[str]],
    rules: Rules,
    calendar: Calendar,
    scores: Mapping[str, StreamScore] | None = None,
    counts: Mapping[str, Counts] | None = None,
) -> dict[str, Health]:
    """Assess the containers with ids ``targets`` as of ``at``; an id that the ledger does not know raises KeyError.

    ``previous``: the last Health of each container, for hysteresis. ``issues``: uid -> Issue, and ``members``:
    container id -> uids of the items open now; both may be empty, then reasons and levers name no items.
    ``scores``: stream -> record of its resolved forecasts. ``counts``: container id -> counts to show as they are.
    """
    raise NotImplementedError


def explain(
    ledger: Ledger | Past,
    target: str,
    at: datetime,
    *,
    previous: Mapping[str, Health],
    issues: Mapping[str, Issue],
    members: Mapping[str, Sequence[str]],
    rules: Rules,
    calendar: Calendar,
    scores: Mapping[str, StreamScore] | None = None,
    counts: Mapping[str, Counts] | None = None,
) -> dict[str, object]:
    """Every number behind one container's assessment, as plain JSON-able data. Same input, same bytes."""
    raise NotImplementedError
