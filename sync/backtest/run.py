"""Run a back-test: replay a history, ask every method with the history until fixed times, and score the answers.

The question: will at most a share (tau) of the milestone's items be open at the end of its due day? It is asked at 25,
50 and 75% of the planned time of every milestone that can be scored (`sync.backtest.questions`), if at that time

* it has at least 3 items, and more open ones than tau allows, so that it is not done yet, and
* there is enough history to publish a forecast (otherwise its status is unknown).

Closed means done, as in the ledger. Due dates are the last edited ones, because a ledger has no others. So slips that
were agreed before the due date make milestones look more punctual than they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from msgspec.structs import asdict
from numpy.typing import NDArray

from sync.backtest.csv_history import read_histories
from sync.backtest.hindsight import score_hindsight
from sync.backtest.label_stability import score_labels
from sync.backtest.leftover import score_leftover, score_usual
from sync.backtest.lever_truth import score_levers
from sync.backtest.methods import BY_CLOSURE, METHODS, REFERENCE, Answers, answers
from sync.backtest.milestone_dates import score_milestone_dates, score_throughput_dates
from sync.backtest.parts import score_parts
from sync.backtest.questions import AnsweredQuestions, BacktestSetup, ask, last_event, outcomes
from sync.backtest.splices import score_splices
from sync.forecast import scoring
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.throughput_calibration import score_dates
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger, days

__all__ = ["TOLERANCES", "backtest", "run_backtest"]

TOLERANCES: Mapping[str, float] = {"tau0": 0.0, "tau10": 0.1}
LABELS_AT = 0.1
"""Tolerance at which labels are scored."""


def run_backtest(prefixes: Sequence[str], removed: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Back-test the histories in CSV files (see `sync.backtest.csv_history`), together as those of one installation.

    ``removed``: keys of items whose closure took them out of scope. The result is plain data; see `backtest`. Raises
    `HistoryError`.
    """
    history = read_histories(prefixes, removed)
    observed = {name: np.array([days(at) for at in times]) for name, times in history.observed.items()}
    ledger = history.ledger
    end = max([last_event(ledger), *(times[-1] for times in observed.values())])
    result = backtest(ledger, end, observed=observed)
    result["left_out"]["milestones"] = history.unfinished
    return result


def backtest(
    ledger: Ledger,
    until: float | None = None,
    calendar: Calendar | None = None,
    observed: Mapping[str, NDArray[np.float64]] | None = None,
) -> dict[str, Any]:
    """Return all figures as data for JSON; figures that do not exist are None.

    ``until``: the end of the history in days since 1970 UTC, by default its last event. ``calendar``: by default that
    of the service without a configured country. ``observed``: see `sync.backtest.questions.BacktestSetup`. Keys:

    ===================  ===========================================================================================
    tau0, tau10          {method: figures of its probabilities}
    dates                throughput dates that came true
    milestone_dates      dates as shown: {tau: {level: figures}}, and ``throughput`` {level: figures}
    leftover             items left over at the due date: skill of their distribution, and how often the range held
    usual                probability of leaving over no more than usual
    levers               {tau: {kind of lever: distance between what it says and the next assessment}}
    labels               stability and truth of the label at 90% done
    reliability          {tau: {method: ten bins}}
    detail               the figures for parts of the history (``parts``), after changes of pace (``splices``), and of a
                         model that learns from later milestones, too (``hindsight``)
    left_out             ``methods`` without figures in a history of counts, and the number of ``milestones`` whose
                         counts end too early
    ===================  ===========================================================================================
    """
    setup = BacktestSetup(last_event(ledger) if until is None else until, calendar or Calendar(), observed or {})
    by_tau = {
        name: _score(HistoryTables(ledger, Rules(tolerance=tolerance)), setup) for name, tolerance in TOLERANCES.items()
    }

    def figures(subject: str) -> dict[str, Any]:
        return {name: scores[subject] for name, scores in by_tau.items()}

    tables = HistoryTables(ledger if not setup.observed else Ledger.of([], []), Rules(tolerance=LABELS_AT))
    dates, detail = score_dates(tables, setup.until)
    throughput = score_throughput_dates(tables, setup.until)
    labelled = HistoryTables(ledger, Rules(tolerance=LABELS_AT))
    labels, to_the_end = score_labels(labelled, outcomes(ledger, LABELS_AT, setup.until), setup)
    result = figures("methods") | {
        "dates": dates,
        "milestone_dates": figures("milestone_dates") | {"throughput": throughput},
        "leftover": by_tau["tau0"]["leftover"],
        "usual": by_tau["tau0"]["usual"],
        "levers": figures("levers"),
        "labels": labels,
        "reliability": figures("reliability"),
        "detail": detail
        | {"labels_to_the_end": to_the_end}
        | {subject: figures(subject) for subject in ("parts", "splices", "hindsight")},
        "left_out": {"methods": sorted(BY_CLOSURE) if setup.observed else [], "milestones": 0},
    }
    return {key: _plain(value) for key, value in result.items()}


def _score(tables: HistoryTables, setup: BacktestSetup) -> dict[str, Any]:
    """Return the figures for the tolerance of the tables, by subject."""
    answered = ask(tables, setup)
    resolved = answered.resolved
    answered_by = answers(resolved)
    methods, reliability = _figures(answered_by, resolved)
    return {
        "methods": methods,
        "reliability": reliability,
        "milestone_dates": score_milestone_dates(answered),
        "leftover": score_leftover(resolved),
        "usual": score_usual(resolved),
        "levers": score_levers(tables, answered.became, setup),
        "parts": score_parts(resolved, answered_by),
        "splices": score_splices(tables.ledger, tables.rules, setup),
        "hindsight": score_hindsight(resolved, answered_by[REFERENCE]),
    }


def _figures(answered_by: Answers, resolved: AnsweredQuestions) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the scores and the reliability bins of each method; those without answers have none."""
    figures, bins = {}, {}
    for name in METHODS:
        p = answered_by[name]
        hit, group = resolved.hit[: len(p)], resolved.asked.index[: len(p)]
        figures[name] = asdict(scoring.score(p, hit, group, answered_by[REFERENCE][: len(p)]))
        bins[name] = [asdict(b) for b in scoring.reliability(p, hit)]
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
