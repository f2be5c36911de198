"""Health: status with hysteresis, ranked reasons, levers with computed effect, and when there is no forecast.

The rules are each in one place: the verdict in `sync.health.status`, reasons in `sync.health.reasons`, levers in
`sync.health.levers`, the
numbers in `sync.forecast.pooled`. Here they are put together for one moment; `explain` shows everything behind one
of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from sync.forecast.batch import ForecastBatch, forecast_batches
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.pooled import Forecast, forecasts_of
from sync.forecast.track_record import StreamScore, under_calibration
from sync.health.attention import Attention, attention, candidates, usual_age, usual_shares
from sync.health.explain import explanation
from sync.health.levers import levers
from sync.health.reasons import reasons
from sync.health.status import ContainerState, confidence, replanned, settled, since, verdict
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger, days
from sync.model.health import Basis, Dates, Health, Lever, Reason, ReasonKind, Status, UnknownWhy
from sync.model.membership import Counts
from sync.model.tracker_data import Issue

__all__ = ["StreamScore", "assess", "explain", "why_unknown"]

Floats = NDArray[np.float64]
_FORECAST = (Status.ON_TRACK, Status.AT_RISK, Status.OFF_TRACK)


class _Given(Struct, frozen=True):
    """What assess was given beside the history."""

    previous: Mapping[str, Health]
    issues: Mapping[str, Issue]
    members: Mapping[str, Sequence[str]]
    scores: Mapping[str, StreamScore]
    counts: Mapping[str, Counts]


def assess(
    ledger: Ledger | HistoryTables,
    targets: Sequence[str],
    at: datetime,
    *,
    previous: Mapping[str, Health],
    issues: Mapping[str, Issue],
    members: Mapping[str, Sequence[str]],
    rules: Rules,
    calendar: Calendar,
    scores: Mapping[str, StreamScore] | None = None,
    counts: Mapping[str, Counts] | None = None,
) -> dict[str, Health]:
    """Assess the containers with ids ``targets`` as of ``at``; an id that the ledger does not know raises KeyError.

    ``previous``: the last Health of each container, for hysteresis. ``issues``: uid -> Issue, and ``members``:
    container id -> uids of the items open now; both may be empty, then reasons and levers name no items.
    ``scores``: stream -> record of its resolved forecasts. ``counts``: container id -> counts to show as they are.
    """
    past = ledger if isinstance(ledger, HistoryTables) else HistoryTables(ledger, rules)
    given = _Given(previous, issues, members, scores or {}, counts or {})
    found: dict[str, Health] = {}
    for outlook, healths, _ in _batches(past, targets, at, calendar, given):
        found.update((past.ledger.containers[int(i)].id, h) for i, h in zip(outlook.index, healths, strict=True))
    return found


def explain(
    ledger: Ledger | HistoryTables,
    target: str,
    at: datetime,
    *,
    previous: Mapping[str, Health],
    issues: Mapping[str, Issue],
    members: Mapping[str, Sequence[str]],
    rules: Rules,
    calendar: Calendar,
    scores: Mapping[str, StreamScore] | None = None,
    counts: Mapping[str, Counts] | None = None,
) -> dict[str, Any]:
    """Every number behind one container's assessment, as plain JSON-able data. Same input, same bytes."""
    past = ledger if isinstance(ledger, HistoryTables) else HistoryTables(ledger, rules)
    given = _Given(previous, issues, members, scores or {}, counts or {})
    ((outlook, (health,), (forecast,)),) = _batches(past, [target], at, calendar, given)
    return explanation(outlook, forecast, health, previous.get(target), given.scores.get(forecast.basis.stream))


def why_unknown(
    past: HistoryTables, indices: Sequence[int], at: Sequence[datetime], calendar: Calendar
) -> list[UnknownWhy | None]:
    """Why there is no forecast of each container at its moment; None where there is one. See `sync.health.status`."""
    found: list[UnknownWhy | None] = []
    for outlook in forecast_batches(past, indices, at, calendar):
        found += [verdict(_standing(outlook, k), 0.5, past.rules)[1] for k in range(len(outlook.index))]
    return found


def _batches(
    past: HistoryTables, targets: Sequence[str], at: datetime, calendar: Calendar, given: _Given
) -> Iterator[tuple[ForecastBatch, list[Health], list[Forecast]]]:
    # what has ended stands together, so that reasons and levers are looked for only where something is open
    indices = sorted((past.ledger.index[target] for target in targets), key=lambda i: past.ledger.ended[i] <= days(at))
    shares = usual_shares(given.issues, given.members)
    oldest: dict[int, float] = {}
    moment = days(at)
    for outlook in forecast_batches(past, indices, [at] * len(indices), calendar):
        forecasts = forecasts_of(outlook)
        found = []
        for i in outlook.index.tolist():
            stream = int(past.ledger.stream[i])
            if stream not in oldest:
                oldest[stream] = usual_age(past, stream, moment)
            open_items = given.members.get(past.ledger.containers[i].id, ())
            found.append(attention(past, i, moment, at, given.issues, open_items, oldest[stream]))
        yield outlook, _healths(outlook, forecasts, at, found, shares, given), forecasts


def _healths(
    outlook: ForecastBatch,
    forecasts: Sequence[Forecast],
    at: datetime,
    found: Sequence[Attention],
    shares: tuple[float, float],
    given: _Given,
) -> list[Health]:
    bare = [_bare(outlook, k, forecast, at, given) for k, forecast in enumerate(forecasts)]
    published = np.array([np.nan if h.probability is None else h.probability for h in bare])
    late = np.array([h.status is Status.OVERDUE for h in bare])
    open_case = late | ~np.isnan(published)
    calibrating = np.array([h.basis.calibrating for h in bare])

    def to_cut(k: int) -> Sequence[str]:
        return candidates(given.issues, given.members.get(forecasts[k].container, ()))

    why = reasons(outlook, found, shares) if open_case.any() else [()] * len(bare)
    ways = levers(outlook, published, open_case & ~calibrating, found, to_cut)
    return [
        replace(h, reasons=_kept(h, why[k]), levers=_offered(h, ways[k])) if open_case[k] else h
        for k, h in enumerate(bare)
    ]


def _kept(health: Health, why: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """Where the hit rate stands in for the forecast, it is the only reason."""
    if not health.basis.calibrating:
        return why
    return tuple(reason for reason in why if reason.kind is ReasonKind.HIT_RATE)


def _offered(health: Health, ways: tuple[Lever, ...]) -> tuple[Lever, ...]:
    return () if health.status is Status.ON_TRACK else ways


def _bare(outlook: ForecastBatch, k: int, forecast: Forecast, at: datetime, given: _Given) -> Health:
    """The health of the batch's k-th container, without reasons and levers."""
    rules, container = outlook.rules, outlook.past.ledger.containers[int(outlook.index[k])]
    standing = _standing(outlook, k)
    basis, p = _gated(forecast, given.scores.get(forecast.basis.stream), rules)
    band, why = verdict(standing, p, rules)
    known = band in _FORECAST
    calendar = outlook.calendar
    first = float(outlook.past.ledger.first_due[outlook.index[k]])
    health = Health(
        container=container.id,
        at=at,
        status=band,
        band=band,
        since=at,
        due=calendar.day_of(float(outlook.due[k])),
        baseline=calendar.day_of(first),
        start=calendar.first_day_of(float(outlook.start[k])),
        probability=p if known else None,
        dates=_dates(band, why, forecast),
        counts=given.counts.get(container.id) or _counts(outlook, k),
        confidence=confidence(basis.stream_finished, standing.open + standing.done, rules) if known else None,
        unknown=why,
        basis=basis if known or band is Status.OVERDUE else _numberless(basis),
    )
    before = given.previous.get(container.id)
    health = replace(health, replan=replanned(before, health))
    status = settled(band, health.probability, before, health, rules)
    return replace(health, status=status, **since(status, before, at))


def _standing(outlook: ForecastBatch, k: int) -> ContainerState:
    dated = bool(outlook.dated[k])
    total = int(outlook.open[k] + outlook.done[k])
    return ContainerState(
        ended=bool(outlook.past.ledger.ended[outlook.index[k]] <= outlook.at[k]),
        has_due=not np.isnan(outlook.due[k]),
        dated=dated,
        past_due=bool(outlook.at[k] > outlook.due[k]),
        open=int(outlook.open[k]),
        done=int(outlook.done[k]),
        allowed=outlook.allowed(total),
        age=float(outlook.at[k] - outlook.start[k]) if dated else None,
        length=float(outlook.length[k]) if dated else None,
        stream_finished=int(outlook.habits.own[k]),
        kind_finished=int(outlook.habits.kind[k]),
        closures=int(outlook.by_week[k].sum()),
    )


def _gated(forecast: Forecast, score: StreamScore | None, rules: Rules) -> tuple[Basis, float | None]:
    """The probability to publish: the stream's hit rate where its forecasts have been worth less than that."""
    if forecast.p is None or score is None or score.hit_rate is None or not under_calibration(score, rules):
        return forecast.basis, forecast.p
    rate = min(max(score.hit_rate, rules.clip), 1 - rules.clip)
    return replace(forecast.basis, calibrating=True), rate


def _numberless(basis: Basis) -> Basis:
    """What history there was, without the numbers that nobody is to read."""
    return replace(basis, survival=None, reference=None, simulation=None, raw=None)


def _dates(band: Status, why: UnknownWhy | None, forecast: Forecast) -> Dates:
    if band in _FORECAST or band is Status.OVERDUE:
        return forecast.dates
    enough = forecast.open > 0 and forecast.basis.closures_84d > 0
    return forecast.capacity if why is UnknownWhy.NO_DUE_DATE and enough else Dates()


def _counts(outlook: ForecastBatch, k: int) -> Counts:
    return Counts(
        open=int(outlook.open[k]),
        closed=int(outlook.done[k]),
        added=int(outlook.added[k]),
        added_week=int(outlook.added_week[k]),
    )
