"""Runs over projects that work every day: a week shows what a month would do to the database, requests and writes.

`tests.benchmarks.soak` runs fifty projects for thirty days and prints memory and time as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.benchmarks.soak import Run, Soak

DAYS, PROJECTS, EVERY = 6, 3, 6


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Sequence[Run]]:
    """The runs of each day."""
    soak = Soak(tmp_path_factory.mktemp("soak"), PROJECTS, settings="[retention]\nevery = 2\n")
    with soak.served():
        runs = list(soak.run(DAYS, EVERY))
    count = 24 // EVERY
    return [runs[count * day : count * (day + 1)] for day in range(DAYS)]


def test_every_run_succeeds(days: Sequence[Sequence[Run]]) -> None:
    assert {run.code for day in days for run in day} == {0}


def test_an_hour_without_work_asks_the_same_on_every_day_and_writes_nothing(days: Sequence[Sequence[Run]]) -> None:
    nights = [[run for run in day if run.at.hour == 6] for day in days[1:]]
    assert len({run.requests for night in nights for run in night}) == 1
    assert {run.writes for night in nights for run in night} == {0}


def test_some_days_later_the_database_is_hardly_larger(days: Sequence[Sequence[Run]]) -> None:
    second, last = days[1][-1].database, days[-1][-1].database
    assert last < 1.5 * second


def test_waits_between_writes_take_simulated_time(days: Sequence[Sequence[Run]]) -> None:
    assert days[0][0].waited > 0
