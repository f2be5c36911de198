"""Methods: our forecast and the usual ones answer the questions of a back-test.

All answer the same questions. Where the stream has fewer than two weeks to sample, the simulations answer with the base
rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sync.backtest import baselines
from sync.backtest.first_pool import FirstPool
from sync.backtest.questions import Questions, outcomes
from sync.forecast import scoring
from sync.forecast.history_tables import HistoryTables
from sync.forecast.pooled import Forecast
from sync.history.calendar import Calendar

__all__ = ["FIRST", "METHODS", "POOL", "REFERENCE", "Answers", "answers"]

Floats = NDArray[np.float64]
Answers = Mapping[str, Floats]

REFERENCE, FIRST, POOL = "base_rate", "first_pool", "pool"
METHODS = (
    REFERENCE,
    *baselines.BASELINES,
    "monte_carlo_blocks",
    "blocks_platt",
    "reference_class",
    "reference_mixed",
    "simulation",
    "item_survival",
    FIRST,
    "pool_platt",
    "pool_raw",
    POOL,
)


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
        FIRST: column(first.p),
        "pool_platt": baselines.platt(pool, asked.at, due, hit, ledger.kind[asked.index]),
        "pool_raw": column([own.raw for own in forecasts]),
        POOL: pool,
    }
