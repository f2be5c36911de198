"""How steady the label is, and what it is worth: the verdict at nine checks of a milestone's planned time.

Asked at 10, 20 .. 90 % of it under the same conditions as the forecasts that are scored: enough is known to publish,
and more is open than the tolerance allows (with less the milestone is as good as done). The label follows the bands
with their hysteresis from check to check.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sync.backtest.questions import Outcomes, Questions, allowed, questions, tell
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.pooled import Forecast
from sync.health.status import band, band_with_hysteresis
from sync.history.calendar import Calendar
from sync.model.health import Status

__all__ = ["LABEL_CHECKS", "reversals", "score_labels"]

LABEL_CHECKS = tuple(tenth / 10 for tenth in range(1, 10))


def score_labels(
    past: HistoryTables, became: Outcomes, calendar: Calendar
) -> tuple[dict[str, float], dict[str, float]]:
    """Changes and reversals per milestone, and what share of the checks that said on track, or off track, came true.

    The second is the same asked as long as anything is open at all: what a reader sees until the last item is closed.
    """
    asked = questions(past.ledger, became.known, LABEL_CHECKS)
    asked = asked.where(asked.open > 0)
    asked, made = tell(past, asked, calendar)
    unfinished = asked.open > allowed(asked.scope, past.rules.tolerance)
    to_the_end = np.ones(len(asked), dtype=bool)
    return _figures(asked, made, became, past.rules, unfinished), _figures(asked, made, became, past.rules, to_the_end)


def _figures(
    asked: Questions, made: Sequence[Forecast], became: Outcomes, rules: Rules, counted: NDArray[np.bool_]
) -> dict[str, float]:
    rows: dict[int, list[Status]] = {}
    hits: dict[Status, list[bool]] = {Status.ON_TRACK: [], Status.OFF_TRACK: [], Status.AT_RISK: []}
    for index, forecast, here in zip(asked.index.tolist(), made, counted, strict=True):
        if not here or forecast.p is None:
            continue
        row = rows.setdefault(index, [])
        row.append(band_with_hysteresis(row[-1], forecast.p, rules) if row else band(forecast.p, rules))
        hits[row[-1]].append(bool(became.hit[index]))
    return {
        "changes": _mean([sum(a is not b for a, b in pairwise(row)) for row in rows.values()]),
        "reversals": _mean([reversals(row) for row in rows.values()]),
        "done_given_on_track": _mean(hits[Status.ON_TRACK]),
        "done_given_off_track": _mean(hits[Status.OFF_TRACK]),
    }


def reversals(row: Sequence[Status]) -> int:
    """Changes back to the label that the change before had left."""
    steps = [(a, b) for a, b in pairwise(row) if a is not b]
    return sum(before is after for (before, _), (_, after) in pairwise(steps))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
