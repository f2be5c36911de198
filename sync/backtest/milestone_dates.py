"""Milestone dates as they are shown: the share of the P50 and P85 dates by which the milestone was done.

All dates whose day is over by the end of the history are scored. A date that never came true is a miss.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from msgspec import to_builtins
from numpy.typing import NDArray

from sync.backtest.questions import AnsweredQuestions, is_done_by
from sync.forecast.history_tables import HistoryTables
from sync.forecast.scoring import date_score
from sync.forecast.throughput import LEVELS
from sync.forecast.throughput_calibration import learned_dates, longest
from sync.history.ledger import days
from sync.model.dates import end_of_day

__all__ = ["SHOWN_LEVELS", "TOO_FEW", "score_milestone_dates", "score_throughput_dates"]

Floats = NDArray[np.float64]

SHOWN_LEVELS = {"p50": 0.50, "p85": 0.85}
THROUGHPUT_LEVELS = {"p50": 0.50, "p70": 0.70, "p85": 0.85}
TOO_FEW = 100
"""Fewest dates for a share that is printed."""


def score_milestone_dates(answered: AnsweredQuestions) -> dict[str, Any]:
    """Score the dates of all forecasts: {``p50``, ``p85``: figures}.

    Figures: ``asked`` questions, the share ``given`` in which the forecast had a date, and those of
    `sync.forecast.scoring.DateScore`. NaN where there are no questions.
    """
    return {
        name: _figures(answered, [getattr(own.dates, name) for own in answered.forecasts], level)
        for name, level in SHOWN_LEVELS.items()
    }


def _figures(answered: AnsweredQuestions, dates: Sequence[date | None], level: float) -> dict[str, Any]:
    asked, ledger, setup = answered.asked, answered.tables.ledger, answered.setup
    given = np.array([day is not None for day in dates], dtype=bool)
    index, zone = asked.index[given], setup.calendar.zone
    by = np.array([days(end_of_day(day, zone)) for day in dates if day is not None], dtype=np.float64)
    is_held = is_done_by(ledger, index, by, answered.tables.rules.tolerance)
    is_decided = (by <= setup.until) & (is_held | (by <= setup.known_until(ledger)[index]))
    scores = date_score(level, by - asked.at[given], np.where(is_decided, is_held, np.nan))
    share = float(given.mean()) if len(given) else float("nan")
    return {"asked": len(given), "given": share, **to_builtins(scores)}


def score_throughput_dates(tables: HistoryTables, until: float) -> dict[str, Any]:
    """Score the throughput dates of `sync.forecast.throughput_calibration` likewise, as known at ``until`` (days)."""
    learned = learned_dates(tables)
    asked = learned.asked
    figures = {}
    for name, level in THROUGHPUT_LEVELS.items():
        ahead = learned.given[:, LEVELS.index(level)]
        given = ahead <= longest(tables.rules)
        held = np.where(asked.at + ahead <= until, asked.actual <= ahead, np.nan)
        share = float(given.mean()) if len(given) else float("nan")
        scores = date_score(level, ahead[given], held[given])
        figures[name] = {"asked": len(asked.at), "given": share, **to_builtins(scores)}
    return figures
