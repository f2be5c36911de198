"""Probabilities and log-odds.

Own lines instead of `scipy.special`'s, whose import takes longer than many a command; the tests hold them to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["expit", "logit"]


def logit(p: ArrayLike) -> Any:
    """The log-odds of probabilities: float64, a number for a number; infinite at 0 and 1."""
    p = np.asarray(p, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.log(p) - np.log1p(-p)


def expit(x: ArrayLike) -> Any:
    """The probabilities of log-odds: float64, a number for a number."""
    return np.exp(-np.logaddexp(0.0, -np.asarray(x, dtype=np.float64)))
