"""Completion moments that are drawn from given curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sync.forecast.joint import PATHS, Curve, completion_ranks

Floats = NDArray[np.float64]


def completion_samples(ids: Sequence[str], own: Sequence[Curve], correlation: Floats | None = None) -> Floats:
    """Completion moments of each milestone from its own curve: float64[m, `PATHS`]; infinite: not by the horizon."""
    all_ranks = completion_ranks(ids, correlation)
    return np.array([curve.draw(ranks) for curve, ranks in zip(own, all_ranks, strict=True)]).reshape(len(ids), PATHS)
