"""JQL that the connector writes, held against the sandbox's parser: any time in any zone, any text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from connectors.jira import jql
from connectors.sandbox.world import World
from tests.contract.test_jira_jql import NOW, asked

ZONES = ["UTC", "America/Los_Angeles", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"]
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # bounds
autumn = st.integers(0, 6 * 3600).map(lambda s: datetime(2026, 11, 1, 5, tzinfo=UTC) + timedelta(seconds=s))


@given(moments | autumn, st.sampled_from(ZONES), st.integers(0, 40_000))
def test_a_question_since_a_moment_misses_nothing_after_it(at: datetime, zone: str, later: int) -> None:
    tracker = World(lambda: NOW).jira
    tracker.time_zone = zone
    project = tracker.project("A", created=at)
    tracker.issue(project, "at that very moment", tracker.bot, at=at)
    tracker.issue(project, "later", tracker.bot, at=at + timedelta(seconds=later))
    tracker.issue(project, "half a day before", tracker.bot, at=at - timedelta(hours=12))
    query = f"project = A AND {jql.since('updated', at, ZoneInfo(zone))} ORDER BY key"
    assert asked(query, tracker) == ["A-1", "A-2"]


@given(st.text(min_size=1))
def test_any_text_is_one_literal(text: str) -> None:
    tracker = World(lambda: NOW).jira
    project = tracker.project("A", created=NOW)
    tracker.milestone(project, text)
    tracker.milestone(project, "another")
    version = next(iter(project.milestones))
    tracker.issue(project, "in it", tracker.bot, milestones=[version])
    assert asked(f"{jql.any_of('fixVersion', [text])} AND project = A", tracker) == ["A-1"]
