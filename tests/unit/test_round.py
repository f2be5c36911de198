"""The steps of a round, and the next attempt of a failed step."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from sync.tracker.errors import (
    AuthError,
    BusyError,
    GoneError,
    LimitedError,
    MalformedError,
    RefusedError,
    UncertainError,
    UnreachableError,
)
from sync.worker.round import PATIENCE, retry_at, steps

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def limited(until: datetime | None) -> LimitedError:
    return LimitedError("gh", until=until)


def test_each_connection_has_its_batches_in_order_and_its_write_back_last() -> None:
    made = list(steps({"gh": ["a", "b", "c"], "gl": ["x"], "jira": []}, 2))
    lines = defaultdict(list)
    for step in made:
        lines[step.lock].append((step.name, step.projects))
    assert lines == {
        "gh": [("pull", ("a", "b")), ("pull", ("c",)), ("write", ())],
        "gl": [("pull", ("x",)), ("write", ())],
        "jira": [("write", ())],
    }
    assert [step.lock for step in made[:3]] == ["gh", "gl", "jira"], "connections take turns"
    assert len({step.queueing_lock for step in made}) == len(made)


def test_a_round_over_nothing_has_no_steps() -> None:
    assert list(steps({}, 10)) == []


def test_a_limit_is_waited_for_until_its_own_time() -> None:
    assert retry_at([limited(NOW + timedelta(minutes=42))], 1, NOW) == NOW + timedelta(minutes=42)
    assert retry_at([limited(NOW - timedelta(hours=1))], 1, NOW) == NOW
    assert retry_at([limited(None)], 1, NOW) == NOW + timedelta(minutes=1)
    assert retry_at([limited(NOW + timedelta(days=400))], 1, NOW) == NOW + timedelta(days=1)


@pytest.mark.parametrize("kind", [UnreachableError, BusyError, UncertainError])
def test_what_passes_by_itself_is_tried_after_ever_longer_times(kind: type[UnreachableError]) -> None:
    times = [retry_at([kind("gh")], tried, NOW) for tried in range(1, PATIENCE + 1)]
    assert times == [*(NOW + timedelta(minutes=n) for n in (1, 2, 4, 8)), None]


@pytest.mark.parametrize("kind", [AuthError, GoneError, RefusedError, MalformedError, RuntimeError, None])
def test_what_a_person_must_look_at_waits_for_the_next_round(kind: type[Exception] | None) -> None:
    assert retry_at([kind("gh") if kind else None], 1, NOW) is None


def test_of_several_reasons_the_latest_time_counts() -> None:
    causes = [AuthError("gh"), BusyError("gh"), limited(NOW + timedelta(minutes=9)), None]
    assert retry_at(causes, 1, NOW) == NOW + timedelta(minutes=9)
    assert retry_at([], 1, NOW) is None
