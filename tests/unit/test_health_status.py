"""The verdict: bands, hysteresis, facts, and when there is not enough data."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from sync.forecast.parameters import Rules
from sync.health.missing_input import stale_health
from sync.health.status import (
    ContainerState,
    band,
    band_with_hysteresis,
    confidence,
    missing_data,
    replan_of,
    status_with_memory,
    verdict,
    with_status,
)
from sync.model.health import Confidence, Health, Status, UnknownCause
from sync.model.membership import Counts
from tests.days import day

ON, RISK, OFF = Status.ON_TRACK, Status.AT_RISK, Status.OFF_TRACK
RULES = Rules()
GOOD = ContainerState(
    ended=False,
    has_due=True,
    dated=True,
    past_due=False,
    open=5,
    done=5,
    allowed=0,
    age=10,
    length=30,
    stream_finished=12,
    kind_finished=20,
    closures=30,
)


@pytest.mark.parametrize(("p", "status"), [(0.98, ON), (0.70, ON), (0.699, RISK), (0.35, RISK), (0.349, OFF)])
def test_bands(p: float, status: Status) -> None:
    assert band(p, RULES) is status


@pytest.mark.parametrize(
    ("before", "p", "after"),
    [
        (ON, 0.64, ON),
        (ON, 0.62, RISK),
        (ON, 0.29, RISK),
        (ON, 0.27, OFF),
        (RISK, 0.76, RISK),
        (RISK, 0.78, ON),
        (RISK, 0.29, RISK),
        (RISK, 0.27, OFF),
        (OFF, 0.41, OFF),
        (OFF, 0.43, RISK),
        (OFF, 0.76, RISK),
        (OFF, 0.78, ON),
        (Status.UNKNOWN, 0.70, ON),
        (Status.OVERDUE, 0.36, RISK),
    ],
)
def test_a_band_is_left_only_by_the_margin(before: Status, p: float, after: Status) -> None:
    assert band_with_hysteresis(before, p, RULES) is after


@pytest.mark.parametrize(
    ("change", "p", "status", "why"),
    [
        ({}, 0.8, ON, None),
        ({"ended": True}, 0.1, Status.ENDED, None),
        ({"ended": True, "carried": 5}, 0.1, Status.ENDED, None),
        ({"ended": True, "open": 0}, 0.9, Status.DONE, None),
        ({"ended": True, "open": 0, "done": 0}, None, Status.DONE, None),
        ({"open": 0}, 0.9, ON, None),
        ({"open": 0}, 0.5, ON, None),  # nothing is open: a fact, even if items usually join
        ({"open": 0, "done": 1}, None, ON, None),
        ({"open": 0, "has_due": False, "dated": False}, None, Status.NO_DUE_DATE, UnknownCause.NO_DUE_DATE),
        ({"open": 0, "past_due": True}, 0.98, Status.DONE, None),
        ({"open": 0, "past_due": True, "dated": False}, None, Status.DONE, None),
        ({"open": 0, "done": 0, "past_due": True}, None, Status.OVERDUE, None),
        ({"open": 0, "past_due": True, "uncounted_open": 1}, 0.98, Status.OVERDUE, None),  # open work, though no item
        ({"open": 0, "past_due": True, "uncounted_open": 1, "dated": False}, None, Status.OVERDUE, None),
        ({"open": 0, "done": 0, "past_due": True, "uncounted_open": 8}, None, Status.OVERDUE, None),
        ({"past_due": True, "allowed": 5, "uncounted_open": 1}, 0.98, Status.OVERDUE, None),
        ({"carried": 5, "past_due": True, "uncounted_open": 1}, 0.02, Status.OVERDUE, None),
        ({"open": 0, "past_due": True, "uncounted_open": 1, "ended": True}, 0.98, Status.DONE, None),
        (
            {"open": 0, "past_due": True, "uncounted_open": 1, "has_due": False},
            None,
            Status.NO_DUE_DATE,
            UnknownCause.NO_DUE_DATE,
        ),
        ({"open": 0, "uncounted_open": 1}, 0.5, ON, None),
        ({"carried": 5, "past_due": True}, 0.02, Status.ENDED, None),
        ({"carried": 4, "past_due": True}, 0.02, Status.OVERDUE, None),
        ({"carried": 5}, 0.1, OFF, None),
        ({"past_due": True, "dated": False}, None, Status.OVERDUE, None),
        ({"past_due": True, "open": 2, "done": 0, "dated": False}, None, Status.OVERDUE, None),
        ({"open": 0, "done": 0}, 0.9, Status.UNKNOWN, UnknownCause.TOO_FEW_ITEMS),
        ({"has_due": False, "dated": False}, None, Status.NO_DUE_DATE, UnknownCause.NO_DUE_DATE),
        ({"dated": False}, None, Status.UNKNOWN, UnknownCause.BAD_DATES),
        ({"past_due": True}, 0.02, Status.OVERDUE, None),
        ({"past_due": True, "allowed": 5}, 0.98, ON, None),
        ({"past_due": True, "allowed": 5, "dated": False}, None, ON, None),  # a fact needs no dates
        ({"past_due": True, "open": 1, "done": 0}, 0.02, Status.OVERDUE, None),  # a fact needs no history
        ({"open": 1, "done": 1}, 0.9, Status.UNKNOWN, UnknownCause.TOO_FEW_ITEMS),
        ({"open": 1, "done": 2}, 0.9, ON, None),
        ({"age": -0.1}, 0.9, Status.UNKNOWN, UnknownCause.TOO_YOUNG),
    ],
)
def test_the_verdict(change: dict[str, object], p: float | None, status: Status, why: UnknownCause | None) -> None:
    assert verdict(replace(GOOD, **change), p, RULES) == (status, why)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, None),
        ({"age": 1.9, "length": 10}, UnknownCause.TOO_YOUNG),  # two days
        ({"age": 2.1, "length": 10}, None),
        ({"age": 4.9, "length": 100}, UnknownCause.TOO_YOUNG),  # 5% of the planned time
        ({"age": 5.1, "length": 100}, None),
        ({"age": 0.1, "length": 100, "stream_finished": 1}, None),
        ({"closures": 4, "kind_finished": 9}, UnknownCause.NO_HISTORY),
        ({"closures": 5, "kind_finished": 9}, None),
        ({"closures": 4, "kind_finished": 10}, None),
        ({"closures": 0, "kind_finished": 0, "stream_finished": 1}, None),
    ],
)
def test_not_enough_data(change: dict[str, object], why: UnknownCause | None) -> None:
    assert missing_data(replace(GOOD, **{"stream_finished": 0, **change}), RULES) is why


def health(status: Status, *, due: date = date(2024, 3, 1), scope: int = 20, band_: Status | None = None) -> Health:
    return Health(
        container="x",
        at=day(1),
        status=status,
        band=band_ or status,
        since=day(0),
        due=due,
        counts=Counts(open=scope - 5, closed=5),
    )


@pytest.mark.parametrize(
    ("before", "now", "status"),
    [
        (health(ON), health(RISK), ON),  # .65 is within the margin
        (health(ON), health(RISK, due=date(2024, 3, 8)), RISK),
        (health(ON), health(RISK, scope=22), RISK),
        (health(ON), health(RISK, scope=18), RISK),
        (health(ON), health(RISK, scope=21), ON),
        (health(Status.OVERDUE), health(RISK), RISK),
        (None, health(RISK), RISK),
    ],
)
def test_what_acts_at_once(before: Health | None, now: Health, status: Status) -> None:
    assert status_with_memory(before, replace(now, probability=0.65), RULES) is status


def test_facts_act_at_once() -> None:
    for fact in (Status.DONE, Status.OVERDUE, Status.UNKNOWN, Status.NO_DUE_DATE):
        assert status_with_memory(health(ON), replace(health(fact), probability=None), RULES) is fact


def _next(before: Health, due: date | None, *, closed: int = 5, status: Status = ON) -> Health:
    """The assessment after ``before``: as likely as can be, with another due date or more work done."""
    now = replace(
        before, at=day(2), due=due, status=status, band=status, counts=Counts(open=20 - closed, closed=closed)
    )
    return with_status(replace(now, probability=0.95), before, RULES)


@pytest.mark.parametrize("late", [RISK, OFF, Status.OVERDUE])
def test_a_later_due_date_alone_never_makes_it_on_track(late: Status) -> None:
    before = health(late)
    moved = _next(before, date(2024, 4, 1))
    assert (moved.band, moved.status) == (ON, RISK)
    for _ in range(5):  # neither does time
        moved = _next(moved, date(2024, 4, 1))
        assert moved.status is RISK
    assert _next(moved, date(2024, 4, 1), closed=6).status is RISK  # 15 were open: a tenth is two of them
    worked = _next(moved, date(2024, 4, 1), closed=7)
    assert (worked.status, worked.replan) == (ON, None)


def test_neither_does_a_second_move_nor_taking_the_date_away_for_a_while() -> None:
    moved = _next(_next(health(OFF), date(2024, 4, 1)), date(2024, 5, 1), closed=6)
    assert moved.status is RISK
    assert moved.replan is not None
    assert moved.replan.done == 6
    without = _next(health(OFF), None, status=Status.NO_DUE_DATE)
    assert without.status is Status.NO_DUE_DATE
    assert _next(without, date(2024, 4, 1)).status is RISK


def test_a_date_that_was_moved_back_and_one_of_a_healthy_milestone_are_no_replan() -> None:
    moved = _next(health(RISK), date(2024, 4, 1))
    assert _next(moved, date(2024, 3, 1)).status is ON
    assert _next(health(ON), date(2024, 4, 1)).status is ON
    assert _next(health(RISK), date(2024, 2, 20)).status is ON  # an earlier date promises more
    assert _next(moved, date(2024, 4, 1), status=Status.DONE).replan is None


def test_a_second_confirmation_waits_for_two_runs() -> None:
    rules = Rules(confirm=True)
    assert status_with_memory(health(ON), replace(health(RISK), probability=0.60), rules) is ON
    assert status_with_memory(health(ON, band_=RISK), replace(health(RISK), probability=0.60), rules) is RISK
    assert (
        status_with_memory(health(ON, band_=RISK), replace(health(RISK), probability=0.66), rules) is ON
    )  # its margin is .05


@pytest.mark.parametrize(
    ("finished", "items", "grade"),
    [
        (10, 10, Confidence.HIGH),
        (10, 9, Confidence.MEDIUM),
        (9, 99, Confidence.MEDIUM),
        (4, 3, Confidence.MEDIUM),
        (3, 99, Confidence.LOW),
    ],
)
def test_confidence(finished: int, items: int, grade: Confidence) -> None:
    assert confidence(finished, items, RULES) is grade


def test_a_second_replan_keeps_the_date_before_the_first() -> None:
    once = _next(health(OFF), date(2024, 4, 1), status=OFF)
    twice = _next(once, date(2024, 5, 1))
    assert twice.replan is not None
    assert twice.replan.due == date(2024, 3, 1)
    assert _next(twice, date(2024, 3, 1)).replan is None, "back to where it was"


def test_of_few_open_items_one_is_work_enough() -> None:
    before = replace(health(OFF), counts=Counts(open=4, closed=16))
    moved = replace(before, due=date(2024, 4, 1))
    moved = replace(moved, replan=replan_of(before, moved))
    assert replan_of(moved, replace(moved, counts=Counts(open=3, closed=17))) is None
    assert replan_of(moved, moved) == moved.replan


def test_a_single_closed_item_is_done_when_the_due_moment_has_passed() -> None:
    assert verdict(replace(GOOD, open=0, done=1, past_due=True), None, RULES) == (Status.DONE, None)


def test_what_another_method_called_done_is_on_track_again_without_a_transition() -> None:
    before = replace(health(Status.DONE), method=RULES.method - 1)
    now = with_status(replace(health(ON), method=RULES.method), before, RULES)
    assert (now.status, now.previous_status) == (ON, None)


def test_nothing_open_is_on_track_at_once_after_any_status_and_a_replan() -> None:
    closed = replace(health(ON), counts=Counts(open=0, closed=20), probability=0.6)
    for before in (OFF, RISK, Status.OVERDUE):
        now = with_status(closed, replace(health(before), due=date(2024, 2, 1)), RULES)
        assert now.status is ON
    carried = replace(health(RISK), counts=Counts(carried=5, closed=15), probability=0.6)
    assert with_status(carried, health(RISK), RULES).status is RISK


def test_a_milestone_that_is_over_stays_so_while_its_source_cannot_be_read() -> None:
    over = health(Status.ENDED)
    assert stale_health(over, over, None) is over
    assert stale_health(over, health(OFF), None).status is Status.UNKNOWN
    assert stale_health(health(ON), over, None).status is Status.UNKNOWN


@pytest.mark.parametrize("missing", [{"dated": False}, {"age": None}, {"length": None}])
def test_any_date_that_makes_no_sense_is_enough(missing: dict[str, object]) -> None:
    assert missing_data(replace(GOOD, **missing), RULES) is UnknownCause.BAD_DATES
