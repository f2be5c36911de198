"""Forecasts that were published, and the outcome of their milestones.

`sync.forecast.track_record` scores them; summaries and closing records show them.
"""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from sync.model.dates import end_of_day

__all__ = ["Outcome", "PublishedForecast", "StreamForecast", "SummaryForecast"]

_UTC = ZoneInfo("UTC")


class PublishedForecast(Struct, frozen=True, kw_only=True):
    """A forecast of one milestone as it was published ``at`` a time (UTC).

    ``due`` is the due date at that time. ``probability`` is that of being done by then, ``p50`` and ``p85`` are the
    completion dates at 50 and 85 %. None: not published.
    """

    at: datetime
    due: date | None = None
    probability: float | None = None
    p50: date | None = None
    p85: date | None = None


class StreamForecast(PublishedForecast, frozen=True, kw_only=True):
    """A published forecast with what scoring a stream needs: container, stream, audience, planned start, method."""

    container: str
    stream: str
    audience: str = ""
    start: date | None = None
    p95: date | None = None
    method: int = 1

    @property
    def planned_time(self) -> tuple[datetime, datetime] | None:
        """The moments (UTC) at which the start day and the due day end; None when one of the days is unknown."""
        if self.start is None or self.due is None:
            return None
        return end_of_day(self.start, _UTC), end_of_day(self.due, _UTC)


class SummaryForecast(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The part of a published forecast that the marker of a summary comment keeps: no time and no 85 % date."""

    probability: float | None = None
    p50: date | None = None
    due: date | None = None


class Outcome(Struct, frozen=True, kw_only=True):
    """The moment (UTC) at which a milestone was done, by the meaning of done that its forecasts had; None: not yet.

    ``dropped``: the milestone was deleted or emptied before it was done, so its forecasts are not scored.
    """

    done: datetime | None = None
    dropped: bool = False
