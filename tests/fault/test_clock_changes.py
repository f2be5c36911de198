"""Nights in which clocks change: each change of status is announced once, at the first run after it."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from sync.tracker.marker import Marker
from tests.fault.fault_scripts import TELLING, Blank, FaultyConnector, Scene, check, run
from tests.proof import TIMEOUT, Record, full

pytestmark = TIMEOUT

STEP = timedelta(minutes=30)
RUNS = 24
"""From 20:00 to the next morning."""
NIGHTS = [
    ("Europe/Berlin", date(2026, 10, 24)),  # from 3:00 back to 2:00
    ("America/Santiago", date(2026, 9, 5)),  # from midnight to 1:00: the day has no midnight
    ("America/Santiago", date(2026, 4, 4)),  # from midnight back to 23:00: the evening has that hour twice
    ("America/Havana", date(2026, 10, 31)),  # from 1:00 back to midnight
    ("America/New_York", date(2026, 3, 7)),
    ("Africa/Cairo", date(2026, 4, 23)),
    ("Australia/Lord_Howe", date(2026, 4, 4)),  # by half an hour
    ("Pacific/Chatham", date(2026, 9, 26)),
]


@pytest.mark.proof
@pytest.mark.parametrize(("zone", "evening"), full(NIGHTS, NIGHTS[:2]))
def test_each_change_of_status_is_announced_once(
    zone: str, evening: date, blank: Blank, record_property: Record
) -> None:
    """Runs every half hour: a milestone gets overdue at midnight, and people move the date of another to and fro."""
    local = ZoneInfo(zone)
    begin = datetime.combine(evening, time(20), local).astimezone(UTC)
    moments = [begin + n * STEP for n in range(RUNS)]
    assert len({moment.astimezone(local).utcoffset() for moment in moments}) == 2, "no clock changes in this night"
    scene = Scene(now=begin)
    connector, store = FaultyConnector(scene), blank.store(scene.clock)
    announced_at = defaultdict[str, list[int]](list)
    for n, moment in enumerate(moments):
        scene.now = moment
        scene.due = {0: evening, 1: evening + timedelta(days=-1 if 6 <= n < 18 and n % 2 else 40)}
        known = len(scene.told)
        run(connector, store, zone)
        for issue, action in scene.told[known:]:
            marker = Marker.decode(action.marker)
            if marker is not None and marker.kind in TELLING:
                announced_at[issue].append(n)
    check(scene)
    first_of_day = next(n for n, moment in enumerate(moments) if moment.astimezone(local).date() > evening)
    assert sorted(announced_at.values()) == [list(range(7, 19)), [first_of_day]]
    record_property("runs", RUNS)
