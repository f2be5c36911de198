"""How the forecasts that this installation published turned out: from the store's rows to each stream's score."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sync.database.assessed import Forecast
from sync.dates import end_of_day
from sync.ledger import Ledger
from sync.published import Outcome, Published
from sync.selfscore import StreamScore, sentence, settle, stream_scores
from sync.store import Store
from sync.view import Forecast as Told

__all__ = ["earlier", "told", "track_record"]

_UTC = ZoneInfo("UTC")

EARLIER = timedelta(weeks=5)
"""How far back a summary tells what was forecast."""


def track_record(
    store: Store,
    ledger: Ledger,
    tolerance: float,
    now: datetime,
    joints: Mapping[str, Collection[str]] | None = None,
    *,
    only_known: bool = False,
) -> dict[str, StreamScore]:
    """The score of each stream for which something was published in a comment, by stream.

    Outcomes are counted anew from the history each time, so that a correction in a tracker corrects the score.
    ``joints``: joint container -> its members; it is done when the last of them is. ``only_known``: of the containers
    in ``ledger`` and ``joints`` and of no others.
    """
    known = {*ledger.index, *(joints or {})}
    told = (one for one in store.forecasts() if not one.audience and (not only_known or one.container in known))
    published = list(_published(told))
    if not published:
        return {}
    outcomes = settle(ledger, tolerance, now)
    for name, members in (joints or {}).items():
        outcomes[name] = _of_all([outcomes.get(member, Outcome()) for member in members])
    return stream_scores(published, outcomes, now)


def earlier(store: Store, audience: str, now: datetime) -> dict[str, tuple[Told, ...]]:
    """What was last said in each of the weeks before today, as far as it was a forecast, by container."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        container: tuple(
            Told(at=one.at, probability=one.probability, p50=one.p50, p85=one.p85, due=one.due)
            for one in said
            if one.probability is not None or one.p50 is not None
        )
        for container, said in store.weekly(today - EARLIER, today, audience).items()
    }


def _of_all(members: Sequence[Outcome]) -> Outcome:
    if any(one.dropped for one in members):
        return Outcome(dropped=True)
    done = [one.done for one in members if one.done is not None]
    return Outcome(done=max(done) if done and len(done) == len(members) else None)


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
