"""Joint forecasts held against worlds whose truth is given, and the rules for shared issues and for correlation."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from sync.forecast import joint
from sync.forecast.batch import ForecastBatch
from sync.forecast.history_tables import HistoryTables
from sync.forecast.joint import Curve
from sync.forecast.parameters import Rules
from sync.forecast.pooled import forecast
from sync.forecast.stream_correlation import StreamCorrelation
from sync.health.joint import ForecastWindow, dates_of_paths
from sync.history.calendar import Calendar
from sync.history.ledger import days
from tests.completion_moments import completion_samples
from tests.days import day
from tests.ledgers import Given, container, ledger, releases
from tests.proof import Record

WORLDS = 10_000
SETS = 100
GRID = np.linspace(0.0, 400.0, 801)


def _true_members(rng: np.random.Generator, members: int) -> tuple[list[Curve], list[tuple[float, float]]]:
    """Log-normal completion times with random medians and spreads, and their exact distribution functions."""
    from scipy.special import ndtr

    given = [(float(rng.uniform(20, 60)), float(rng.uniform(0.15, 0.5))) for _ in range(members)]
    curves = []
    for median, spread in given:
        with np.errstate(divide="ignore"):
            curves.append(Curve(GRID, ndtr((np.log(GRID) - np.log(median)) / spread), 400.0))
    return curves, given


@pytest.mark.proof
@pytest.mark.parametrize("members", [2, 3, 5])
def test_an_85_percent_date_holds_in_85_percent_of_independent_worlds(members: int, record_property: Record) -> None:
    rng = np.random.default_rng(members)
    held, of_worst = 0, 0
    for n in range(SETS):
        curves, given = _true_members(rng, members)
        paths = completion_samples([f"{n}/{k}" for k in range(members)], curves)
        date = joint.quantile_moments(paths.max(axis=0))[1]
        worst = max(float(np.interp(0.85, curve.probabilities, curve.moments, right=np.inf)) for curve in curves)
        done = np.stack([m * np.exp(s * rng.standard_normal(WORLDS // SETS)) for m, s in given]).max(axis=0)
        held += int(np.count_nonzero(done <= date))
        of_worst += int(np.count_nonzero(done <= worst))
    assert 0.83 <= held / WORLDS <= 0.87
    record_property("worlds", WORLDS)
    record_property("of them within the date", held)
    assert of_worst / WORLDS < 0.83  # the worst member's own date promises too much


@pytest.mark.proof
@pytest.mark.parametrize("rho", [0.6, -0.3])
def test_an_85_percent_date_holds_where_members_run_late_together(rho: float, record_property: Record) -> None:
    rng = np.random.default_rng(11)
    given = np.array([[1.0, rho], [rho, 1.0]])
    curves, truth = _true_members(rng, 2)
    date = joint.quantile_moments(completion_samples(["a", "b"], curves, given).max(axis=0))[1]
    normal = np.linalg.cholesky(given) @ rng.standard_normal((2, WORLDS))
    done = np.stack([m * np.exp(s * z) for (m, s), z in zip(truth, normal, strict=True)]).max(axis=0)
    record_property("worlds", WORLDS)
    record_property("of them within the date", int(np.count_nonzero(done <= date)))
    assert abs(np.mean(done <= date) - 0.85) <= 0.02


def test_independent_probabilities_multiply_and_each_keeps_its_own() -> None:
    curves = [Curve(np.array([0.0, 10.0]), np.array([0.0, p]), 10.0) for p in (0.9, 0.8)]
    paths = completion_samples(["a", "b"], curves)
    assert joint.share_done_by(paths[0], 10.0) == pytest.approx(0.9, abs=1e-3)
    assert joint.share_done_by(paths[1], 10.0) == pytest.approx(0.8, abs=1e-3)
    assert joint.share_done_by(paths.max(axis=0), 10.0) == pytest.approx(0.72, abs=0.01)
    assert joint.quantile_moments(paths.max(axis=0))[1] == np.inf  # 0.72 never reaches 0.85


def test_full_correlation_makes_the_joint_as_likely_as_the_worst() -> None:
    curves = [Curve(np.array([0.0, 10.0]), np.array([0.0, p]), 10.0) for p in (0.9, 0.8)]
    both = completion_samples(["a", "b"], curves, np.ones((2, 2))).max(axis=0)
    assert joint.share_done_by(both, 10.0) == pytest.approx(0.8, abs=1e-3)


def test_correlations_that_contradict_each_other_tie_nothing_else_together() -> None:
    """The third milestone has nothing of its own left; what rounding leaves of it must not count as a common cause."""
    rng = np.random.default_rng(5)
    for n in range(40):
        first, second, third = rng.uniform(0.6, 0.9, 3)
        given: NDArray[np.float64] = np.eye(5)
        given[0, 1], given[0, 2], given[1, 2], given[2, 3], given[2, 4] = first, second, -third, 0.1, 0.1
        ranks = joint.completion_ranks([f"{n}/{k}" for k in range(5)], given + np.triu(given, 1).T)
        fourth, fifth = (ranks[3:] + 0.5) / joint.PATHS - 0.5
        assert abs(12 * np.mean(fourth * fifth)) < 0.1  # a uniform variable has a variance of 1/12


def test_moments_are_those_of_the_curve_at_the_share_of_each_rank() -> None:
    rng = np.random.default_rng(3)
    for end in (0.4, 1.0):
        moments, probabilities = np.sort(rng.uniform(0, 90, 50)), np.sort(rng.uniform(0, end, 50))
        probabilities[-1] = end
        ranks = rng.permutation(joint.PATHS)
        shares = (ranks + 0.5) / joint.PATHS
        expected = np.where(shares > end, np.inf, np.interp(shares, probabilities, moments))
        assert np.array_equal(Curve(moments, probabilities, 90.0).draw(ranks), expected)


def test_the_same_question_has_the_same_answer_in_any_company() -> None:
    curve = Curve(np.array([0.0, 10.0]), np.array([0.0, 1.0]), 10.0)
    alone = completion_samples(["a"], [curve])[0]
    assert np.array_equal(alone, completion_samples(["b", "a"], [curve, curve])[1])


def test_an_issue_in_two_members_counts_once_and_in_the_larger() -> None:
    assert joint.deduplicated_open_counts({"small": ["1", "2"], "large": ["1", "2", "3"]}) == {"large": 3, "small": 0}
    assert joint.deduplicated_open_counts({"b": ["1"], "a": ["1"]}) == {"a": 1, "b": 0}
    assert joint.deduplicated_open_counts({"a": ["1", "2"], "b": ["2", "3", "4"]}) == {"b": 3, "a": 1}


# --- curves and correlation from history -----------------------------------------------------------------------------

RULES = Rules()


def _running(at: float) -> list[Given]:
    tables = releases(12)
    begun = 12 * 28.0
    return [*tables, (container("now", begun, begun + 28), [(begun, begun + 5)] * 4 + [(begun, None)] * 6)]


def _outlook(given: list[Given], at: float) -> ForecastBatch:
    tables = HistoryTables(ledger(given), RULES)
    return ForecastBatch(tables, np.array([tables.ledger.index["now"]]), np.array([days(day(at))]), Calendar.plain())


def test_a_single_member_keeps_its_probability_and_dates() -> None:
    at = 12 * 28.0 + 14
    given = _running(at)
    batch = _outlook(given, at)
    (curve,) = joint.curves(batch, batch.probability())
    assert curve is not None
    told = forecast(ledger(given), [12], day(at), RULES, Calendar.plain())[0]
    (paths,) = completion_samples(["now"], [curve])
    assert joint.share_done_by(paths, float(batch.due[0])) == pytest.approx(told.p, abs=2e-3)
    p50, p85, _ = (Calendar.plain().day_of(moment) for moment in joint.quantile_moments(paths))
    assert told.dates.p50 is not None
    assert p50 is not None
    assert abs(p50 - told.dates.p50) <= timedelta(days=1)
    assert told.dates.p85 is None or (p85 is not None and abs(p85 - told.dates.p85) <= timedelta(days=1))


def test_a_published_hit_rate_moves_the_curve_there() -> None:
    batch = _outlook(_running(350), 350.0)
    (curve,) = joint.curves(batch, np.array([0.31]))
    assert curve is not None
    assert joint.share_done_by(completion_samples(["now"], [curve])[0], float(batch.due[0])) == pytest.approx(
        0.31, abs=2e-3
    )


def test_fewer_items_left_make_it_likelier_and_none_make_it_done() -> None:
    batch = _outlook(_running(350), 350.0)
    published = np.full(1, np.nan)

    def at_due(left: float) -> float:
        (curve,) = joint.curves(batch, published, np.array([left]))
        assert curve is not None
        return joint.share_done_by(completion_samples(["now"], [curve])[0], float(batch.due[0]))

    assert at_due(1) > at_due(6)
    assert at_due(0) == 1.0


def _two_streams(rng: np.random.Generator, together: bool) -> list[Given]:
    found: list[Given] = []
    for n in range(20):
        slow = rng.random() < 0.5
        for stream in ("a", "b"):
            late = slow if together else rng.random() < 0.5
            begun, last = n * 30.0, 40.0 if late else 10.0
            memberships: NDArray[np.float64] = begun + np.linspace(1.0, last + rng.uniform(0, 8), 6)
            name = container(f"{stream}{n}", begun, begun + 28, stream=stream, ended=begun + 60)
            found.append((name, [(begun, float(closed)) for closed in memberships]))
    return found


def test_streams_that_ran_late_together_are_correlated_and_others_hardly() -> None:
    def shown(seed: int, *, together: bool) -> float:
        tables = HistoryTables(ledger(_two_streams(np.random.default_rng(seed), together=together)), RULES)
        matrix = StreamCorrelation(tables, days(day(800))).matrix(["a", "b"])
        assert matrix[0, 0] == 1.0
        return float(matrix[0, 1])

    assert np.mean([shown(seed, together=True) for seed in range(10)]) > 0.4
    assert abs(np.mean([shown(seed, together=False) for seed in range(10)])) < 0.12


def test_a_short_history_shows_no_correlation() -> None:
    tables = HistoryTables(ledger(_two_streams(np.random.default_rng(1), together=True)[:8]), RULES)
    assert StreamCorrelation(tables, days(day(800))).matrix(["a", "b"])[0, 1] == 0.0


def test_what_is_not_over_yet_shows_nothing() -> None:
    tables = HistoryTables(ledger(_two_streams(np.random.default_rng(1), together=True)), RULES)
    assert StreamCorrelation(tables, days(day(100))).matrix(["a", "b"])[0, 1] == 0.0


def test_what_a_curve_leaves_over_is_not_within_it() -> None:
    """Two curves that end at 90%: both are done in 81 of 100 cases, so there is no 85% date, by no other figure."""
    now = days(day(0))
    ends = (now + 60.0, now + 90.0)
    curves = [Curve(np.array([now, end]), np.array([0.0, 0.9]), end) for end in ends]
    paths = np.max(completion_samples(["a", "b"], curves), axis=0)
    assert joint.share_done_by(paths, ends[1]) == pytest.approx(0.81, abs=0.01)
    dates = dates_of_paths(paths, ForecastWindow(np.nan, min(ends)), now, Calendar())
    assert dates.p50 is not None
    assert (dates.p85, dates.p95, dates.capacity) == (None, None, False)
    assert dates.horizon == Calendar().horizon_day(min(ends), now)
    alone = dates_of_paths(completion_samples(["a"], curves[:1])[0], ForecastWindow(np.nan, ends[0]), now, Calendar())
    assert alone.p85 is not None
    assert alone.p95 is None


def test_the_last_moments_without_members_are_those_of_the_others() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        count = int(rng.integers(1, 7))
        paths = [np.where(own < 8, own, np.inf) for own in rng.integers(0, 10, (count, 50)).astype(np.float64)]
        moments = joint.LastMoments(paths)
        assert np.array_equal(moments.last, np.max(paths, axis=0))
        left_out = set(rng.permutation(count)[: int(rng.integers(0, count + 1))].tolist())
        others = [own for k, own in enumerate(paths) if k not in left_out]
        expected = np.max(others, axis=0) if others else np.full(50, -np.inf)
        assert np.array_equal(moments.without(left_out), expected)


def test_the_last_moments_without_one_member_need_no_look_at_the_others() -> None:
    paths = list(np.random.default_rng(4).random((40, 200)))
    expected = [np.max([*paths[:k], *paths[k + 1 :]], axis=0) for k in range(40)]
    moments = joint.LastMoments(paths)
    paths.clear()
    assert all(np.array_equal(moments.without({k}), own) for k, own in enumerate(expected))
