"""Score the published forecasts of each stream against the outcomes of their milestones.

A daily run stores many forecasts of one milestone that hardly differ. Three of them are scored, as in the back-test:
the last ones published by 25, 50 and 75 % of the planned time. Each is compared with its own due moment and its own 85
% date, even if the milestone's due date moved later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.forecast.parameters import Rules
from sync.forecast.scoring import brier, calibration_error
from sync.forecast.stats import allowed_open
from sync.history.ledger import Ledger, days, moment
from sync.model.published import Outcome, StreamForecast

__all__ = ["StreamScore", "outcomes_of", "sentence", "stream_scores", "under_calibration"]

Floats = NDArray[np.float64]

CHECKS = (0.25, 0.5, 0.75)
"""Shares of the planned time; the last forecast published by each is scored."""
WINDOW = 60
"""Number of the latest forecasts that the scores are computed from."""
SETTLED = timedelta(days=1)
"""Time after a due moment from which its outcome counts as known."""


class StreamScore(Struct, frozen=True, kw_only=True):
    """Scores of the forecasts of a stream.

    ``forecasts`` of ``milestones`` are resolved; ``hit_rate`` is the share of these milestones done by their due
    moment. ``brier``, ``calibration_error`` and ``skill`` (Brier skill against the stream's own hit rate before each
    forecast) are those of the last 60 forecasts; None without resolved forecasts. ``dates`` is the number of 85 % dates
    that are resolved, ``held`` the number of those that held.
    """

    stream: str
    forecasts: int = 0
    milestones: int = 0
    hit_rate: float | None = None
    brier: float | None = None
    skill: float | None = None
    calibration_error: float | None = None
    dates: int = 0
    held: int = 0


def outcomes_of(ledger: Ledger, tolerance: float, now: datetime) -> dict[str, Outcome]:
    """Return id -> outcome of the ledger's containers that have ended or were due before ``now`` (UTC).

    Done means that at most a share ``tolerance`` of the items is open, as in a forecast. The time of an outcome is when
    this began to hold without a break until the due moment, or else when it first held after. A container that is empty
    at its due moment is dropped.
    """
    at = days(now)
    has_outcome = np.isfinite(ledger.due) & ((ledger.due < at) | (ledger.ended <= at))
    return {ledger.containers[i].id: _outcome(ledger, int(i), tolerance, at) for i in np.flatnonzero(has_outcome)}


def _outcome(ledger: Ledger, i: int, tolerance: float, at: float) -> Outcome:
    rows = ledger.rows(i)
    joined, left, open_until = ledger.joined[rows], ledger.left[rows], ledger.open_until[rows]
    times = np.sort(np.concatenate([joined, left, open_until]))
    times = times[times <= at]
    scope, open_items = _counts_at(times, joined, left), _counts_at(times, joined, open_until)
    done = (scope > 0) & (open_items <= allowed_open(scope, tolerance))
    last = int(np.searchsorted(times, min(float(ledger.due[i]), at), side="right")) - 1
    if last < 0 or scope[last] == 0:
        return Outcome(dropped=True)
    if done[last]:
        breaks = np.flatnonzero(~done[:last])
        return Outcome(done=moment(float(times[breaks[-1] + 1 if len(breaks) else 0])))
    after = np.flatnonzero(done[last:])
    return Outcome(done=moment(float(times[last + after[0]])) if len(after) else None)


def _counts_at(times: Floats, begin: Floats, end: Floats) -> NDArray[np.int64]:
    """Return how many of the rows `sync.history.counting.covers` each time: ``begin <= time < end``."""
    is_span = end > begin
    begins, ends = (np.sort(column[is_span]) for column in (begin, end))
    count: NDArray[np.int64] = np.searchsorted(begins, times, side="right") - np.searchsorted(ends, times, side="right")
    return count


def stream_scores(
    forecasts: Iterable[StreamForecast], outcomes: Mapping[str, Outcome], now: datetime
) -> dict[str, StreamScore]:
    """Return stream name -> score, as of ``now`` (UTC), for the streams that have a forecast.

    ``outcomes`` are by container id; a container without one is still running. Nothing that is dated after ``now`` is
    used. Forecasts without a planned time are ignored. The forecasts may come in any order.
    """
    checks: dict[str, list[_Check]] = defaultdict(list)
    for check in _at_checks(f for f in forecasts if f.at <= now):
        checks[check.forecast.stream].append(check)
    return {
        stream: _score(stream, sorted(own, key=lambda c: (c.forecast.at, c.forecast.container)), outcomes, now)
        for stream, own in sorted(checks.items())
    }


def under_calibration(score: StreamScore, rules: Rules) -> bool:
    """Return True if the last forecasts, at least ``gate_least``, were worse than the stream's own hit rate.

    Then the hit rate is shown instead of the forecast.
    """
    return score.forecasts >= rules.gate_least and score.skill is not None and score.skill < 0


def sentence(score: StreamScore) -> str:
    """Return the share of dates that held in words: ``of 20 dates given with 85 %, 17 held``."""
    if not score.dates:
        return "no date given with 85 % has come due yet"
    if score.dates == 1:
        return f"the one date given with 85 % {'held' if score.held else 'did not hold'}"
    return f"of {score.dates} dates given with 85 %, {score.held or 'none'} held"


class _Check(NamedTuple):
    """A forecast that is scored, and its due moment (UTC)."""

    forecast: StreamForecast
    due: datetime


def _at_checks(forecasts: Iterable[StreamForecast]) -> Iterable[_Check]:
    """Return for each container the last forecast published in each of the first three quarters of its planned time."""
    last: dict[tuple[str, int], _Check] = {}
    for forecast in forecasts:
        planned = forecast.planned_time
        if planned is None or planned[1] <= planned[0]:
            continue
        start, due = planned
        quarter = sum(forecast.at > start + (due - start) * share for share in CHECKS)
        place = (forecast.container, quarter)
        if quarter < len(CHECKS) and (place not in last or last[place].forecast.at < forecast.at):
            last[place] = _Check(forecast, due)
    return last.values()


def _score(stream: str, checks: list[_Check], outcomes: Mapping[str, Outcome], now: datetime) -> StreamScore:
    """Score a stream from its forecasts at the checks, which are in the order of time."""
    dates, resolved = [], []
    for forecast, due in checks:
        outcome = outcomes.get(forecast.container, Outcome())
        if forecast.p85 is not None:
            dates.append(_is_done_by(_end_of(forecast.p85), outcome, now))
        hit = _is_done_by(due, outcome, now)
        if hit is not None and forecast.probability is not None:
            resolved.append((forecast, due, forecast.probability, hit))
    resolved_dates = [held for held in dates if held is not None]
    if not resolved:
        return StreamScore(stream=stream, dates=len(resolved_dates), held=sum(resolved_dates))
    milestones = {forecast.container: (due, hit) for forecast, due, _, hit in resolved}
    recent = resolved[-WINDOW:]
    p = np.array([probability for _, _, probability, _ in recent])
    hits = np.array([hit for *_, hit in recent])
    own = brier(p, hits)
    rate = brier(np.array([_rate_before(forecast.at, milestones.values()) for forecast, *_ in recent]), hits)
    return StreamScore(
        stream=stream,
        forecasts=len(resolved),
        milestones=len(milestones),
        hit_rate=sum(hit for _, hit in milestones.values()) / len(milestones),
        brier=own,
        skill=1 - own / rate,
        calibration_error=calibration_error(p, hits),
        dates=len(resolved_dates),
        held=sum(resolved_dates),
    )


def _is_done_by(by: datetime, outcome: Outcome, now: datetime) -> bool | None:
    """Return True if the container was done by ``by``; None while that is not known, or if it was dropped."""
    if outcome.dropped:
        return None
    if outcome.done is not None and outcome.done <= now:
        return outcome.done <= by
    return False if by + SETTLED < now else None


def _rate_before(at: datetime, milestones: Iterable[tuple[datetime, bool]]) -> float:
    """Return the stream's hit rate before ``at``, with one hit and one miss added, so that it is never 0 or 1."""
    known = [hit for due, hit in milestones if due + SETTLED < at]
    return (sum(known) + 1) / (len(known) + 2)


def _end_of(day: date) -> datetime:
    """Return the end of ``day`` in UTC; for the last representable day, a day before the last datetime."""
    midnight = datetime.combine(day, time.min, UTC)
    return midnight + timedelta(days=1) if day < date.max else datetime.max.replace(tzinfo=UTC) - SETTLED
