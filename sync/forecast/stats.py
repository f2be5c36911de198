"""Probabilities, log-odds, quantiles, and the distributions that the forecast uses.

These replace `scipy.special`, whose import takes longer than many commands, and `numpy.quantile`, which imports masked
arrays. The tests compare them with both.
"""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "allowed_open",
    "beta_binomial",
    "beta_prime_quantile",
    "expit",
    "log_gamma",
    "logit",
    "normal_score",
    "normal_share",
    "quantiles",
]

Floats = NDArray[np.float64]

_TINY = 1e-300
_ENOUGH = 1e-15
_NEAR = 1e-9  # the next step of Newton's method is about the square of this one
_ROUNDING = 1e-9
_MANY = 256
"""Items left over from which the beta-binomial is summed by an integral."""


def allowed_open(scope: ArrayLike, tolerance: float) -> Any:
    """Return how many of ``scope`` items may be open when a container counts as done: float64, a number for a number.

    At most a share ``tolerance``: 1 of 10 items at 0.1, none of 9.
    """
    return np.floor(tolerance * np.asarray(scope, dtype=np.float64) + _ROUNDING)


def logit(p: ArrayLike) -> Any:
    """Return the log-odds of probabilities: float64, a number for a number; infinite at 0 and 1."""
    p = np.asarray(p, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.log(p) - np.log1p(-p)


def expit(x: ArrayLike) -> Any:
    """Return the probabilities of log-odds: float64, a number for a number."""
    return np.exp(-np.logaddexp(0.0, -np.asarray(x, dtype=np.float64)))


def quantiles(values: ArrayLike, at: ArrayLike) -> Floats:
    """Return the quantiles of values (at least one, none NaN) at levels from 0 to 1, linear between two values."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    place = np.asarray(at, dtype=np.float64) * (len(ordered) - 1)
    low = place.astype(np.int64)
    below, above, share = ordered[low], ordered[np.minimum(low + 1, len(ordered) - 1)], place - low
    step = above - below
    return np.where(share < 0.5, below + step * share, above - step * (1 - share))


def log_gamma(x: ArrayLike) -> Floats:
    """Return the logarithm of the gamma function of positive numbers; infinite at 0.

    By Stirling's series at ``x + 8``, where it is exact to 15 digits.
    """
    x = np.asarray(x, dtype=np.float64)
    product, term = x.copy(), np.empty_like(x)  # in place: an array of a batch has a hundred thousand numbers
    for k in range(1, 8):
        product *= np.add(x, k, out=term)
    y = x + 8.0
    z = 1.0 / (y * y)
    series = np.zeros_like(z)
    for coefficient in reversed(_STIRLING):
        series *= z
        series += coefficient
    series /= y
    with np.errstate(divide="ignore"):
        value: Floats = np.log(y)
        value *= y - 0.5
        value -= y
        value += _HALF_LOG_TURN
        value += series
        value -= np.log(product)
    return value


def beta_binomial(items: Floats, left: Floats, gone: Floats, scale: float, log_gone: Floats | None = None) -> Floats:
    """Return P(at most ``left`` of ``items`` are left over), elementwise, for arrays that broadcast to ``gone``.

    The share of items that are gone is known as well as from ``scale`` items of which ``gone`` were gone: its
    distribution is Beta(gone, scale - gone). ``items`` and ``left`` are whole numbers >= 0. ``log_gone``: the
    `log_gamma` of ``gone``, where it is known already.
    """
    log_gone = log_gamma(gone) if log_gone is None else log_gone
    ratio = np.ascontiguousarray(log_gamma(gone + items) - _log_gamma_from(scale, items))
    left_over, size_of = (np.broadcast_to(column, ratio.shape).ravel() for column in (left, items))
    many = np.flatnonzero(size_of >= _MANY)
    ratio.ravel()[many] = _log_gamma_ratio(size_of[many], gone.ravel()[many], scale)
    total: Floats = np.ascontiguousarray(np.exp(ratio - log_gone + log_gamma(scale)))
    partial = np.flatnonzero((left_over > 0) & (left_over < np.minimum(size_of, _MANY)))
    if len(partial):
        partial = partial[np.argsort(-left_over[partial], kind="stable")]  # those with the most terms first
        size, most, a = size_of[partial], left_over[partial], gone.ravel()[partial]
        step = total.ravel()[partial]
        sums = step.copy()
        for k in range(int(most[0])):
            n = int(np.searchsorted(-most, -k, side="left"))
            more = size[:n] - k
            step[:n] *= more / (k + 1) * (k + scale - a[:n]) / (more - 1 + a[:n])
            sums[:n] += step[:n]
        total.ravel()[partial] = sums
    many = many[(left_over[many] >= _MANY) & (left_over[many] < size_of[many])]
    if len(many):
        total.ravel()[many] = _many_left(size_of[many], left_over[many], gone.ravel()[many], scale)
    return np.where(left >= items, 1.0, np.minimum(total, 1.0))


def _log_gamma_from(begin: float, steps: Floats) -> Floats:
    """Return `log_gamma` of ``begin + steps`` for whole numbers ``steps``, by a table where that is less work."""
    most = int(steps.max(initial=0.0))
    if most >= steps.size:
        return log_gamma(begin + steps)
    return log_gamma(begin + np.arange(most + 1.0))[steps.astype(np.int64)]


def _many_left(items: Floats, left: Floats, gone: Floats, scale: float) -> Floats:
    """Return `beta_binomial` for ``left`` from `_MANY` on, in a time that does not grow with it, to twelve digits.

    The shorter side is summed: its first `_MANY` terms one by one, the others as an integral.
    """
    is_upper = left > items / 2
    last = np.where(is_upper, items - left - 1, left)
    gone = np.where(is_upper, scale - gone, gone)
    step = np.exp(_log_gamma_ratio(items, gone, scale) - log_gamma(gone) + log_gamma(scale))
    total = step.copy()
    for k in range(min(_MANY - 1, int(last.max()))):
        step = step * ((items - k) / (k + 1) * (k + scale - gone) / (items - k - 1 + gone))
        total += np.where(k < last, step, 0.0)
    far = np.flatnonzero(last >= _MANY)
    if len(far):
        total[far] += _sum_from_many(items[far], last[far], gone[far], scale)
    return np.where(is_upper, 1.0 - total, total)


def _sum_from_many(items: Floats, last: Floats, gone: Floats, scale: float) -> Floats:
    """Return the sum of the beta-binomial's terms from `_MANY` to ``last``, by Gauss-Legendre on the logarithm.

    A sum over whole k is the integral of f - d2 f / 24 + 3 d4 f / 640, with central differences d2 and d4 of step 1.
    """
    nodes, weights = _gauss_legendre()
    low, high = np.log(_MANY - 0.5), np.log(last + 0.5)[:, None]
    k = np.exp(low + (high - low) * nodes)
    n, a = items[:, None], gone[:, None]
    b = scale - a
    log_term = _log_gamma_ratio(k, b, 1.0) + _log_gamma_ratio(n - k, a, 1.0) - _log_gamma_ratio(n, scale, 1.0)
    term = np.exp(log_term + log_gamma(scale) - log_gamma(a) - log_gamma(b))

    def rise(k: Floats) -> Floats:
        """Return f(k + 1) / f(k)."""
        return (n - k) / (k + 1) * (k + b) / (n - k - 1 + a)

    after, before = rise(k), 1 / rise(k - 1)
    near, far = after + before, after * rise(k + 1) + before / rise(k - 2)
    corrected = term * (1 - (near - 2) / 24 + 3 * (far - 4 * near + 6) / 640)
    total: Floats = (high - low)[:, 0] * (corrected * k * weights).sum(axis=1)
    return total


@cache
def _gauss_legendre() -> tuple[Floats, Floats]:
    """Return the nodes and weights of an integral from 0 to 1."""
    nodes, weights = np.polynomial.legendre.leggauss(64)
    return (nodes + 1) / 2, weights / 2


def _log_gamma_ratio(x: Floats, a: Floats | float, b: Floats | float) -> Floats:
    """Return log(gamma(x + a) / gamma(x + b)) for x >= `_MANY` / 2, without the cancellation of two large numbers."""

    def beyond(a: Floats | float) -> Floats:
        y = x + a
        value: Floats = (y - 0.5) * np.log1p(a / x) - a + 1 / (12 * y) - 1 / (360 * y**3)
        return value

    ratio: Floats = (a - b) * np.log(x) + beyond(a) - beyond(b)
    return ratio


def normal_score(p: ArrayLike) -> Floats:
    """Return the standard normal's quantiles at probabilities between 0 and 1."""
    return np.asarray(_NORMAL_SCORE(np.asarray(p, dtype=np.float64)), dtype=np.float64)


def normal_share(x: ArrayLike) -> Floats:
    """Return the standard normal's distribution function, to ten digits; it never falls in ``x``.

    Quadratic between values at steps of a thousandth: numpy has no error function.
    """
    place = np.clip((np.asarray(x, dtype=np.float64) + _NORMAL_END) * _NORMAL_STEPS, 0.0, len(_NORMAL_SHARES) - 1.0)
    low = np.minimum(place.astype(np.int64), len(_NORMAL_BENDS) - 1)
    part = place - low
    share: Floats = _NORMAL_SHARES[low] + part * (_NORMAL_STEEPNESS[low] + (part - 1) / 2 * _NORMAL_BENDS[low])
    return share


_NORMAL_END, _NORMAL_STEPS = 8, 1000
_NORMAL_PLACES: Floats = _NORMAL_END - np.arange(2 * _NORMAL_END * _NORMAL_STEPS + 1) / _NORMAL_STEPS
_NORMAL_SHARES: Floats = 0.5 * np.array(list(map(math.erfc, (_NORMAL_PLACES / math.sqrt(2)).tolist())))
_NORMAL_STEEPNESS: Floats = np.diff(_NORMAL_SHARES)
_NORMAL_BENDS: Floats = np.diff(_NORMAL_STEEPNESS)
_HALF_LOG_TURN = 0.5 * math.log(2.0 * math.pi)
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
_NORMAL_SCORE = np.frompyfunc(NormalDist().inv_cdf, 1, 1)


def beta_prime_quantile(q: float, a: ArrayLike, b: ArrayLike) -> Floats:
    """Return the q-quantile of x / (1 - x) for x of Beta(a, b), elementwise; ``a`` and ``b`` are positive.

    By Newton's method on the log-odds of x inside a bracket; a step that would leave the bracket halves it instead.
    """
    a, b = (np.asarray(v, dtype=np.float64) for v in np.broadcast_arrays(a, b))
    beta = log_gamma(a) + log_gamma(b) - log_gamma(a + b)
    low, high = np.full(a.shape, -745.0), np.full(a.shape, 709.0)
    odds = np.clip(np.log(a / b) + NormalDist().inv_cdf(q) * np.sqrt(1 / a + 1 / b), -700.0, 700.0)
    for _ in range(200):
        log_x, log_rest = -np.logaddexp(0.0, -odds), -np.logaddexp(0.0, odds)
        slope = np.exp(a * log_x + b * log_rest - beta)
        ahead = _beta_share(a, b, odds, slope) - q
        low, high = np.where(ahead < 0, odds, low), np.where(ahead < 0, high, odds)
        step = odds - ahead / np.maximum(slope, _TINY)
        step = np.where((step >= low) & (step <= high), step, (low + high) / 2)
        change, odds = np.abs(step - odds), step
        if (change <= _NEAR).all():
            break
    return np.exp(odds)


def _beta_share(a: Floats, b: Floats, odds: Floats, slope: Floats) -> Floats:
    """Return the regularised incomplete beta function at log-odds, by its continued fraction (Lentz's method).

    ``slope`` is its derivative with respect to the log-odds. Above the mean, the other tail is computed: its fraction
    converges faster.
    """
    is_upper = odds > np.log((a + 1) / (b + 1))
    a, b = np.where(is_upper, b, a), np.where(is_upper, a, b)
    x = expit(np.where(is_upper, -odds, odds))
    c = np.ones_like(x)
    d = 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    fraction = d
    for m in range(1, 10_000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / _away_from_zero(1.0 + term * d)
            c = _away_from_zero(1.0 + term / c)
            change = c * d
            fraction = fraction * change
        if (np.abs(change - 1.0) <= _ENOUGH).all():
            break
    share = slope * fraction / a
    return np.where(is_upper, 1.0 - share, share)


def _away_from_zero(x: Floats) -> Floats:
    return np.where(np.abs(x) < _TINY, _TINY, x)
