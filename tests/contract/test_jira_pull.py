"""Pulls of the Jira connector in both dialects: all rows once, then changes only."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import pytest

from connectors.jira import search
from connectors.sandbox.world_data import Fault
from sync.model.tracker_data import EventKind, Person, State, StatusCategory, Visibility
from sync.tracker.errors import GoneError
from tests.contract.jira_side import DIALECTS, START, Pulled, Stand, native, pulled, stand

DAILY = re.compile(r"field|status|myself|configuration|project/\d+/version")
"""Paths of requests that are sent once a day, besides those for every pull."""


@pytest.fixture(params=DIALECTS)
def served(request: pytest.FixtureRequest) -> Iterator[Stand]:
    with stand(request.param) as made:
        yield made


def paths(made: Stand) -> list[str]:
    return [path.split("?")[0].partition("/rest/api/")[2][2:] for _, path, _ in made.tracker.log]


def test_every_field_that_jira_has(served: Stand) -> None:
    tracker, clock = served.tracker, served.clock
    project = tracker.project("PAY", "Payments", created=START)
    first = tracker.milestone(project, "2.0 beta / 1", due=date(2026, 4, 1), start=date(2026, 3, 1), description="d")
    second = tracker.milestone(project, "3.0")
    ada = tracker.user("ada", "Ada Fox")
    blocker = tracker.issue(project, "blocks", ada)
    done = tracker.issue(project, "blocked once", ada, status="In Progress")
    tracker.close(done, ada, clock.on(hours=1), resolution="Won't Do")
    issue = tracker.issue(
        project,
        "all of it",
        ada,
        assignees=[ada],
        labels=["a-b", "c"],
        milestones=[first.id, second.id],
        blocked_by=[blocker.number, done.number],
        estimate=7200,
        remaining=3600,
        spent=1800,
        points=2.5,
        type="Sub-task",
        priority="High",
        parent="PAY-1",
        due=date(2026, 3, 20),
        status="In Review",
        confidential=True,
    )
    state = pulled(served.connector(), ["PAY"])
    row = state.issues[native(issue)]
    person = "sandbox:" if tracker.kind == "jira-cloud" else "JIRAUSER"
    assert (row.key, row.title, row.url) == (issue.key, "all of it", f"{tracker.url}/browse/{issue.key}")
    assert (row.project, row.type, row.priority, row.parent) == (str(project.id), "Sub-task", "High", "PAY-1")
    assert (row.state, row.raw_state, row.category) == (State.OPEN, "In Review", StatusCategory.IN_PROGRESS)
    assert row.assignees == (Person(f"{person}{ada.id}", "Ada Fox"),)
    assert row.labels == ("a-b", "c")
    assert row.milestones == (str(first.id), str(second.id))
    assert (row.estimate, row.remaining, row.spent, row.points) == (7200, 3600, 1800, 2.5)
    assert row.blocked_by == (blocker.key,)
    assert row.due == date(2026, 3, 20)
    assert row.visibility is Visibility.CONFIDENTIAL
    assert (row.created_at, row.updated_at) == (issue.created, issue.updated)
    other = state.issues[native(done)]
    assert (other.state, other.closed_at, other.resolution) == (State.CLOSED, done.closed, "Won't Do")
    version = state.milestones[str(first.id)]
    assert (version.key, version.written, version.description) == ("2.0 beta / 1", "/2.0 beta / 1", "d")
    assert (version.start, version.due, version.state) == (date(2026, 3, 1), date(2026, 4, 1), State.OPEN)
    assert state.milestones[str(second.id)].due is None
    assert state.complete == {str(project.id)}
    assert tracker.writes == []


def test_epics_are_parents(served: Stand) -> None:
    project = served.fill("PAY", 2)
    project.issues[2].parent = "PAY-1"
    assert pulled(served.connector(), ["PAY"]).by_key()["PAY-2"].parent == "PAY-1"


def test_a_version_ends_with_its_release_date(served: Stand) -> None:
    project = served.tracker.project("PAY")
    add = served.tracker.milestone
    released = add(project, "1", due=date(2026, 2, 1), released=True)
    undated = add(project, "2", released=True)
    archived = add(project, "3", due=date(2026, 2, 1), archived=True)
    rows = pulled(served.connector(), ["PAY"]).milestones
    assert rows[str(released.id)].closed_at == datetime(2026, 2, 2, tzinfo=UTC)
    assert (rows[str(undated.id)].state, rows[str(undated.id)].closed_at) == (State.CLOSED, None)
    assert (rows[str(archived.id)].state, rows[str(archived.id)].closed_at) == (State.CLOSED, None)


def test_history_to_day_one(served: Stand) -> None:
    tracker, clock = served.tracker, served.clock
    project = tracker.project("PAY", created=START)
    milestone, two = tracker.milestone(project, "1"), tracker.milestone(project, "2")
    ada = tracker.user("ada", "Ada Fox")
    issue = tracker.issue(project, "moves", ada, milestones=[milestone.id])
    moved, closed, reopened = clock.on(days=1), clock.on(days=1), clock.on(days=1)
    tracker.move(project, issue, [two.id], ada, moved)
    tracker.close(issue, ada, closed)
    tracker.reopen(issue, ada, reopened)
    state = pulled(served.connector(), ["PAY"])
    events = state.events[native(issue)]
    assert [(e.kind, e.at, e.milestone, e.milestone_title) for e in events] == [
        (EventKind.LEFT, moved, str(milestone.id), "1"),
        (EventKind.JOINED, moved, str(two.id), "2"),
        (EventKind.CLOSED, closed, "", ""),
        (EventKind.REOPENED, reopened, "", ""),
    ]
    assert {e.actor.name for e in events if e.actor} == {"Ada Fox"}
    assert state.issues[native(issue)].state is State.OPEN


@pytest.mark.parametrize("time_zone", ["America/Los_Angeles", "Asia/Kathmandu", "UTC"])
@pytest.mark.parametrize("kind", DIALECTS)
def test_what_changed_is_read_in_any_time_zone(kind: str, time_zone: str) -> None:
    with stand(kind, time_zone=time_zone) as served:
        project = served.fill("PAY", 20)
        ada = served.tracker.user("ada")
        connector = served.connector()
        state = pulled(connector, ["PAY"])
        closed = served.clock.on(minutes=30)
        served.tracker.close(project.issues[4], ada, closed)
        new = served.tracker.issue(project, "new", ada, at=served.clock.on(seconds=20))
        pulled(connector, ["PAY"], state)
        assert {issue.key for page in state.pages for issue in page.issues} == {"PAY-4", new.key}
        assert state.by_key()["PAY-4"].closed_at == closed
        assert [event.kind for event in state.events[native(project.issues[4])]] == [EventKind.CLOSED]


def test_the_cursor_is_the_last_update_seen_and_never_now(served: Stand) -> None:
    project = served.fill("PAY", 5)
    last = max(issue.updated for issue in project.issues.values())
    served.clock.on(days=30)
    state = pulled(served.connector(), ["PAY"])
    late = project.issues[2]
    late.title, late.updated = "indexed late", last - timedelta(minutes=9)
    pulled(served.connector(), ["PAY"], state)
    assert state.by_key()["PAY-2"].title == "indexed late"


def test_many_changes_at_once(served: Stand) -> None:
    project = served.fill("PAY", 260)
    state = pulled(served.connector(), ["PAY"])
    served.clock.on(hours=3)
    ada = served.tracker.user("ada")
    for number in range(1, 240):
        served.tracker.label(project.issues[number], ["x"], [], ada)
    pulled(served.connector(), ["PAY"], state)
    assert sum("x" in issue.labels for issue in state.issues.values()) == 239
    again = pulled(served.connector(), ["PAY"], Pulled(cursors=dict(state.cursors)))
    assert len(again.issues) in (0, 239)  # at most once more, when there are too many to remember


def test_several_projects_in_one_query(served: Stand) -> None:
    for key in ("AA", "BB", "CC", "OR"):
        served.fill(key, 3)
    connector = served.connector(dialect="cloud" if served.tracker.kind == "jira-cloud" else "dc")
    state = pulled(connector, ["AA", "BB", "CC", "OR"])
    assert {issue.key for issue in state.issues.values()} >= {"AA-1", "BB-2", "CC-3", "OR-1"}
    assert len(state.complete) == 4
    assert state.events.keys() == state.issues.keys(), "a history without events too"
    assert sum(path.startswith("search") for path in paths(served)) == 1
    assert len([path for path in paths(served) if not DAILY.fullmatch(path)]) <= 4 + 3


def test_patterns_name_projects(served: Stand) -> None:
    for key in ("PAY", "PAX", "WEB"):
        served.fill(key, 1)
    state = pulled(served.connector(), ["PA*", "NO*"])
    assert {issue.key for issue in state.issues.values()} == {"PAY-1", "PAX-1"}
    assert isinstance(state.failed["NO*"], GoneError)


def test_a_first_pull_that_is_cut_off_goes_on(served: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_HISTORY_BULK", 200)  # issues in one page on Cloud
    project = served.fill("PAY", 350)
    connector = served.connector()
    state = Pulled()
    for page in connector.pull(["PAY"], {}):
        state.take(page)
        if len(state.issues) >= 200:
            break
    already = len(state.issues)
    assert 0 < already < 350
    assert not state.complete
    touched = project.issues[3]
    ada = served.tracker.user("ada")
    served.tracker.label(touched, ["after"], [], ada, served.clock.on(minutes=1))
    served.tracker.label(project.issues[350], ["last"], [], ada, served.clock.on(hours=1))
    pulled(connector, ["PAY"], state)
    assert len(state.issues) == 350
    assert sum(len(page.issues) for page in state.pages) <= 350 - already + 60
    assert state.complete == {str(project.id)}
    pulled(connector, ["PAY"], state)
    assert state.issues[native(touched)].labels == ("after",)


def test_a_deletion_while_reading_loses_nothing() -> None:
    with stand("jira") as served:
        project = served.fill("PAY", 1250)
        state = Pulled()
        for page in served.connector(history=True).pull(["PAY"], {}):
            state.take(page)
            if len(state.pages) == 2:
                for number in range(1, 31):
                    del project.issues[number]
        assert {str(issue.id) for issue in project.issues.values()} <= set(state.issues)
        assert state.complete == {str(project.id)}


def test_without_history_pages_are_large() -> None:
    with stand("jira") as served:
        project = served.fill("PAY", 1500)
        served.tracker.close(project.issues[1], served.tracker.user("ada"), served.clock.on(minutes=5))
        project.issues[2].status = "Done"
        state = pulled(served.connector(history=False, dialect="dc"), ["PAY"])
        assert len(state.issues) == 1500
        assert state.events == {}
        assert state.by_key()["PAY-1"].closed_at == served.clock.now
        assert sum(path == "search" for path in paths(served)) == 3


def test_requests_of_a_large_first_pull_on_cloud() -> None:
    with stand("jira-cloud") as served:
        served.fill("PAY", 5400)
        connector = served.connector(history=False, dialect="cloud")
        assert len(pulled(connector, ["PAY"]).issues) == 5400
        discovery = sum(DAILY.fullmatch(path) is not None for path in paths(served))
        assert connector.requests - discovery <= 54 + 2 + 3


@pytest.mark.parametrize("count", [0, 1, 100, 101, 230])
def test_requests_of_a_first_pull_on_cloud(count: int) -> None:
    with stand("jira-cloud") as served:
        served.fill("PAY", count)
        connector = served.connector(history=False)
        assert len(pulled(connector, ["PAY"]).issues) == count
        discovery = sum(DAILY.fullmatch(path) is not None for path in paths(served))
        assert connector.requests - discovery <= math.ceil(count / 100) + math.ceil(count / 5000) + 3


@pytest.mark.parametrize(("changed", "most"), [(80, 2), (100, 3), (180, 3), (250, 5), (450, 7)])
def test_requests_for_what_changed_on_cloud(changed: int, most: int) -> None:
    with stand("jira-cloud") as served:
        project = served.fill("PAY", 500)
        ada = served.tracker.user("ada")
        connector = served.connector(history=False, dialect="cloud")
        state = pulled(connector, ["PAY"])
        pulled(connector, ["PAY"], state)
        for number in range(1, changed + 1):
            served.tracker.label(project.issues[number], ["changed"], [], ada, served.clock.now)
        before = connector.requests
        pulled(connector, ["PAY"], state)
        assert connector.requests - before <= most
        assert {issue.key for page in state.pages for issue in page.issues} >= {
            f"PAY-{n}" for n in range(1, changed + 1)
        }
        before = connector.requests
        pulled(connector, ["PAY"], state)
        assert connector.requests - before <= most


@pytest.mark.parametrize("lost", [1, 150])
@pytest.mark.parametrize("changed", [180, 280])
def test_a_deletion_among_what_changed_loses_nothing(changed: int, lost: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with stand("jira-cloud") as served:
        project = served.fill("PAY", 300)
        ada = served.tracker.user("ada")
        state = pulled(served.connector(), ["PAY"])
        for number in range(1, changed + 1):
            served.tracker.label(project.issues[number], ["changed"], [], ada, served.clock.on(minutes=1))
        real = search.token_pages

        def vanishing(*asked: Any) -> Iterator[Any]:
            page = next(real(*asked))
            project.issues.pop(changed + 1 - lost, None)
            yield page

        monkeypatch.setattr(search, "token_pages", vanishing)  # after the first page, which holds what changed last
        pulled(served.connector(), ["PAY"], state)
        left = {f"PAY-{n}" for n in range(1, changed + 1)} - {f"PAY-{changed + 1 - lost}"}
        assert {key for key, issue in state.by_key().items() if "changed" in issue.labels} >= left


def test_an_issue_moves_between_projects(served: Stand) -> None:
    project, two = served.fill("AA", 3), served.fill("BB", 1)
    connector = served.connector()
    state = pulled(connector, ["AA", "BB"])
    moved = project.issues.pop(2)
    moved.number, moved.key, moved.updated = 2, "BB-2", served.clock.on(minutes=5)
    moved.milestones = []
    two.issues[2] = moved
    pulled(connector, ["AA", "BB"], state)
    row = state.issues[native(moved)]
    assert (row.key, row.project, row.milestones) == ("BB-2", str(two.id), ())


@pytest.mark.parametrize(
    ("option", "expected"), [({}, 5.0), ({"points_fields": "customfield_10099"}, None)], ids=["found", "given"]
)
def test_story_points_are_found_or_named(served: Stand, option: dict[str, Any], expected: float | None) -> None:
    project = served.fill("PAY", 1)
    project.issues[1].points = 5.0
    assert pulled(served.connector(**option), ["PAY"]).by_key()["PAY-1"].points == expected


# --- what is found out once a day, and what is still there ------------------------------------------------------------


def test_another_process_goes_by_what_was_found_out(served: Stand) -> None:
    served.fill("PAY", 130)
    served.fill("WEB", 5)
    state = pulled(served.connector(), ["PAY", "WEB"])
    pulled(served.connector(), ["PAY", "WEB"], state)
    again, before = served.connector(), dict(state.cursors)
    pulled(again, ["PAY", "WEB"], state)
    assert again.requests == 2 + 1, "each project with its versions, and what changed"
    assert state.cursors == before
    served.clock.on(days=1)
    later = served.connector()
    pulled(later, ["PAY", "WEB"], state)
    assert later.requests > 3
    assert {"field", "status", "myself"} <= set(paths(served)[-later.requests :])


@pytest.mark.parametrize("broken_after", [1, 2, 99])
def test_a_custom_field_that_appears_is_read_for_all_issues_once(served: Stand, broken_after: int) -> None:
    """After an upgrade, or with a right that the token got, its values are in issues that did not change."""
    for key in ("PAY", "WEB"):
        for issue in served.fill(key, 130).issues.values():
            issue.points = 5.0
    served.tracker.faults.append(Fault("status", "/field", status=200, body="[]"))
    state = pulled(served.connector(), ["PAY", "WEB"])
    assert {issue.points for issue in state.issues.values()} == {None}
    served.clock.on(days=1)
    pages = served.connector().pull(["PAY", "WEB"], state.cursors)
    for page in islice(pages, broken_after):
        state.take(page)
    pulled(served.connector(), ["PAY", "WEB"], state)
    assert {issue.points for issue in state.issues.values()} == {5.0}
    pulled(served.connector(), ["PAY", "WEB"], state)  # reads the overlap again after an interruption
    again = served.connector()
    pulled(again, ["PAY", "WEB"], state)
    assert again.requests == 2 + 1, "each project with its versions, and what changed"


@pytest.mark.parametrize("other", [{"token": "another"}, {"points_fields": ["customfield_10016"]}])
def test_what_was_found_out_holds_for_the_same_connection_only(served: Stand, other: dict[str, Any]) -> None:
    served.fill("PAY", 3)
    state = pulled(served.connector(), ["PAY"])
    served.tracker.token = other.get("token", served.tracker.token)
    again = served.connector(**other)
    pulled(again, ["PAY"], state)
    assert "myself" in paths(served)[-again.requests :]


def test_behind_the_gateway_of_oauth_links_lead_to_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.jira.session._GATEWAY", "127.0.0.1")
    with stand("jira-cloud") as served:
        served.fill("PAY", 2)
        body = '{"deploymentType":"Cloud","baseUrl":"https://Acme.atlassian.net/"}'
        served.tracker.faults.append(Fault("garbage", "/rest/api/3/serverInfo", body=body))
        first = served.connector(dialect="cloud")
        state = pulled(first, ["PAY"])
        site = "https://acme.atlassian.net"
        addresses = {row.url.removesuffix(row.key) for row in state.issues.values()}
        addresses |= {row.url.removesuffix(row.id) for row in state.milestones.values()}
        assert addresses == {f"{site}/browse/", f"{site}/projects/PAY/versions/"}
        assert [project.url for page in state.pages for project in page.projects] == [f"{site}/projects/PAY"]
        assert first.base_url == served.tracker.url, "what is stored keeps its identity"
        served.clock.on(minutes=5)
        again = served.connector(dialect="cloud")
        assert {row.url for row in pulled(again, ["PAY"], state).milestones.values()} <= {
            f"{site}/projects/PAY/versions/{key}" for key in state.milestones
        }
        assert "serverInfo" not in paths(served)[-again.requests :], "it was found out"


def test_the_token_cannot_be_read_from_a_cursor(served: Stand) -> None:
    served.fill("PAY", 3)
    cursors = pulled(served.connector(), ["PAY"]).cursors
    assert "sandbox" not in "".join(cursors.values()).replace("sandbox:", "")
    assert "example.org" not in "".join(cursors.values())


def test_a_status_that_is_new_since_then(served: Stand) -> None:
    """Its category decides when an issue was closed, so it is asked for."""
    project = served.fill("PAY", 3)
    state = pulled(served.connector(), ["PAY"])
    served.tracker.statuses["Signed off"] = "done"
    issue, ada = project.issues[1], served.tracker.user("ada")
    before, ended = issue.status, served.clock.on(hours=1)
    for old, new in ((before, "Signed off"), ("Signed off", "In Review")):
        served.tracker.change(issue, "status", old, new, ada, served.clock.now, new)
        issue.status = new
        served.clock.on(hours=1)
    pulled(served.connector(), ["PAY"], state)
    whole = pulled(served.connector(), ["PAY"])
    assert state.events == whole.events
    kinds = [(event.kind, event.at) for event in state.events[native(issue)]]
    assert (EventKind.CLOSED, ended) in kinds


def test_what_was_deleted_is_gone_when_the_sweep_is_due(served: Stand) -> None:
    project = served.fill("PAY", 230)
    state = pulled(served.connector(), ["PAY"])
    lost = project.issues.pop(7)
    served.clock.on(days=6)
    pulled(served.connector(), ["PAY"], state)
    assert native(lost) in state.issues
    served.clock.on(days=1)
    connector = served.connector()
    pulled(connector, ["PAY"], state)
    assert native(lost) not in state.issues
    assert len(state.issues) == 229
    before = connector.requests
    pulled(connector, ["PAY"], state)
    assert connector.requests - before == 2, "swept, and again in a week"


def test_a_sweep_of_several_pages_while_issues_vanish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_PAGE_WITHOUT_HISTORY", 50)
    with stand("jira") as served:
        project = served.fill("PAY", 230)
        state = pulled(served.connector(), ["PAY"])
        served.clock.on(days=8)
        real, pages = search._search_ids, []

        def vanishing(session: Any, where: str, start: int) -> Any:
            found = real(session, where, start)
            pages.append(start)
            if len(pages) == 1:
                del project.issues[3]
            return found

        monkeypatch.setattr(search, "_search_ids", vanishing)
        pulled(served.connector(), ["PAY"], state)
        assert set(state.issues) == {native(issue) for issue in project.issues.values()}
        assert pages.count(0) == 2, "begun again; how many pages the first attempt asked ahead for is up to the threads"
        assert sorted(pages[pages.index(0, 1) :]) == [0, 50, 100, 150, 200]
