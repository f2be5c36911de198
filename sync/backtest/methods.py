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
from sync.backtest.questions import AnsweredQuestions, outcomes
from sync.forecast import scoring
from sync.history.calendar import Calendar

__all__ = ["BY_CLOSURE", "FIRST", "METHODS", "POOL", "REFERENCE", "Answers", "answers"]

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
BY_CLOSURE = frozenset(
    {
        "velocity_90d",
        "monte_carlo",
        "gamma_poisson",
        "monte_carlo_blocks",
        "blocks_platt",
        "reference_mixed",
        "simulation",
    }
)
"""Methods that need the moment of each closure."""


def answers(answered: AnsweredQuestions) -> Answers:
    """Return each of `METHODS`' probabilities for the questions: float64[m].

    Nothing after the time of a question changes its answers. Those of `BY_CLOSURE` are empty for a history of counts;
    the first pool has no simulation there.
    """
    tables, asked, setup = answered.tables, answered.asked, answered.setup
    ledger, tolerance = tables.ledger, tables.rules.tolerance
    became = outcomes(ledger, tolerance, np.inf)
    due, hit = became.due[asked.index], became.hit[asked.index]
    base = baselines.base_rate(asked.at, ledger.kind, became.due, became.hit, asked.index)
    known = baselines.known_states(ledger, asked.index, asked.at)
    earlier = FirstPool(tables)
    first = earlier.answers(asked.index, asked.at, setup.calendar, is_simulated=not setup.observed)
    # the usual Monte Carlo simulation: without drift of the pace, and with all days alike
    usual = earlier.answers(asked.index, asked.at, Calendar.plain(), drift=0.0, is_simulated=not setup.observed)

    def column(values: Floats | Sequence[float | None]) -> Floats:
        p = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
        return np.where(np.isnan(p), base, p)

    blocks, reference = column(usual.simulation), column(first.reference)
    pool = column([own.p for own in answered.forecasts])
    probabilities = {
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
        "pool_raw": column([own.raw for own in answered.forecasts]),
        POOL: pool,
    }
    left_out = BY_CLOSURE if setup.observed else frozenset()
    return {name: p[:0] if name in left_out else p for name, p in probabilities.items()}
