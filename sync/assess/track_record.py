"""How the forecasts that this installation published turned out: from the store's rows to each stream's score."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sync.forecast.track_record import StreamScore, outcomes_of, sentence, stream_scores
from sync.history.ledger import Ledger
from sync.model.published import Outcome, PublishedForecast
from sync.store.store import Store

__all__ = ["earlier", "told", "track_record"]

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
    published = [
        forecast
        for forecast in store.forecasts()
        if not forecast.audience and (not only_known or forecast.container in known)
    ]
    if not published:
        return {}
    outcomes = outcomes_of(ledger, tolerance, now)
    for name, members in (joints or {}).items():
        outcomes[name] = _of_all([outcomes.get(member, Outcome()) for member in members])
    return stream_scores(published, outcomes, now)


def earlier(store: Store, audience: str, now: datetime) -> dict[str, tuple[PublishedForecast, ...]]:
    """What was last said in each of the weeks before today, as far as it was a forecast, by container."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        container: tuple(
            PublishedForecast(
                at=summary.at, probability=summary.probability, p50=summary.p50, p85=summary.p85, due=summary.due
            )
            for summary in said
            if summary.probability is not None or summary.p50 is not None
        )
        for container, said in store.weekly(today - EARLIER, today, audience).items()
    }


def _of_all(members: Sequence[Outcome]) -> Outcome:
    if any(outcome.dropped for outcome in members):
        return Outcome(dropped=True)
    done = [outcome.done for outcome in members if outcome.done is not None]
    return Outcome(done=max(done) if done and len(done) == len(members) else None)


def told(scores: Mapping[str, StreamScore], stream: str) -> str:
    """The score of a stream in words; empty while there is nothing to tell."""
    score = scores.get(stream)
    return sentence(score) if score is not None and (score.dates or score.forecasts) else ""
