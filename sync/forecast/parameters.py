"""Parameters of forecast and health, with their defaults."""

from __future__ import annotations

from msgspec import Struct

from sync.model.settings import Thresholds

__all__ = ["Rules"]


class Rules(Struct, frozen=True, kw_only=True):
    """The parameters of forecast and health. An installation sets those of `Thresholds` only, which come first.

    History: the last ``stream_window`` finished milestones of the stream, and the last ``kind_window`` others of the
    kind. A stream with fewer than ``stream_least`` has no history of its own. A finished milestone counts from
    ``settle_days`` after its due moment. A member's weight halves with each ``..._half_life`` newer ones; those of
    other streams have ``..._others`` of it, in the reference class ``reference_others_alone`` while the stream has
    no history of its own.
    Survival: the weights of the priors in items, ``survival_items`` as which a member's share is known, and
    ``leftover_items`` for the number left over. ``growth_most``: the most by which a member's arrivals are scaled.

    ``method`` is the number of the forecast's method and way of counting, stored with each published forecast. Raise
    it in a version whose figures are not comparable with those of the version before: then the first run edits in
    place and announces no status (`sync.plan.reconcile`), and the score counts forecasts of this method only.

    ======  ========================================================================================================
    1       pool of item survival, reference class and simulation; an item that leaves before the due moment is a cut
    2       pool of survival, reference class and closures by member; work moved on near the end is carried over
    ======  ========================================================================================================
    """

    tolerance: float = Thresholds.tolerance
    on_track: float = Thresholds.on_track
    off_track: float = Thresholds.off_track
    margin: float = Thresholds.margin
    target: float = Thresholds.target

    method: int = 2

    # history
    stream_window: int = 20
    stream_least: int = 4
    kind_window: int = 25
    settle_days: float = 1.0
    survival_half_life: float = 8.0
    survival_others: float = 0.2
    reference_half_life: float = 10.0
    reference_others: float = 0.15
    reference_others_alone: float = 0.6
    # votes
    prior_pseudo: float = 2.0
    prior_weight: float = 6.0
    member_weight: float = 1.5
    survival_items: float = 12.0
    leftover_items: float = 20.0
    growth_most: float = 3.0
    reference_prior: float = 2.0
    # pool
    weight_survival: float = 0.50
    weight_reference: float = 0.35
    weight_closures: float = 0.15
    weight_survival_dates: float = 0.60
    weight_reference_dates: float = 0.40
    clip: float = 0.02
    phase_clip: float = 0.02
    # share of the stream's closures
    share_weight: float = 3.0
    # capacity date
    capacity_weeks: int = 12
    capacity_weight: float = 4.0
    capacity_dispersion: float = 3.0
    spread_low: float = 0.1
    spread_high: float = 1.0
    multipliers: tuple[float, float, float] = (0.41, 1.6, 2.5)
    # status
    scope_jump: float = 0.10
    confirm: bool = False
    confirm_margin: float = 0.05
    # reasons
    idle_days: float = 14.0
    review_days: float = 3.0
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
