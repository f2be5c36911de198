"""The arithmetic of a large installation."""

from __future__ import annotations

import pytest

from tests.round_model import TRACKERS, Limit, began, in_turns, lasted, minutes, reading


def test_requests_begin_as_early_as_every_limit_allows() -> None:
    assert list(began(5, 1, [Limit(2, 60.0)])) == [0, 0, 60, 60, 120]
    assert list(began(4, 2, [Limit(2, 60.0)])) == [0, 60, 120, 180], "each costs all but one of the units"
    assert list(began(4, 1, [Limit(2, 10.0), Limit(3, 60.0)])) == [0, 0, 10, 60]
    assert list(began(3, 1, [], gap=0.5)) == [0, 0.5, 1.0]


@pytest.mark.parametrize("number", [1, 700, 5_000])
def test_no_window_holds_more_than_its_limit(number: int) -> None:
    limits = [Limit(500, 3600.0), Limit(80, 60.0)]
    times = list(began(number, 1, limits, gap=1.0))
    for limit in limits:
        assert all(later - earlier >= limit.per for earlier, later in zip(times, times[limit.most :], strict=False))


def test_hosts_share_the_steps_but_not_less_than_their_work() -> None:
    assert lasted([(10.0, 0.0)] * 8, 1, places=4) == 20
    assert lasted([(10.0, 0.0)] * 8, 2, places=4) == 10
    assert lasted([(0.0, 10.0)] * 8, 1, places=8, cores=2) == 40


@pytest.mark.parametrize("tracker", TRACKERS, ids=lambda tracker: tracker.name)
def test_more_hosts_never_take_longer_and_the_limits_stay(tracker) -> None:  # type: ignore[no-untyped-def]
    times = [minutes(tracker, hosts, first=True, writes=0) for hosts in (1, 2, 4, 13, 100)]
    assert times == sorted(times, reverse=True)
    assert times[-1] * 60 >= reading(tracker, tracker.first)


def test_what_the_page_says() -> None:
    github = TRACKERS[0]
    assert round(minutes(github, 4, first=False, writes=0)) == 3
    assert round(minutes(github, 4, first=True, writes=0)) == 8
    assert round(in_turns(800)) == 667
