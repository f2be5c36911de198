"""The Jira connector under faults of the connection, of one project and of one dialect."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import requests

from connectors.sandbox.jira.views import Wording
from connectors.sandbox.world_data import Fault
from connectors.shared.pagination import MAX_EMPTY_PAGES
from sync.tracker.errors import BusyError, GoneError, LimitedError, MalformedError
from tests.contract.jira_side import DIALECTS, Stand, pulled, stand


@pytest.fixture(params=DIALECTS)
def served(request: pytest.FixtureRequest) -> Iterator[Stand]:
    with stand(request.param) as made:
        made.fill("PAY", 5)
        made.fill("WEB", 5)
        yield made


def wrong(monkeypatch: pytest.MonkeyPatch, key: str, field: str, value: Any) -> None:
    """Serve one issue with a wrong field; None removes the field, "null" makes it null."""
    told = Wording.issue

    def telling(self: Wording, row: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        shown = told(self, row, *args, **kwargs)
        if row[1].key == key:
            if value is None:
                shown["fields"].pop(field, None)
            else:
                shown["fields"][field] = None if value == "null" else value
        return shown

    monkeypatch.setattr(Wording, "issue", telling)


# --- the whole connection -------------------------------------------------------------------------------------------


def test_a_server_that_is_no_jira(served: Stand) -> None:
    served.tracker.faults.append(Fault("html", times=99))
    with pytest.raises(MalformedError, match="HTML instead of JSON"):
        pulled(served.connector(), ["PAY"])
    served.tracker.faults[:] = [Fault("status", "serverInfo", times=99, status=404)]
    with pytest.raises(MalformedError):
        pulled(served.connector(), ["PAY"])


def test_the_sandbox_limits_by_itself(served: Stand) -> None:
    served.tracker.limit = 3
    with pytest.raises(LimitedError):
        pulled(served.connector(), ["PAY"])


# --- one project ----------------------------------------------------------------------------------------------------


def test_a_project_that_may_not_be_seen_is_gone(served: Stand) -> None:
    served.tracker.projects["PAY"].hidden = True
    state = pulled(served.connector(), ["PAY"])
    assert isinstance(state.failed["PAY"], GoneError)
    assert state.complete == set()


@pytest.mark.parametrize("fault", ["html", "garbage", "empty"])
def test_a_project_whose_versions_cannot_be_read_fails_alone(served: Stand, fault: str) -> None:
    number = served.tracker.projects["WEB"].id
    served.tracker.faults.append(Fault(fault, f"/{number}/versions", times=9))
    state = pulled(served.connector(), ["PAY", "W*"])
    if fault == "empty":  # an empty list is what a project without versions answers
        assert len(state.issues) == 10
        return
    assert {issue.key[:3] for issue in state.issues.values()} == {"PAY"}
    assert set(state.failed) == {"WEB"}
    assert isinstance(state.failed["WEB"], MalformedError)
    assert str(state.failed["WEB"]).startswith("jj: WEB: ")


def test_a_malformed_version_costs_itself_alone(served: Stand) -> None:
    number = served.tracker.projects["WEB"].id
    body = f'{{"id":"{number}","key":"WEB","versions":[{{"id":"71","name":5}},{{"id":"72","name":"2.0"}}]}}'
    served.tracker.faults.append(Fault("garbage", "/project/WEB", body=body))
    pages = list(served.connector().pull(["PAY", "WEB"], {}))
    [row] = [row for page in pages for row in page.unread]
    assert (row.kind, row.id, row.project) == ("milestone", "71", str(number))
    assert "`$.name`" in row.reason
    assert "72" in {milestone.id for page in pages for milestone in page.milestones}
    assert len({project for page in pages for project in page.complete}) == 2


@pytest.mark.parametrize("versions", ["1"])
def test_a_project_with_malformed_versions_fails_alone(served: Stand, versions: str) -> None:
    body = f'{{"id":"{served.tracker.projects["WEB"].id}","key":"WEB","versions":{versions}}}'
    served.tracker.faults.append(Fault("garbage", "/project/WEB", body=body))
    state = pulled(served.connector(), ["PAY", "WEB"])
    assert {issue.key[:3] for issue in state.issues.values()} == {"PAY"}
    assert set(state.failed) == {"WEB"}
    assert isinstance(state.failed["WEB"], MalformedError)


def test_versions_missing_from_a_project_are_requested(served: Stand) -> None:
    number = served.tracker.projects["WEB"].id
    served.tracker.faults.append(Fault("garbage", "/project/WEB", body=f'{{"id":"{number}","key":"WEB"}}'))
    state = pulled(served.connector(), ["PAY", "WEB"])
    assert not state.failed
    assert {milestone.project for milestone in state.milestones.values()} == state.complete
    assert any(milestone.project == str(number) for milestone in state.milestones.values())


def test_a_list_of_projects_that_cannot_be_read_is_asked_for_one_by_one(served: Stand) -> None:
    path = "project/search" if served.tracker.kind == "jira-cloud" else "GET /rest/api/2/project"
    served.tracker.faults.append(Fault("html", path))
    state = pulled(served.connector(), ["PAY", "WEB", "NO*"])
    assert len(state.issues) == 10
    assert set(state.failed) == {"NO*"}


@pytest.mark.parametrize("fault", ["html", "garbage", "empty"])
def test_a_search_that_cannot_be_read_fails_its_projects(served: Stand, fault: str) -> None:
    served.tracker.faults.append(Fault(fault, "POST ", times=9))
    state = pulled(served.connector(), ["PAY", "WEB"])
    assert set(state.failed) == {"PAY", "WEB"}
    assert all(isinstance(problem, MalformedError) for problem in state.failed.values())
    assert str(state.failed["PAY"]).startswith("jj: PAY: ")
    assert state.complete == set()
    assert state.cursors == {}


def test_a_search_that_stays_broken_fails_its_projects(served: Stand) -> None:
    served.tracker.faults.append(Fault("status", "search", times=99, status=503))
    assert isinstance(pulled(served.connector(), ["PAY"]).failed["PAY"], BusyError)


@pytest.mark.parametrize(
    ("field", "value"),
    [("summary", None), ("created", "null"), ("updated", "yesterday"), ("labels", "a"), ("status", {"id": 1})],
)
def test_an_issue_that_cannot_be_read_costs_itself_alone(
    served: Stand, monkeypatch: pytest.MonkeyPatch, field: str, value: Any
) -> None:
    """It is named with its field, never with a value, and read as soon as it can be."""
    connector = served.connector()
    with monkeypatch.context() as patched:
        wrong(patched, "WEB-2", field, value)
        pages = list(connector.pull(["PAY", "WEB"], {}))
        [row] = [row for page in pages for row in page.unread]
        assert (row.kind, row.key, row.project) == ("issue", "WEB-2", str(served.tracker.projects["WEB"].id))
        assert field in row.reason
        state = pulled(connector, ["PAY", "WEB"])
        assert state.failed == {}
        assert len(state.issues) == 9
        again = [row for page in connector.pull(["PAY", "WEB"], state.cursors) for row in page.unread]
        assert {row.key for row in again} == {"WEB-2"}, "asked for again at each run"
    assert len(pulled(connector, ["PAY", "WEB"], state).issues) == 10
    assert not [row for page in connector.pull(["PAY", "WEB"], state.cursors) for row in page.unread]


@pytest.mark.parametrize("field", ["resolutiondate", "priority", "assignee", "fixVersions", "issuelinks", "duedate"])
def test_a_null_where_jira_may_give_one_is_nothing(served: Stand, monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    wrong(monkeypatch, "WEB-2", field, "null")
    state = pulled(served.connector(), ["WEB"])
    assert state.failed == {}
    assert state.by_key()["WEB-2"].title == "Item 1"


def test_a_project_that_fails_later_comes_back_whole(served: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        wrong(patched, "WEB-2", "created", "null")
        state = pulled(served.connector(), ["PAY", "WEB"])
    state.failed = {}
    pulled(served.connector(), ["PAY", "WEB"], state)
    assert len(state.issues) == 10
    assert state.failed == {}


# --- one dialect ----------------------------------------------------------------------------------------------------


def test_cloud_has_no_more_search_by_offset() -> None:
    with stand("jira-cloud") as served:
        answer = requests.get(f"{served.tracker.url}/rest/api/3/search?jql=", auth=("a", "sandbox"), timeout=60)
        assert answer.status_code == 410
        with pytest.raises(MalformedError, match="HTTP 404"):
            pulled(served.connector(dialect="dc"), ["PAY"])


@pytest.mark.parametrize("issues", ['[{"id":"1","key":"WEB-1"}]', "[]"], ids=["the same token", "empty pages"])
def test_pages_that_never_end_are_noticed(issues: str) -> None:
    with stand("jira-cloud") as served:
        served.fill("PAY", 150)
        tokens = ["again"] * 9 if issues != "[]" else [str(n) for n in range(40)]
        bodies = [f'{{"issues":{issues},"nextPageToken":"{token}"}}' for token in tokens]
        served.tracker.faults += [Fault("garbage", "search/jql", body=body) for body in bodies]
        rest = list(served.connector().pull(["PAY"], {}))
        assert isinstance(rest[-1].failed["PAY"], MalformedError)
        assert "read before" in str(rest[-1].failed["PAY"]) or "empty pages" in str(rest[-1].failed["PAY"])
        assert not any(page.complete for page in rest)
        most = 1 + 2 if issues != "[]" else 1 + MAX_EMPTY_PAGES + 1
        assert sum(fault.times == 0 for fault in served.tracker.faults) <= most, "the newest, and the ids"


EMPTY = '{"issues":[],"startAt":0,"maxResults":1000,"total":150}'


@pytest.mark.parametrize("after", [0, 1])
def test_an_empty_page_in_mid_search_is_not_the_end(after: int) -> None:
    with stand("jira") as served:
        served.fill("PAY", 150)
        served.tracker.faults.append(Fault("garbage", "/search", times=99, body=EMPTY, after=after))
        state = pulled(served.connector(), ["PAY"])
        assert isinstance(state.failed["PAY"], MalformedError)
        assert state.complete == set()
        served.tracker.faults.clear()
        state.failed = {}
        assert len(pulled(served.connector(), ["PAY"], state).issues) == 150


@pytest.mark.parametrize("rows", ['{"id":1},{"id":"2"}', '{"id":"1"},null'])
def test_a_sweep_with_an_unreadable_row_deletes_nothing(rows: str) -> None:
    with stand("jira") as served:
        served.fill("PAY", 5)
        state = pulled(served.connector(), ["PAY"])
        served.clock.on(days=8)
        pages = served.connector(concurrency=1).pull(["PAY"], state.cursors)
        assert next(page for page in pages if page.complete)
        served.tracker.faults.append(Fault("garbage", "/search", body=f'{{"issues":[{rows}],"total":2}}'))
        [sweep] = pages
        assert [row.name for row in sweep.unread] == ["the list of all issues"]
        assert not sweep.all_issues
        assert not sweep.failed


def test_a_sweep_reads_on_behind_short_pages() -> None:
    with stand("jira") as served:
        project = served.fill("PAY", 5)
        state = pulled(served.connector(), ["PAY"])
        served.clock.on(days=8)
        pages = served.connector(concurrency=1).pull(["PAY"], state.cursors)
        assert next(page for page in pages if page.complete)
        ids = [str(issue.id) for issue in project.issues.values()]
        for part in (ids[:2], ids[2:3], ids[3:]):
            rows = ",".join(f'{{"id":"{id_}","key":"PAY-1"}}' for id_ in part)
            served.tracker.faults.append(Fault("garbage", "/search", body=f'{{"issues":[{rows}],"total":5}}'))
        [sweep] = pages
        assert sweep.all_issues == {str(project.id): frozenset(ids)}


@pytest.mark.parametrize("bodies", [[EMPTY]])
def test_a_partial_sweep_deletes_nothing(bodies: list[str]) -> None:
    with stand("jira") as served:
        served.fill("PAY", 5)
        state = pulled(served.connector(), ["PAY"])
        served.clock.on(days=8)
        pages = served.connector(concurrency=1).pull(["PAY"], state.cursors)
        assert next(page for page in pages if page.complete)
        served.tracker.faults += [Fault("garbage", "/search", body=body) for body in bodies]
        [sweep] = pages
        assert isinstance(sweep.failed["PAY"], MalformedError)
        assert not sweep.all_issues


def test_an_empty_list_of_what_a_query_finds_is_no_leaving() -> None:
    with stand("jira") as served:
        served.fill("PAY", 5)
        rule = {"projects": "PAY", "sign": "?", "text": "priority = High"}
        served.tracker.faults.append(Fault("garbage", "/search", body=EMPTY))
        assert isinstance(pulled(served.connector(rules=[rule]), ["PAY"]).failed["PAY"], MalformedError)


@pytest.mark.parametrize("path", ["board?", "/sprint"])
def test_an_empty_page_of_boards_or_sprints_is_not_the_last(served: Stand, path: str) -> None:
    project = served.tracker.projects["PAY"]
    served.tracker.sprint(project, "Sprint 1", date(2026, 3, 2), date(2026, 3, 13))
    fault = Fault("garbage", path, body='{"values":[],"isLast":false}', times=99)
    served.tracker.faults.append(fault)
    state = pulled(served.connector(containers=["sprints"]), ["PAY"])
    assert isinstance(state.failed["PAY"], MalformedError)
    assert state.milestones == {}
    fault.times, state.failed = 1, {}
    assert len(pulled(served.connector(containers=["sprints"]), ["PAY"], state).milestones) == 1


def test_an_empty_page_of_projects_is_not_the_last() -> None:
    with stand("jira-cloud") as served:
        served.fill("PAY", 5)
        served.tracker.faults.append(Fault("garbage", "project/search", body='{"values":[],"isLast":false}', times=9))
        assert isinstance(pulled(served.connector(), ["PA*"]).failed["PA*"], MalformedError)
