"""Every number behind one assessment, as plain data: what counts and why the rest does not, history, parts, parameters.

Dates are ISO 8601, moments in UTC, durations in days, probabilities between 0 and 1. Nothing is rounded, and equal
input gives equal data in equal order.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from sync.forecast.batch import ForecastBatch
from sync.forecast.history_tables import DUE, PHASES, TIMES, TableColumn
from sync.forecast.pooled import Forecast
from sync.forecast.simulation import seed
from sync.forecast.track_record import StreamScore, under_calibration
from sync.history.ledger import moment
from sync.model.health import Health

__all__ = ["explanation"]


def explanation(
    outlook: ForecastBatch, forecast: Forecast, health: Health, previous: Health | None, score: StreamScore | None
) -> dict[str, Any]:
    """Everything about the only container of ``outlook``."""
    ledger, i = outlook.past.ledger, int(outlook.index[0])
    container = ledger.containers[i]
    return {
        "container": {
            "id": container.id,
            "kind": container.kind,
            "stream": container.stream,
            "start": _when(float(outlook.start[0])),
            "start_known": container.start is not None,
            "due": _when(float(outlook.due[0])),
            "first_due": _when(float(ledger.first_due[i])),
            "ended": _when(float(ledger.ended[i])),
        },
        "at": _when(float(outlook.at[0])),
        "health": msgspec.to_builtins(health),
        "items": _items(outlook, i),
        "forecast": _parts(outlook, forecast) if outlook.dated[0] else None,
        "history": _history(outlook),
        "capacity": _capacity(outlook, forecast),
        "status": {
            "before_hysteresis": health.band,
            "previous": None if previous is None else {"status": previous.status, "since": _iso(previous.since)},
            "unknown": health.unknown,
        },
        "record": None
        if score is None
        else {**msgspec.to_builtins(score), "under_calibration": under_calibration(score, outlook.rules)},
        "calendar": outlook.calendar.describe(),
        "rules": msgspec.to_builtins(outlook.rules),
    }


def _items(outlook: ForecastBatch, i: int) -> list[dict[str, Any]]:
    """Each stay known at the time, and whether and as what it counts."""
    ledger, at = outlook.past.ledger, float(outlook.at[0])
    rows = ledger.rows(i)
    columns = (
        ledger.item[rows],
        ledger.joined[rows],
        ledger.left[rows],
        ledger.closed[rows],
        ledger.is_open(at, rows),
        ledger.is_done(at, rows),
    )
    told = []
    for code, joined, left, closed, is_open, is_done in zip(*(column.tolist() for column in columns), strict=True):
        if joined > at:
            continue
        counts_as, why = _standing(is_open, is_done, closed <= joined)
        told.append(
            {
                "item": ledger.items[code] if ledger.items else str(code),
                "joined": _when(joined),
                "left": _when(left) if left <= at else None,
                "closed": _when(closed) if closed <= at else None,
                "counts_as": counts_as,
                "why": why,
                "added": bool(joined > outlook.start[0]),
            }
        )
    return sorted(told, key=lambda row: (row["item"], row["joined"]))


def _standing(is_open: bool, is_done: bool, closed_before: bool) -> tuple[str | None, str]:
    if is_open:
        return "open", "not closed"
    if is_done:
        return "done", "closed before it joined" if closed_before else "closed"
    return None, "it left, was reopened into a later stay, or was closed as out of scope"


def _parts(outlook: ForecastBatch, forecast: Forecast) -> dict[str, Any]:
    """Each component with what it was computed from, the pool, the envelope, and the completion curve."""
    now_open, rules = outlook.open.astype(np.float64), outlook.rules
    total = now_open + outlook.done
    phases = outlook.survival(now_open, total)[0]
    habits, given = outlook.habits, outlook.samples[0]
    growth = float(outlook.at_phase(habits.growth)[0])
    weights = [float(weight[0]) for weight in outlook.weights]
    return {
        "phase": forecast.phase,
        "open": forecast.open,
        "done": forecast.done,
        "allowed_open": outlook.allowed(forecast.open + forecast.done),
        "published": forecast.p,
        "raw_pool": forecast.raw,
        "survival": {
            "p": forecast.survival,
            "weight": weights[0],
            "share_gone_by_due": float(outlook.at_phase(habits.q)[0]),
            "dispersion": float(outlook.at_phase(habits.rho)[0]),
            "growth": growth,
            "open_with_joiners": float(np.rint(now_open[0] * (1 + growth))),
            "expected_left": forecast.expected_left,
        },
        "reference": {
            "p": forecast.reference,
            "weight": weights[1],
            "not_done_at_this_phase": float(outlook.at_phase(habits.sums[:, :, TableColumn.UNFINISHED])[0]),
            "done_by_due_of_them": float(outlook.at_phase(habits.sums[:, :, TableColumn.HITS])[0]),
            "hit_rate_of_kind": float(habits.kind_hit[0]),
        },
        "simulation": {
            "p": forecast.simulation,
            "weight": weights[2],
            "days_sampled": given.days,
            "out_per_day": None if given.out is None else given.out.tolist(),
            "in_per_day": None if given.arriving is None else given.arriving.tolist(),
            "share": given.share,
            "active_in_stream": given.active,
            "working_days_ahead": float(outlook.ahead[0]),
            "paths": rules.paths,
            "seed": str(seed(forecast.container)),
        },
        "by_phase": [
            {"phase": phase, "survival": p, "reference": hit}
            for phase, p, hit in zip(PHASES.tolist(), phases.tolist(), habits.hit[0].tolist(), strict=True)
        ],
        "curve": [
            {"planned_times": x, "until": _when(float(outlook.start[0] + x * outlook.length[0])), "p": p}
            for x, p in zip(forecast.times, forecast.cdf, strict=True)
        ],
    }


def _history(outlook: ForecastBatch) -> dict[str, Any]:
    """The earlier milestones used, each at the phase of the grid nearest to this one's."""
    past, habits = outlook.past, outlook.habits
    column = int(np.abs(PHASES - float(np.clip(outlook.phase[0], 0, 1))).argmin())
    told = []
    for j in (int(m) for m in habits.members[0] if m >= 0):
        exposed = int(past.joined[j, DUE] - past.gone[j, column])
        told.append(
            {
                "container": past.ledger.containers[j].id,
                "due": _when(float(past.ledger.due[j])),
                "open_then": int(past.joined[j, column] - past.gone[j, column]),
                "joined_later": int(past.joined[j, DUE] - past.joined[j, column]),
                "gone_by_due": exposed - int(past.joined[j, DUE] - past.gone[j, DUE]),
                "left_at_due": int(past.joined[j, DUE] - past.gone[j, DUE]),
                "done_then": not bool(past.unfinished[j, column]),
                "done_by_due": bool(past.finished_by[j, 0]),
                "done_by": next((x for x, ok in zip(TIMES.tolist(), past.finished_by[j], strict=True) if ok), None),
            }
        )
    return {
        "of": "stream" if habits.from_stream[0] else "kind",
        "phase": float(PHASES[column]),
        "stream_finished": int(habits.own[0]),
        "kind_finished": int(habits.kind[0]),
        "milestones": told,
    }


def _capacity(outlook: ForecastBatch, forecast: Forecast) -> dict[str, Any]:
    return {
        "closures_by_week_newest_first": outlook.by_week[0].tolist(),
        "items": float(outlook.grown_later(outlook.open)[0]),
        "multipliers": list(outlook.rules.multipliers),
        "dates": msgspec.to_builtins(forecast.capacity),
    }


def _when(value: float) -> str | None:
    """A moment as text; None when it has not come, is unknown, or lies outside the years 1 to 9999."""
    if not np.isfinite(value):
        return None
    try:
        return _iso(moment(value))
    except OverflowError:
        return None


def _iso(value: Any) -> str:
    return str(value.isoformat(timespec="seconds"))
