"""Replay a history and ask every method, at fixed times, what only the time before could tell it.

What is asked: will at most a share (tau) of the milestone's items be open at the end of its due day? It is asked at 25,
50 and 75 % of the planned time of every milestone that can be scored (`sync.backtest.questions`), if at that time

* it has at least 3 items, and more open ones than tau allows: it is not finished yet, and
* the rules find enough history to publish a forecast at all (else its status is unknown).

So all methods answer the same questions. Closed means done, as the ledger tells it. Where a simulation has no two weeks
of the stream to draw from, its row answers with the base rate. Due dates are the last edited ones: a ledger tells no
others, so slips agreed before the due date make the past look more punctual than it was.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sync.backtest import baselines
from sync.backtest.csv_history import read_history
from sync.backtest.label_stability import score_labels
from sync.backtest.questions import Outcomes, Questions, allowed, last_event, outcomes, questions, tell
from sync.forecast import scoring
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.pooled import Forecast, forecast
from sync.forecast.throughput_calibration import score_dates
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger, moment

__all__ = ["CHECKS", "METHODS", "answers", "backtest", "run_backtest"]

CHECKS = (0.25, 0.5, 0.75)
TOLERANCES: Mapping[str, float] = {"tau0": 0.0, "tau10": 0.1}
REFERENCE = "base_rate"
METHODS = (
    REFERENCE,
    *baselines.BASELINES,
    "monte_carlo_blocks",
    "blocks_platt",
    "reference_class",
    "reference_mixed",
    "simulation",
    "item_survival",
    "pool_platt",
    "pool_raw",
    "pool",
)

Floats = NDArray[np.float64]
Answers = Mapping[str, Floats]


def run_backtest(prefixes: Sequence[str], removed: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Back-test the histories in CSV files (see `sync.backtest.csv_history`), taken together as one installation's.

    ``removed`` holds keys of items whose closure took them out of scope. Raises HistoryError. The result is plain data:
    see `backtest`.
    """
    return backtest(read_history(prefixes, removed))


def backtest(ledger: Ledger, until: float | None = None, calendar: Calendar | None = None) -> dict[str, Any]:
    """Every figure, as JSON-able data; figures that do not exist are None.

    ``until``: the end of the history in days since 1970, by default its last event. ``calendar``: when work was done,
    by default as in service without a configured country. Result: ``tau0`` and ``tau10`` {method: figures}, ``dates``,
    ``labels``; beside them ``reliability`` {tau: {method: ten bins}} and ``detail``, what the short figures leave out.
    """
    end = last_event(ledger) if until is None else until
    days = calendar or Calendar()
    result: dict[str, Any] = {}
    bins: dict[str, Any] = {}
    for name, tolerance in TOLERANCES.items():
        past = HistoryTables(ledger, Rules(tolerance=tolerance))
        became = outcomes(ledger, tolerance, end)
        asked = questions(ledger, became.known, CHECKS)
        asked, made = tell(past, asked.where(asked.open > allowed(asked.scope, tolerance)), days)
        told = answers(past, asked, made)
        result[name], bins[name] = _figures(told, asked, became)
    dates, detail = score_dates(past, end)
    labels, to_the_end = score_labels(past, became, days)
    result |= {
        "dates": dates,
        "labels": labels,
        "reliability": bins,
        "detail": detail | {"labels_to_the_end": to_the_end},
    }
    return {key: _plain(value) for key, value in result.items()}


def answers(past: HistoryTables, asked: Questions, made: Sequence[Forecast]) -> Answers:
    """Each of METHODS' probabilities, float64[m], for the questions; ``made`` are our forecasts for them.

    Whatever lies after the time of a question does not change its answers.
    """
    ledger, tolerance = past.ledger, past.rules.tolerance
    became = outcomes(ledger, tolerance, np.inf)
    due, hit = became.due[asked.index], became.hit[asked.index]
    base = baselines.base_rate(asked.at, ledger.kind, became.due, became.hit, asked.index)
    sights = baselines.sights(ledger, asked.index, asked.at)

    def column(values: Sequence[float | None]) -> Floats:
        found = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
        return np.where(np.isnan(found), base, found)

    blocks = column([f.simulation for f in _as_usual(past, asked)])
    reference = column([f.reference for f in made])
    pool = column([f.p for f in made])
    return {
        REFERENCE: base,
        **{name: np.array([method(s, tolerance) for s in sights]) for name, method in baselines.BASELINES.items()},
        "monte_carlo_blocks": blocks,
        "blocks_platt": baselines.platt(np.clip(blocks, scoring.SURE, 1 - scoring.SURE), asked.at, due, hit),
        "reference_class": reference,
        "reference_mixed": (reference + blocks) / 2,
        "simulation": column([f.simulation for f in made]),
        "item_survival": column([f.survival for f in made]),
        "pool_platt": baselines.platt(pool, asked.at, due, hit, ledger.kind[asked.index]),
        "pool_raw": column([f.raw for f in made]),
        "pool": pool,
    }


def _as_usual(past: HistoryTables, asked: Questions) -> list[Forecast]:
    """Monte Carlo as the field runs it: the team's pace stays what it was, and every day counts alike."""
    rules = dataclasses.replace(past.rules, rate_drift=0.0)
    return forecast(
        HistoryTables(past.ledger, rules),
        asked.index.tolist(),
        [moment(at) for at in asked.at],
        rules,
        Calendar.plain(),
    )


def _figures(told: Answers, asked: Questions, became: Outcomes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures and reliability bins of each method."""
    hit = became.hit[asked.index]
    figures = {name: asdict(scoring.score(told[name], hit, asked.index, told[REFERENCE])) for name in METHODS}
    bins = {name: [asdict(b) for b in scoring.reliability(told[name], hit)] for name in METHODS}
    return figures, bins


def _plain(value: Any) -> Any:
    """The same with lists for tuples, Python numbers for numpy's, and None for NaN, which JSON does not know."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else float(value)
    return value
