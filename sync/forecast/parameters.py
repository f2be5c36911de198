"""Parameters of forecast and health, with their defaults."""

from __future__ import annotations

from dataclasses import dataclass

from sync.model.settings import Thresholds

__all__ = ["Rules"]


@dataclass(frozen=True, kw_only=True)
class Rules(Thresholds):
    """The parameters of forecast and health. An installation sets the `Thresholds` only.

    The defaults were measured on 673 real milestones.

    History: the last ``stream_window`` finished milestones of the stream, or the last ``kind_window`` of the kind if
    the stream has fewer than ``stream_least``. A finished milestone counts from ``settle_days`` after its due moment.
    Simulation: ``paths`` paths of ``block_days``-day blocks from the last ``window_days`` days (at least
    ``window_least``). ``thinnings`` is the number of draws of which closures of the stream would have been this
    milestone's. Each path is faster or slower by a log-normal factor with sigma ``rate_drift``, as the rates of streams
    drift within 12 weeks.

    ``method`` is the number of the forecast's method and way of counting, stored with each published forecast. Raise it
    in a version whose figures are not comparable with those of the version before: then the first run edits in place
    and announces no status (`sync.plan.reconcile`), and the score counts forecasts of this method only.

    ======  ========================================================================================================
    1       pool of item survival, reference class and simulation; an item that leaves before the due moment is a cut
    2       pool of members, need and closures; work that is moved on near the end is carried over, so not done
    ======  ========================================================================================================
    """

    method: int = 2

    # history
    stream_window: int = 20
    stream_least: int = 4
    kind_window: int = 25
    prior_window: int = 40
    settle_days: float = 1.0
    # item survival
    prior_weight: float = 6.0
    prior_pseudo: float = 2.0
    rho_low: float = 0.01
    rho_high: float = 0.6
    rho_prior: float = 0.2
    rho_weight: float = 6.0
    growth_joined: float = 0.5
    growth_open: float = 5.0
    # reference class
    reference_weight: float = 3.0
    # simulation
    window_days: int = 90
    window_least: int = 14
    block_days: int = 7
    paths: int = 1000
    thinnings: int = 8
    share_weight: float = 3.0
    rate_drift: float = 0.45
    # pool
    weight_survival: float = 0.45
    weight_reference: float = 0.30
    weight_simulation: float = 0.25
    weight_survival_alone: float = 0.60
    weight_reference_alone: float = 0.40
    clip: float = 0.02
    phase_clip: float = 0.02
    # capacity date
    capacity_weeks: int = 12
    capacity_weight: float = 4.0
    capacity_dispersion: float = 3.0
    spread_low: float = 0.1
    spread_high: float = 1.0
    multipliers: tuple[float, float, float] = (0.41, 1.6, 2.5)
    multipliers_least: int = 100
    multipliers_weight: float = 50.0
    # status
    scope_jump: float = 0.10
    confirm: bool = False
    confirm_margin: float = 0.05
    # reasons
    idle_days: float = 14.0
    straggler_quantile: float = 0.85
    silence_factor: float = 2.0
    # levers
    cut_share: float = 0.60
    # not enough data
    least_items: int = 3
    least_days: float = 2.0
    least_share: float = 0.05
    least_closures: int = 5
    least_kind: int = 10
    # self-scoring
    gate_least: int = 30
    # confidence
    high_history: int = 10
    high_items: int = 10
    medium_history: int = 4
