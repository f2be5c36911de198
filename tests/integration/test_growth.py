"""No cost of a run grows with the square of an installation: each dimension is doubled twice, the others stay small.

Counted is what is equal in every run: SQL statements, steps of SQLite's machine (so a table that is read in a loop, or
without an index, shows), requests to trackers, drawn completion moments, and calls of functions. From the three sizes
follow two growths without the part that is constant; the second is at most 2 ** 1.15 times the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from sync.assess import visibility
from sync.assess.portfolio import Portfolio
from tests.growth_world import Cost, Size, World

EXPONENT = 1.15

SIZES: Mapping[str, Size] = {
    "milestones": Size(milestones=8),
    "projects": Size(projects=4, milestones=2),
    "connections": Size(connections=3, milestones=2),
    "issues": Size(milestones=2, issues=48),
    "past": Size(milestones=2, past=12),
    "joints": Size(milestones=8, joints=3),
    "dependencies": Size(milestones=24, dependencies=3),
    "comments": Size(milestones=2, comments=8),
    "days": Size(milestones=4, days=6),
}

GROWING = {
    "milestones": {"database", "requests", "calls"},
    "projects": {"database", "requests", "calls"},
    "connections": {"statements", "database", "requests", "calls"},
    "issues": {"database", "calls"},
    "past": {"database", "calls"},
    "joints": {"draws", "calls"},
    "dependencies": {"draws", "calls"},
    "comments": {"calls"},
    "days": {"database", "calls"},
}
"""What grows with a dimension in a run that observes everything; a dimension without effect would show nothing."""

SLACK = {"statements": 2, "database": 40, "requests": 0, "draws": 8, "calls": 1500}
"""Growth that is allowed in any case: chunks of statements, levels of trees, members that joint milestones share."""


@pytest.fixture(scope="module", autouse=True)
def _warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Import and compute first what a process imports and computes only once."""
    World(Size(joints=1, dependencies=1), tmp_path_factory.mktemp("warm")).measure()


@pytest.mark.parametrize("dimension", SIZES)
def test_nothing_grows_with_the_square(dimension: str, tmp_path: Path) -> None:
    size = SIZES[dimension]
    own: list[dict[str, Cost]] = []
    for times in (1, 2, 4):
        folder = tmp_path / str(times)
        folder.mkdir()
        own.append(
            World(replace(size, **{dimension: times * getattr(size, dimension)}), folder, counts_calls=True).measure()
        )
    faults = []
    for step in own[0]:
        for what, slack in SLACK.items():
            small, middle, large = (getattr(costs[step], what) for costs in own)
            if large - middle > 2**EXPONENT * max(middle - small, 0) + slack:
                faults.append(f"{step}: {what} {small}, {middle}, {large}")
    assert not faults
    grown = {what for what in SLACK if getattr(own[2]["sweep"], what) > getattr(own[0]["sweep"], what)}
    assert GROWING[dimension] <= grown


@pytest.mark.parametrize("dependencies", [0, 16])
def test_an_assessment_and_its_comments_do_not_grow_with_the_square_of_the_members_of_a_joint_milestone(
    dependencies: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visibility, "MOST_FELLOWS", 4)  # fewer than the members of each size
    costs = []
    for members in (16, 32, 64):
        folder = tmp_path / str(members)
        folder.mkdir()
        size = Size(milestones=64, joints=1, members=members, dependencies=dependencies)
        world = World(size, folder, counts_calls=True)
        with world.engine() as engine:
            engine.pull()
            with world.step("assess"):
                assessed = engine.assess()
            with world.step("fresh"):
                engine.plan(assessed, fresh=True)
        world.store.close()
        costs.append(world.costs)
    for step in ("assess", "fresh"):
        small, middle, large = (cost[step].calls for cost in costs)
        assert small < middle < large
        assert large - middle <= 2**EXPONENT * (middle - small) + SLACK["calls"], step


def test_an_assessment_does_not_grow_with_the_square_of_the_streams_with_relations(tmp_path: Path) -> None:
    """Milestones of any two streams may run late together."""
    sizes = [
        Size(projects=n, milestones=1, past=6, joints=1, dependencies=n // 2, is_uneven=True) for n in (12, 24, 48)
    ]
    assessments = [_assessment(size, tmp_path / str(size.projects)) for size in sizes]
    for what in ("calls", "draws"):
        _assert_linear([cost for cost, _ in assessments], what)
    for _, portfolio in assessments:
        assert any(0 < abs(value) < 1 for row in portfolio.joints[0].correlation for value in row)


def test_an_assessment_does_not_grow_with_the_square_of_the_milestones_of_a_team(tmp_path: Path) -> None:
    """All work of each person counts for the load in each milestone."""
    sizes = [Size(milestones=n, issues=16, team=8) for n in (20, 40, 80)]
    assessments = [_assessment(size, tmp_path / str(size.milestones)) for size in sizes]
    _assert_linear([cost for cost, _ in assessments], "calls")
    for _, portfolio in assessments:
        assert all(len(milestone.loads) > 2 for milestone in portfolio.milestones)


def _assessment(size: Size, folder: Path) -> tuple[Cost, Portfolio]:
    """Return what an assessment costs, and its result."""
    folder.mkdir()
    world = World(size, folder, counts_calls=True)
    with world.engine() as engine:
        engine.pull()
        with world.step("assess"):
            engine.assess()
        portfolio = engine.portfolio
    world.store.close()
    assert portfolio is not None
    return world.costs["assess"], portfolio


def _assert_linear(costs: Sequence[Cost], what: str) -> None:
    """Assert that the costs of three sizes, each twice the one before, grow with an exponent of at most `EXPONENT`."""
    small, middle, large = (getattr(cost, what) for cost in costs)
    assert small < middle < large
    assert large - middle <= 2**EXPONENT * (middle - small) + SLACK[what]
