"""A forecast as it was published, and what came of its milestone: what `sync.forecast.track_record` scores."""

from __future__ import annotations

from datetime import date, datetime

from msgspec import Struct

__all__ = ["Outcome", "Published"]


class Published(Struct, frozen=True, kw_only=True):
    """A forecast as it was published. ``due`` is the due moment then, ``p85`` the date given with 85 % (its end, UTC).

    ``start`` is the milestone's start as then known. ``probability`` is None where none was published, ``p85`` where no
    date was. Moments are in UTC.
    """

    container: str
    stream: str
    at: datetime
    start: datetime
    due: datetime
    probability: float | None = None
    p85: date | None = None


class Outcome(Struct, frozen=True, kw_only=True):
    """When a milestone was done (UTC), by the meaning of done that its forecasts had; None: not yet.

    ``dropped`` says that it ceased without being done (deleted, or emptied), so that nothing can be said of it.
    """

    done: datetime | None = None
    dropped: bool = False


class Forecast(Struct, frozen=True, kw_only=True):
    """A forecast of this milestone that was published earlier."""

    at: datetime
    probability: float | None = None
    p50: date | None = None
    p85: date | None = None
    due: date | None = None


class Told(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A forecast as a summary told it."""

    probability: float | None = None
    p50: date | None = None
    due: date | None = None
