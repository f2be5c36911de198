"""Aims of a back-test: a figure outside its range is not reached, and one that does not exist is neither."""

from __future__ import annotations

from typing import Any

import pytest

from sync.backtest.aims import Aim, aims_of


@pytest.mark.parametrize(
    ("aim", "is_reached"),
    [
        (Aim("skill", 0.13, 0.125), True),
        (Aim("skill", 0.12, 0.125), False),
        (Aim("changes", 0.30, None, 0.30), True),
        (Aim("changes", 0.31, None, 0.30), False),
        (Aim("dates", 0.89, 0.80, 0.90), True),
        (Aim("dates", 0.91, 0.80, 0.90), False),
        (Aim("dates", None, 0.80, 0.90), None),
    ],
)
def test_a_figure_is_in_its_range_or_not(aim: Aim, is_reached: bool | None) -> None:
    assert aim.is_reached is is_reached


def result(dates: int, cuts: int) -> dict[str, Any]:
    pool = {"bss": 0.2, "bss_ci": [0.1, 0.3], "ece": 0.01}
    date = {"share": 0.5, "dates": dates}
    levers: dict[str, dict[str, float | None]] = {
        kind: {"n": 0, "within_5": None, "within_5_quiet_day": None} for kind in ("move", "both")
    }
    levers["move"] = {"n": 3, "within_5": 1.0, "within_5_quiet_day": 1.0}
    levers["cut"] = {"n": cuts, "within_5": 0.0 if cuts else None, "within_5_quiet_day": 0.0 if cuts else None}
    taus = ("tau0", "tau10")
    return {
        **{tau: {"pool": pool} for tau in taus},
        "detail": {"parts": {tau: {"paired": {"ci": [None, None]}} for tau in taus}},
        "leftover": {"crps_skill": 0.1},
        "usual": {"bss": 0.3},
        "milestone_dates": {key: {"p50": date, "p85": date} for key in (*taus, "throughput")},
        "levers": dict.fromkeys(taus, levers),
        "labels": {"changes": 0.1, "reversals": 0.0, "done_given_off_track": None},
    }


def test_too_few_dates_have_no_figure() -> None:
    few, many = ({aim.measure: aim for aim in aims_of(result(dates, 0))} for dates in (99, 100))
    assert few["P50 dates held, all done"].is_reached is None
    assert many["P50 dates held, all done"].is_reached is True
    assert many["P85 dates held, all done"].is_reached is False


def test_levers_of_all_kinds_count_by_their_number() -> None:
    measure = "levers within 5 points at once, all done"
    shares = [{aim.measure: aim.figure for aim in aims_of(result(0, cuts))}[measure] for cuts in (0, 1)]
    assert shares == [1.0, 0.75]


def test_a_figure_that_does_not_exist_is_not_judged() -> None:
    aims = {aim.measure: aim.is_reached for aim in aims_of(result(0, 0))}
    assert aims["… less first pool, lower end, all done"] is None
    assert aims["done when due, of off track"] is None
    assert aims["left over: CRPS skill"] is False
