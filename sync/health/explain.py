"""Every number behind one assessment as plain data: items, history, components of the forecast, parameters.

Dates are ISO 8601, moments in UTC, durations in days, probabilities between 0 and 1. Nothing is rounded. Equal input
gives equal data in equal order.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import numpy as np

from sync.forecast.batch import ForecastBatch
from sync.forecast.history_tables import DUE, NODES, TIMES
from sync.forecast.pooled import Forecast
from sync.forecast.promise import throughput_multipliers
from sync.forecast.stats import allowed_open
from sync.forecast.throughput import LEVELS, weeks_of_silence
from sync.forecast.track_record import StreamScore, under_calibration
from sync.history.ledger import moment
from sync.model.health import Health

__all__ = ["BatchNumbers", "explanation"]


class BatchNumbers:
    """A batch with the numbers that its containers share, or that are computed for all of them at once."""

    def __init__(self, batch: ForecastBatch) -> None:
        self.batch = batch
        stream = batch.tables.ledger.stream[batch.index]
        self.silence = weeks_of_silence(batch.tables, stream, batch.at, batch.calendar)
        self.multipliers = throughput_multipliers(batch, np.arange(len(batch.index)))
        self.share_gone, self.hit_rate = (batch.at_phase(of) for of in (batch.votes.mean_share, batch.votes.hit_rate))
        self.phase = batch.phase_of(batch.at, batch.days_to_due)
        self.calendar, self.rules = batch.calendar.describe(), msgspec.to_builtins(batch.rules)
        self._members: dict[tuple[int, int], dict[str, Any]] = {}

    def member(self, j: int, column: int) -> dict[str, Any]:
        """Return an earlier milestone (position ``j``) at a column of `NODES`, without what the container decides."""
        key = j, column
        if key not in self._members:
            self._members[key] = _member(self.batch, j, column)
        return self._members[key]


def explanation(
    shared: BatchNumbers,
    k: int,
    forecast: Forecast,
    health: Health,
    previous: Health | None,
    score: StreamScore | None,
) -> dict[str, Any]:
    """Return every number about the k-th container of a batch, as JSON-able data."""
    batch = shared.batch
    ledger, i = batch.tables.ledger, int(batch.index[k])
    container = ledger.containers[i]
    return {
        "container": {
            "id": container.id,
            "kind": container.kind,
            "stream": container.stream,
            "start": _moment_text(float(batch.start[k])),
            "start_known": container.start is not None,
            "due": _moment_text(float(batch.due[k])),
            "first_due": _moment_text(float(ledger.first_due[i])),
            "ended": _moment_text(float(ledger.ended[i])),
        },
        "at": _moment_text(float(batch.counted_at[k])),
        "clock": _moment_text(float(batch.at[k])),
        "health": msgspec.to_builtins(health),
        "items": _items(batch, k),
        "forecast": _parts(shared, k, forecast) if batch.has_dates[k] else None,
        "history": _history(shared, k),
        "capacity": _capacity(shared, k, health),
        "status": {
            "before_hysteresis": health.band,
            "previous": None if previous is None else {"status": previous.status, "since": _iso(previous.since)},
            "unknown": health.unknown,
        },
        "record": None
        if score is None
        else {**msgspec.to_builtins(score), "under_calibration": under_calibration(score, batch.rules)},
        "calendar": shared.calendar,
        "rules": shared.rules,
    }


def _items(batch: ForecastBatch, k: int) -> list[dict[str, Any]]:
    """List each membership known at the time, with what it counts as, and why."""
    ledger, i, at = batch.tables.ledger, int(batch.index[k]), float(batch.counted_at[k])
    rows = ledger.rows(i)
    agreed_at = float(np.fmax(ledger.agreed_at[i], batch.start[k]))
    columns = (
        ledger.item[rows],
        ledger.joined[rows],
        np.minimum(ledger.left, ledger.carried_at)[rows],
        ledger.closed[rows],
        ledger.is_carried(at, rows),
        ledger.is_open(at, rows),
        ledger.is_done(at, rows),
    )
    items = []
    for code, joined, left, closed, carried, is_open, is_done in zip(*(c.tolist() for c in columns), strict=True):
        if joined > at:
            continue
        counts_as, why = _counts_as(carried, is_open, is_done, closed <= joined)
        items.append(
            {
                "item": ledger.items[code] if ledger.items else str(code),
                "joined": _moment_text(joined),
                "left": _moment_text(left) if left <= at else None,
                "closed": _moment_text(closed) if closed <= at else None,
                "counts_as": counts_as,
                "why": why,
                "added": bool(joined > agreed_at),
            }
        )
    return sorted(items, key=lambda row: (row["item"], row["joined"]))


def _counts_as(is_carried: bool, is_open: bool, is_done: bool, closed_before: bool) -> tuple[str | None, str]:
    if is_carried:
        return "carried", "it left open at the end of the milestone"
    if is_open:
        return "open", "not closed"
    if is_done:
        return "done", "closed before it joined" if closed_before else "closed"
    return None, "it left, was reopened into a later stay, or was closed as out of scope"


def _parts(shared: BatchNumbers, k: int, forecast: Forecast) -> dict[str, Any]:
    """Return each vote with its inputs, the pool, its bound by experience, the number left over and the curve."""
    batch, rules = shared.batch, shared.batch.rules
    need = forecast.open - batch.allowed_open(forecast.open + forecast.done)
    days = float(batch.due[k] - batch.at[k])
    most, windows = batch.experience.most_closed(k, days) if days > 0 else (None, None)
    return {
        "phase": forecast.phase,
        "phase_in_usual_work": float(shared.phase[k]),
        "open": forecast.open,
        "done": forecast.done,
        "allowed_open": batch.allowed_open(forecast.open + forecast.done),
        "published": forecast.p,
        "raw_pool": forecast.raw,
        "survival": {
            "p": forecast.survival,
            "weight": rules.weight_survival,
            "share_gone_by_due": float(shared.share_gone[k]),
            "open_with_joiners": float(batch.expected_items[k]),
        },
        "reference": {
            "p": forecast.reference,
            "weight": rules.weight_reference,
            "hit_rate_of_members": float(shared.hit_rate[k]),
        },
        "closures": {"p": forecast.closures, "weight": rules.weight_closures},
        "experience": {
            "needed": need,
            "most_closed": most,
            "windows": windows,
            "days": days,
            "factor": _bound_factor(batch, k, need, days),
        },
        "clock": _clock(batch, k),
        "leftover": None if forecast.leftover is None else msgspec.to_builtins(forecast.leftover),
        "usual": None if forecast.usual is None else msgspec.to_builtins(forecast.usual),
        "working_days_ahead": float(batch.days_to_due[k]),
        "curve": [
            {
                "planned_times": x,
                "until": _moment_text(until := float(batch.start[k] + x * batch.length[k])),
                "day": _day_text(_curve_day(batch, k, x, until)),
                "p": p,
            }
            for x, p in zip(forecast.times, forecast.cdf, strict=True)
        ],
    }


def _curve_day(batch: ForecastBatch, k: int, planned_times: float, until: float) -> date | None:
    """Return the due day, or the last working day by ``until``; None for a time that has passed."""
    if planned_times == 1.0:
        return batch.calendar.day_of(until)
    return batch.calendar.horizon_day(until, float(batch.at[k]))


def _bound_factor(batch: ForecastBatch, k: int, need: int, days: float) -> float | None:
    """Return the factor by which experience lowers the probability; 1: it does not. None after the due date."""
    if days <= 0:
        return None
    needs = np.where(np.arange(len(batch.index)) == k, float(need), 0.0)
    return float(batch.experience.bound(np.ones(len(needs)), needs, np.full(len(needs), days))[k])


def _clock(batch: ForecastBatch, k: int) -> dict[str, Any] | None:
    """Return the plan before the due date was moved, and the weight of the new date's pace; None without a move."""
    clocks = batch.clocks
    if not batch.due[k] > clocks.plan_due[k]:
        return None
    return {
        "plan_due": _day_text(batch.calendar.day_of(float(clocks.plan_due[k]))),
        "moved_at": _moment_text(float(clocks.moved_at[k])),
        "weight_of_new_date": float(clocks.share_gone(batch.due, batch.at)[k]),
    }


def _history(shared: BatchNumbers, k: int) -> dict[str, Any]:
    """List the earlier milestones used, each at the node nearest to this milestone's phase, with its vote.

    ``closed_as_much``: from this phase on, as many of its items were gone by its due date as are needed here.
    """
    batch, members = shared.batch, shared.batch.members
    column = int(np.abs(NODES - shared.phase[k]).argmin())
    need = int(batch.open[k]) - batch.allowed_open(int(batch.open[k] + batch.done[k]))
    milestones = []
    for j, weight, is_own in zip(members.index[k].tolist(), members.weight[k].tolist(), members.is_own, strict=True):
        if j >= 0:
            row = shared.member(j, column)
            own = {"of_stream": bool(is_own), "weight": weight, "closed_as_much": row["gone_by_due"] >= need}
            milestones.append(row | own)
    voting = [row for row in milestones if row["of_stream"]] if members.from_stream[k] else milestones
    votes = {"needed": need, "closed_as_much": sum(row["closed_as_much"] for row in voting), "of": len(voting)}
    return {
        "of": "stream" if members.from_stream[k] else "kind",
        "phase": float(NODES[column]),
        "stream_finished": int(members.stream_finished[k]),
        "kind_finished": int(members.kind_finished[k]),
        "votes": votes,
        "milestones": milestones,
    }


def _member(batch: ForecastBatch, j: int, column: int) -> dict[str, Any]:
    """Return an earlier milestone as a row of `_history`; None for what the container decides."""
    tables, due = batch.tables, float(batch.tables.ledger.due[j])
    open_then, scope = int(tables.open_at[j, column]), int(tables.scope_at[j, column])
    return {
        "container": tables.ledger.containers[j].id,
        "due": _moment_text(due),
        "due_day": _day_text(batch.calendar.day_of(due)),
        "of_stream": None,
        "weight": None,
        "open_then": open_then,
        "joined_later": int(tables.joined_by[j, DUE] - tables.joined_by[j, column]),
        "gone_by_due": int(tables.gone_by[j, DUE] - tables.gone_by[j, column]),
        "left_at_due": int(tables.open_at[j, DUE]),
        "closed_as_much": None,
        "done_then": open_then <= int(allowed_open(scope, batch.rules.tolerance)),
        "done_by_due": bool(tables.finished_by[j, 0]),
        "done_by": next((x for x, ok in zip(TIMES.tolist(), tables.finished_by[j], strict=True) if ok), None),
    }


def _capacity(shared: BatchNumbers, k: int, health: Health) -> dict[str, Any]:
    """Return the inputs of throughput dates, and the dates and the promise of a milestone without a due date."""
    batch = shared.batch
    return {
        "closures_by_week_newest_first": batch.closures_by_week[k].tolist(),
        "weeks_of_silence": int(shared.silence[k]),
        "items": int(batch.open[k]),
        "levels": list(LEVELS),
        "multipliers": shared.multipliers[k].tolist(),
        "dates": msgspec.to_builtins(health.dates) if health.dates.capacity else None,
        "promise": msgspec.to_builtins(health.promise),
    }


def _moment_text(value: float) -> str | None:
    """Format a moment; None if it is unknown, has not happened, or lies outside the years 1 to 9999."""
    if not np.isfinite(value):
        return None
    try:
        return _iso(moment(value))
    except OverflowError:
        return None


def _day_text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _iso(value: Any) -> str:
    return str(value.isoformat(timespec="seconds"))
