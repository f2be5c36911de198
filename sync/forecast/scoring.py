"""How good probabilities were: Brier score and skill, log loss, AUC, calibration error, reliability.

Arrays are one entry per forecast: ``p`` float64 probabilities in [0, 1], ``hit`` bool outcomes, ``group`` int64 codes
of the milestones they belong to. Forecasts of one milestone share its outcome, so intervals resample milestones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BINS",
    "Bin",
    "Score",
    "auc",
    "brier",
    "calibration_error",
    "log_loss",
    "pinball",
    "reliability",
    "score",
    "skill_interval",
]

BINS = 10
RESAMPLES = 2000
# A method that says 0 or 1 and errs would lose infinitely; all are read as at most this sure, as the pool is.
SURE = 0.02

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Score:
    """One method's figures. ``bss`` is the Brier skill against the reference, ``bss_ci`` its 95 % interval."""

    brier: float
    bss: float
    bss_ci: tuple[float, float]
    log_loss: float
    auc: float
    ece: float
    n: int


@dataclass(frozen=True)
class Bin:
    """Forecasts with ``low <= p < high`` (the last bin takes 1 too): how many, their mean, how often it came true."""

    low: float
    high: float
    n: int
    forecast: float | None
    observed: float | None


def score(p: Floats, hit: Bools, group: Codes, reference: Floats) -> Score:
    """All figures of one method; ``reference`` are the probabilities that its skill is measured against.

    Figures that do not exist (no forecasts; AUC with one outcome only; skill against a flawless reference) are NaN.
    """
    own, theirs = brier(p, hit), brier(reference, hit)
    return Score(
        brier=own,
        bss=1 - own / theirs if theirs > 0 else math.nan,
        bss_ci=skill_interval(p, hit, group, reference),
        log_loss=log_loss(p, hit),
        auc=auc(p, hit),
        ece=calibration_error(p, hit),
        n=len(p),
    )


def brier(p: Floats, hit: Bools) -> float:
    """Mean squared error of the probabilities; 0 is best. NaN without forecasts."""
    return float(np.mean((p - hit) ** 2)) if len(p) else math.nan


def log_loss(p: Floats, hit: Bools) -> float:
    """Mean negative natural log-likelihood, probabilities read within [.02, .98]. NaN without forecasts."""
    if not len(p):
        return math.nan
    sure = np.clip(p, SURE, 1 - SURE)
    return float(-np.mean(np.log(np.where(hit, sure, 1 - sure))))


def auc(p: Floats, hit: Bools) -> float:
    """Chance that a forecast which came true was given more than one which did not; ties count half."""
    yes, no = int(hit.sum()), int((~hit).sum())
    if not yes or not no:
        return math.nan
    _, place, times = np.unique(p, return_inverse=True, return_counts=True)
    rank = np.cumsum(times) - (times - 1) / 2  # ties share the mean of their ranks
    return float((rank[place][hit].sum() - yes * (yes + 1) / 2) / (yes * no))


def reliability(p: Floats, hit: Bools) -> tuple[Bin, ...]:
    """Forecasts in ten equal-width bins; ``forecast`` and ``observed`` are None in an empty one."""
    place = _bins(p)
    counts = np.bincount(place, minlength=BINS)
    said = np.bincount(place, weights=p, minlength=BINS)
    came = np.bincount(place, weights=hit.astype(np.float64), minlength=BINS)
    return tuple(
        Bin(
            low=b / BINS,
            high=(b + 1) / BINS,
            n=int(counts[b]),
            forecast=float(said[b] / counts[b]) if counts[b] else None,
            observed=float(came[b] / counts[b]) if counts[b] else None,
        )
        for b in range(BINS)
    )


def calibration_error(p: Floats, hit: Bools) -> float:
    """Distance between said and observed, averaged over the ten bins by their number of forecasts."""
    if not len(p):
        return math.nan
    return float(np.abs(np.bincount(_bins(p), weights=p - hit, minlength=BINS)).sum() / len(p))


def skill_interval(p: Floats, hit: Bools, group: Codes, reference: Floats) -> tuple[float, float]:
    """95 % percentile interval of the Brier skill, from 2,000 resamples of whole milestones with a fixed seed."""
    if not len(p):
        return math.nan, math.nan
    _, member = np.unique(group, return_inverse=True)
    m = int(member.max()) + 1
    own = np.bincount(member, weights=(p - hit) ** 2)
    theirs = np.bincount(member, weights=(reference - hit) ** 2)
    times = np.random.default_rng(0).multinomial(m, np.full(m, 1 / m), size=RESAMPLES)
    below = times @ theirs
    skill = 1 - (times @ own)[below > 0] / below[below > 0]
    if not len(skill):
        return math.nan, math.nan
    low, high = np.quantile(skill, [0.025, 0.975])
    return float(low), float(high)


def pinball(level: float, said: Floats, actual: Floats) -> Floats:
    """Loss of each quantile forecast ``said`` at ``level``; its mean is least for the true quantile."""
    miss = actual - said
    return np.maximum(level * miss, (level - 1) * miss)


def _bins(p: Floats) -> Codes:
    # .3 * 10 is 3 but .7 * 10 is 7.000000000000001 and .29 * 100 is 28.999...: edges are compared, never multiplied.
    return np.searchsorted(np.arange(1, BINS) / BINS, p, side="right").astype(np.int64)
