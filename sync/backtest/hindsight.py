"""Hindsight: how good a model of counts and dates is that also learns from later milestones. No forecast, a ceiling.

A logistic regression on the three votes, the base rate, items, planned days and time gone, and how often the other
milestones of the stream were done, the later ones among them. It is fitted ten times, each time to nine tenths of the
milestones, and answers for the rest. What it cannot do, no weights and no training on the same figures can.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec.structs import asdict
from numpy.typing import NDArray

from sync.backtest.baselines import fit_logistic
from sync.backtest.questions import AnsweredQuestions
from sync.forecast import scoring
from sync.forecast.stats import expit, logit

__all__ = ["hindsight", "score_hindsight"]

Floats = NDArray[np.float64]

FOLDS = 10


def score_hindsight(resolved: AnsweredQuestions, base: Floats) -> dict[str, Any]:
    """Return the scores of `hindsight` against the base rate ``base[m]``."""
    p = hindsight(resolved, base)
    return asdict(scoring.score(p, resolved.hit, resolved.asked.index, base))


def hindsight(resolved: AnsweredQuestions, base: Floats) -> Floats:
    """Return the probabilities of the regression: float64[m], between the clips of all scores.

    A milestone's own outcome changes no answer about it.
    """
    index, hit = resolved.asked.index, resolved.hit.astype(np.float64)
    columns = _columns(resolved, base)
    fold = np.arange(len(resolved.became.hit)) % FOLDS
    p = np.full(len(index), 0.5)
    for k in range(FOLDS):
        rate = _hit_rate_of_others(resolved, fold != k)
        design = _standardised(np.column_stack([columns, logit(rate)]))
        is_asked = fold[index] == k
        nothing = np.zeros(design.shape[1])
        weights = fit_logistic(design[~is_asked], hit[~is_asked], nothing, nothing)
        p[is_asked] = expit(design[is_asked] @ weights)
    clipped: Floats = np.clip(p, scoring.CLIP, 1 - scoring.CLIP)
    return clipped


def _columns(resolved: AnsweredQuestions, base: Floats) -> Floats:
    """Return what was known at the time of each question: float64[m, c]."""
    asked, forecasts = resolved.asked, resolved.forecasts
    votes = [[own.survival, own.reference, own.closures] for own in forecasts]
    done = np.array([own.done for own in forecasts], dtype=np.float64)
    return np.column_stack(
        [
            logit(np.array(votes, dtype=np.float64).reshape(-1, 3)),
            logit(base),
            np.log1p(asked.open),
            np.log1p(asked.scope),
            done / np.maximum(asked.scope, 1),
            np.array([own.phase for own in forecasts], dtype=np.float64),
            np.log(resolved.tables.length[asked.index]),
        ]
    )


def _hit_rate_of_others(resolved: AnsweredQuestions, is_used: NDArray[np.bool_]) -> Floats:
    """Return the Laplace hit rate of the stream's other milestones, earlier and later, of those used: float64[m]."""
    ledger, became, index = resolved.tables.ledger, resolved.became, resolved.asked.index
    known = (became.known & is_used).astype(np.float64)
    hit, size = known * became.hit, int(ledger.stream.max(initial=-1)) + 1
    hits, of = (np.bincount(ledger.stream, weights=column, minlength=size) for column in (hit, known))
    stream = ledger.stream[index]
    rate: Floats = (hits[stream] - hit[index] + 1.0) / (of[stream] - known[index] + 2.0)
    return rate


def _standardised(columns: Floats) -> Floats:
    """Return the columns with mean 0 and spread 1, and a constant one."""
    if len(columns):
        spread = columns.std(axis=0)
        columns = (columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.column_stack([columns, np.ones(len(columns))])
