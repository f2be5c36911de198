"""Ticks of the axes of charts: round numbers, and days on which weeks, months or years begin."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from math import ceil, log10

from sync.report.phrases import day, short_day

__all__ = ["date_ticks", "number_ticks"]

DAY_STEPS, MONTH_STEPS = (1, 2, 7, 14), (1, 3, 6, 12, 24, 60, 120)
"""Possible numbers of days or months between two ticks."""

_MONDAY = date(2024, 1, 1)


def number_ticks(highest: float, most: int = 5) -> list[int]:
    """Return multiples of 1, 2 or 5 times a power of ten from 0 to ``highest``, about ``most`` at most."""
    rough = max(highest / most, 1)
    power = 10 ** int(log10(rough))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= rough)
    return list(range(0, int(highest) + 1, step))


def date_ticks(first: date, last: date, most: int) -> list[tuple[date, str]]:
    """Return at most ``most`` days from ``first`` to ``last``, evenly spaced, with their labels.

    Weeks begin on Monday. From steps of a month on, a label has the year: ``1 Dec``, ``Dec 2026``.
    """
    for step in DAY_STEPS:
        origin = _MONDAY.toordinal()
        start = origin + ceil((first.toordinal() - origin) / step) * step
        if (last.toordinal() - start) // step < most:
            ordinals = range(start, last.toordinal() + 1, step)
            return [(on, short_day(on, on)) for on in map(date.fromordinal, ordinals)]
    for step in MONTH_STEPS:
        months = list(_months(first, last, step))
        if len(months) <= most:
            return [(on, _month(on)) for on in months]
    return [(first, _month(first))]


def _months(first: date, last: date, step: int) -> Iterator[date]:
    """Yield the first days of every ``step``-th month, counted from a January of year 0."""
    count = ceil((12 * first.year + first.month - 1 + (first.day > 1)) / step) * step
    while (begin := date(count // 12, count % 12 + 1, 1)) <= last:
        yield begin
        count += step


def _month(on: date) -> str:
    """Return the month of a date: Dec 2026."""
    return day(on).partition(" ")[2]
