"""The service scores what it published, once it is known how it turned out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from sync.model.health import Dates
from sync.store.store import Store
from tests.e2e.in_process import milesync
from tests.e2e.small_world import served


def test_a_published_85_percent_date_is_scored_once_it_has_passed(tmp_path: Path) -> None:
    with served(tmp_path) as (_, config):
        assert milesync("run", "--first-run", config=config).code == 0
        nothing = milesync("status", "--calibration", "--json", config=config).document
        assert all(row["dates"] == 0 for row in nothing["streams"])
        with Store.open(f"sqlite:///{tmp_path}/milesync.db", create=False, clock=lambda: datetime.now(UTC)) as store:
            health = next(h for h in store.last_health().values() if h.due is not None)
            ended = (datetime.now(UTC) - timedelta(days=20)).date()
            old = msgspec.structs.replace(
                health,
                at=datetime.now(UTC) - timedelta(days=35),
                start=ended - timedelta(days=20),
                due=ended,
                probability=0.6,
                dates=Dates(p85=ended),
            )
            stream = next(iter(f.stream for f in store.forecasts() if f.container == health.container))
            store.save_health("earlier", [old], {health.container: stream})
        scored = milesync("status", "--calibration", "--json", config=config).document
        row = next(row for row in scored["streams"] if row["stream"] == stream)
        assert (row["dates"], row["held"], row["forecasts"]) == (1, 0, 1)
        assert row["words"] == "the one date given with 85% did not hold"
        assert (row["p85"]["dates"], row["p85"]["share"], row["p50"]["dates"]) == (1, None, 0)
        assert "did not hold" in milesync("status", "--calibration", config=config).out
