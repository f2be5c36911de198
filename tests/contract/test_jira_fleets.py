"""Many projects of one Jira: how many requests a pull takes when nothing changed, and what a bad project costs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from connectors.jira import search
from connectors.sandbox.jira.views import Wording
from connectors.sandbox.versions import OLDEST
from connectors.sandbox.world_data import Fault
from sync.tracker.errors import GoneError
from tests.contract.jira_side import DIALECTS, Pulled, Stand, pulled, stand


@pytest.fixture(params=DIALECTS)
def served(request: pytest.FixtureRequest) -> Iterator[Stand]:
    with stand(request.param) as made:
        yield made


@pytest.fixture
def center() -> Iterator[Stand]:
    with stand("jira") as made:
        yield made


def fill(served: Stand, count: int) -> list[str]:
    """Projects with two issues and a version each, updated in different minutes."""
    keys = [f"P{n}X" for n in range(count)]
    for n, key in enumerate(keys):
        project = served.fill(key, 2)
        for issue in project.issues.values():
            served.tracker.label(issue, ["seen"], [], served.tracker.user("ada"), served.clock.on(minutes=n % 7))
    served.clock.on(hours=1)
    return keys


def requests(served: Stand, keys: list[str], state: Pulled) -> int:
    """The requests of a pull by a new process."""
    state.complete, state.failed = set(), {}
    connector = served.connector()
    pulled(connector, keys, state)
    assert (len(state.complete), state.failed) == (len(keys), {})
    return connector.requests


def searches(served: Stand) -> int:
    return sum("/search" in path and "project/search" not in path for _, path, _ in served.tracker.log)


def the_same(served: Stand, keys: list[str], state: Pulled) -> bool:
    whole = pulled(served.connector(), keys)
    return (state.issues, state.milestones) == (whole.issues, whole.milestones)


@pytest.mark.parametrize("count", [1, 20, 200])
def test_requests_when_nothing_changed(served: Stand, count: int) -> None:
    """One search for all projects. Data Center lists projects and versions together, Cloud has a list for each."""
    keys = fill(served, count)
    state = pulled(served.connector(), keys)
    together, seen = 1 + math.ceil(count / 50), []
    expected = count if served.tracker.kind == "jira-cloud" or count < 4 else together
    for run in ("the first quiet run", "a later run"):
        served.tracker.log.clear()
        assert requests(served, keys, state) == expected + 1, run
        assert searches(served) == 1
        seen.append(dict(state.cursors))
        served.clock.on(hours=1)
    assert seen[0] == seen[1]
    assert the_same(served, keys, state)


def test_changes_in_some_projects_are_one_search_too(served: Stand) -> None:
    """On Data Center another one reads the changelogs of what changed."""
    keys = fill(served, 60)
    state = pulled(served.connector(), keys)
    requests(served, keys, state)
    for number in (3, 17, 58):
        project = served.tracker.projects[keys[number]]
        served.tracker.close(project.issues[1], served.tracker.user("ada"), served.clock.on(hours=number))
    served.tracker.log.clear()
    requests(served, keys, state)
    assert searches(served) == (1 if served.tracker.kind == "jira-cloud" else 2)
    assert the_same(served, keys, state)


def busy(served: Stand, count: int, each: int) -> tuple[list[str], Pulled]:
    """Projects in which many issues were updated shortly before the last pull."""
    keys = fill(served, count)
    state = pulled(served.connector(), keys)
    for number in range(each):
        for key in keys:
            project = served.tracker.projects[key]
            issue = served.tracker.issue(project, f"New {number}", served.tracker.user("ada"), at=served.clock.now)
            served.tracker.close(issue, served.tracker.user("ada"), served.clock.on(seconds=1))
    requests(served, keys, state)
    return keys, state


def test_what_was_read_before_costs_data_center_one_search(center: Stand) -> None:
    """Jira's index lags, so what was updated shortly before the last pull is requested again: here 240 issues."""
    keys, state = busy(center, 12, each=20)
    assert the_same(center, keys, state)
    center.clock.on(hours=1)
    assert requests(center, keys, state) == 1 + 1 + 1
    assert not [issue for page in state.pages for issue in page.issues]
    for key in keys:
        project = center.tracker.projects[key]
        center.tracker.reopen(project.issues[5], center.tracker.user("ada"), center.clock.on(seconds=1))
    assert requests(center, keys, state) == 1 + 1 + 1 + 1, "the changelogs of what changed"
    assert the_same(center, keys, state)
    whole = pulled(center.connector(), keys)
    assert state.events == whole.events


def test_a_changelog_that_cannot_be_read_costs_one_issue(center: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, state = busy(center, 12, each=3)
    [bad, *_] = changed = [center.tracker.projects[key].issues[4] for key in keys]
    for issue in changed:
        center.tracker.reopen(issue, center.tracker.user("ada"), center.clock.on(minutes=1))
    shown = Wording.histories
    broken = [{"created": "x", "items": 5}]
    monkeypatch.setattr(Wording, "histories", lambda self, issue: broken if issue is bad else shown(self, issue))
    state.complete, state.failed, state.pages = set(), {}, []
    pulled(center.connector(), keys, state)
    assert (len(state.complete), state.failed) == (12, {})
    assert {row.key for page in state.pages for row in page.unread} == {bad.key}
    monkeypatch.setattr(Wording, "histories", shown)
    pulled(center.connector(), keys, state)
    assert the_same(center, keys, state)
    assert state.events == pulled(center.connector(), keys).events


def test_an_issue_that_vanishes_before_its_changelog_is_asked_for_again(
    center: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, state = busy(center, 12, each=3)
    place = center.tracker.projects[keys[0]]
    issue = place.issues[4]
    center.tracker.reopen(issue, center.tracker.user("ada"), center.clock.on(minutes=1))
    real = search.Search.histories

    def hiding(self: search.Search, issues: Any, **more: Any) -> Any:
        place.hidden = True
        try:
            return real(self, issues, **more)
        finally:
            place.hidden = False

    monkeypatch.setattr(search.Search, "histories", hiding)
    pulled(center.connector(), keys, state)
    assert [row.key for page in state.pages for row in page.unread] == [issue.key]
    monkeypatch.setattr(search.Search, "histories", real)
    pulled(center.connector(), keys, state)
    assert the_same(center, keys, state)
    assert state.events == pulled(center.connector(), keys).events


@pytest.mark.parametrize("time_zone", ["UTC", "America/New_York", "Australia/Lord_Howe"])
def test_projects_of_one_minute_share_a_condition_in_any_time_zone(time_zone: str) -> None:
    with stand("jira", time_zone=time_zone) as served:
        keys = fill(served, 30)
        state = pulled(served.connector(), keys)
        late = served.tracker.projects[keys[4]].issues[2]
        at = late.updated + timedelta(seconds=20)  # in the minute of its project's cursor, hours ago
        served.tracker.label(late, ["late"], [], served.tracker.user("ada"), at)
        requests(served, keys, state)
        assert "late" in state.by_key()[late.key].labels
        assert the_same(served, keys, state)


@pytest.mark.parametrize("lost", [1, 3])
def test_a_project_that_a_search_refuses_is_found_by_halves(served: Stand, lost: int) -> None:
    """It was hidden between the look at the projects and the search. All others are read."""
    keys = fill(served, 64)
    state = pulled(served.connector(), keys)
    bad = keys[5 : 5 + lost]
    served.tracker.unsearchable = set(bad)
    connector = served.connector()
    state.complete, state.failed = set(), {}
    served.tracker.log.clear()
    pulled(connector, keys, state)
    assert set(state.failed) == set(bad)
    assert len(state.complete) == 64 - lost
    assert searches(served) <= 1 + 2 * lost * 6


def test_a_hidden_project_fails_alone_and_is_named(served: Stand) -> None:
    keys = fill(served, 20)
    state = pulled(served.connector(), keys)
    served.tracker.projects[keys[7]].hidden = True
    state.complete, state.failed = set(), {}
    pulled(served.connector(), keys, state)
    assert {key: type(error) for key, error in state.failed.items()} == {keys[7]: GoneError}
    assert len(state.complete) == 19


# --- the versions of several projects -------------------------------------------------------------------------------


def test_a_version_that_comes_goes_or_changes_is_seen_at_the_next_pull(served: Stand) -> None:
    keys = fill(served, 8)
    state = pulled(served.connector(), keys)
    requests(served, keys, state)
    one, two, three = (served.tracker.projects[key] for key in keys[:3])
    served.tracker.milestone(one, "new and empty")
    gone = two.milestones.popitem()[1]
    for issue in two.issues.values():
        issue.milestones = []
    [changed] = three.milestones.values()
    changed.title, changed.released = "renamed", True
    used = requests(served, keys, state)
    assert str(gone.id) in state.milestones, "this state forgets nothing"
    last = {milestone.id: milestone for page in state.pages for milestone in page.milestones}
    whole = {m.id: m for page in pulled(served.connector(), keys).pages for m in page.milestones}
    assert last == whole
    if served.tracker.kind == "jira":
        assert used == 1 + 1 + 2 + 1, "the lists of two projects have other versions than before"
        assert requests(served, keys, state) == 1 + 1 + 1


def test_archived_versions_that_the_common_list_leaves_out_stay(center: Stand) -> None:
    keys = fill(center, 8)
    old = center.tracker.milestone(center.tracker.projects[keys[2]], "0.1")
    old.archived = center.tracker.leaves_out_archived = True
    state = pulled(center.connector(), keys)
    for _ in range(2):
        assert requests(center, keys, state) == 1 + 1 + 1 + 1, "the own list of one project"
        assert str(old.id) in {milestone.id for page in state.pages for milestone in page.milestones}
    served_now = center.tracker.projects[keys[3]].milestones
    for version in served_now.values():
        version.archived = True
    requests(center, keys, state)
    assert served_now.keys() <= {int(milestone.id) for page in state.pages for milestone in page.milestones}


@pytest.mark.parametrize("fault", ["old", "html", "foreign"])
def test_a_jira_without_the_common_list_is_read_project_by_project(center: Stand, fault: str) -> None:
    if fault == "old":
        center.tracker.version = OLDEST["jira"]
    keys = fill(center, 8)
    state = pulled(center.connector(), keys)
    body = '{"values": [{"id": "1", "name": "x", "projectId": 1}], "isLast": true}'
    if fault != "old":
        kind = "html" if fault == "html" else "garbage"
        center.tracker.faults.append(Fault(kind, "/rest/api/2/version", body=body, times=99))
    assert requests(center, keys, state) == 1 + 1 + 8 + 1
    assert requests(center, keys, state) == 1 + 8 + 1, "it was found out"
    assert the_same(center, keys, state)
    center.tracker.version = ""
    center.tracker.faults.clear()
    center.clock.on(days=1)
    requests(center, keys, state)
    assert requests(center, keys, state) == 1 + 1 + 1, "it is tried again each day"


def test_a_busy_common_list_is_asked_for_again_at_the_next_pull(center: Stand) -> None:
    keys = fill(center, 8)
    state = pulled(center.connector(), keys)
    center.tracker.faults.append(Fault("status", "/rest/api/2/version", status=500, times=4))
    assert requests(center, keys, state) == 1 + 4 + 8 + 1
    assert requests(center, keys, state) == 1 + 1 + 1


def test_versions_of_several_pages(center: Stand) -> None:
    keys = fill(center, 5)
    for key in keys:
        for n in range(250):
            center.tracker.milestone(center.tracker.projects[key], f"{key} 2.{n}")
    state = pulled(center.connector(), keys)
    assert requests(center, keys, state) == 1 + 2 + 1
    assert the_same(center, keys, state)
    assert len(state.milestones) == 5 * 251


@pytest.mark.parametrize("count", [2, 8, 60])
def test_without_versions_projects_are_listed_fifty_at_once(served: Stand, count: int) -> None:
    keys = fill(served, count)
    for key in keys:
        served.tracker.issue(served.tracker.projects[key], "Epic", served.tracker.user("ada"), type="Epic")
    state = pulled(served.connector(containers=["epics"]), keys)
    assert len(state.complete) == count
    connector = served.connector(containers=["epics"])
    pulled(connector, keys, state)
    listed = count if count < 4 else math.ceil(count / 50) if served.tracker.kind == "jira-cloud" else 1
    pages = 1 if served.tracker.kind == "jira-cloud" or count < 100 else 2
    assert connector.requests == listed + 2 * pages, "the projects, their epics, and what changed"
    served.tracker.projects[keys[1]].hidden = True
    state.failed = {}
    pulled(served.connector(containers=["epics"]), keys, state)
    assert {key: type(error) for key, error in state.failed.items()} == {keys[1]: GoneError}


# --- options --------------------------------------------------------------------------------------------------------


def test_another_option_reads_all_issues_again(served: Stand) -> None:
    """No issue is updated by it, so what was read for the former value would stay."""
    project = served.fill("PAY", 3)
    project.issues[2].blocked_by = [1]
    served.tracker.close(project.issues[3], served.tracker.user("ada"), served.clock.on(days=1))
    served.clock.on(days=1)
    default = pulled(served.connector(), ["PAY"])
    assert default.by_key()["PAY-2"].blocked_by
    for option in ({"blocked_link": "waits for"}, {"history": False}, {}):
        state = pulled(served.connector(**option), ["PAY"], default)
        whole = pulled(served.connector(**option), ["PAY"])
        assert state.issues == whole.issues
        assert whole.events.items() <= state.events.items()
    state.pages = []
    assert not [issue for page in pulled(served.connector(), ["PAY"], state).pages for issue in page.issues]
