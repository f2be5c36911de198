"""The service scores what it published, once it is known how it turned out."""

from __future__ import annotations

import re
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
        assert row["words"] == "the one date given with 85% certainty did not hold"
        assert (row["p85"]["dates"], row["p85"]["share"], row["p50"]["dates"]) == (1, None, 0)
        assert "did not hold" in milesync("status", "--calibration", config=config).out


def test_days_of_past_milestones_are_the_trackers_days_west_of_utc(tmp_path: Path) -> None:
    with served(tmp_path) as (_, config):
        text = config.read_text().replace('type = "github"', 'type = "github"\ntimezone = "America/Los_Angeles"')
        config.write_text(text.replace('type = "gitlab"', 'type = "gitlab"\ntimezone = "America/Los_Angeles"'))
        milesync("run", "--first-run", config=config)
        told = milesync("explain", "gh:acme/app#1", config=config).out
        milesync("report", "--out", str(tmp_path / "pages"), config=config)
    early = re.search(r"Finished (\d+ days? early)", told)
    assert early is not None
    page = (tmp_path / "pages" / "calibration.html").read_text(encoding="utf-8")
    assert early[1] in re.sub(r"\s+", " ", page)
