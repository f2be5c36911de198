"""Every number behind one assessment as plain data: items, history, components of the forecast, parameters.

Dates are ISO 8601, moments in UTC, durations in days, probabilities between 0 and 1. Nothing is rounded. Equal input
gives equal data in equal order.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from sync.forecast.batch import ForecastBatch
from sync.forecast.history_tables import DUE, PHASES, TIMES, TableColumn
from sync.forecast.pooled import Forecast
from sync.forecast.promise import throughput_multipliers
from sync.forecast.simulation import seed
from sync.forecast.throughput import LEVELS, weeks_of_silence
from sync.forecast.track_record import StreamScore, under_calibration
from sync.history.ledger import moment
from sync.model.health import Health

__all__ = ["explanation"]


def explanation(
    batch: ForecastBatch, forecast: Forecast, health: Health, previous: Health | None, score: StreamScore | None
) -> dict[str, Any]:
    """Return every number about the only container of ``batch``, as JSON-able data."""
    ledger, i = batch.tables.ledger, int(batch.index[0])
    container = ledger.containers[i]
    return {
        "container": {
            "id": container.id,
            "kind": container.kind,
            "stream": container.stream,
            "start": _moment_text(float(batch.start[0])),
            "start_known": container.start is not None,
            "due": _moment_text(float(batch.due[0])),
            "first_due": _moment_text(float(ledger.first_due[i])),
            "ended": _moment_text(float(ledger.ended[i])),
        },
        "at": _moment_text(float(batch.at[0])),
        "health": msgspec.to_builtins(health),
        "items": _items(batch, i),
        "forecast": _parts(batch, forecast) if batch.has_dates[0] else None,
        "history": _history(batch),
        "capacity": _capacity(batch, health),
        "status": {
            "before_hysteresis": health.band,
            "previous": None if previous is None else {"status": previous.status, "since": _iso(previous.since)},
            "unknown": health.unknown,
        },
        "record": None
        if score is None
        else {**msgspec.to_builtins(score), "under_calibration": under_calibration(score, batch.rules)},
        "calendar": batch.calendar.describe(),
        "rules": msgspec.to_builtins(batch.rules),
    }


def _items(batch: ForecastBatch, i: int) -> list[dict[str, Any]]:
    """List each membership known at the time, with what it counts as, and why."""
    ledger, at = batch.tables.ledger, float(batch.at[0])
    rows = ledger.rows(i)
    agreed_at = float(np.fmax(ledger.agreed_at[i], batch.start[0]))
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


def _parts(batch: ForecastBatch, forecast: Forecast) -> dict[str, Any]:
    """Return each component with its inputs, the pool, the envelope and the completion curve."""
    now_open, rules = batch.open.astype(np.float64), batch.rules
    total = now_open + batch.done
    phases = batch.survival(now_open, total)[0]
    estimates, sample = batch.estimates, batch.samples[0]
    growth = float(batch.at_phase(estimates.growth)[0])
    weights = [float(weight[0]) for weight in batch.weights]
    return {
        "phase": forecast.phase,
        "open": forecast.open,
        "done": forecast.done,
        "allowed_open": batch.allowed_open(forecast.open + forecast.done),
        "published": forecast.p,
        "raw_pool": forecast.raw,
        "survival": {
            "p": forecast.survival,
            "weight": weights[0],
            "share_gone_by_due": float(batch.at_phase(estimates.q)[0]),
            "dispersion": float(batch.at_phase(estimates.rho)[0]),
            "growth": growth,
            "open_with_joiners": float(np.rint(now_open[0] * (1 + growth))),
            "expected_left": forecast.expected_left,
        },
        "reference": {
            "p": forecast.reference,
            "weight": weights[1],
            "not_done_at_this_phase": float(batch.at_phase(estimates.sums[:, :, TableColumn.UNFINISHED])[0]),
            "done_by_due_of_them": float(batch.at_phase(estimates.sums[:, :, TableColumn.HITS])[0]),
            "hit_rate_of_kind": float(estimates.kind_hit_rate[0]),
        },
        "simulation": {
            "p": forecast.simulation,
            "weight": weights[2],
            "days_sampled": sample.days,
            "out_per_day": None if sample.out_per_day is None else sample.out_per_day.tolist(),
            "in_per_day": None if sample.in_per_day is None else sample.in_per_day.tolist(),
            "share": sample.share,
            "active_in_stream": sample.active,
            "working_days_ahead": float(batch.days_to_due[0]),
            "paths": rules.paths,
            "seed": str(seed(forecast.container)),
        },
        "by_phase": [
            {"phase": phase, "survival": p, "reference": hit}
            for phase, p, hit in zip(PHASES.tolist(), phases.tolist(), estimates.hit_rate[0].tolist(), strict=True)
        ],
        "curve": [
            {"planned_times": x, "until": _moment_text(float(batch.start[0] + x * batch.length[0])), "p": p}
            for x, p in zip(forecast.times, forecast.cdf, strict=True)
        ],
    }


def _history(batch: ForecastBatch) -> dict[str, Any]:
    """List the earlier milestones used, each at the phase of the grid nearest to this milestone's."""
    tables, estimates = batch.tables, batch.estimates
    column = int(np.abs(PHASES - float(np.clip(batch.phase[0], 0, 1))).argmin())
    milestones = []
    for j in (int(m) for m in estimates.members[0] if m >= 0):
        exposed = int(tables.joined_by[j, DUE] - tables.gone_by[j, column])
        milestones.append(
            {
                "container": tables.ledger.containers[j].id,
                "due": _moment_text(float(tables.ledger.due[j])),
                "open_then": int(tables.joined_by[j, column] - tables.gone_by[j, column]),
                "joined_later": int(tables.joined_by[j, DUE] - tables.joined_by[j, column]),
                "gone_by_due": exposed - int(tables.joined_by[j, DUE] - tables.gone_by[j, DUE]),
                "left_at_due": int(tables.joined_by[j, DUE] - tables.gone_by[j, DUE]),
                "done_then": not bool(tables.unfinished[j, column]),
                "done_by_due": bool(tables.finished_by[j, 0]),
                "done_by": next((x for x, ok in zip(TIMES.tolist(), tables.finished_by[j], strict=True) if ok), None),
            }
        )
    return {
        "of": "stream" if estimates.from_stream[0] else "kind",
        "phase": float(PHASES[column]),
        "stream_finished": int(estimates.stream_finished[0]),
        "kind_finished": int(estimates.kind_finished[0]),
        "milestones": milestones,
    }


def _capacity(batch: ForecastBatch, health: Health) -> dict[str, Any]:
    """Return the inputs of throughput dates, and the dates and the promise of a milestone without a due date."""
    row = np.zeros(1, dtype=np.int64)
    stream = batch.tables.ledger.stream[batch.index]
    return {
        "closures_by_week_newest_first": batch.closures_by_week[0].tolist(),
        "weeks_of_silence": int(weeks_of_silence(batch.tables, stream, batch.at, batch.calendar)[0]),
        "items": int(batch.open[0]),
        "levels": list(LEVELS),
        "multipliers": throughput_multipliers(batch, row)[0].tolist(),
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


def _iso(value: Any) -> str:
    return str(value.isoformat(timespec="seconds"))
