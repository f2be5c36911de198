"""The trend of a forecast: what was published for the same due date about a week ago."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from zoneinfo import ZoneInfo

from sync.model.dates import day_of
from sync.model.health import Health
from sync.model.published import PublishedForecast
from sync.report.figures import probability_percent

__all__ = ["probability_last_week"]

EARLIEST, WEEK, LATEST = 9, 7, 5
"""Age in days of a forecast of last week: the limits, and the preferred age."""

MIN_POINTS = 5
"""Minimum difference in percentage points: readers take a smaller one for no change, and so does the comment."""


def probability_last_week(health: Health, forecasts: Iterable[PublishedForecast], zone: ZoneInfo) -> float | None:
    """Return the published probability that ``health`` is compared with, as "64% last week"; None without a trend.

    ``forecasts`` were published earlier with the same method. Only forecasts for the same due date are comparable. Days
    are those of ``zone``. Of two forecasts equally near to a week the later one counts.
    """
    if health.probability is None or health.due is None or health.status.is_over:
        return None
    today = day_of(health.at, zone)
    comparable = [
        (abs(age - WEEK), age, forecast.probability)
        for forecast in forecasts
        if forecast.probability is not None
        and forecast.due == health.due
        and LATEST <= (age := _age(forecast, today, zone)) <= EARLIEST
    ]
    if not comparable:
        return None
    _, _, probability = min(comparable, key=lambda entry: entry[:2])
    return (
        probability
        if abs(probability_percent(probability) - probability_percent(health.probability)) >= MIN_POINTS
        else None
    )


def _age(forecast: PublishedForecast, today: date, zone: ZoneInfo) -> int:
    """Return the age of a forecast in days."""
    return (today - day_of(forecast.at, zone)).days
