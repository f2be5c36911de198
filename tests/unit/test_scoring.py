"""The measures, against figures worked by hand and against their own definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sync.forecast import scoring

P = np.array([0.9, 0.6, 0.3, 0.1])
HIT = np.array([True, False, True, False])
EACH = np.arange(4)


def test_brier_is_the_mean_squared_error() -> None:
    assert scoring.brier(P, HIT) == pytest.approx((0.01 + 0.36 + 0.49 + 0.01) / 4)


def test_log_loss_is_the_mean_negative_log_likelihood() -> None:
    expected = -(math.log(0.9) + math.log(0.4) + math.log(0.3) + math.log(0.9)) / 4
    assert scoring.log_loss(P, HIT) == pytest.approx(expected)


def test_log_loss_of_a_sure_error_is_finite_and_that_of_two_percent() -> None:
    assert scoring.log_loss(np.array([0.0]), np.array([True])) == pytest.approx(-math.log(0.02))
    assert scoring.log_loss(np.array([1.0]), np.array([False])) == pytest.approx(-math.log(0.02))
    assert scoring.log_loss(np.array([1.0]), np.array([True])) == pytest.approx(-math.log(0.98))


def test_auc_counts_ordered_pairs_and_ties_as_half() -> None:
    assert scoring.auc(P, HIT) == pytest.approx(3 / 4)
    assert scoring.auc(np.array([0.5, 0.5, 0.2]), np.array([True, False, False])) == pytest.approx(0.75)
    assert math.isnan(scoring.auc(P, np.ones(4, dtype=bool)))


def test_calibration_error_weighs_each_bin_by_its_forecasts() -> None:
    p = np.array([0.12, 0.18, 0.11, 0.75])
    hit = np.array([False, True, False, True])
    # Bin .1-.2: said .1367, came 1/3, weight 3/4. Bin .7-.8: said .75, came 1, weight 1/4.
    expected = 0.75 * abs(0.41 / 3 - 1 / 3) + 0.25 * 0.25
    assert scoring.calibration_error(p, hit) == pytest.approx(expected)


@pytest.mark.parametrize("tenth", range(11))
def test_a_probability_on_an_edge_belongs_to_the_bin_above_and_one_to_the_last(tenth: int) -> None:
    bins = scoring.reliability(np.array([tenth / 10]), np.array([True]))
    assert [b.n for b in bins] == [int(i == min(tenth, 9)) for i in range(10)]


def test_reliability_has_ten_bins_and_none_for_what_was_never_said() -> None:
    bins = scoring.reliability(P, HIT)
    assert [b.n for b in bins] == [0, 1, 0, 1, 0, 0, 1, 0, 0, 1]
    assert (bins[0].forecast, bins[0].observed) == (None, None)
    assert (bins[3].low, bins[3].high, bins[3].forecast, bins[3].observed) == (0.3, 0.4, 0.3, 1.0)


def test_calibration_error_agrees_with_the_bins() -> None:
    random = np.random.default_rng(1)
    p = random.random(500)
    hit = random.random(500) < p**2
    distance = sum(
        b.n * abs(b.forecast - b.observed)
        for b in scoring.reliability(p, hit)
        if b.forecast is not None and b.observed is not None
    )
    assert scoring.calibration_error(p, hit) == pytest.approx(distance / 500)


def test_skill_is_what_the_reference_lost_less() -> None:
    reference = np.full(4, 0.5)
    result = scoring.score(P, HIT, EACH, reference)
    assert result.bss == pytest.approx(1 - scoring.brier(P, HIT) / 0.25)
    assert scoring.score(reference, HIT, EACH, reference).bss == 0
    assert result.n == 4


def test_a_score_holds_every_figure_of_the_same_forecasts() -> None:
    reference = np.array([0.5, 0.4, 0.5, 0.4])
    result = scoring.score(P, HIT, EACH, reference)
    assert result.brier == scoring.brier(P, HIT)
    assert result.log_loss == scoring.log_loss(P, HIT)
    assert result.auc == scoring.auc(P, HIT)
    assert result.ece == scoring.calibration_error(P, HIT)
    assert result.bss_ci == scoring.skill_interval(P, HIT, EACH, reference)
    assert result.bss == pytest.approx(1 - scoring.brier(P, HIT) / scoring.brier(reference, HIT))


def test_the_interval_of_the_reference_against_itself_is_nothing() -> None:
    reference = np.full(4, 0.5)
    assert scoring.score(reference, HIT, EACH, reference).bss_ci == (0, 0)


def test_the_interval_resamples_milestones_not_forecasts() -> None:
    """Ten copies of each forecast are no more evidence when they belong to the same milestone."""
    random = np.random.default_rng(2)
    p = random.random(60)
    hit = random.random(60) < p
    once = scoring.skill_interval(p, hit, np.arange(60), np.full(60, 0.5))
    same = scoring.skill_interval(np.tile(p, 10), np.tile(hit, 10), np.tile(np.arange(60), 10), np.full(600, 0.5))
    apart = scoring.skill_interval(np.tile(p, 10), np.tile(hit, 10), np.arange(600), np.full(600, 0.5))
    assert same == pytest.approx(once)
    assert apart[1] - apart[0] < (once[1] - once[0]) / 2


def test_the_interval_covers_a_known_skill() -> None:
    """Forecasts .3/.7 that are right: the skill against one half is .16 by arithmetic."""
    random = np.random.default_rng(3)
    covered = 0
    for _ in range(25):
        p = np.where(random.random(150) < 0.5, 0.3, 0.7)
        hit = random.random(150) < p
        low, high = scoring.skill_interval(p, hit, np.arange(150), np.full(150, 0.5))
        covered += low <= 1 - 0.21 / 0.25 <= high
    assert 21 <= covered <= 25


def test_the_interval_is_the_same_every_time() -> None:
    reference = np.full(4, 0.5)
    assert scoring.skill_interval(P, HIT, EACH, reference) == scoring.skill_interval(P, HIT, EACH, reference)


def test_pinball_is_least_at_the_quantile() -> None:
    actual = np.arange(1.0, 101.0)
    losses = [float(scoring.pinball(0.85, np.full(100, said), actual).mean()) for said in range(1, 101)]
    assert int(np.argmin(losses)) + 1 in (85, 86)
    assert scoring.pinball(0.85, np.array([10.0]), np.array([12.0]))[0] == pytest.approx(1.7)
    assert scoring.pinball(0.85, np.array([12.0]), np.array([10.0]))[0] == pytest.approx(0.3)


def test_nothing_scored_is_nan_everywhere() -> None:
    none, no_hits = np.array([]), np.array([], dtype=bool)
    result = scoring.score(none, no_hits, np.array([], dtype=np.int64), none)
    assert result.n == 0
    figures = [result.brier, result.bss, *result.bss_ci, result.log_loss, result.auc, result.ece]
    assert all(math.isnan(x) for x in figures)


def test_a_flawless_reference_leaves_no_skill_to_speak_of() -> None:
    assert math.isnan(scoring.score(P, HIT, EACH, HIT.astype(float)).bss)


def test_a_date_that_never_came_true_is_a_miss_and_an_undecided_one_is_not_counted() -> None:
    held = np.array([1.0, 0.0, np.nan, 1.0])
    score = scoring.date_score(0.85, np.array([3.0, 20.0, 30.0, 200.0]), held)
    assert (score.level, score.dates, score.held) == (0.85, 3, 2)
    assert score.share == pytest.approx(2 / 3)
    assert [(h.dates, h.held, h.share) for h in score.horizons] == [(1, 1, 1.0), (1, 0, 0.0), (0, 0, None), (1, 1, 1.0)]


def test_horizons_meet_at_14_45_and_120_days() -> None:
    ahead = np.array([13.9, 14.0, 44.9, 45.0, 119.9, 120.0])
    score = scoring.date_score(0.5, ahead, np.ones(6))
    assert [horizon.dates for horizon in score.horizons] == [1, 2, 2, 1]
    edges = [(horizon.days_from, horizon.days_before) for horizon in score.horizons]
    assert edges == [(0, 14), (14, 45), (45, 120), (120, None)]


def test_a_share_of_too_few_dates_does_not_exist() -> None:
    score = scoring.date_score(0.5, np.full(10, 5.0), np.ones(10), least=10)
    assert (score.share, score.horizons[0].share) == (1.0, 1.0)
    few = scoring.date_score(0.5, np.full(9, 5.0), np.ones(9), least=10)
    assert (few.dates, few.held, few.share, few.horizons[0].share) == (9, 9, None, None)
    assert scoring.date_score(0.5, np.empty(0), np.empty(0), least=0).share is None
