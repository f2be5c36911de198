"""Run a back-test: replay a history, ask every method with the history until fixed times, and score the answers.

The question: will at most a share (tau) of the milestone's items be open at the end of its due day? It is asked at 25,
50 and 75 % of the planned time of every milestone that can be scored (`sync.backtest.questions`), if at that time

* it has at least 3 items, and more open ones than tau allows, so that it is not done yet, and
* there is enough history to publish a forecast (otherwise its status is unknown).

All methods answer the same questions. Closed means done, as in the ledger. Where the stream has fewer than two weeks to
sample, the simulations answer with the base rate. Due dates are the last edited ones, because a ledger has no others.
So slips that were agreed before the due date make milestones look more punctual than they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sync.backtest import baselines
from sync.backtest.csv_history import read_history
from sync.backtest.first_pool import FirstPool
from sync.backtest.label_stability import score_labels
from sync.backtest.questions import Outcomes, Questions, answerable, last_event, outcomes, questions
from sync.forecast import scoring
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.pooled import Forecast
from sync.forecast.stats import allowed_open
from sync.forecast.throughput_calibration import score_dates
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger

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
    "first_pool",
    "pool_platt",
    "pool_raw",
    "pool",
)

Floats = NDArray[np.float64]
Answers = Mapping[str, Floats]


def run_backtest(prefixes: Sequence[str], removed: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Back-test the histories in CSV files (see `sync.backtest.csv_history`), together as those of one installation.

    ``removed``: keys of items whose closure took them out of scope. The result is plain data; see `backtest`. Raises
    `HistoryError`.
    """
    return backtest(read_history(prefixes, removed))


def backtest(ledger: Ledger, until: float | None = None, calendar: Calendar | None = None) -> dict[str, Any]:
    """Return all figures as data for JSON; figures that do not exist are None.

    ``until``: the end of the history in days since 1970 UTC, by default its last event. ``calendar``: by default that
    of the service without a configured country. Keys: ``tau0`` and ``tau10`` {method: figures}, ``dates``, ``labels``,
    ``reliability`` {tau: {method: ten bins}} and ``detail``.
    """
    end = last_event(ledger) if until is None else until
    days = calendar or Calendar()
    result: dict[str, Any] = {}
    bins: dict[str, Any] = {}
    for name, tolerance in TOLERANCES.items():
        tables = HistoryTables(ledger, Rules(tolerance=tolerance))
        became = outcomes(ledger, tolerance, end)
        asked = questions(ledger, became.known, CHECKS)
        asked = asked.where(asked.open > allowed_open(asked.scope, tolerance))
        asked, forecasts = answerable(tables, asked, days)
        result[name], bins[name] = _figures(answers(tables, asked, forecasts, days), asked, became)
    dates, detail = score_dates(tables, end)
    labels, to_the_end = score_labels(tables, became, days)
    result |= {
        "dates": dates,
        "labels": labels,
        "reliability": bins,
        "detail": detail | {"labels_to_the_end": to_the_end},
    }
    return {key: _plain(value) for key, value in result.items()}


def answers(tables: HistoryTables, asked: Questions, forecasts: Sequence[Forecast], calendar: Calendar) -> Answers:
    """Return each of `METHODS`' probabilities for the questions, float64[m]; ``forecasts`` are ours for them.

    Nothing after the time of a question changes its answers.
    """
    ledger, tolerance = tables.ledger, tables.rules.tolerance
    became = outcomes(ledger, tolerance, np.inf)
    due, hit = became.due[asked.index], became.hit[asked.index]
    base = baselines.base_rate(asked.at, ledger.kind, became.due, became.hit, asked.index)
    known = baselines.known_states(ledger, asked.index, asked.at)
    earlier = FirstPool(tables)
    first = earlier.answers(asked.index, asked.at, calendar)
    # the usual Monte Carlo simulation: without drift of the pace, and with all days alike
    usual = earlier.answers(asked.index, asked.at, Calendar.plain(), drift=0.0)

    def column(values: Floats | Sequence[float | None]) -> Floats:
        p = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
        return np.where(np.isnan(p), base, p)

    blocks, reference, pool = column(usual.simulation), column(first.reference), column([own.p for own in forecasts])
    return {
        REFERENCE: base,
        **{
            name: np.array([method(state, tolerance) for state in known])
            for name, method in baselines.BASELINES.items()
        },
        "monte_carlo_blocks": blocks,
        "blocks_platt": baselines.platt(np.clip(blocks, scoring.CLIP, 1 - scoring.CLIP), asked.at, due, hit),
        "reference_class": reference,
        "reference_mixed": (reference + blocks) / 2,
        "simulation": column(first.simulation),
        "item_survival": column(first.survival),
        "first_pool": column(first.p),
        "pool_platt": baselines.platt(pool, asked.at, due, hit, ledger.kind[asked.index]),
        "pool_raw": column([own.raw for own in forecasts]),
        "pool": pool,
    }


def _figures(answered: Answers, asked: Questions, became: Outcomes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the scores and the reliability bins of each method."""
    hit = became.hit[asked.index]
    figures = {name: asdict(scoring.score(answered[name], hit, asked.index, answered[REFERENCE])) for name in METHODS}
    bins = {name: [asdict(b) for b in scoring.reliability(answered[name], hit)] for name in METHODS}
    return figures, bins


def _plain(value: Any) -> Any:
    """Return the value for JSON: lists for tuples, Python's numbers for numpy's, None for NaN."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else float(value)
    return value
