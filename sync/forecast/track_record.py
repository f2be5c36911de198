"""How good the forecasts published here have been: stored ones scored against what happened, stream by stream.

A service that runs daily stores many forecasts of one milestone, nearly the same from day to day. Three of each are
scored, as in the back-test: the last ones published by 25, 50 and 75 % of the planned time. Each is held to the due
moment and to the 85 % date that it named itself, even if the milestone's due date moved afterwards.
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
from sync.history.ledger import Ledger, days, moment
from sync.model.published import Outcome, StreamForecast

__all__ = ["StreamScore", "outcomes_of", "sentence", "stream_scores", "under_calibration"]

Floats = NDArray[np.float64]

CHECKS = (0.25, 0.5, 0.75)
WINDOW = 60
SETTLED = timedelta(days=1)


class StreamScore(Struct, frozen=True, kw_only=True):
    """How the forecasts of a stream have fared.

    ``forecasts`` of ``milestones`` are resolved; ``hit_rate`` is the share of these milestones done by their due
    moment. ``brier``, ``calibration_error`` and ``skill`` (Brier skill against the stream's own hit rate before each
    forecast) are those of the last 60 forecasts. ``dates`` were given with 85 % and have passed or been kept; ``held``
    of them held. None: there is nothing to tell.
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
    """How the ledger's containers turned out that have ended or were due before ``now`` (UTC), by id.

    Done means what a forecast says: at most a share ``tolerance`` of the items is open at the due moment. It is dated
    from when that began to hold without a break, or, if it did not hold then, from when it first did afterwards. A
    container that is empty at its due moment is dropped.
    """
    at = days(now)
    over = np.isfinite(ledger.due) & ((ledger.due < at) | (ledger.ended <= at))
    return {ledger.containers[i].id: _settled(ledger, int(i), tolerance, at) for i in np.flatnonzero(over)}


def _settled(ledger: Ledger, i: int, tolerance: float, at: float) -> Outcome:
    rows = ledger.rows(i)
    joined, left = ledger.joined[rows], ledger.left[rows]
    gone = ledger.open_until[rows]
    times = np.sort(np.concatenate([joined, left, gone]))
    times = times[times <= at]
    stayed, spell = left > joined, gone > joined
    scope = _under_way(joined[stayed], left[stayed], times)
    done = (scope > 0) & (_under_way(joined[spell], gone[spell], times) <= np.floor(tolerance * scope + 1e-9))
    last = int(np.searchsorted(times, min(float(ledger.due[i]), at), side="right")) - 1
    if last < 0 or scope[last] == 0:
        return Outcome(dropped=True)
    if done[last]:
        breaks = np.flatnonzero(~done[:last])
        return Outcome(done=moment(float(times[breaks[-1] + 1 if len(breaks) else 0])))
    after = np.flatnonzero(done[last:])
    return Outcome(done=moment(float(times[last + after[0]])) if len(after) else None)


def _under_way(begun: Floats, over: Floats, times: Floats) -> NDArray[np.int64]:
    """How many of the spans [begun, over) hold at each time."""
    counted: NDArray[np.int64] = np.searchsorted(np.sort(begun), times, side="right") - np.searchsorted(
        np.sort(over), times, side="right"
    )
    return counted


def stream_scores(
    forecasts: Iterable[StreamForecast], outcomes: Mapping[str, Outcome], now: datetime
) -> dict[str, StreamScore]:
    """The score of each stream that has a forecast, by stream name, as it stands at ``now`` (UTC).

    ``outcomes`` are by container; a container without one is still running. What would be known only after ``now`` is
    not used. Forecasts without a planned time are ignored. The order of the forecasts does not matter.
    """
    checks: dict[str, list[_Check]] = defaultdict(list)
    for check in _at_checks(f for f in forecasts if f.at <= now):
        checks[check.forecast.stream].append(check)
    return {
        stream: _score(stream, sorted(own, key=lambda c: (c.forecast.at, c.forecast.container)), outcomes, now)
        for stream, own in sorted(checks.items())
    }


def under_calibration(score: StreamScore, rules: Rules) -> bool:
    """The gate: its last forecasts, at least ``gate_least``, were worth less than quoting the stream's own hit rate.

    Then the hit rate is shown instead of the forecast.
    """
    return score.forecasts >= rules.gate_least and score.skill is not None and score.skill < 0


def sentence(score: StreamScore) -> str:
    """The dates in words: ``of 20 dates given with 85 %, 17 held``."""
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
    """Of each container the last forecast published in each of the first three quarters of its planned time."""
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
    """``checks`` are the stream's scored forecasts, in the order of time."""
    dates, resolved = [], []
    for forecast, due in checks:
        outcome = outcomes.get(forecast.container, Outcome())
        if forecast.p85 is not None:
            dates.append(_kept(_end_of(forecast.p85), outcome, now))
        hit = _kept(due, outcome, now)
        if hit is not None and forecast.probability is not None:
            resolved.append((forecast, due, forecast.probability, hit))
    given = [held for held in dates if held is not None]
    if not resolved:
        return StreamScore(stream=stream, dates=len(given), held=sum(given))
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
        dates=len(given),
        held=sum(given),
    )


def _kept(by: datetime, outcome: Outcome, now: datetime) -> bool | None:
    """Whether it was done by then; None while that is open, or void."""
    if outcome.dropped:
        return None
    if outcome.done is not None and outcome.done <= now:
        return outcome.done <= by
    return False if by + SETTLED < now else None


def _rate_before(at: datetime, milestones: Iterable[tuple[datetime, bool]]) -> float:
    """What the stream's hit rate was, with one hit and one miss added: never 0 or 1, so never a flawless rival."""
    known = [hit for due, hit in milestones if due + SETTLED < at]
    return (sum(known) + 1) / (len(known) + 2)


def _end_of(day: date) -> datetime:
    """The moment when the day is over; the last representable one for the last day there is."""
    midnight = datetime.combine(day, time.min, UTC)
    return midnight + timedelta(days=1) if day < date.max else datetime.max.replace(tzinfo=UTC) - SETTLED
