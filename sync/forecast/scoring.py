"""Score probabilities and dates: Brier score and skill, log loss, AUC, calibration error, reliability, coverage.

Arrays have one entry per forecast: ``p`` float64 probabilities in [0, 1], ``hit`` bool outcomes, ``group`` int64 codes
of milestones. Forecasts of one milestone share its outcome, so intervals resample milestones.

Dates are scored over all dates whose time has passed: a date that never came true is a miss (`date_score`). The
back-test and the self-score of an installation share these functions.
"""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

__all__ = [
    "BINS",
    "HORIZONS",
    "RESAMPLES",
    "Bin",
    "DateScore",
    "HorizonScore",
    "Score",
    "auc",
    "brier",
    "calibration_error",
    "date_score",
    "log_loss",
    "pinball",
    "reliability",
    "score",
    "skill_interval",
]

BINS = 10
RESAMPLES = 2000
"""Resamples of milestones behind an interval."""
CLIP = 0.02
"""Log loss reads probabilities within [CLIP, 1 - CLIP], as the pool is clipped: an error at 0 or 1 would be
infinite."""

HORIZONS = (14.0, 45.0, 120.0)
"""Days from a forecast to its date that divide the four horizons of a `DateScore`."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int64]


class Score(Struct, frozen=True):
    """Scores of one method over ``n`` forecasts.

    ``bss`` is the Brier skill against the reference, ``bss_ci`` its 95% interval, ``ece`` the expected calibration
    error. NaN where a figure does not exist.
    """

    brier: float
    bss: float
    bss_ci: tuple[float, float]
    log_loss: float
    auc: float
    ece: float
    n: int


class Bin(Struct, frozen=True):
    """Reliability bin: the ``n`` forecasts with ``low <= p < high`` (the last bin includes 1).

    ``forecast`` is their mean probability, ``observed`` the share that came true; None in an empty bin.
    """

    low: float
    high: float
    n: int
    forecast: float | None
    observed: float | None


class HorizonScore(Struct, frozen=True, kw_only=True):
    """Coverage of the dates that were at least ``days_from`` and less than ``days_before`` days ahead when given.

    ``days_before`` is None for the last horizon. ``dates`` have passed, ``held`` of them came true. ``share`` is None
    where they are too few.
    """

    days_from: float
    days_before: float | None
    dates: int = 0
    held: int = 0
    share: float | None = None


class DateScore(Struct, frozen=True, kw_only=True):
    """Coverage of the dates that were given with probability ``level``, over all dates whose time has passed.

    ``held`` of the ``dates`` came true; a date that never came true is a miss. ``share`` is None where the dates are
    too few. ``horizons`` are the four parts by the days that lay ahead.
    """

    level: float
    dates: int = 0
    held: int = 0
    share: float | None = None
    horizons: tuple[HorizonScore, ...] = ()


def score(p: Floats, hit: Bools, group: Codes, reference: Floats) -> Score:
    """Return all scores of one method; its skill is measured against the probabilities of ``reference``.

    Scores that do not exist (no forecasts; AUC with one outcome only; skill against a perfect reference) are NaN.
    """
    own, reference_score = brier(p, hit), brier(reference, hit)
    return Score(
        brier=own,
        bss=1 - own / reference_score if reference_score > 0 else math.nan,
        bss_ci=skill_interval(p, hit, group, reference),
        log_loss=log_loss(p, hit),
        auc=auc(p, hit),
        ece=calibration_error(p, hit),
        n=len(p),
    )


def brier(p: Floats, hit: Bools) -> float:
    """Return the mean squared error of the probabilities; 0 is best, NaN without forecasts."""
    return float(np.mean((p - hit) ** 2)) if len(p) else math.nan


def log_loss(p: Floats, hit: Bools) -> float:
    """Return the mean negative natural log-likelihood of clipped probabilities (see `CLIP`); NaN without forecasts."""
    if not len(p):
        return math.nan
    clipped = np.clip(p, CLIP, 1 - CLIP)
    return float(-np.mean(np.log(np.where(hit, clipped, 1 - clipped))))


def auc(p: Floats, hit: Bools) -> float:
    """Return the probability that a forecast that came true was higher than one that did not; ties count half.

    NaN when all outcomes are the same.
    """
    yes, no = int(hit.sum()), int((~hit).sum())
    if not yes or not no:
        return math.nan
    _, place, times = np.unique(p, return_inverse=True, return_counts=True)
    rank = np.cumsum(times) - (times - 1) / 2  # ties share the mean of their ranks
    return float((rank[place][hit].sum() - yes * (yes + 1) / 2) / (yes * no))


def reliability(p: Floats, hit: Bools) -> tuple[Bin, ...]:
    """Return the forecasts in ten bins of equal width."""
    place = _bins(p)
    counts = np.bincount(place, minlength=BINS)
    forecast_sums = np.bincount(place, weights=p, minlength=BINS)
    hits = np.bincount(place, weights=hit.astype(np.float64), minlength=BINS)
    return tuple(
        Bin(
            low=b / BINS,
            high=(b + 1) / BINS,
            n=int(counts[b]),
            forecast=float(forecast_sums[b] / counts[b]) if counts[b] else None,
            observed=float(hits[b] / counts[b]) if counts[b] else None,
        )
        for b in range(BINS)
    )


def calibration_error(p: Floats, hit: Bools) -> float:
    """Return the mean distance between forecast and observed over the ten bins, weighted by their forecasts.

    NaN without forecasts.
    """
    if not len(p):
        return math.nan
    return float(np.abs(np.bincount(_bins(p), weights=p - hit, minlength=BINS)).sum() / len(p))


def skill_interval(p: Floats, hit: Bools, group: Codes, reference: Floats) -> tuple[float, float]:
    """Return the 95% percentile interval of the Brier skill, from 2,000 resamples of milestones with a fixed seed.

    NaN without forecasts, or where the reference is perfect.
    """
    if not len(p):
        return math.nan, math.nan
    _, member = np.unique(group, return_inverse=True)
    m = int(member.max()) + 1
    own = np.bincount(member, weights=(p - hit) ** 2)
    reference_errors = np.bincount(member, weights=(reference - hit) ** 2)
    times = np.random.default_rng(0).multinomial(m, np.full(m, 1 / m), size=RESAMPLES)
    below = times @ reference_errors
    skill = 1 - (times @ own)[below > 0] / below[below > 0]
    if not len(skill):
        return math.nan, math.nan
    low, high = np.quantile(skill, [0.025, 0.975])
    return float(low), float(high)


def pinball(level: float, forecast: Floats, actual: Floats) -> Floats:
    """Return the loss of each quantile forecast at ``level``; its mean is least for the true quantile."""
    error = actual - forecast
    return np.maximum(level * error, (level - 1) * error)


def date_score(level: float, ahead: Floats, held: Floats, least: int = 1) -> DateScore:
    """Return the coverage of dates that were given with probability ``level``.

    ``ahead`` float64[n]: days from each forecast to the end of its date. ``held`` float64[n]: 1 for a date by whose
    end the milestone was done, 0 for a miss, NaN for a date that is not decided yet, which is not counted. ``least``:
    fewest dates for a share.
    """
    is_decided = ~np.isnan(held)
    ahead, came = ahead[is_decided], held[is_decided] > 0
    place = np.searchsorted(np.array(HORIZONS), ahead, side="right")
    edges = (0.0, *HORIZONS, None)
    horizons = []
    for k in range(len(HORIZONS) + 1):
        dates, kept = int((place == k).sum()), int(came[place == k].sum())
        share = _share(kept, dates, least)
        horizons.append(
            HorizonScore(days_from=edges[k] or 0.0, days_before=edges[k + 1], dates=dates, held=kept, share=share)
        )
    dates, kept = len(came), int(came.sum())
    return DateScore(level=level, dates=dates, held=kept, share=_share(kept, dates, least), horizons=tuple(horizons))


def _share(held: int, dates: int, least: int) -> float | None:
    return held / dates if dates >= max(least, 1) else None


def _bins(p: Floats) -> Codes:
    # edges are compared, not multiplied: .7 * 10 is 7.000000000000001
    return np.searchsorted(np.arange(1, BINS) / BINS, p, side="right").astype(np.int64)
