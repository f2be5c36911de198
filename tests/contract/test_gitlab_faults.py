"""The GitLab connector under refusals, limits, broken and lost answers, all over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from connectors.sandbox.world_data import Fault
from sync.tracker.actions import CreateComment
from sync.tracker.errors import (
    AuthError,
    BusyError,
    GoneError,
    LimitedError,
    MalformedError,
    RefusedError,
    TrackerError,
    UnreachableError,
)
from tests.contract.gitlab_side import Mirror, Side, failing, served

SECRET = "sandbox"


@pytest.fixture
def side() -> Iterator[Side]:
    with served() as made:
        yield made


def altered(side: Side, **changes: Any) -> str:
    """The issue list with its first issue changed: a field set, or left out (`...`)."""
    from connectors.sandbox.gitlab.views import View

    project = next(iter(side.tracker.projects.values()))
    view = View(side.tracker)
    rows = [view.issue(issue, project, view.blocking(project)) for issue in project.issues.values()]
    for name, value in changes.items():
        if value is ...:
            del rows[0][name]
        else:
            rows[0][name] = value
    return json.dumps(rows)


class TestReading:
    @pytest.mark.parametrize("kind", ["html", "garbage", "empty"])
    def test_another_thing_than_json(self, side: Side, kind: str) -> None:
        side.filled("acme/app", 2)
        bad = side.filled("acme/bad", 2)
        side.tracker.faults.append(Fault(kind, f"/projects/{bad.id}/milestones", times=1000))
        side.tracker.faults.append(Fault(kind, f"/projects/{bad.id}/issues", times=1000, body='{"a": 1}'))
        got = Mirror().pull(side.connect(), "acme/bad", "acme/app")
        assert list(got.failed) == ["acme/bad"]
        error = got.failed["acme/bad"]
        assert isinstance(error, MalformedError)
        assert ("HTML instead of JSON" in str(error)) is (kind == "html")
        assert len(got.issues) == 2

    @pytest.mark.parametrize(
        "changes",
        [
            {"id": ...},
            {"title": ...},
            {"updated_at": ...},
            {"references": ...},
            {"id": "7"},
            {"title": None},
            {"created_at": None},
            {"created_at": "yesterday"},
            {"labels": "bug"},
            {"milestone": 5},
            {"assignees": [{"name": "x"}]},
            {"confidential": "no"},
        ],
        ids=str,
    )
    def test_a_malformed_issue_costs_itself_alone(self, side: Side, changes: dict[str, Any]) -> None:
        """It is named with its field, and read as soon as it can be."""
        side.filled("acme/bad", 2)
        body = altered(side, **changes)
        side.filled("acme/app", 2)
        side.tracker.faults.append(Fault("status", "updated_at&sort=desc", status=200, body=body))
        connector, got = side.connect(concurrency=1), Mirror()
        pages = list(connector.pull(["acme/bad", "acme/app"], {}))
        for page in pages:
            got.take(page)
        assert got.failed == {}
        assert len(got.complete) == 2
        assert len(got.issues) == 3
        [row] = [row for page in pages for row in page.unread]
        assert (row.kind, row.key) == ("issue", "acme/bad#1" if "references" not in changes else "#1")
        [field] = changes
        assert field in row.reason
        assert len(got.pull(connector, "acme/bad", "acme/app").issues) == 4

    @pytest.mark.parametrize(
        "changes",
        [
            {"description": None, "closed_at": None, "due_date": None, "assignees": [], "milestone": None},
            {"weight": ..., "blocking_issues_count": ..., "health_status": ...},
            {"time_stats": ..., "issue_type": ..., "severity": None, "_links": ..., "author": None},
            {"created_at": "2012-05-28T04:42:42-07:00"},
            {"a_field_of_tomorrow": {"x": 1}},
        ],
        ids=str,
    )
    def test_null_absent_and_new_fields_are_no_fault(self, side: Side, changes: dict[str, Any]) -> None:
        side.filled("acme/app", 2)
        side.tracker.faults.append(Fault("status", "updated_at", status=200, body=altered(side, **changes)))
        got = Mirror().pull(side.connect(), "acme/app")
        assert got.failed == {}
        assert len(got.issues) == 2
        assert all(row.created_at.utcoffset() == timedelta(0) for row in got.issues.values())

    def test_an_issue_that_does_not_say_whether_it_is_confidential_counts_as_private(self, side: Side) -> None:
        side.filled("acme/app", 1)
        side.tracker.faults.append(Fault("status", "updated_at", status=200, body=altered(side, confidential=...)))
        got = Mirror().pull(side.connect(), "acme/app")
        assert [row.visibility.value for row in got.issues.values()] == ["unknown"]

    def test_a_project_that_stays_broken_fails_alone(self, side: Side) -> None:
        side.filled("acme/app", 2)
        bad = side.filled("acme/bad", 2)
        side.tracker.faults.append(failing(f"/projects/{bad.id}/issues", 500))
        got = Mirror().pull(side.connect(), "acme/bad", "acme/app")
        assert isinstance(got.failed["acme/bad"], BusyError)
        assert len(got.issues) == 2

    def test_a_body_that_takes_too_long_is_given_up(self, side: Side) -> None:
        side.filled("acme/app", 2)
        connector, clock, begun = side.connect(), side.clock, side.clock.now
        connector._parts.session._setup.clock = lambda: clock.forward(minutes=3)
        with pytest.raises(UnreachableError, match="the request timed out"):
            list(connector.pull(["acme/app"], {}))
        assert clock.now > begun

    @pytest.mark.parametrize("path", ["/milestones", "/groups/acme/projects"])
    def test_a_list_that_repeats_its_page_ends(self, side: Side, path: str) -> None:
        project = side.filled("acme/app", 2)
        for n in range(100):
            side.tracker.milestone(project, f"m{n}")
            side.tracker.project(f"acme/p{n}")
        headers = {"PRIVATE-TOKEN": side.tracker.token}
        base = f"{side.tracker.url}/api/v4"
        url = f"{base}/projects/acme%2Fapp{path}" if path == "/milestones" else f"{base}{path}"
        page = requests.get(f"{url}?per_page=100", headers=headers, timeout=60)
        side.tracker.faults.append(Fault("garbage", path, times=999, body=page.text))
        key = "acme/app" if path == "/milestones" else "acme/*"
        pages = list(side.connect(concurrency=1).pull([key], {}))
        assert "pages of a list repeat" in str(pages[-1].failed[key])
        assert side.tracker.faults[0].times == 997

    @pytest.mark.parametrize("after", [0, 2])
    def test_an_empty_page_where_more_were_counted_is_not_the_end(self, side: Side, after: int) -> None:
        side.filled("acme/app", 730)
        counted = {"x-total": "730", "x-total-pages": "8"}
        side.tracker.faults.append(Fault("status", "sort=asc", times=99, status=200, body="[]", headers=counted))
        side.tracker.faults[0].after = after
        pages = list(side.connect(history="none").pull(["acme/app"], {}))
        assert "pages of a list repeat" in str(pages[-1].failed["acme/app"])
        assert not any(page.complete for page in pages)

    def test_a_partial_sweep_deletes_nothing(self, side: Side) -> None:
        side.filled("acme/app", 5)
        connector = side.connect(history="none", sweep_days=0)
        counted = {"x-total": "5", "x-total-pages": "1"}
        side.tracker.faults.append(Fault("status", "sort=asc", times=99, status=200, body="[]", headers=counted))
        pages = list(connector.pull(["acme/app"], {}))
        assert "pages of a list repeat" in str(pages[-1].failed["acme/app"])
        assert not any(page.all_issues for page in pages)

    def test_a_redirect_to_another_host_is_not_followed(self, side: Side) -> None:
        side.filled("acme/app", 2)
        side.tracker.faults.append(failing("/projects/acme", 301, location="http://127.0.0.2:9/elsewhere"))
        got = Mirror().pull(side.connect(), "acme/app")
        assert isinstance(got.failed["acme/app"], MalformedError)
        assert "another address" in str(got.failed["acme/app"])


class TestWriting:
    MARKER = '{"v":1,"instance":"t","kind":"summary","milestone":"m"}'

    def comment(self, side: Side, text: str = "All is well.") -> CreateComment:
        project = side.filled("acme/app", 1)
        return CreateComment(
            milestone="m",
            project=str(project.id),
            project_key="acme/app",
            issue="acme/app#1",
            body=text,
            marker=self.MARKER,
            summary=True,
        )

    @pytest.mark.parametrize(
        ("status", "error"),
        [(401, AuthError), (403, RefusedError), (404, GoneError), (400, RefusedError), (422, RefusedError)],
    )
    def test_a_refusal_is_an_error_with_the_trackers_words(
        self, side: Side, status: int, error: type[TrackerError]
    ) -> None:
        action = self.comment(side)
        side.tracker.faults.append(failing("POST", status, body='{"message": "no way"}'))
        with pytest.raises(error, match=rf"gl: acme/app: .*HTTP {status}: no way"):
            side.connect().apply(action)
        assert len(side.tracker.writes) == 1

    def test_a_write_that_a_long_limit_refuses_is_not_sent_again(self, side: Side) -> None:
        action = self.comment(side)
        side.tracker.faults.append(failing("POST", 429, times=1, Retry_After="90"))
        with pytest.raises(LimitedError):
            side.connect().apply(action)
        assert side.tracker.projects["acme/app"].issues[1].comments == []

    def test_notes_are_no_more_than_gitlab_takes_in_a_minute(self, side: Side) -> None:
        action, connector = self.comment(side), side.connect(notes_a_minute=3)
        for _ in range(3):
            connector.apply(action)
            side.clock.forward(seconds=5)
        assert side.slept == []
        connector.apply(action)
        assert side.slept == [45.0]
