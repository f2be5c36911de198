"""Parts of a back-test: the skill by kind and length of milestones, half of the history and share of time gone.

The pool is also compared with the first pool on the same questions, by resampling milestones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sync.backtest.methods import FIRST, POOL, REFERENCE, Answers
from sync.backtest.questions import CHECKS, AnsweredQuestions
from sync.forecast.scoring import RESAMPLES, brier, score

__all__ = ["paired_difference", "parts_of", "score_parts", "time_gone"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int64]

LENGTHS = {"up_to_21_days": (0.0, 21.0), "22_to_60_days": (21.0, 60.0), "over_60_days": (60.0, np.inf)}
"""Planned times in days: more than the first, up to the second."""


def parts_of(resolved: AnsweredQuestions) -> dict[str, dict[str, Bools]]:
    """Return which questions belong to each part: {``kind``, ``length``, ``half``, ``time_gone``: {part: bool[m]}}.

    The halves of the history have as many questions each, by due date.
    """
    ledger, asked = resolved.tables.ledger, resolved.asked
    due = ledger.due[asked.index]
    length = due - ledger.start[asked.index]
    kind = ledger.kind[asked.index]
    middle = float(np.median(due)) if len(due) else np.nan
    return {
        "kind": {name: kind == code for code, name in enumerate(ledger.kinds)},
        "length": {name: (length > low) & (length <= high) for name, (low, high) in LENGTHS.items()},
        "half": {"first": due <= middle, "second": due > middle},
        "time_gone": time_gone(resolved),
    }


def time_gone(resolved: AnsweredQuestions) -> dict[str, Bools]:
    """Return which questions were asked at each of `CHECKS`: {"25%": bool[m], ..}."""
    ledger, asked = resolved.tables.ledger, resolved.asked
    start = ledger.start[asked.index]
    gone = (asked.at - start) / (ledger.due[asked.index] - start)
    return {f"{share:.0%}": np.abs(gone - share) < 0.125 for share in CHECKS}


def score_parts(resolved: AnsweredQuestions, answered_by: Answers) -> dict[str, Any]:
    """Score the pool in each part, and next to the first pool.

    Figures of a part: ``n`` questions about ``milestones``, ``hit_rate``, Brier skill ``bss`` with ``bss_ci``, ``ece``,
    and ``first_pool``, the skill of the first pool. ``paired`` is the pool's skill less that of the first pool, with
    its 95% interval, over all questions. NaN where a figure does not exist.
    """
    hit, group = resolved.hit, resolved.asked.index

    def figures(mask: Bools) -> Mapping[str, Any]:
        reference, came = answered_by[REFERENCE][mask], hit[mask]
        pool = score(answered_by[POOL][mask], came, group[mask], reference)
        errors = brier(reference, came)
        return {
            "n": pool.n,
            "milestones": len(np.unique(group[mask])),
            "hit_rate": float(came.mean()) if len(came) else np.nan,
            "bss": pool.bss,
            "bss_ci": pool.bss_ci,
            "ece": pool.ece,
            "first_pool": 1 - brier(answered_by[FIRST][mask], came) / errors if errors > 0 else np.nan,
        }

    parts = {
        subject: {name: figures(mask) for name, mask in masks.items()} for subject, masks in parts_of(resolved).items()
    }
    difference, interval = paired_difference(answered_by[POOL], answered_by[FIRST], hit, group, answered_by[REFERENCE])
    return {**parts, "paired": {"difference": difference, "ci": interval}}


def paired_difference(
    p: Floats, other: Floats, hit: Bools, group: Codes, reference: Floats
) -> tuple[float, tuple[float, float]]:
    """Return the Brier skill of ``p`` less that of ``other``, and its 95% interval.

    The interval is that of resampled milestones (``group``), with a fixed seed. NaN where there is no skill.
    """
    if not len(p):
        return np.nan, (np.nan, np.nan)
    _, member = np.unique(group, return_inverse=True)
    gain = np.bincount(member, weights=(other - hit) ** 2 - (p - hit) ** 2)
    errors = np.bincount(member, weights=(reference - hit) ** 2)
    if errors.sum() <= 0:
        return np.nan, (np.nan, np.nan)
    times = np.random.default_rng(0).multinomial(len(gain), np.full(len(gain), 1 / len(gain)), size=RESAMPLES)
    below = times @ errors
    low, high = np.quantile((times @ gain)[below > 0] / below[below > 0], [0.025, 0.975])
    return float(gain.sum() / errors.sum()), (float(low), float(high))
