"""No published date lies before the day of its assessment: random histories, assessed one time after another."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.health.assess import AssessmentInputs, assess
from sync.history.calendar import Calendar
from sync.history.ledger import moment
from sync.model.health import Health
from tests.random_history import FIRST, history


def published_days(health: Health) -> Iterator[date]:
    """Yield the dates of the forecast, of the promise and of the levers."""
    dates, promise = health.dates, health.promise
    days = [dates.p50, dates.p85, dates.p95, dates.horizon, *(lever.values.get("to") for lever in health.levers)]
    days += [] if promise is None else [promise.p50, promise.p70, promise.p85]
    yield from (day for day in days if isinstance(day, date))


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    messy=st.booleans(),
    tolerance=st.sampled_from([0.0, 0.2]),
    zone=st.sampled_from(["UTC", "Pacific/Kiritimati", "Etc/GMT+12"]),
    step=st.floats(0.7, 12.0),
)
def test_no_published_date_has_passed(seed: int, messy: bool, tolerance: float, zone: str, step: float) -> None:
    ledger, calendar = history(seed, 20, messy), Calendar(zone=ZoneInfo(zone))
    tables, previous = HistoryTables(ledger, Rules(tolerance=tolerance)), dict[str, Health]()
    for n in range(12):
        at = moment(FIRST + 60 + n * step)
        today = at.astimezone(ZoneInfo(zone)).date()
        previous = assess(tables, list(ledger.index), at, calendar, AssessmentInputs(previous=previous))
        assert [health for health in previous.values() if any(day < today for day in published_days(health))] == []
