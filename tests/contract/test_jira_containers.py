"""Sprints and epics as milestones, what blocks what, and projects by query, on both Jiras."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.jira.api_types import Change, History
from connectors.jira.containers import KINDS
from connectors.jira.containers.sprints import Sprints
from connectors.jira.session import CustomFields
from connectors.sandbox.world_data import Fault, Issue, Project
from sync.model.tracker_data import DueDate, MilestoneKind, State, UnreadKind
from sync.model.work_time import WorkTime
from sync.tracker.errors import RefusedError
from tests.contract.jira_side import DIALECTS, START, Pulled, Stand, native, pulled, stand

ALL = ["versions", "sprints", "epics"]
ONE_FIELD: Any = SimpleNamespace(custom_fields=CustomFields((), "", "customfield_1"))
"""The session of a Jira with a sprint field."""

ADF = {
    "type": "doc",
    "version": 1,
    "content": [
        {
            "type": "paragraph",
            "content": [
                {"type": "text", "text": "Owner: "},
                {"type": "mention", "attrs": {"id": "sandbox:7", "text": "@Ada Fox"}},
            ],
        },
        {"type": "rule"},
        {
            "type": "bulletList",
            "content": [
                {
                    "type": "listItem",
                    "content": [{"type": "paragraph", "content": [{"type": "text", "text": "Start: 2026-03-01"}]}],
                }
            ],
        },
    ],
}


@pytest.fixture(params=DIALECTS)
def served(request: pytest.FixtureRequest) -> Iterator[Stand]:
    with stand(request.param) as made:
        yield made


def moves(events: tuple[object, ...]) -> list[tuple[str, str]]:
    return [(e.kind.value, e.milestone) for e in events if e.milestone]  # type: ignore[attr-defined]


# --- sprints --------------------------------------------------------------------------------------------------------


def sprints(served: Stand) -> tuple[Project, Issue]:
    """An issue that was carried over from a closed sprint into the next."""
    tracker, project = served.tracker, served.fill("PAY", 3)
    ada, issue = tracker.user("ada"), project.issues[1]
    first = tracker.sprint(project, "Sprint 1", date(2026, 3, 2), date(2026, 3, 13))
    second = tracker.sprint(project, "Sprint 2", date(2026, 3, 16), date(2026, 3, 27))
    tracker.plan(issue, first, ada, served.clock.on(days=1))
    tracker.plan(project.issues[2], first, ada, served.clock.on(days=1))
    tracker.close(project.issues[2], ada, served.clock.on(days=1))
    first.closed = served.clock.on(days=8)
    tracker.plan(issue, second, ada, served.clock.on(hours=1))
    return project, issue


def test_sprints_are_milestones_when_asked_for(served: Stand) -> None:
    project, _ = sprints(served)
    first, second = project.sprints.values()
    state = pulled(served.connector(containers=ALL), ["PAY"])
    found = {m.title: m for m in state.milestones.values() if m.kind is MilestoneKind.SPRINT}
    assert set(found) == {"Sprint 1", "Sprint 2"}
    old, new = found["Sprint 1"], found["Sprint 2"]
    assert (old.id, old.project, old.written) == (f"sprint-{first.id}", str(project.id), "/sprint:Sprint 1")
    assert (old.start, old.due, old.state, old.closed_at) == (first.start, first.due, State.CLOSED, first.closed)
    assert (new.start, new.due, new.state, new.closed_at) == (second.start, second.due, State.OPEN, None)
    assert any(m.kind is MilestoneKind.VERSION for m in state.milestones.values()), "versions stay"
    assert state.pages[0].all_milestones == {str(project.id)}
    plain = pulled(served.connector(), ["PAY"])
    assert all(m.kind is MilestoneKind.VERSION for m in plain.milestones.values())
    assert not any("sprint" in place for issue in plain.issues.values() for place in issue.milestones)


def test_what_is_carried_over_leaves_one_sprint_for_the_next(served: Stand) -> None:
    project, issue = sprints(served)
    first, second = (f"sprint-{number}" for number in project.sprints)
    state = pulled(served.connector(containers=["sprints"]), ["PAY"])
    assert state.by_key()["PAY-1"].milestones == (second,)
    assert state.by_key()["PAY-2"].milestones == (first,), "it was finished there"
    assert moves(state.events[native(issue)]) == [("joined", first), ("left", first), ("joined", second)]
    assert {e.actor and e.actor.name for e in state.events[native(issue)]} == {"Ada"}
    served.tracker.plan(issue, None, served.tracker.user("ada"), served.clock.on(days=1))
    pulled(served.connector(containers=["sprints"]), ["PAY"], state)
    assert moves(state.events[native(issue)])[-2:] == [("left", second), ("joined", first)]


def test_a_sprint_that_moves_shows_without_any_issue(served: Stand) -> None:
    project, _ = sprints(served)
    second = list(project.sprints.values())[1]
    state = pulled(served.connector(containers=ALL), ["PAY"])
    second.due = date(2026, 4, 3)
    pulled(served.connector(containers=ALL), ["PAY"], state)
    assert state.milestones[f"sprint-{second.id}"].due == date(2026, 4, 3)


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Kathmandu"])
@pytest.mark.parametrize("kind", DIALECTS)
def test_a_sprint_ends_on_the_day_that_its_people_see(kind: str, zone: str) -> None:
    with stand(kind, time_zone=zone) as served:
        project, _ = sprints(served)
        state = pulled(served.connector(containers=ALL), ["PAY"])
        assert [state.milestones[f"sprint-{n}"].due for n in project.sprints] == [date(2026, 3, 13), date(2026, 3, 27)]


def test_a_board_of_two_projects_gives_each_sprint_once(served: Stand) -> None:
    project, _ = sprints(served)
    other = served.fill("WEB", 1)
    other.sprints = project.sprints
    state = pulled(served.connector(containers=ALL), ["PAY", "WEB"])
    found = [m for page in state.pages for m in page.milestones if m.kind is MilestoneKind.SPRINT]
    assert [(m.title, m.project) for m in found] == [("Sprint 1", str(project.id)), ("Sprint 2", str(project.id))]


def test_a_sprint_on_two_boards_is_one_sprint(served: Stand) -> None:
    project, _ = sprints(served)
    project.boards = {77: "scrum", 78: "simple", 79: "kanban"}
    state = pulled(served.connector(containers=ALL), ["PAY"])
    found = [m.title for page in state.pages for m in page.milestones if m.kind is MilestoneKind.SPRINT]
    assert found == ["Sprint 1", "Sprint 2"]


def test_sprints_of_one_name_differ_by_id(served: Stand) -> None:
    project, issue = sprints(served)
    first, second = project.sprints.values()
    second.title = first.title
    state = pulled(served.connector(containers=ALL), ["PAY"])
    found = [m for m in state.milestones.values() if m.kind is MilestoneKind.SPRINT]
    assert {m.id for m in found} == {f"sprint-{first.id}", f"sprint-{second.id}"}
    assert {m.written for m in found} == {"/sprint:Sprint 1"}
    assert f"sprint-{second.id}" in state.by_key()[issue.key].milestones


@pytest.mark.parametrize(
    ("status", "type_"), [(400, "scrum"), (401, "scrum"), (403, "scrum"), (403, "simple"), (404, "scrum")]
)
def test_the_sprints_of_a_board_that_refuses_its_list_are_unread(served: Stand, status: int, type_: str) -> None:
    project, _ = sprints(served)
    project.boards = {77: type_}
    served.tracker.faults.append(Fault("status", "/board/77/sprint", times=9, status=status))
    state = pulled(served.connector(containers=ALL), ["PAY"])
    assert state.complete == {str(project.id)}
    assert len([m for m in state.milestones.values() if m.kind is MilestoneKind.SPRINT]) == 2
    [row] = [row for page in state.pages for row in page.unread]
    assert (row.project, row.id, row.kind) == (str(project.id), "", UnreadKind.MILESTONE), "no sprint is deleted"
    assert row.reason.startswith(f"the sprints of board 77: HTTP {status}")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_jira_that_refuses_its_boards_keeps_its_sprints_and_everything_else(served: Stand, status: int) -> None:
    project, issue = sprints(served)
    _, epic, _ = epic_of(served, project)
    state = pulled(served.connector(containers=ALL), ["PAY"])
    known = set(state.milestones)
    served.tracker.faults.append(Fault("status", "/rest/agile/1.0/board?", times=9, status=status))
    at = served.clock.on(days=1)
    served.tracker.close(issue, served.tracker.user("ada"), at)
    pulled(served.connector(containers=ALL), ["PAY"], state)
    assert (set(state.milestones), state.by_key()[issue.key].closed_at) == (known, at)
    assert {f"epic-{epic.id}", f"sprint-{list(project.sprints)[1]}"} < set(state.by_key()[issue.key].milestones)
    [row] = [row for page in state.pages for row in page.unread]
    assert (row.project, row.id) == (str(project.id), ""), "no sprint is deleted"
    assert row.reason.startswith(f"the sprints of all boards: HTTP {status}")
    served.tracker.faults[-1].times = 9
    examined = served.connector(containers=ALL).examine(["PAY"])  # type: ignore[attr-defined]
    found = [row for row in examined.unread if row.what == "sprints"]
    assert [row.project for row in found] == ["PAY"]


def test_a_team_managed_project_without_sprints_has_none(served: Stand) -> None:
    project, _ = sprints(served)
    project.boards = {77: "simple"}
    served.tracker.faults.append(Fault("status", "/board/77/sprint", times=9, status=400))
    state = pulled(served.connector(containers=ALL), ["PAY"])
    assert not any(page.unread for page in state.pages)


def test_an_issue_in_a_sprint_an_epic_and_a_version_is_in_each_once(served: Stand) -> None:
    project, issue = sprints(served)
    _, made, child = epic_of(served, project)
    assert child is issue
    state = pulled(served.connector(containers=ALL), ["PAY"])
    places = state.by_key()[issue.key].milestones
    [version] = project.milestones
    assert sorted(places) == sorted((str(version), f"sprint-{list(project.sprints)[1]}", f"epic-{made.id}"))


def test_an_epic_over_several_projects(served: Stand) -> None:
    project, made, child = epic(served)
    other = served.fill("WEB", 1)
    served.tracker.adopt(other.issues[1], made, served.tracker.user("ada"), served.clock.on(days=1))
    state = pulled(served.connector(containers=["epics"]), ["PAY", "WEB"])
    assert state.milestones[f"epic-{made.id}"].project == str(project.id)
    assert [key for key, issue in sorted(state.by_key().items()) if issue.milestones] == [child.key, "WEB-1"]
    assert moves(state.events[native(other.issues[1])]) == [("joined", f"epic-{made.id}")]


def test_a_status_that_is_renamed_in_mid_run_closes_and_reopens_as_before(served: Stand) -> None:
    """Jira's changelog keeps the old name; the id stays, and decides. One request at a time, so that none is ahead."""
    project, tracker = served.fill("PAY", 320), served.tracker
    ada = tracker.user("ada")
    tracker.statuses["Shipped"] = "done"
    closed = served.clock.on(hours=1)
    for issue in project.issues.values():
        tracker.close(issue, ada, closed, status="Shipped")
    state, pages = Pulled(), served.connector(concurrency=1).pull(["PAY"], {})
    for n, page in enumerate(pages):
        state.take(page)
        if n == 1:  # after the milestones: the first hundred issues are read, and no other
            tracker.statuses = {"Live" if name == "Shipped" else name: key for name, key in tracker.statuses.items()}
            tracker.renamed_statuses["Shipped"] = "Live"
            for issue in project.issues.values():
                issue.status = "Live"
    assert {issue.closed_at for issue in state.issues.values()} == {closed}
    assert Counter(issue.raw_state for issue in state.issues.values()) == {"Shipped": 100, "Live": 220}


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (None, ()),
        ([], ()),
        (["com.x.Sprint@1[rapidViewId=7,id=3,state=CLOSED,name=a,goal=id=9]"], ("sprint-3",)),
        (["x@1[id=3,state=ACTIVE,name=a]", "x@2[id=4,state=CLOSED,name=b]"], ("sprint-3",)),
        ([{"id": 3, "state": "closed"}, {"id": 4, "state": "closed"}], ("sprint-4",)),
        ([{"id": 5, "state": "future"}, {"id": 4, "state": "closed"}], ("sprint-5",)),
        (["nonsense"], ()),
        ("nonsense", ()),
    ],
)
def test_the_sprint_field_in_both_ways(field: object, expected: tuple[str, ...]) -> None:
    row: Any = SimpleNamespace(fields=SimpleNamespace(sprints=field))
    assert tuple(Sprints(ONE_FIELD, ONE_FIELD).now(row)) == expected


def test_a_change_of_something_else_is_no_move() -> None:
    row: Any = SimpleNamespace(id="7", fields=SimpleNamespace(parent=None, epic=None))
    changes = [
        Change(field="summary", from_="1", to="2"),
        Change(field="Sprint", from_="1, 2", to="3, 2"),
        Change(field="Epic Link", from_="99", to=None),
    ]
    for kind in KINDS:
        assert list(kind(ONE_FIELD, ONE_FIELD).events(row, [History(created=START, items=changes)])) == []


# --- epics ----------------------------------------------------------------------------------------------------------


def epic(served: Stand) -> tuple[Project, Issue, Issue]:
    """An epic whose due date was moved, with one child of three."""
    return epic_of(served, served.fill("PAY", 3))


def epic_of(served: Stand, project: Project) -> tuple[Project, Issue, Issue]:
    """Such an epic in a project, with its first issue as child."""
    tracker = served.tracker
    ada = tracker.user("ada")
    made = tracker.issue(project, "Card payments", ada, type="Epic", due=date(2026, 4, 30))
    child = project.issues[1]
    tracker.adopt(child, made, ada, served.clock.on(days=1))
    tracker.redate(made, date(2026, 5, 15), ada, served.clock.on(days=1))
    return project, made, child


def test_epics_are_milestones_when_asked_for(served: Stand) -> None:
    project, made, child = epic(served)
    state = pulled(served.connector(containers=["epics"]), ["PAY"])
    [found] = state.milestones.values()
    assert (found.id, found.kind, found.key) == (f"epic-{made.id}", MilestoneKind.EPIC, made.key)
    assert (found.title, found.written, found.project) == ("Card payments", f"/epic:{made.key}", str(project.id))
    assert (found.due, found.state, found.created_at) == (date(2026, 5, 15), State.OPEN, made.created)
    assert [key for key, issue in state.by_key().items() if issue.milestones] == [child.key]
    assert moves(state.events[native(child)]) == [("joined", found.id)]
    served.tracker.adopt(child, None, served.tracker.user("ada"), served.clock.on(days=1))
    served.tracker.close(made, served.tracker.user("ada"), served.clock.on(days=1))
    pulled(served.connector(containers=["epics"]), ["PAY"], state)
    assert moves(state.events[native(child)]) == [("joined", found.id), ("left", found.id)]
    after = state.milestones[found.id]
    assert (after.state, after.closed_at) == (State.CLOSED, made.closed)
    assert not state.by_key()[child.key].milestones


def test_an_epics_due_dates_come_from_its_change_log(served: Stand) -> None:
    _, made, _ = epic(served)
    state = pulled(served.connector(containers=ALL), ["PAY"])
    [told] = [dates for page in state.pages for key, dates in page.due_dates.items() if key == f"epic-{made.id}"]
    moved = made.changes[-1]
    first, second = told
    assert first == DueDate(made.created, date(2026, 4, 30))
    assert (second.seen, second.due, second.by and second.by.name) == (moved.at, date(2026, 5, 15), moved.actor.name)


def test_an_epic_type_that_is_not_there_fails_in_words(served: Stand) -> None:
    epic(served)
    state = pulled(served.connector(containers=ALL, epic_types=["Saga"]), ["PAY"])
    assert state.complete, "no issue of that type: no epic"
    assert not any(m.kind is MilestoneKind.EPIC for m in state.milestones.values())


def test_an_unknown_container_is_an_error_at_once(served: Stand) -> None:
    with pytest.raises(ValueError, match="versions, sprints, epics"):
        served.connector(containers=["boards"])


def test_a_failure_of_the_agile_api_fails_its_project_alone(served: Stand) -> None:
    sprints(served)
    served.fill("WEB", 1)
    served.tracker.faults.append(Fault("status", "projectKeyOrId=PAY", times=9, status=400))
    state = pulled(served.connector(containers=ALL), ["PAY", "WEB"])
    assert set(state.failed) == {"PAY"}
    assert isinstance(state.failed["PAY"], RefusedError)
    assert {issue.key for issue in state.issues.values()} == {"WEB-1"}


# --- links ----------------------------------------------------------------------------------------------------------


def test_when_a_blocker_closes_the_blocked_one_says_so(served: Stand) -> None:
    tracker, project = served.tracker, served.fill("PAY", 3)
    ada = tracker.user("ada")
    tracker.block(project, project.issues[3], [1, 2], served.clock.on(hours=1))
    served.clock.on(hours=1)
    state = pulled(served.connector(), ["PAY"])
    assert state.by_key()["PAY-3"].blocked_by == ("PAY-1", "PAY-2")
    tracker.close(project.issues[1], ada, served.clock.on(hours=1))
    connector = served.connector()
    before = connector.requests
    pulled(connector, ["PAY"], state)
    assert connector.requests - before <= 6
    assert state.by_key()["PAY-3"].blocked_by == ("PAY-2",)
    tracker.reopen(project.issues[1], ada, served.clock.on(hours=1))
    pulled(served.connector(), ["PAY"], state)
    assert state.by_key()["PAY-3"].blocked_by == ("PAY-1", "PAY-2")


# --- projects by query ----------------------------------------------------------------------------------------------


def test_a_query_names_the_projects_in_which_it_finds_issues(served: Stand) -> None:
    ada = served.tracker.user("ada")
    for key, labels in (("PAY", ["launch"]), ("WEB", ["launch"]), ("OPS", [])):
        project = served.fill(key, 2)
        served.tracker.issue(project, "Marked", ada, labels=labels)
    query = 'labels = "launch" ORDER BY created DESC'
    state = pulled(served.connector(), [query])
    assert {issue.key.partition("-")[0] for issue in state.issues.values()} == {"PAY", "WEB"}
    assert len(state.issues) == 6, "all of those projects"
    served.tracker.issue(
        served.tracker.projects["OPS"], "Marked too", ada, labels=["launch"], at=served.clock.on(days=1)
    )
    pulled(served.connector(), [query], state)
    assert "OPS-3" in state.by_key()
    assert state.failed == {}


def test_a_query_and_a_key_may_name_the_same_project(served: Stand) -> None:
    served.fill("PAY", 2)
    state = pulled(served.connector(), ["PAY", "project = PAY", "PA*"])
    assert len([project for page in state.pages for project in page.projects]) == 1
    assert state.complete


def test_a_bad_query_fails_in_jiras_words_and_alone(served: Stand) -> None:
    served.fill("PAY", 1)
    state = pulled(served.connector(), ["nonsense = 1", "PAY"])
    assert set(state.failed) == {"nonsense = 1"}
    assert "nonsense" in str(state.failed["nonsense = 1"])
    assert set(state.by_key()) == {"PAY-1"}


def test_a_kind_that_is_switched_on_later_finds_the_issues_that_were_read_before(served: Stand) -> None:
    project, issue = sprints(served)
    _, made, child = epic_of(served, project)
    state = pulled(served.connector(), ["PAY"])
    pulled(served.connector(containers=["versions", "sprints"]), ["PAY"], state)
    assert f"sprint-{list(project.sprints)[1]}" in state.by_key()[issue.key].milestones
    pulled(served.connector(containers=ALL), ["PAY"], state)
    assert f"epic-{made.id}" in state.by_key()[child.key].milestones
    pulled(served.connector(containers=ALL), ["PAY"], state)
    assert not any(page.issues for page in state.pages), "nothing is read again under the same options"


# --- owners and working time ----------------------------------------------------------------------------------------


def owners(state: Pulled) -> dict[str, list[str]]:
    return {m.title: [owner.name for owner in m.owners] for m in state.milestones.values()}


def test_driver_assignee_and_lead_are_owners(served: Stand) -> None:
    tracker, project = served.tracker, served.fill("PAY", 1)
    _, made, _ = epic_of(served, project)
    project.lead = tracker.user("lea", "Lea Lead")
    made.assignees = [tracker.user("eve", "Eve Epic")]
    tracker.issue(project, "Unassigned", tracker.user("ada"), type="Epic")
    tracker.milestone(project, "2.0", driver=tracker.user("dan", "Dan Driver"))
    found = owners(pulled(served.connector(containers=ALL), ["P*"]))
    driver = ["Dan Driver"] if tracker.kind == "jira-cloud" else ["Lea Lead"]
    assert found == {
        "PAY 1.0": ["Lea Lead"],
        "2.0": driver,
        "Card payments": ["Eve Epic"],
        "Unassigned": ["Lea Lead"],
    }
    project.lead = tracker.bot if tracker.kind == "jira-cloud" else None
    assert owners(pulled(served.connector(containers=ALL), ["PAY"]))["PAY 1.0"] == [], "a program is no owner"


def test_drivers_are_read_once_a_day() -> None:
    with stand("jira-cloud") as served:
        project = served.fill("PAY", 1)
        version = served.tracker.milestone(project, "2.0", driver=served.tracker.user("dan"))
        state = pulled(served.connector(), ["PAY"])
        version.driver = served.tracker.user("eve")
        served.tracker.log.clear()
        assert owners(pulled(served.connector(), ["PAY"], state))["2.0"] == ["Dan"]
        assert not any("/version" in path or "/user" in path for _, path, _ in served.tracker.log)
        served.clock.on(days=1)
        assert owners(pulled(served.connector(), ["PAY"], state))["2.0"] == ["Eve"]


@pytest.mark.parametrize("status", [401, 403, 404, 500])
@pytest.mark.parametrize("path", ["/version?", "user/bulk"])
def test_without_drivers_all_else_is_read(path: str, status: int) -> None:
    with stand("jira-cloud") as served:
        project = served.fill("PAY", 1)
        served.tracker.milestone(project, "2.0", driver=served.tracker.user("dan"))
        served.tracker.faults.append(Fault("status", path, times=9, status=status))
        state = pulled(served.connector(), ["PAY"])
        assert state.complete
        assert owners(state) == {"PAY 1.0": [], "2.0": []}


def test_an_epic_with_a_security_level_is_no_milestone(served: Stand) -> None:
    """Its title and the words in its description are not for all readers of the project."""
    _, made, child = epic(served)
    made.confidential = True
    state = pulled(served.connector(containers=["epics"]), ["PAY"])
    assert not state.milestones
    assert not state.by_key()[child.key].milestones
    made.confidential = False
    served.tracker.redate(made, date(2026, 5, 16), served.tracker.user("ada"), served.clock.on(days=1))
    pulled(served.connector(containers=["epics"]), ["PAY"], state)
    assert [found.title for found in state.milestones.values()] == ["Card payments"]


def test_an_epics_description_and_start(served: Stand) -> None:
    _, made, _ = epic(served)
    made.body, made.start = "Owner: @ada\nStart: 2026-03-01", date(2026, 3, 4)
    if served.tracker.kind == "jira-cloud":
        made.body = ADF
    [found] = pulled(served.connector(containers=["epics"]), ["PAY"]).milestones.values()
    expected = "Owner: @Ada Fox\n- Start: 2026-03-01" if served.tracker.kind == "jira-cloud" else made.body
    assert (found.description, found.start) == (expected, date(2026, 3, 4))


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        ((8.0, 5.0), WorkTime(hours_a_day=8.0, days_a_week=5.0)),
        ((7.6, 4.5), WorkTime(hours_a_day=7.6, days_a_week=4.5)),
        ((0.0, 5.0), None),
        ((25.0, 5.0), None),
        (None, None),
    ],
)
def test_the_working_time_is_jiras(
    served: Stand, configured: tuple[float, float] | None, expected: WorkTime | None
) -> None:
    served.fill("PAY", 1)
    served.tracker.work_time = configured
    assert pulled(served.connector(), ["PAY"]).pages[0].work_time == expected


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_without_the_configuration_all_else_is_read(served: Stand, status: int) -> None:
    served.fill("PAY", 1)
    served.tracker.faults.append(Fault("status", "/configuration", times=9, status=status))
    state = pulled(served.connector(), ["PAY"])
    assert state.complete
    assert state.pages[0].work_time is None
