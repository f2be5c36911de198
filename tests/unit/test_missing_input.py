"""Verdicts while a predecessor's data is missing."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sync.health.missing_input import Outage, health_without_data, health_without_predecessor
from sync.model.health import Dates, Health, Status, UnknownCause
from tests.days import day

TODAY = day(20).date()


def health(status: Status) -> Health:
    return Health(container="now", at=day(20), status=status, band=status, since=day(10))


@pytest.mark.parametrize("previous", [None, Status.ON_TRACK, Status.OVERDUE])
@pytest.mark.parametrize("is_short", [True, False])
def test_overdue_is_a_fact_whatever_predecessor_is_missing(previous: Status | None, is_short: bool) -> None:
    late, before = health(Status.OVERDUE), None if previous is None else health(previous)
    shown = health_without_predecessor(late, late, before, Outage(since=day(15), is_short=is_short), TODAY)
    assert (shown.status, shown.unknown, shown.dates.earliest) == (Status.OVERDUE, None, True)


def test_a_milestone_that_runs_keeps_its_verdict_and_then_has_none() -> None:
    now, before = health(Status.ON_TRACK), health(Status.AT_RISK)
    kept = health_without_predecessor(now, now, before, Outage(since=day(15), is_short=True), TODAY)
    assert (kept.status, kept.stale_since) == (Status.AT_RISK, day(15))
    gone = health_without_predecessor(now, now, before, Outage(since=day(15), is_short=False), TODAY)
    assert (gone.status, gone.unknown) == (Status.UNKNOWN, UnknownCause.STALE)


def test_a_kept_verdict_has_no_forecast_after_the_due_date() -> None:
    before = replace(health(Status.ON_TRACK), due=day(19).date(), probability=0.94, dates=Dates(p95=day(30).date()))
    kept = health_without_data(before, before, Outage(since=day(15), is_short=True), day(19).date())
    assert (kept.status, kept.probability, kept.dates) == (Status.ON_TRACK, 0.94, before.dates)
    kept = health_without_data(before, before, Outage(since=day(15), is_short=True), TODAY)
    assert (kept.status, kept.probability, kept.dates) == (Status.ON_TRACK, None, Dates())
