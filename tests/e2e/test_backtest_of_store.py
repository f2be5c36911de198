"""The back-test on the store's own history, without any file."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.in_process import milesync
from tests.e2e.small_world import served


def test_the_stores_own_history_is_replayed(tmp_path: Path) -> None:
    with served(tmp_path) as (_, config):
        assert milesync("pull", "--config", str(config)).code == 0
    done = milesync("backtest", "--config", str(config), "--json")
    assert done.code == 0, done.err
    assert {"tau0", "tau10", "dates", "labels"} <= done.document.keys()
    assert "pool" in done.document["tau0"]
    missing = milesync("backtest", str(tmp_path / "nothing"))
    assert missing.code == 1
    assert "nothing" in missing.err
