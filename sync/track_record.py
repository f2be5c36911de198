"""How the forecasts that this installation published turned out: from the store's rows to each stream's score."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from sync.calendar import end_of_day
from sync.database.assessed import Forecast
from sync.ledger import Ledger
from sync.selfscore import Published, StreamScore, sentence, settle, stream_scores
from sync.store import Store

__all__ = ["told", "track_record"]

_UTC = ZoneInfo("UTC")


def track_record(store: Store, ledger: Ledger, tolerance: float, now: datetime) -> dict[str, StreamScore]:
    """The score of each stream for which something was published, by stream.

    Outcomes are counted anew from the history each time, so that a correction in a tracker corrects the score.
    """
    published = list(_published(store.forecasts()))
    return stream_scores(published, settle(ledger, tolerance, now), now) if published else {}


def _published(forecasts: Iterable[Forecast]) -> Iterator[Published]:
    for one in forecasts:
        if one.start is not None and one.due is not None:
            yield Published(
                container=one.container,
                stream=one.stream,
                at=one.at,
                start=end_of_day(one.start, _UTC),
                due=end_of_day(one.due, _UTC),
                probability=one.probability,
                p85=one.p85,
            )


def told(scores: Mapping[str, StreamScore], stream: str) -> str:
    """The score of a stream in words; empty while there is nothing to tell."""
    score = scores.get(stream)
    return sentence(score) if score is not None and (score.dates or score.forecasts) else ""
