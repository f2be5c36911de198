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
from sync.backtest.questions import AnsweredQuestions, ask, last_event
from sync.forecast import scoring
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.throughput_calibration import score_dates
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger

__all__ = ["TOLERANCES", "backtest", "run_backtest"]

TOLERANCES: Mapping[str, float] = {"tau0": 0.0, "tau10": 0.1}


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

    ===================  =======================================================================================
    tau0, tau10          {method: figures of its probabilities}
    dates                throughput dates whose time has passed
    milestone_dates      dates as shown: {tau: {level: figures}}, and ``throughput`` {level: figures}
    levers               {tau: {kind of lever: distance between what it says and the next assessment}}
    labels               stability and truth of the label at 90 % done
    reliability          {tau: {method: ten bins}}
    detail               the same figures for parts of the history
    ===================  =======================================================================================
    """
    end = last_event(ledger) if until is None else until
    days = calendar or Calendar()
    result: dict[str, Any] = {}
    bins: dict[str, Any] = {}
    milestone_dates: dict[str, Any] = {}
    levers: dict[str, Any] = {}
    for name, tolerance in TOLERANCES.items():
        tables = HistoryTables(ledger, Rules(tolerance=tolerance))
        answered = ask(tables, end, days)
        milestone_dates[name] = score_milestone_dates(answered, days)
        levers[name] = score_levers(tables, answered.became, end, days)
        resolved = answered.resolved
        result[name], bins[name] = _figures(answers(tables, resolved.asked, resolved.forecasts, days), resolved)
    dates, detail = score_dates(tables, end)
    labels, to_the_end = score_labels(tables, answered.became, days)
    result |= {
        "dates": dates,
        "milestone_dates": milestone_dates | {"throughput": score_throughput_dates(tables, end)},
        "levers": levers,
        "labels": labels,
        "reliability": bins,
        "detail": detail | {"labels_to_the_end": to_the_end},
    }
    return {key: _plain(value) for key, value in result.items()}


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
