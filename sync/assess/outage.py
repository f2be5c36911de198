"""Find the projects whose data is missing, and for how long their last verdicts are kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sync.health.missing_input import Outage
from sync.store.store import Store

__all__ = ["GRACE", "GRACE_RUNS", "find_outages"]

GRACE = timedelta(hours=24)
"""Time from the first failed pull for which the last verdict is kept."""
GRACE_RUNS = 3
"""Number of runs from the first failed pull on for which the last verdict is kept, if they take longer."""


def find_outages(store: Store, now: datetime) -> Mapping[tuple[str, str], Outage]:
    """Return the outages at ``now`` (UTC) by source and project key."""
    failed = store.failed_pulls()
    if not failed:
        return {}
    started = store.runs_since(min(pull.failed_at for pull in failed.values()) - GRACE)
    return {
        key: Outage(
            since=pull.good_at,
            is_short=now - pull.failed_at < GRACE or sum(at > pull.failed_at for at in started) + 1 < GRACE_RUNS,
        )
        for key, pull in failed.items()
    }
