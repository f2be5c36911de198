"""Forecasts that were published, and the outcome of their milestones.

`sync.forecast.track_record` scores them; summaries and closing records show them.
"""

from __future__ import annotations

from datetime import date, datetime

from msgspec import Struct

__all__ = ["Outcome", "PublishedForecast", "StreamForecast", "SummaryForecast"]


class PublishedForecast(Struct, frozen=True, kw_only=True):
    """A forecast of one milestone as it was published ``at`` a time (UTC).

    ``due`` is the due date at that time. ``probability`` is that of being done by then, ``p50`` and ``p85`` are the
    completion dates at 50 and 85%. None: not published.
    """

    at: datetime
    due: date | None = None
    probability: float | None = None
    p50: date | None = None
    p85: date | None = None


class StreamForecast(PublishedForecast, frozen=True, kw_only=True):
    """A published forecast with what scoring a stream needs: container, stream, audience, planned start, method.

    ``p70`` is the 70% date of a milestone without a due date. ``leftover_low`` and ``leftover_high`` are the 80%
    range of the number of items left over at the due moment. None: not published.
    """

    container: str
    stream: str
    audience: str = ""
    start: date | None = None
    p70: date | None = None
    p95: date | None = None
    method: int = 1
    leftover_low: int | None = None
    leftover_high: int | None = None


class SummaryForecast(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The part of a published forecast that the marker of a summary comment keeps: no time and no 85% date."""

    probability: float | None = None
    p50: date | None = None
    due: date | None = None


class Outcome(Struct, frozen=True, kw_only=True):
    """The moment (UTC) at which a milestone was done, by the meaning of done that its forecasts had; None: not yet.

    ``dropped``: the milestone was deleted or emptied before it was done, so its forecasts are not scored.
    """

    done: datetime | None = None
    dropped: bool = False
