"""Dependencies: a late predecessor moves its successors, circles are errors, one chain sets the date."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest

from sync.forecast import dependencies as timeline
from sync.forecast import joint
from sync.forecast.dependencies import Dependency, PlannedTime
from sync.forecast.joint import Curve
from sync.model.errors import DependencyCycleError
from tests.completion_moments import completion_samples

NOW = 100.0
NAN = float("nan")


def _paths(**spans: tuple[float, float]) -> dict[str, np.ndarray]:
    """Completion moments that are spread evenly over (first, last)."""
    curves = [Curve(np.array(ends), np.array([0.0, 1.0]), 1000.0) for ends in spans.values()]
    return dict(zip(spans, completion_samples(list(spans), curves), strict=True))


def _after(before: str, after: str) -> Dependency:
    return Dependency(before=before, after=after)


def test_a_late_predecessor_moves_its_successor_by_convolution() -> None:
    own = _paths(a=(110.0, 130.0), b=(140.0, 180.0))
    spans = {"a": PlannedTime(100.0, 110.0), "b": PlannedTime(100.0, 150.0)}
    moved = timeline.propagate(own, spans, [_after("a", "b")], NOW)
    rng = np.random.default_rng(1)
    worlds = rng.uniform(140, 180, 200_000) + rng.uniform(0, 20, 200_000)
    p85 = joint.quantile_moments(moved.paths["b"])[1]
    assert p85 == pytest.approx(float(np.quantile(worlds, 0.85)), abs=0.5)
    added = joint.quantile_moments(own["b"])[1] + joint.quantile_moments(own["a"])[1] - 110.0
    assert p85 < added - 2.0  # adding 85% dates would promise too late
    assert joint.quantile_moments(own["b"])[1] == pytest.approx(174.0, abs=0.1)


def test_one_that_is_in_time_costs_nothing() -> None:
    own = _paths(a=(101.0, 109.0), b=(140.0, 180.0))
    moved = timeline.propagate(
        own, {"a": PlannedTime(90.0, 110.0), "b": PlannedTime(100.0, 150.0)}, [_after("a", "b")], NOW
    )
    assert np.array_equal(moved.paths["b"], own["b"])
    assert timeline.critical_chain(moved, "b") == ["b"]


def test_slack_before_the_successors_start_absorbs_the_delay() -> None:
    own = _paths(a=(110.0, 120.0), b=(140.0, 180.0))
    with_slack = {"a": PlannedTime(90.0, 110.0), "b": PlannedTime(125.0, 150.0)}
    assert np.array_equal(timeline.propagate(own, with_slack, [_after("a", "b")], NOW).paths["b"], own["b"])


def test_a_successor_is_never_done_before_what_it_waits_for() -> None:
    own = _paths(a=(150.0, 160.0), b=(101.0, 105.0))
    moved = timeline.propagate(
        own, {"a": PlannedTime(90.0, 200.0), "b": PlannedTime(90.0, 200.0)}, [_after("a", "b")], NOW
    )
    assert np.array_equal(moved.paths["b"], own["a"])


def test_delay_goes_down_the_chain_and_the_chain_is_named() -> None:
    own = _paths(a=(120.0, 140.0), b=(130.0, 150.0), c=(150.0, 170.0), aside=(100.0, 101.0))
    spans = {name: PlannedTime(90.0, due) for name, due in (("a", 110.0), ("b", 130.0), ("c", 150.0), ("aside", 120.0))}
    edges = [_after("a", "b"), _after("b", "c"), _after("aside", "c")]
    moved = timeline.propagate(own, spans, edges, NOW)
    assert joint.quantile_moments(moved.paths["c"])[0] > joint.quantile_moments(own["c"])[0] + 15
    assert timeline.critical_chain(moved, "c") == ["a", "b", "c"]
    assert "aside" not in moved.deciding["c"]


def test_a_predecessor_that_is_never_done_leaves_its_successor_undone() -> None:
    own = _paths(b=(110.0, 120.0)) | {"a": np.full(joint.PATHS, np.inf)}
    moved = timeline.propagate(
        own, {"a": PlannedTime(NAN, 105.0), "b": PlannedTime(NAN, 130.0)}, [_after("a", "b")], NOW
    )
    assert np.isinf(moved.paths["b"]).all()


def test_a_few_blocked_issues_move_it_less_than_a_written_dependency() -> None:
    own = _paths(a=(130.0, 150.0), b=(140.0, 180.0))
    spans = {"a": PlannedTime(90.0, 110.0), "b": PlannedTime(90.0, 150.0)}
    link = timeline.dependency_from_links("a", "b", blockers=1, of=10, blocked=2, waiting_of=20)
    assert link.reach == pytest.approx(0.55)
    linked = joint.quantile_moments(timeline.propagate(own, spans, [link], NOW).paths["b"])[1]
    written = joint.quantile_moments(timeline.propagate(own, spans, [_after("a", "b")], NOW).paths["b"])[1]
    assert joint.quantile_moments(own["b"])[1] <= linked < written
    assert timeline.dependency_from_links("a", "b", blockers=3, of=3, blocked=1, waiting_of=1).reach == 1.0


def test_without_due_date_or_start_only_what_lies_ahead_counts() -> None:
    own = _paths(a=(110.0, 120.0), b=(140.0, 180.0))
    moved = timeline.propagate(own, {"a": PlannedTime(NAN, NAN), "b": PlannedTime(NAN, NAN)}, [_after("a", "b")], NOW)
    assert joint.quantile_moments(moved.paths["b"])[0] == pytest.approx(175.0, abs=1.0)


def test_of_several_predecessors_the_first_of_the_latest_decides() -> None:
    rng, now = np.random.default_rng(6), 3.0
    own = rng.integers(0, 12, 400).astype(float)
    planned = PlannedTime(2.0, 9.0)
    predecessors = [
        timeline.Predecessor(
            Dependency(before=str(k), after="x"),
            rng.integers(0, 9, 400).astype(float),
            PlannedTime(np.nan, 5.0 + k % 3),
        )
        for k in range(7)
    ]
    after = np.stack([timeline.delayed(own, planned, [each], now)[0] for each in predecessors])
    paths, decider = timeline.delayed(own, planned, predecessors, now)
    assert np.array_equal(paths, after.max(axis=0))
    assert np.array_equal(decider, np.where(after.max(axis=0) > own, after.argmax(axis=0), -1))
    assert set(decider) == set(range(-1, 7))


def test_a_circle_is_an_error_that_names_it() -> None:
    with pytest.raises(DependencyCycleError, match="circle of dependencies: ") as caught:
        timeline.topological_order([_after("a", "b"), _after("b", "c"), _after("c", "a"), _after("a", "d")])
    assert set(caught.value.ids) == {"a", "b", "c"}
    assert caught.value.ids[0] == caught.value.ids[-1]


def test_links_that_close_a_circle_are_left_out_but_not_what_people_wrote() -> None:
    written = [_after("a", "b"), _after("b", "c")]
    kept, circles = timeline.without_cycles(written, [Dependency(before="c", after="a", issues=2)])
    assert kept == written
    assert len(circles) == 1
    with pytest.raises(DependencyCycleError):
        timeline.without_cycles([*written, _after("c", "a")], [])


def _repeated_search(
    configured: Sequence[Dependency], links: Sequence[Dependency]
) -> tuple[list[Dependency], list[DependencyCycleError]]:
    """Sort everything again after each circle."""
    kept, circles = list(links), list[DependencyCycleError]()
    while True:
        try:
            timeline.topological_order([*configured, *kept])
        except DependencyCycleError as circle:
            steps = set(pairwise(circle.ids))
            left = [own for own in kept if (own.before, own.after) not in steps]
            if len(left) == len(kept):
                raise
            kept = left
            circles.append(circle)
        else:
            return [*configured, *kept], circles


def _outcome(
    search: Callable[[Sequence[Dependency], Sequence[Dependency]], tuple[list[Dependency], list[DependencyCycleError]]],
    configured: Sequence[Dependency],
    links: Sequence[Dependency],
) -> tuple[list[Dependency] | None, list[Sequence[str]]]:
    """Return the dependencies that are kept and the ids of the circles; None and those of the error."""
    try:
        kept, circles = search(configured, links)
    except DependencyCycleError as error:
        return None, [error.ids]
    return kept, [circle.ids for circle in circles]


def test_one_search_finds_the_circles_of_a_search_after_each_circle() -> None:
    rng, with_circles, errors = random.Random(5), 0, 0
    for _ in range(2000):
        names = [f"m{n}" for n in range(rng.randint(1, 9))]
        pairs = {(rng.choice(names), rng.choice(names)) for _ in range(rng.randint(0, 3 * len(names)))}
        written = {pair for pair in pairs if rng.random() < 0.1}
        configured = [_after(*pair) for pair in sorted(written)]
        links = [Dependency(before=before, after=after, issues=1) for before, after in sorted(pairs - written)]
        expected, found = (
            _outcome(_repeated_search, configured, links),
            _outcome(timeline.without_cycles, configured, links),
        )
        assert found == expected
        kept, circles = found
        errors += kept is None
        with_circles += kept is not None and len(circles) > 1
    assert with_circles > 500
    assert errors > 50


def _calls(links: Sequence[Dependency]) -> int:
    """Count the calls of functions while the circles are removed."""
    calls = 0

    def profile(_: object, what: str, __: object) -> None:
        nonlocal calls
        calls += what in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        timeline.without_cycles([], links)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("shape", ["pairs", "row of pairs", "chain with pairs at its end", "one circle"])
def test_circles_take_time_in_proportion_to_their_number(shape: str) -> None:
    def links(n: int) -> list[Dependency]:
        ids = [f"m{k:04}" for k in range(2 * n + 1)]
        forth = {
            "pairs": list(zip(ids[:-1:2], ids[1::2], strict=True)),
            "row of pairs": list(pairwise(ids)),
            "chain with pairs at its end": list(pairwise(ids)),
            "one circle": [*pairwise(ids), (ids[-1], ids[0])],
        }[shape]
        back = {"chain with pairs at its end": forth[n:], "one circle": []}.get(shape, forth)
        return [Dependency(before=a, after=b, issues=1) for a, b in [*forth, *((b, a) for a, b in back)]]

    small, middle, large = (_calls(links(n)) for n in (30, 60, 120))
    assert large - middle <= 2**1.15 * (middle - small)
