"""An assessment of many milestones is that of each alone, and forecasts only those that have not ended."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import numpy as np
import pytest

from sync.assess.rows import LazyIssues
from sync.forecast.batch import Assumptions, ForecastBatch
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.pooled import Forecast, forecasts_of
from sync.health import assess as assessment
from sync.history.calendar import Calendar
from sync.history.ledger import days
from sync.model.health import Status
from tests.benchmarks.bench_assess import world

CALENDAR = Calendar(country="US")


@pytest.mark.parametrize("tolerance", [0.0, 0.1])
def test_a_milestone_gets_the_same_health_alone_and_with_all_others(tolerance: float) -> None:
    ledger, at = world(60, timedelta(days=2.5))
    tables = HistoryTables(ledger, Rules(tolerance=tolerance))
    together = assessment.assess(tables, [own.id for own in ledger.containers], at, CALENDAR)
    assert {health.status for health in together.values()} >= {Status.OFF_TRACK, Status.OVERDUE, Status.ENDED}
    assert any(health.levers for health in together.values())
    for container, health in together.items():
        assert assessment.assess(tables, [container], at, CALENDAR) == {container: health}


def test_only_milestones_that_have_not_ended_are_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, at = world(60, timedelta(days=14))
    forecast: list[int] = []

    def noted(batch: ForecastBatch) -> list[Forecast]:
        forecast.extend(batch.index.tolist())
        return forecasts_of(batch)

    monkeypatch.setattr(assessment, "forecasts_of", noted)
    found = assessment.assess(HistoryTables(ledger, Rules()), [own.id for own in ledger.containers], at, CALENDAR)
    assert len(found) == 60
    assert sorted(forecast) == np.flatnonzero(ledger.ended > days(at)).tolist()
    assert 0 < len(forecast) < 15


def test_votes_are_counted_only_when_they_are_asked_for() -> None:
    ledger, at = world(60, timedelta(days=14))
    moment = np.full(60, days(at))
    batch = ForecastBatch(HistoryTables(ledger, Rules()), np.arange(60), moment, CALENDAR)
    assert "experience" not in vars(batch)
    assert "at_nodes" not in vars(batch.common)
    batch.probability()
    assert "experience" in vars(batch)
    assert "at_nodes" in vars(batch.common)


def test_rows_of_a_batch_answer_as_a_batch_of_their_own() -> None:
    ledger, at = world(60, timedelta(days=14))
    tables, rows = HistoryTables(ledger, Rules()), np.array([41, 3, 3, 59, 20, 3])
    whole = ForecastBatch(tables, np.arange(60), np.full(60, days(at)), CALENDAR)
    part, alone = whole.part(rows), ForecastBatch(tables, rows, np.full(6, days(at)), CALENDAR)
    remaining, due = np.array([2, 5, 0, 9, 4, 1]), alone.due + np.array([0.0, 3.0, 40.0, 7.0, -2.0, 14.0])
    for assumed in (Assumptions(), Assumptions(due=due), Assumptions(frozen=True)):
        found, expected = (own.probability(remaining, assumed=assumed) for own in (part, alone))
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(part.completion(), alone.completion())
    order = np.arange(60)[::-1]
    np.testing.assert_array_equal(whole.part(order).open, whole.open[::-1])


def test_issues_that_were_loaded_are_found_without_loading_all() -> None:
    asked: list[object] = []

    def load(uids: Collection[str] | None) -> dict[str, object]:
        asked.append(uids)
        return {uid: object() for uid in ("known", "late", "old") if uids is None or uid in uids}

    issues = LazyIssues(load)  # type: ignore[arg-type]
    issues.prefetch(["known"])
    assert "known" in issues
    assert issues["known"] is not None
    issues.prefetch(["late", "known"])
    assert "late" in issues
    assert asked == [{"known"}, {"late"}]
    assert "old" in issues
    assert "never" not in issues
    issues.prefetch(["other"])
    assert asked == [{"known"}, {"late"}, None]


def test_expected_issues_are_loaded_together_once_one_of_them_is_looked_up() -> None:
    asked: list[object] = []

    def load(uids: Collection[str] | None) -> dict[str, object]:
        asked.append(uids)
        return {uid: object() for uid in ("open", "closed", "done", "old") if uids is None or uid in uids}

    issues = LazyIssues(load)  # type: ignore[arg-type]
    issues.prefetch(["open"])
    issues.expect(["open", "closed", "done"])
    assert issues["open"] is not None
    assert asked == [{"open"}]
    assert issues["closed"] is not None
    assert "done" in issues
    assert asked == [{"open"}, {"closed", "done"}]
    assert "old" in issues
    assert asked == [{"open"}, {"closed", "done"}, None]


def test_equal_issues_of_another_snapshot_are_shared_and_changed_ones_are_not() -> None:
    stored: dict[str, object] = {"same": [1], "changed": [2], "late": [3]}
    rows: dict[str, object] = {"same": [1], "changed": [20], "late": [3], "new": [4]}

    def load(uids: Collection[str] | None) -> dict[str, object]:
        return {uid: rows[uid] for uid in (rows if uids is None else uids)}

    first = LazyIssues(lambda _: stored)  # type: ignore[arg-type,return-value]
    first.prefetch(stored)
    second = LazyIssues(load)  # type: ignore[arg-type]
    second.prefetch(["same", "changed"])
    second.share(first)
    second.expect(["late", "new"])
    found: dict[str, object] = {**second}
    assert found == rows
    assert [uid for uid in stored if second[uid] is first[uid]] == ["same", "late"]
