"""The trend of a forecast since last week."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from sync.model.health import Health, Status
from sync.model.published import PublishedForecast
from sync.report.trend import probability_last_week

NOW = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
DUE = date(2026, 12, 12)
ZONE = ZoneInfo("UTC")


def health(probability: float | None = 0.52, status: Status = Status.AT_RISK) -> Health:
    return Health(container="m", at=NOW, status=status, band=status, since=NOW, due=DUE, probability=probability)


def published(days_ago: float, probability: float | None = 0.64, due: date | None = DUE) -> PublishedForecast:
    return PublishedForecast(at=NOW - timedelta(days=days_ago), due=due, probability=probability)


@pytest.mark.parametrize(("days_ago", "shown"), [(4, None), (5, 0.64), (7, 0.64), (9, 0.64), (10, None)])
def test_a_forecast_of_last_week_is_five_to_nine_days_old(days_ago: int, shown: float | None) -> None:
    assert probability_last_week(health(), [published(days_ago)], ZONE) == shown


def test_the_forecast_nearest_to_a_week_counts_and_of_two_the_later_one() -> None:
    assert probability_last_week(health(), [published(9, 0.7), published(7, 0.64), published(5, 0.8)], ZONE) == 0.64
    assert probability_last_week(health(), [published(8, 0.7), published(6, 0.8)], ZONE) == 0.8


@pytest.mark.parametrize(
    ("before", "now", "is_shown"),
    [(0.57, 0.52, True), (0.56, 0.52, False), (0.565, 0.524, False), (0.47, 0.52, True), (0.001, 0.0, False)],
)
def test_fewer_than_five_points_as_shown_are_no_trend(before: float, now: float, is_shown: bool) -> None:
    assert (probability_last_week(health(now), [published(7, before)], ZONE) == before) is is_shown


def test_only_a_forecast_for_the_same_due_date_is_comparable() -> None:
    forecasts = [published(7, due=DUE - timedelta(days=7)), published(6, due=None), published(8, probability=None)]
    assert probability_last_week(health(), forecasts, ZONE) is None
    assert probability_last_week(health(), [*forecasts, published(9, 0.7)], ZONE) == 0.7


def test_there_is_no_trend_without_a_forecast_now_or_then() -> None:
    assert probability_last_week(health(), [], ZONE) is None
    assert probability_last_week(health(None, Status.UNKNOWN), [published(7)], ZONE) is None
    assert probability_last_week(health(0.52, Status.DONE), [published(7)], ZONE) is None
    assert probability_last_week(replace(health(), due=None), [published(7, due=None)], ZONE) is None


def test_days_are_those_of_the_connection() -> None:
    forecast = replace(published(0), at=datetime(2026, 11, 17, 11, 0, tzinfo=UTC))  # 18 Nov at +14
    assert probability_last_week(health(), [forecast], ZONE) == 0.64
    assert probability_last_week(health(), [forecast], ZoneInfo("Pacific/Kiritimati")) is None
