"""Ten years of real history through the sandbox and the connector: every issue, version and date arrives."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.sandbox import real_history as titanium
from sync.model.tracker_data import EventKind, State
from tests.contract.jira_side import Pulled, Stand, pulled, stand

DATA = Path(__file__).parents[3] / "shared" / "data"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real history is not next to the checkout"),
]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Stand, Pulled]]:
    with stand("jira") as made:
        titanium.load(made.tracker, DATA)
        yield made, pulled(made.connector(), ["TIMOB", "AC", "ALOY", "MOD", "DAEMON"])


def test_every_issue_arrives(served: tuple[Stand, Pulled]) -> None:
    by_key = served[1].by_key()
    with gzip.open(DATA / "jira_titanium_issues.csv.gz", "rt") as file:
        told = {row["key"]: row for row in csv.DictReader(file)}
    assert len(by_key) == len(told) == 29_057
    for key, row in told.items():
        issue = by_key[key]
        is_done = row["status_category"] == "done"
        ended = row["resolutiondate"] or (row["created"] if is_done else "")  # some were closed and never resolved
        assert issue.closed_at == (datetime.fromisoformat(ended).astimezone(UTC) if ended else None)
        assert issue.state is (State.CLOSED if is_done else State.OPEN)
        assert set(issue.milestones) == set(row["fix_version_ids"].split("|")) - {""}
        assert (issue.type, issue.priority, issue.raw_state) == (row["type"], row["priority"], row["status"])
        assert issue.labels == tuple(row["labels"].split("|") if row["labels"] else ())
        assert issue.resolution == row["resolution"]
        assert issue.title == key
        assert issue.created_at == datetime.fromisoformat(row["created"]).astimezone(UTC)


def test_done_without_a_resolution_date_is_done(served: tuple[Stand, Pulled]) -> None:
    with gzip.open(DATA / "jira_titanium_issues.csv.gz", "rt") as file:
        told = [row for row in csv.DictReader(file) if row["status_category"] == "done"]
    by_resolution = sum(bool(row["resolutiondate"]) for row in told)
    by_status = sum(issue.state is State.CLOSED for issue in served[1].issues.values())
    assert (by_resolution, by_status, len(told)) == (26_169 - 61, 26_169, 26_169)
    assert all(issue.closed_at for issue in served[1].issues.values() if issue.state is State.CLOSED)


def test_every_closing_is_in_the_history(served: tuple[Stand, Pulled]) -> None:
    state = served[1]
    for number, issue in state.issues.items():
        closings = [event.at for event in state.events[number]]
        assert closings == ([] if issue.closed_at is None else [issue.closed_at])
    assert {event.kind for events in state.events.values() for event in events} == {EventKind.CLOSED}


def test_every_version(served: tuple[Stand, Pulled]) -> None:
    rows = served[1].milestones
    with (DATA / "jira_titanium_versions.csv").open() as file:
        told = list(csv.DictReader(file))
    assert len(rows) == len(told) == 821
    for row in told:
        version = rows[row["id"]]
        assert (version.key, version.written) == (row["name"], f"/{row['name']}")
        assert str(version.due or "") == row["releaseDate"]
        assert (version.state is State.CLOSED) == ("True" in (row["released"], row["archived"]))
        ended = version.due is not None and row["released"] == "True"
        assert (version.closed_at is not None) == ended
        if version.closed_at and version.due:
            assert version.closed_at.date() == version.due + timedelta(days=1)


def test_what_changed_since(served: tuple[Stand, Pulled]) -> None:
    made, state = served
    assert len(state.complete) == 5
    assert made.tracker.writes == []
    issue = next(iter(made.tracker.projects["TIMOB"].issues.values()))
    made.tracker.label(issue, ["changed"], [], made.tracker.bot, made.clock.now)
    before = made.made[-1].requests
    again = pulled(made.made[-1], ["TIMOB", "AC", "ALOY", "MOD", "DAEMON"], Pulled(cursors=dict(state.cursors)))
    assert [row.key for row in again.issues.values()] == [issue.key]
    assert made.made[-1].requests - before <= 5 + 3
