"""The working time of a tracker, in every database of the store."""

from __future__ import annotations

from sync.model.work_time import WorkTime
from sync.store.store import Store
from sync.tracker.protocol import Page
from tests.contract.store_rows import DAY, SOURCE, T0


def test_the_working_time_of_a_tracker_is_kept_until_it_changes(store: Store) -> None:
    assert store.work_time(SOURCE) is None
    store.save(SOURCE, Page(), T0)
    assert store.work_time(SOURCE) is None
    part_time = WorkTime(hours_a_day=6.0, days_a_week=4.0)
    store.save(SOURCE, Page(work_time=part_time), T0)
    store.save(SOURCE, Page(), T0 + DAY)
    assert store.work_time(SOURCE) == part_time
    store.save(SOURCE, Page(work_time=WorkTime(hours_a_day=7.5)), T0 + DAY)
    assert store.work_time(SOURCE) == WorkTime(hours_a_day=7.5)
    assert store.work_time("https://other.example") is None
