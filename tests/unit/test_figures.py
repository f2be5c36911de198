"""Rounding of figures, and keys of issues: each is shown in the same way by every output."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.model.health import Reason, ReasonKind
from sync.model.keys import short_key, whole_key
from sync.report.figures import (
    done_percent,
    hours,
    overrun_percent,
    probability_percent,
    probability_percents,
    share_percent,
    short_number,
)
from sync.report.reasons import reason_sentence

REPOSITORY = Path(__file__).parents[2]

DISPLAYS = ("sync/report", "sync/digest", "sync/site", "sync/markup", "sync/cli")
"""Packages that show figures."""


@pytest.mark.parametrize("total", [1, 2, 3, 7, 14, 100, 201, 3000])
def test_percentage_of_work_done_is_whole_only_for_all_and_zero_only_for_nothing(total: int) -> None:
    for done in range(total + 1):
        percent = done_percent(done, total)
        assert (percent == 100) == (done == total)
        assert (percent == 0) == (done == 0)
        assert percent in (1, 99) or percent == done * 100 // total


def test_nothing_to_do_is_no_progress() -> None:
    assert done_percent(0, 0) == 0


@pytest.mark.parametrize(("share", "percent"), [(0, 0), (0.0001, 1), (0.29, 29), (13 / 14, 92), (0.9999, 99), (1, 100)])
def test_share_of_work_done_is_rounded_down(share: float, percent: int) -> None:
    assert done_percent(share) == percent


def test_a_table_of_probabilities_is_rounded_like_each_of_them() -> None:
    table = [[n / 2_000 for n in range(k, k + 1_000)] for k in (0, 500, 1_001)]
    assert probability_percents(table) == [[probability_percent(p) for p in line] for line in table]


@pytest.mark.parametrize(("share", "percent"), [(0, 0), (0.004, 1), (2 / 3, 67), (0.996, 99), (1, 100)])
def test_other_shares_are_rounded(share: float, percent: int) -> None:
    assert share_percent(share) == percent


@pytest.mark.parametrize(("probability", "percent"), [(0.001, 1), (0.524, 52), (0.526, 53), (0.999, 99)])
def test_probability_is_never_certain(probability: float, percent: int) -> None:
    assert probability_percent(probability) == percent


def test_numbers_have_no_needless_decimal() -> None:
    assert [short_number(value) for value in (3, 3.04, 2.5, 9.96, 12.4)] == ["3", "3", "2.5", "10", "12"]
    assert (hours(5400), overrun_percent(90, 60), overrun_percent(30, 60)) == (2, 50, -50)


@pytest.mark.parametrize(("done", "total"), [(13, 14), (1, 3000), (2999, 3000), (3, 3)])
def test_reason_and_progress_have_the_same_percentage(done: int, total: int) -> None:
    values = {"share": round(done / total, 3), "usual": 0.5, "closed": done, "of": total}
    sentence = reason_sentence(Reason(kind=ReasonKind.PACE, effect=0.3, values=dict(values)))
    assert f"{done_percent(done, total)}%" in sentence


def test_outputs_leave_percentages_to_one_module() -> None:
    modules = [path for package in DISPLAYS for path in (REPOSITORY / package).rglob("*.py")]
    assert len(modules) > 20
    own = [
        f"{path.name}: {line.strip()}"
        for path in modules
        if path.name != "figures.py"
        for line in path.read_text().splitlines()
        if any(sign in line for sign in ("* 100)", "100 * (", "* 100 //", ".0%}", "/ 3600"))
    ]
    assert own == []


@pytest.mark.parametrize(
    ("key", "project", "shown"),
    [
        ("acme/app#12", "acme/app", "#12"),
        ("acme/app-2#12", "acme/app-2", "#12"),
        ("acme/app-#12", "acme/app-", "#12"),
        ("acme/app-2#12", "acme/app-", "acme/app-2#12"),
        ("acme/app2#1", "acme/app", "acme/app2#1"),
        ("acme/other#12", "acme/app", "acme/other#12"),
        ("acme/tools/api#12", "acme/tools/api", "#12"),
        ("acme/api!7", "acme/api", "!7"),
        ("acme/api#12", "acme", "acme/api#12"),
        ("PAY-266", "PAY", "PAY-266"),
        ("AB_C-12", "AB_C", "AB_C-12"),
        ("A-1", "A", "A-1"),
        ("P2-1", "P", "P2-1"),
        ("https://tracker.example/acme/app/issues/3", "acme/app", "https://tracker.example/acme/app/issues/3"),
        ("#12", "", "#12"),
    ],
)
def test_key_is_shown_as_it_resolves_in_its_tracker(key: str, project: str, shown: str) -> None:
    assert short_key(key, project) == shown


@pytest.mark.parametrize(
    ("key", "project", "shown"),
    [("#12", "acme/app", "acme/app#12"), ("acme/api#7", "acme/app", "acme/api#7"), ("PAY-266", "PAY", "PAY-266")],
)
def test_whole_key_resolves_in_every_project(key: str, project: str, shown: str) -> None:
    assert whole_key(key, project) == shown
