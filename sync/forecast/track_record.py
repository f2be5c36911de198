"""Score the published forecasts of each stream against the outcomes of their milestones.

A daily run stores many forecasts of one milestone that hardly differ. Three of each plan are scored, as in the
back-test: the last ones published by 25, 50 and 75% of the planned time. A plan is a milestone with one due date: if
the date moves, the forecasts for the date before are still held to it. Without a due date, the last forecast of each
four weeks is scored.

What was shown is scored: a date holds until the end of its day in the milestone's own time zone, by its own tolerance.
All dates whose day is over count, and a date that never came true is a miss.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from sync.forecast.outcomes import SETTLED, ContainerRules, OutcomeSource
from sync.forecast.parameters import Rules
from sync.forecast.scoring import DateScore, brier, calibration_error, date_score
from sync.forecast.stats import allowed_open
from sync.history.ledger import Ledger, days, moment
from sync.model.dates import end_of_day
from sync.model.published import Outcome, StreamForecast

__all__ = [
    "LEAST_DATES",
    "StreamScore",
    "has_track_record",
    "outcomes_of",
    "stream_scores",
    "under_calibration",
]

Floats = NDArray[np.float64]

CHECKS = (0.25, 0.5, 0.75)
"""Shares of the planned time; the last forecast published by each is scored."""
WINDOW = 60
"""Number of the latest forecasts that the scores are computed from."""
LEAST_DATES = 10
"""Fewest dates for a share, and fewest dates or forecasts for a track record; fewer are too few."""
_PERIOD = timedelta(weeks=4)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ALL_OF_METHOD: Mapping[str, Collection[int]] = {}


class StreamScore(Struct, frozen=True, kw_only=True):
    """Scores of the forecasts of a stream.

    ``forecasts`` of ``milestones`` are resolved; ``hit_rate`` is the share of their plans done by the due moment.
    ``brier``, ``calibration_error`` and ``skill`` (Brier skill against the stream's own hit rate before each forecast)
    are those of the last 60 forecasts; None without resolved forecasts. ``dates`` is the number of 85% dates whose day
    is over, ``held`` the number of those that held; ``p50`` and ``p85`` have the details, ``promises`` those of the 50,
    70 and 85% dates of milestones without a due date. ``ranges`` is the number of expected leftovers (80% ranges)
    whose due moment has passed, ``ranges_held`` the number of those that held the real leftover. ``other_methods`` is
    the number of forecasts by other methods (`Rules.method`), which are not scored.
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
    p50: DateScore = DateScore(level=0.5)
    p85: DateScore = DateScore(level=0.85)
    promises: tuple[DateScore, ...] = ()
    ranges: int = 0
    ranges_held: int = 0
    other_methods: int = 0


def outcomes_of(ledger: Ledger, rules: Mapping[str, ContainerRules], now: datetime) -> dict[str, Outcome]:
    """Return id -> outcome of the ledger's containers that have ended or were due before ``now`` (UTC).

    Done means that at most a share of the items is open: the tolerance of the container's ``rules``, as in a forecast.
    The time of an outcome is when this began to hold without a break until the due moment, or else when it first held
    after. A container that is empty at its due moment is dropped. One whose data is older than its due moment has no
    outcome.
    """
    at, default = days(now), ContainerRules()
    has_outcome = np.isfinite(ledger.due) & ((ledger.due < at) | (ledger.ended <= at))
    outcomes = {}
    for i in np.flatnonzero(has_outcome).tolist():
        name = ledger.containers[i].id
        known = rules.get(name, default)
        until = at if known.known_until is None else min(at, days(known.known_until))
        if ledger.due[i] < until or ledger.ended[i] <= until:
            outcomes[name] = _outcome(ledger, i, known.tolerance, until)
    return outcomes


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
    forecasts: Iterable[StreamForecast],
    outcomes: OutcomeSource,
    now: datetime,
    method: int,
    methods: Mapping[str, Collection[int]] = _ALL_OF_METHOD,
) -> dict[str, StreamScore]:
    """Return stream name -> score, as of ``now`` (UTC), for the streams that have a forecast.

    Only forecasts of ``method`` are scored, or of the comparable ``methods`` of their container (id). Nothing that is
    dated after ``now`` is used. Forecasts without dates and with a planned time that makes no sense are ignored. The
    forecasts may come in any order.
    """
    checks: dict[str, list[_Check]] = defaultdict(list)
    others: dict[str, int] = defaultdict(int)
    for check in _at_checks((forecast for forecast in forecasts if forecast.at <= now), outcomes):
        if check.forecast.method in methods.get(check.forecast.container, {method}):
            checks[check.forecast.stream].append(check)
        else:
            others[check.forecast.stream] += 1
    return {
        stream: _score(
            stream,
            sorted(checks[stream], key=lambda check: (check.forecast.at, check.forecast.container)),
            outcomes,
            others[stream],
        )
        for stream in sorted({*checks, *others})
    }


def under_calibration(score: StreamScore, rules: Rules) -> bool:
    """Return True if the last forecasts, at least ``gate_least``, were worse than the stream's own hit rate.

    Then the hit rate is shown instead of the forecast.
    """
    return score.forecasts >= rules.gate_least and score.skill is not None and score.skill < 0


def has_track_record(score: StreamScore | None) -> bool:
    """Return True if enough published forecasts have come due to be judged: the one threshold of every surface."""
    return score is not None and max(score.dates, score.forecasts) >= LEAST_DATES


class _Check(NamedTuple):
    """A forecast that is scored, and its due moment (UTC); None without a due date."""

    forecast: StreamForecast
    due: datetime | None


class _Resolved(NamedTuple):
    """A probability whose due moment has passed."""

    forecast: StreamForecast
    due: datetime
    probability: float
    is_hit: bool


def _at_checks(forecasts: Iterable[StreamForecast], outcomes: OutcomeSource) -> Iterable[_Check]:
    """Return the forecasts to score: the last one of each quarter of a plan but the last quarter, and the last one of
    each four weeks without a due date.
    """
    last: dict[tuple[str, date | None, int, int], _Check] = {}
    plans: dict[tuple[str, date | None, date | None], _PlannedTime | None] = {}
    for forecast in forecasts:
        name = (forecast.container, forecast.start, forecast.due)
        if name not in plans:
            plans[name] = _plan(forecast, outcomes)
        plan = plans[name]
        if plan is None or (forecast.due is None and forecast.p50 is forecast.p70 is forecast.p85 is None):
            continue
        part = plan.part(forecast.at)
        key = (forecast.container, forecast.due, part, forecast.method)
        if part >= 0 and (key not in last or last[key].forecast.at < forecast.at):
            last[key] = _Check(forecast, plan.due)
    return last.values()


class _PlannedTime(NamedTuple):
    """The ends (UTC) of the parts of a planned time, and its due moment; None without a due date."""

    ends: tuple[datetime, ...]
    due: datetime | None

    def part(self, at: datetime) -> int:
        """Return the part in which a moment lies: a quarter, or four weeks without a due date; -1: none to score."""
        if self.due is None:
            return (at - _EPOCH) // _PERIOD
        quarter = sum(at > end for end in self.ends)
        return quarter if quarter < len(self.ends) else -1


def _plan(forecast: StreamForecast, outcomes: OutcomeSource) -> _PlannedTime | None:
    """Return the plan of a forecast; None where its dates make no sense."""
    if forecast.due is None:
        return _PlannedTime((), None)
    if forecast.start is None:
        return None
    zone = outcomes.zone(forecast.container)
    start, due = end_of_day(forecast.start, zone), end_of_day(forecast.due, zone)
    return _PlannedTime(tuple(start + (due - start) * share for share in CHECKS), due) if start < due else None


def _score(stream: str, checks: Sequence[_Check], outcomes: OutcomeSource, other_methods: int) -> StreamScore:
    """Score a stream from its forecasts at the checks, which are in the order of time."""
    dated = [check for check in checks if check.due is not None]
    undated = [check for check in checks if check.due is None]
    p50, p85 = (_date_score(level, dated, outcomes) for level in (0.5, 0.85))
    ranges = list(_ranges(dated, outcomes))
    score = StreamScore(
        stream=stream,
        dates=p85.dates,
        held=p85.held,
        p50=p50,
        p85=p85,
        promises=tuple(_date_score(level, undated, outcomes) for level in (0.5, 0.7, 0.85)) if undated else (),
        ranges=len(ranges),
        ranges_held=sum(ranges),
        other_methods=other_methods,
    )
    resolved = list(_resolved(dated, outcomes))
    return _with_probabilities(score, resolved) if resolved else score


def _with_probabilities(score: StreamScore, resolved: Sequence[_Resolved]) -> StreamScore:
    """Add the scores of the probabilities, which are in the order of time."""
    plans = {(found.forecast.container, found.due): found.is_hit for found in resolved}
    recent = resolved[-WINDOW:]
    p = np.array([found.probability for found in recent])
    hits = np.array([found.is_hit for found in recent])
    rates = np.array([_rate_before(found.forecast.at, plans) for found in recent])
    own = brier(p, hits)
    return replace(
        score,
        forecasts=len(resolved),
        milestones=len({found.forecast.container for found in resolved}),
        hit_rate=sum(plans.values()) / len(plans),
        brier=own,
        skill=1 - own / brier(rates, hits),
        calibration_error=calibration_error(p, hits),
    )


def _resolved(checks: Iterable[_Check], outcomes: OutcomeSource) -> Iterator[_Resolved]:
    for forecast, due in checks:
        if due is None or forecast.probability is None:
            continue
        is_hit = outcomes.is_done(forecast.container, due, due)
        if is_hit is not None:
            yield _Resolved(forecast, due, forecast.probability, is_hit)


def _date_score(level: float, checks: Sequence[_Check], outcomes: OutcomeSource) -> DateScore:
    """Score the dates that were given with probability ``level``.

    Without a due date, the items count that were there when the date was given.
    """
    ahead, held = [], []
    for forecast, due in checks:
        day = {0.5: forecast.p50, 0.7: forecast.p70, 0.85: forecast.p85}[level]
        if day is None:
            continue
        end = end_of_day(day, outcomes.zone(forecast.container))
        is_held = outcomes.is_done(forecast.container, end, forecast.at if due is None else due)
        ahead.append((end - forecast.at) / timedelta(days=1))
        held.append(np.nan if is_held is None else float(is_held))
    return date_score(level, np.array(ahead, dtype=np.float64), np.array(held, dtype=np.float64), LEAST_DATES)


def _ranges(checks: Iterable[_Check], outcomes: OutcomeSource) -> Iterator[bool]:
    """Yield for each expected leftover whose due moment has passed if its range held the real leftover."""
    for forecast, due in checks:
        low, high = forecast.leftover_low, forecast.leftover_high
        left = None if due is None else outcomes.left(forecast.container, due)
        if low is not None and high is not None and left is not None:
            yield low <= left <= high


def _rate_before(at: datetime, plans: Mapping[tuple[str, datetime], bool]) -> float:
    """Return the stream's hit rate before ``at``, with one hit and one miss added, so that it is never 0 or 1."""
    known = [is_hit for (_, due), is_hit in plans.items() if due + SETTLED < at]
    return (sum(known) + 1) / (len(known) + 2)
