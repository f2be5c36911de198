"""Run a back-test: replay a history, ask every method with the history until fixed times, and score the answers.

The question: will at most a share (tau) of the milestone's items be open at the end of its due day? It is asked at 25,
50 and 75 % of the planned time of every milestone that can be scored (`sync.backtest.questions`), if at that time

* it has at least 3 items, and more open ones than tau allows, so that it is not done yet, and
* there is enough history to publish a forecast (otherwise its status is unknown).

Closed means done, as in the ledger. Due dates are the last edited ones, because a ledger has no others. So slips that
were agreed before the due date make milestones look more punctual than they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from sync.backtest.csv_history import read_history
from sync.backtest.label_stability import score_labels
from sync.backtest.lever_truth import score_levers
from sync.backtest.methods import METHODS, REFERENCE, Answers, answers
from sync.backtest.milestone_dates import score_milestone_dates, score_throughput_dates
from sync.backtest.parts import score_parts
from sync.backtest.questions import AnsweredQuestions, ask, last_event, outcomes
from sync.backtest.splices import score_splices
from sync.forecast import scoring
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.throughput_calibration import score_dates
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger

__all__ = ["TOLERANCES", "backtest", "run_backtest"]

TOLERANCES: Mapping[str, float] = {"tau0": 0.0, "tau10": 0.1}
LABELS_AT = 0.1
"""Tolerance at which labels are scored."""


def run_backtest(prefixes: Sequence[str], removed: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Back-test the histories in CSV files (see `sync.backtest.csv_history`), together as those of one installation.

    ``removed``: keys of items whose closure took them out of scope. The result is plain data; see `backtest`. Raises
    `HistoryError`.
    """
    return backtest(read_history(prefixes, removed))


def backtest(ledger: Ledger, until: float | None = None, calendar: Calendar | None = None) -> dict[str, Any]:
    """Return all figures as data for JSON; figures that do not exist are None.

    ``until``: the end of the history in days since 1970 UTC, by default its last event. ``calendar``: by default that
    of the service without a configured country. Keys:

    ===================  ===========================================================================================
    tau0, tau10          {method: figures of its probabilities}
    dates                throughput dates whose time has passed
    milestone_dates      dates as shown: {tau: {level: figures}}, and ``throughput`` {level: figures}
    levers               {tau: {kind of lever: distance between what it says and the next assessment}}
    labels               stability and truth of the label at 90 % done
    reliability          {tau: {method: ten bins}}
    detail               the figures for parts of the history (``parts``), and after changes of pace (``splices``)
    ===================  ===========================================================================================
    """
    end = last_event(ledger) if until is None else until
    days = calendar or Calendar()
    by_tau = {
        name: _score(HistoryTables(ledger, Rules(tolerance=tolerance)), end, days)
        for name, tolerance in TOLERANCES.items()
    }

    def figures(subject: str) -> dict[str, Any]:
        return {name: scores[subject] for name, scores in by_tau.items()}

    tables = HistoryTables(ledger, Rules(tolerance=LABELS_AT))
    dates, detail = score_dates(tables, end)
    labels, to_the_end = score_labels(tables, outcomes(ledger, LABELS_AT, end), days)
    result = figures("methods") | {
        "dates": dates,
        "milestone_dates": figures("milestone_dates") | {"throughput": score_throughput_dates(tables, end)},
        "levers": figures("levers"),
        "labels": labels,
        "reliability": figures("reliability"),
        "detail": detail | {"labels_to_the_end": to_the_end, "parts": figures("parts"), "splices": figures("splices")},
    }
    return {key: _plain(value) for key, value in result.items()}


def _score(tables: HistoryTables, until: float, calendar: Calendar) -> dict[str, Any]:
    """Return the figures for the tolerance of the tables, by subject."""
    answered = ask(tables, until, calendar)
    resolved = answered.resolved
    answered_by = answers(tables, resolved.asked, resolved.forecasts, calendar)
    methods, reliability = _figures(answered_by, resolved)
    return {
        "methods": methods,
        "reliability": reliability,
        "milestone_dates": score_milestone_dates(answered, calendar),
        "levers": score_levers(tables, answered.became, until, calendar),
        "parts": score_parts(resolved, answered_by),
        "splices": score_splices(tables.ledger, tables.rules, until, calendar),
    }


def _figures(answered_by: Answers, resolved: AnsweredQuestions) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the scores and the reliability bins of each method."""
    hit, group = resolved.hit, resolved.asked.index
    figures = {name: asdict(scoring.score(p, hit, group, answered_by[REFERENCE])) for name, p in answered_by.items()}
    bins = {name: [asdict(b) for b in scoring.reliability(p, hit)] for name, p in answered_by.items()}
    assert tuple(figures) == METHODS
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
