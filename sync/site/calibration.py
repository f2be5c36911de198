"""The calibration page: replayed forecasts of finished milestones, and the reliability of each stream's dates."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from sync.backtest.questions import outcomes, probabilities, questions
from sync.forecast.history_tables import HistoryTables
from sync.forecast.input_digest import history_digest
from sync.forecast.outcomes import ContainerRules
from sync.forecast.scoring import Bin, DateScore, HorizonScore, brier, reliability
from sync.forecast.stats import allowed_open
from sync.forecast.track_record import StreamScore, outcomes_of
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger, days
from sync.report.figures import share_percent

__all__ = [
    "DateReliability",
    "GivenDates",
    "ReplayResult",
    "date_reliabilities",
    "given_dates",
    "replay_forecasts",
    "replay_inputs",
]

CHECKS = (0.25, 0.5, 0.75)
"""Shares of the planned time at which the replay forecasts a finished milestone, as in the back-test."""


@dataclass(frozen=True)
class ReplayResult:
    """Scores of replayed forecasts of milestones whose due date has passed.

    ``rate`` is the share that came true. ``brier`` is their Brier score, ``base`` that of always forecasting ``rate``,
    which is known only afterwards; None without forecasts.
    """

    bins: tuple[Bin, ...]
    forecasts: int
    milestones: int
    brier: float | None
    base: float | None
    rate: float | None = None


@dataclass(frozen=True)
class DateReliability:
    """Reliability of the dates of one stream.

    Of ``due`` milestones whose date has passed, ``kept`` were done by their last date and ``first`` by their first
    date. ``slip`` is the median number of days from the first date until done, over milestones that are done; None
    without any. ``score`` is None without settled forecasts.
    """

    stream: str
    due: int
    kept: int
    first: int
    slip: int | None
    score: StreamScore | None


@dataclass(frozen=True)
class GivenDates:
    """Coverage of one stream's published dates of one kind, in words: ``cells`` are all dates, then each horizon."""

    stream: str
    given: str
    cells: tuple[str, ...]


def given_dates(scores: Mapping[str, StreamScore]) -> list[GivenDates]:
    """Return the coverage of the dates of each stream in which a published date has passed."""
    rows = [
        (stream, kind, score)
        for stream, found in sorted(scores.items())
        for kind, score in (
            *(("", score) for score in (found.p50, found.p85)),
            *((" and no due date", score) for score in found.promises),
        )
        if score.dates
    ]
    return [
        GivenDates(
            stream=stream,
            given=f"{share_percent(score.level)}%{kind}",
            cells=(_coverage(score), *(_coverage(horizon) for horizon in score.horizons)),
        )
        for stream, kind, score in rows
    ]


def _coverage(score: DateScore | HorizonScore) -> str:
    if not score.dates:
        return "–"
    if score.share is None:
        return f"{score.held} of {score.dates}: too few"
    return f"{score.held} of {score.dates}: {share_percent(score.share)}%"


def replay_forecasts(tables: HistoryTables, at: datetime, calendar: Calendar) -> ReplayResult:
    """Score the forecasts at 25, 50 and 75% of the planned time, each from what was known then. ``at`` is in UTC."""
    ledger, tolerance = tables.ledger, tables.rules.tolerance
    became = outcomes(ledger, tolerance, days(at))
    asked = questions(ledger, became.known & tables.is_usable, CHECKS)
    asked, p = probabilities(tables, asked.where(asked.open > allowed_open(asked.scope, tolerance)), calendar)
    has_forecast = ~np.isnan(p)
    index = asked.index[has_forecast]
    p, hit = p[has_forecast], became.hit[index].astype(np.bool_)
    if not len(p):
        return ReplayResult((), 0, 0, None, None)
    rate = float(hit.mean())
    return ReplayResult(
        bins=reliability(p, hit),
        forecasts=len(p),
        milestones=len(set(index.tolist())),
        brier=brier(p, hit),
        base=brier(np.full(len(p), rate), hit),
        rate=rate,
    )


def replay_inputs(tables: HistoryTables, at: datetime, calendar: Calendar) -> str:
    """Return a digest of what `replay_forecasts` is computed from: all that was known at the last due date before."""
    passed = tables.ledger.due[tables.ledger.due <= days(at)]
    return history_digest(tables, float(passed.max(initial=-math.inf)), calendar).hex()


def date_reliabilities(
    ledger: Ledger,
    at: datetime,
    calendar: Calendar,
    rules: Mapping[str, ContainerRules],
    scores: Mapping[str, StreamScore],
    zones: Mapping[str, ZoneInfo],
) -> list[DateReliability]:
    """Return the streams in which a due date has passed, those with the most milestones first.

    ``zones``: the time zone of each container, in which its days are counted; without one, that of the calendar.
    """
    became = outcomes_of(ledger, rules, at)
    by: dict[str, list[tuple[float, float, float | None]]] = defaultdict(list)
    zone_of: dict[str, ZoneInfo] = {}
    for container, due, first in zip(ledger.containers, ledger.due.tolist(), ledger.first_due.tolist(), strict=True):
        outcome = became.get(container.id)
        if outcome is not None and due <= days(at) and not outcome.dropped:
            by[container.stream].append((due, first, None if outcome.done is None else days(outcome.done)))
            zone_of[container.stream] = zones.get(container.id, calendar.zone)
    rows = [
        _reliability(stream, dates, calendar.in_zone(zone_of[stream]), scores.get(stream))
        for stream, dates in by.items()
    ]
    return sorted(rows, key=lambda row: (-row.due, row.stream))


def _reliability(
    stream: str, dates: Sequence[tuple[float, float, float | None]], calendar: Calendar, score: StreamScore | None
) -> DateReliability:
    slips = sorted(_days(calendar, first, done) for _, first, done in dates if done is not None)
    return DateReliability(
        stream=stream,
        due=len(dates),
        kept=sum(done is not None and done <= due for due, _, done in dates),
        first=sum(done is not None and done <= first for _, first, done in dates),
        slip=slips[len(slips) // 2] if slips else None,
        score=score,
    )


def _days(calendar: Calendar, first: float, done: float) -> int:
    """Return whole days from the first date until done; negative when early."""
    promised, ended = calendar.day_of(first), calendar.day_of(done)
    return (ended - promised).days if promised is not None and ended is not None else 0
