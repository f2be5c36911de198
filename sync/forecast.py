"""Probability that a container is done by its due date, and the dates by which it will be: a pool of three estimates.

What earlier milestones of the same stream did from this phase on (`sync.survival`: item survival and reference class),
and what the stream's recent throughput makes of the open items (`sync.simulation`), are pooled in log-odds with fixed
weights. Nothing dated after ``at`` is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.calendar import Calendar
from sync.ledger import Ledger
from sync.model import Basis, Dates

__all__ = ["Forecast", "Past", "Rules", "forecast"]

Floats = NDArray[np.float64]


class Rules(Struct, frozen=True, kw_only=True):
    """Every parameter of forecast and health, with its default and unit.

    ``tolerance`` is the share of the scope that may be open when a milestone counts as done (0 to 0.2).
    """

    tolerance: float = 0.0
    # history
    stream_window: int = 20
    stream_least: int = 4
    kind_window: int = 25
    prior_window: int = 40
    # item survival
    prior_weight: float = 6.0
    prior_pseudo: float = 2.0
    rho_low: float = 0.01
    rho_high: float = 0.6
    rho_prior: float = 0.2
    rho_weight: float = 6.0
    # reference class
    reference_weight: float = 3.0
    # simulation
    window_days: int = 90
    window_least: int = 14
    block_days: int = 7
    paths: int = 1000
    # pool
    weight_survival: float = 0.45
    weight_reference: float = 0.30
    weight_simulation: float = 0.25
    weight_survival_alone: float = 0.60
    weight_reference_alone: float = 0.40
    clip: float = 0.02
    phase_clip: float = 0.02
    # status
    on_track: float = 0.70
    at_risk: float = 0.35
    margin: float = 0.07
    scope_jump: float = 0.10
    confirm: bool = False
    confirm_margin: float = 0.05
    # capacity
    capacity_weeks: int = 12
    multipliers: tuple[float, float, float] = (0.41, 1.6, 2.5)
    # levers
    target: float = 0.80
    cut_share: float = 0.60
    # not enough data
    least_items: int = 3
    least_days: float = 2.0
    least_share: float = 0.05
    least_closures: int = 5
    least_kind: int = 10
    gate_least: int = 30
    # confidence
    high_history: int = 10
    high_items: int = 10
    medium_history: int = 4


class Forecast(Struct, frozen=True, kw_only=True):
    """The forecast of one container at one time.

    ``p`` is the published probability of being done by the due date: the pool after its monotone envelope; ``raw``
    is the pool before. Both lie in [clip, 1 - clip] and are None without usable dates (no due date, or a due date
    not after the start). ``survival``, ``reference``, ``simulation`` are the components before pooling, clipped.
    ``times`` are relative times (1 = the due date, 3 = three planned durations after the start) with the pooled
    probability ``cdf`` of being done by each. ``phase`` is the share of the planned time gone, clipped to
    [.02, .98] before the due date, not clipped after it. ``expected_left``: open items expected at the due date.
    """

    container: str
    at: datetime
    open: int
    done: int
    phase: float | None
    p: float | None
    raw: float | None
    survival: float | None
    reference: float | None
    simulation: float | None
    times: tuple[float, ...]
    cdf: tuple[float, ...]
    dates: Dates
    capacity: Dates
    expected_left: float | None
    basis: Basis


class Past:
    """What a ledger's containers did, counted once; it answers for any time without looking beyond it.

    ``Past(ledger, rules)`` costs one pass over the memberships; it can be used for every ``at`` and every container.
    """

    def __init__(self, ledger: Ledger, rules: Rules) -> None:
        self.ledger = ledger
        self.rules = rules


def forecast(
    ledger: Ledger | Past,
    indices: Sequence[int],
    at: datetime | Sequence[datetime],
    rules: Rules,
    calendar: Calendar,
) -> list[Forecast]:
    """Forecast the containers at positions ``indices`` as of ``at`` (one moment for all, or one for each).

    Give a `Past` made with the same rules instead of a ledger to forecast repeatedly without counting again.
    """
    raise NotImplementedError
