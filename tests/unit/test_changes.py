"""Changes since the comment that a reader knows, in each course of events."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from sync.history.calendar import Calendar
from sync.model.membership import Membership
from sync.model.published import SummaryForecast
from sync.report.changes import Changes, Reference, changes_since, reference_of
from sync.tracker.marker import Marker, MarkerKind

SINCE = datetime(2026, 11, 27, tzinfo=UTC)
NOW = SINCE + timedelta(hours=30)
HOUR = timedelta(hours=1)


def member(item: str = "1", joined: int = -9, **times: int | bool) -> Membership:
    """A membership; times in hours after the reference."""
    moments = {name: at if isinstance(at, bool) else SINCE + at * HOUR for name, at in times.items()}
    return Membership(container="c", item=item, joined=SINCE + joined * HOUR, **moments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("memberships", "expected"),
    [
        ([member()], {}),
        ([member(joined=1)], {"added": ("1",)}),
        ([member(left=1)], {"removed": ("1",)}),
        ([member(closed=1)], {"closed": ("1",)}),
        ([member(closed=-1)], {}),
        ([member(closed=1, removed=True)], {"removed": ("1",)}),
        ([member(joined=1, left=2)], {}),
        ([member(joined=1, closed=2)], {"added": ("1",), "closed": ("1",)}),
        ([member(left=1), member(joined=2)], {}),
        ([member(joined=-9, left=-5), member(joined=2)], {"added": ("1",)}),
        ([member(closed=-1, reopened=1), member(joined=1)], {"reopened": ("1",)}),
        ([member(closed=-1, reopened=1), member(joined=1, closed=3)], {}),
        ([member(closed=1, reopened=2), member(joined=2)], {}),
        ([member(closed=-1, reopened=1), member(joined=1, left=3)], {"removed": ("1",)}),
    ],
)
def test_each_item_is_named_for_what_became_of_it(
    memberships: list[Membership], expected: dict[str, tuple[str, ...]]
) -> None:
    assert changes_since(memberships, {}, SINCE, NOW) == Changes(since=SINCE, **expected)


def test_an_estimate_is_news_for_items_that_were_in_it_and_are_in_it() -> None:
    memberships = [member("1"), member("2", left=2), member("3", joined=2), member("4")]
    estimated_at = {"1": SINCE + HOUR, "2": SINCE + HOUR, "3": SINCE + 3 * HOUR, "4": SINCE - HOUR}
    assert changes_since(memberships, estimated_at, SINCE, NOW).estimated == ("1",)


# --- the reference ---------------------------------------------------------------------------------------------------


THEN, SHOWN, BEFORE = SINCE - 99 * HOUR, SummaryForecast(probability=0.5), SummaryForecast(probability=0.7)


def marker(written: datetime | None, since: datetime | None = THEN) -> Marker:
    return Marker(
        instance="acme",
        kind=MarkerKind.SUMMARY,
        milestone="m",
        probability=0.5,
        previous_forecast=BEFORE,
        written=written,
        changes_since=since,
    )


@pytest.mark.parametrize(
    ("now", "zone", "day"),
    [
        ("2026-12-01T09:00", "UTC", date(2026, 11, 30)),
        ("2026-11-30T09:00", "UTC", date(2026, 11, 27)),  # a Monday
        ("2026-11-28T09:00", "UTC", date(2026, 11, 27)),
        ("2026-11-29T23:00", "UTC", date(2026, 11, 27)),
        ("2026-11-30T23:30", "Asia/Tokyo", date(2026, 11, 30)),  # there it is Tuesday
        ("2026-12-01T03:00", "America/Los_Angeles", date(2026, 11, 27)),  # there it is Monday
        ("2026-12-04T09:00", "UTC", date(2026, 12, 1)),  # two days off of the team
    ],
)
def test_the_reference_is_the_comment_at_the_end_of_the_last_working_day(now: str, zone: str, day: date) -> None:
    calendar = Calendar(off=(date(2026, 12, 2), date(2026, 12, 3)), zone=ZoneInfo(zone))
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    evening = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone)).astimezone(UTC)
    assert reference_of(marker(evening), at, calendar) == Reference(evening, SHOWN)
    assert reference_of(marker(evening - 70 * HOUR), at, calendar) == Reference(evening - 70 * HOUR, SHOWN)
    assert reference_of(marker(evening + HOUR), at, calendar) == Reference(THEN, BEFORE)
    for first in (marker(evening + HOUR, None), marker(None)):
        assert reference_of(first, at, calendar).since == evening


def test_in_a_year_without_working_days_it_is_the_end_of_yesterday() -> None:
    reference = reference_of(marker(None), NOW, Calendar(weekend=range(1, 8)))
    assert reference.since == datetime(2026, 11, 28, tzinfo=UTC)
