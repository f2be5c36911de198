"""Score the forecasts that this installation published: from stored rows to the score of each stream."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from sync.forecast.outcomes import OutcomeSource
from sync.forecast.track_record import StreamScore, stream_scores
from sync.model.published import PublishedForecast
from sync.store.store import Store

__all__ = ["Methods", "forecasts_of_last_week", "recent_forecasts", "track_record"]

RECENT = timedelta(weeks=5)
"""Age of the oldest forecast that a summary shows."""


class Methods(Struct, frozen=True):
    """The methods whose figures compare with the present ones: ``by_container`` (id), or ``own`` alone."""

    own: int
    by_container: Mapping[str, frozenset[int]] = {}

    def compares(self, container: str, method: int) -> bool:
        """Return whether a forecast of a method compares with the present figures of a container."""
        return method in self.by_container.get(container, {self.own})


def track_record(
    store: Store, outcomes: OutcomeSource, now: datetime, methods: Methods, known: Collection[str] | None = None
) -> dict[str, StreamScore]:
    """Return the score of each stream with a forecast that was published in a comment, by stream.

    Outcomes are counted from the history each time: a correction in a tracker corrects the score. Only forecasts of
    comparable ``methods`` are scored. ``known``: score only these containers; None: all.
    """
    published = (
        forecast
        for forecast in store.forecasts()
        if not forecast.audience and (known is None or forecast.container in known)
    )
    return stream_scores(published, outcomes, now, methods.own, methods.by_container)


def recent_forecasts(
    store: Store, audience: str, now: datetime, methods: Methods
) -> dict[str, tuple[PublishedForecast, ...]]:
    """Return the last forecast published in each of the five weeks before today, by container, oldest first.

    Forecasts of other ``methods`` are left out: they are not comparable with today's.
    """
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return _published(store, audience, today - RECENT, today, methods)


def forecasts_of_last_week(
    store: Store, audience: str, now: datetime, methods: Methods
) -> dict[str, tuple[PublishedForecast, ...]]:
    """Return forecasts that were published seven to nine days before today, by container, oldest first.

    The last one before seven days ago is among them. Forecasts of other ``methods`` are left out.
    """
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return _published(store, audience, today - timedelta(days=9), today - timedelta(days=6), methods)


def _published(
    store: Store, audience: str, since: datetime, until: datetime, methods: Methods
) -> dict[str, tuple[PublishedForecast, ...]]:
    return {
        container: tuple(
            PublishedForecast(
                at=summary.at, probability=summary.probability, p50=summary.p50, p85=summary.p85, due=summary.due
            )
            for summary in summaries
            if methods.compares(container, summary.method)
            and (summary.probability is not None or summary.p50 is not None)
        )
        for container, summaries in store.weekly(since, until, audience).items()
    }
