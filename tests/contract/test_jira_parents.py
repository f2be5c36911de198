"""Initiatives and other parents above epics, on both Jiras: several levels, several projects, and their history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.jira.levels import LevelReader
from connectors.jira.parent_history import ParentChange, ParentHistory
from connectors.sandbox.jira.views import Wording
from connectors.sandbox.versions import OLDEST
from connectors.sandbox.world_data import Fault, Issue, Project
from sync.model.tracker_data import DueDate, EventKind, MilestoneKind, State
from sync.tracker.errors import BusyError, RefusedError
from tests.contract.jira_side import DIALECTS, Pulled, Stand, pulled, stand

PARENTS = ["versions", "parents"]


@pytest.fixture(params=DIALECTS)
def served(request: pytest.FixtureRequest) -> Iterator[Stand]:
    with stand(request.param) as made:
        yield made


class Tree:
    """An initiative with two epics, one of another project; an epic without a parent; two issues in each epic."""

    def __init__(self, served: Stand) -> None:
        self.served, tracker = served, served.tracker
        self.pay, self.web = served.fill("PAY", 0), served.fill("WEB", 0)
        self.ada = tracker.user("ada")
        self.initiative = self.issue(self.pay, "Enter Norway", "Initiative", due=date(2026, 9, 30))
        self.cards = self.issue(self.pay, "Cards", "Epic", parent=self.initiative.key)
        self.shop = self.issue(self.web, "Shop", "Epic", parent=self.initiative.key)
        self.other = self.issue(self.pay, "Other", "Epic")
        self.leaves = {
            epic.title: [self.issue(project, f"{epic.title} {n}", "Story", parent=epic.key) for n in range(2)]
            for project, epic in ((self.pay, self.cards), (self.web, self.shop), (self.web, self.other))
        }
        served.clock.on(hours=1)

    @property
    def id(self) -> str:
        return f"parent-{self.initiative.id}"

    def issue(self, project: Project, title: str, type_: str, **fields: Any) -> Issue:
        return self.served.tracker.issue(project, title, self.ada, type=type_, **fields)

    def adopt(self, issue: Issue, parent: Issue | None) -> datetime:
        at = self.served.clock.on(days=1)
        self.served.tracker.adopt(issue, parent, self.ada, at)
        return at

    def pull(self, so_far: Pulled | None = None, projects: tuple[str, ...] = ("PAY", "WEB"), **options: Any) -> Pulled:
        return pulled(self.served.connector(**{"containers": PARENTS, **options}), projects, so_far)


def members(state: Pulled, milestone: str) -> set[str]:
    return {issue.title for issue in state.issues.values() if milestone in issue.milestones}


def moves(state: Pulled, issue: Issue) -> list[tuple[EventKind, str, datetime]]:
    return [(e.kind, e.milestone, e.at) for e in state.events[str(issue.id)] if e.milestone]


ALL = {"Cards", "Shop", "Cards 0", "Cards 1", "Shop 0", "Shop 1"}


def test_an_initiative_has_everything_below_it_in_all_projects_once(served: Stand) -> None:
    tree = Tree(served)
    tree.initiative.assignees, tree.initiative.body = [tree.ada], "Exit: live in Oslo"
    state = tree.pull()
    found = state.milestones[tree.id]
    assert (found.kind, found.written, found.project) == (MilestoneKind.PARENT, "/parent:PAY-1", str(tree.pay.id))
    assert (found.title, found.due, found.state) == ("Enter Norway", date(2026, 9, 30), State.OPEN)
    assert ([owner.name for owner in found.owners], found.description) == (["Ada"], "Exit: live in Oslo")
    assert members(state, tree.id) == ALL
    assert all(issue.milestones.count(tree.id) <= 1 for issue in state.issues.values())
    assert not any(moves(state, issue) for issues in tree.leaves.values() for issue in issues), "members from the first"
    assert members(tree.pull(history=False), tree.id) == ALL


def test_sub_tasks_belong_to_their_issue(served: Stand) -> None:
    tree = Tree(served)
    tree.issue(tree.pay, "Small", "Sub-task", parent=tree.leaves["Cards"][0].key)
    assert members(tree.pull(), tree.id) == ALL


def test_an_epic_that_joins_brings_its_issues_along(served: Stand) -> None:
    tree = Tree(served)
    state = tree.pull()
    at = tree.adopt(tree.other, tree.initiative)
    tree.pull(state)
    assert members(state, tree.id) == ALL | {"Other", "Other 0", "Other 1"}
    for issue in (tree.other, *tree.leaves["Other"]):
        assert moves(state, issue) == [(EventKind.JOINED, tree.id, at)]
    later = tree.adopt(tree.other, None)
    tree.pull(state)
    assert members(state, tree.id) == ALL
    for issue in (tree.other, *tree.leaves["Other"]):
        assert moves(state, issue) == [(EventKind.JOINED, tree.id, at), (EventKind.LEFT, tree.id, later)]
    tree.pull(state)
    assert not any(page.issues for page in state.pages), "each move is read once"


def test_the_first_pull_knows_an_epic_that_left_before_it(served: Stand) -> None:
    tree = Tree(served)
    left = tree.adopt(tree.cards, None)
    state = tree.pull()
    assert members(state, tree.id) == {"Shop", "Shop 0", "Shop 1"}
    for issue in (tree.cards, *tree.leaves["Cards"]):
        assert moves(state, issue) == [(EventKind.LEFT, tree.id, left)]


def test_an_issue_that_changes_its_epic_stays_in_the_initiative(served: Stand) -> None:
    tree = Tree(served)
    state = tree.pull()
    issue = tree.leaves["Cards"][0]
    tree.adopt(issue, tree.shop)
    tree.pull(state)
    assert moves(state, issue) == []
    left = tree.adopt(issue, tree.other)
    tree.pull(state)
    assert moves(state, issue) == [(EventKind.LEFT, tree.id, left)]
    assert members(state, tree.id) == ALL - {issue.title}


def test_levels_above_the_initiative(served: Stand) -> None:
    tree = Tree(served)
    theme = tree.issue(tree.web, "Nordics", "Theme")
    tree.initiative.parent = theme.key
    state = tree.pull(parent_types=["Initiative", "Theme"])
    assert members(state, f"parent-{theme.id}") == ALL | {"Enter Norway"}
    assert members(state, tree.id) == ALL
    only = tree.pull(parent_types=["theme"])
    assert [m.title for m in only.milestones.values() if m.kind is MilestoneKind.PARENT] == ["Nordics"]
    assert members(only, f"parent-{theme.id}") == ALL | {"Enter Norway"}


def test_levels_by_number_on_cloud() -> None:
    with stand("jira-cloud") as served:
        tree = Tree(served)
        tree.issue(tree.web, "Nordics", "Theme")
        state = tree.pull(parent_types=["2"])
        assert [m.title for m in state.milestones.values() if m.kind is MilestoneKind.PARENT] == ["Enter Norway"]


def test_any_type_can_be_a_parent(served: Stand) -> None:
    tree = Tree(served)
    story = tree.leaves["Cards"][0]
    tree.issue(tree.pay, "Small", "Sub-task", parent=story.key)
    state = tree.pull(parent_types=["Story"])
    assert members(state, f"parent-{story.id}") == {"Small"}


def test_a_parent_in_a_project_that_may_not_be_read(served: Stand) -> None:
    tree = Tree(served)
    hidden = served.fill("HID", 0)
    secret = tree.issue(hidden, "Secret", "Epic", parent=tree.initiative.key)
    boss = tree.issue(hidden, "Boss", "Initiative")
    tree.leaves["Other"][0].parent, tree.other.parent = secret.key, boss.key
    hidden.hidden = True
    state = tree.pull()
    assert (state.failed, members(state, tree.id)) == ({}, ALL), "what this token may see"
    assert not members(state, f"parent-{boss.id}")
    hidden.hidden = False
    assert tree.leaves["Other"][0].title in members(tree.pull(), tree.id)


def test_an_epic_of_a_project_that_is_not_pulled_still_links(served: Stand) -> None:
    tree = Tree(served)
    tree.leaves["Other"][0].parent = tree.shop.key
    issue = tree.issue(tree.pay, "Paid in the shop", "Story", parent=tree.shop.key)
    state = tree.pull(projects=("PAY",))
    assert members(state, tree.id) == {"Cards", "Cards 0", "Cards 1", issue.title}


def test_parents_in_a_circle(served: Stand) -> None:
    tree = Tree(served)
    second = tree.issue(tree.web, "Second", "Initiative", parent=tree.initiative.key)
    tree.initiative.parent = second.key
    state = tree.pull()
    assert members(state, tree.id) == ALL | {"Second"}
    assert members(state, f"parent-{second.id}") == ALL | {"Enter Norway"}


def test_parent_links_that_a_search_leaves_out() -> None:
    with stand("jira") as served:
        tree = Tree(served)
        second = tree.issue(tree.pay, "Second", "Initiative")
        tree.other.parent = second.key
        served.tracker.hides_parent_links = True
        state = tree.pull()
        assert members(state, tree.id) == ALL
        assert members(state, f"parent-{second.id}") == {"Other", "Other 0", "Other 1"}
        examined = served.connector(containers=PARENTS).examine(["PAY", "WEB"])  # type: ignore[attr-defined]
        [line] = examined.limitations
        assert "leaves out the parent links of 3 issues" in line.words


@pytest.mark.parametrize("validates", [True, False])
def test_an_epic_that_was_deleted_meanwhile(served: Stand, *, validates: bool) -> None:
    """It is left out, also by a Data Center that refuses a query with an issue that does not exist."""
    tree = Tree(served)
    issue = tree.leaves["Cards"][0]
    gone = tree.issue(tree.pay, "Gone", "Epic", parent=tree.initiative.key)
    tree.adopt(issue, gone)
    at = tree.adopt(issue, tree.other)
    del tree.pay.issues[gone.number]
    served.tracker.always_validates = validates
    state = tree.pull()
    assert (state.failed, members(state, tree.id)) == ({}, ALL - {issue.title})
    assert [move for move in moves(state, issue) if move[2] == at] == []


def test_due_dates_come_from_the_change_log(served: Stand) -> None:
    tree = Tree(served)
    at = served.clock.on(days=1)
    served.tracker.redate(tree.initiative, date(2026, 12, 31), tree.ada, at)
    state = tree.pull()
    [dates] = [dates for page in state.pages for key, dates in page.due_dates.items() if key == tree.id]
    assert [(d.seen, d.due) for d in dates] == [
        (tree.initiative.created, date(2026, 9, 30)),
        (at, date(2026, 12, 31)),
    ]
    assert isinstance(dates[0], DueDate)


def test_requests_are_few(served: Stand) -> None:
    tree = Tree(served)
    for n in range(150):
        served.clock.on(minutes=1)
        initiative = tree.issue(tree.pay, f"I{n}", "Initiative")
        epic = tree.issue(tree.web, f"E{n}", "Epic", parent=initiative.key)
        tree.issue(tree.web, f"S{n}", "Story", parent=epic.key)
    served.clock.on(hours=1)
    plain = served.connector()
    without = pulled(plain, ["PAY", "WEB"])
    connector = served.connector(containers=PARENTS)
    state = pulled(connector, ["PAY", "WEB"])
    assert connector.requests - plain.requests <= 1 + 2 + 2 + 2 * 4, "types, parents, levels, changelogs of epics"
    quiet, quiet_plain = served.connector(containers=PARENTS), served.connector()
    pulled(quiet, ["PAY", "WEB"], state)
    pulled(quiet_plain, ["PAY", "WEB"], without)
    more = 2 if served.tracker.kind == "jira-cloud" else 0  # pages of 100, of 151 parents and of 101 children
    assert quiet.requests - quiet_plain.requests == 1 + 2 + more, "the parents, and 100 in a query for what is below"


def test_a_failure_below_fails_the_projects_and_loses_no_member(served: Stand) -> None:
    tree = Tree(served)
    state = tree.pull()
    cursors = dict(state.cursors)
    place = "search/jql" if served.tracker.kind == "jira-cloud" else "search"
    served.tracker.faults.append(Fault("status", place, times=99, status=503))
    tree.pull(state)
    assert set(state.failed) == {"PAY", "WEB"}
    assert all(isinstance(error, BusyError) for error in state.failed.values())
    assert state.cursors == cursors
    assert members(state, tree.id) == ALL


def test_an_unreadable_issue_below_costs_no_project(served: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issues below it are read, as the query says its parent."""
    tree, told = Tree(served), Wording.issue

    def telling(self: Wording, row: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        shown = told(self, row, *args, **kwargs)
        if row[1] is tree.cards and "issuetype" in shown["fields"]:
            shown["fields"]["issuetype"] = 5
        return shown

    monkeypatch.setattr(Wording, "issue", telling)
    state = tree.pull()
    assert state.failed == {}
    assert state.complete == {str(tree.pay.id), str(tree.web.id)}
    assert members(state, tree.id) == ALL - {"Cards"}
    assert [row.key for page in state.pages for row in page.unread] == [tree.cards.key]


def test_without_the_licence_there_are_no_parents_and_all_else_is_read(served: Stand) -> None:
    tree = Tree(served)
    served.tracker.premium = False
    for project in (tree.pay, tree.web):
        for issue in project.issues.values():
            issue.type = "Task" if issue.type == "Initiative" else issue.type
    state = tree.pull()
    assert state.complete == {str(tree.pay.id), str(tree.web.id)}
    assert {m.kind for m in state.milestones.values()} == {MilestoneKind.VERSION}
    examined = served.connector(containers=PARENTS).examine(["PAY"])  # type: ignore[attr-defined]
    assert [line.words for line in examined.limitations] == ["this Jira has no issue type above epics"]
    assert "Premium" in examined.limitations[0].remedy
    served.tracker.premium = True
    tree.issue(tree.pay, "New", "Initiative")
    assert not served.connector(containers=PARENTS).examine(["PAY"]).limitations  # type: ignore[attr-defined]


def test_a_type_that_is_gone_between_two_pulls_fails_nothing(served: Stand) -> None:
    """A licence ended, or a type was deleted or renamed: Jira refuses its name, and the types are read again."""
    tree = Tree(served)
    state = tree.pull()
    served.tracker.premium = False
    for project in (tree.pay, tree.web):
        for issue in project.issues.values():
            issue.type = "Task" if issue.type == "Initiative" else issue.type
    place = "search/jql" if served.tracker.kind == "jira-cloud" else "search"
    body = "{\"errorMessages\": [\"The value 'Initiative' does not exist for the field 'issuetype'.\"]}"
    served.tracker.faults.append(Fault("status", place, times=3, status=400, body=body))
    tree.pull(state)
    assert state.failed == {}
    assert state.complete == {str(tree.pay.id), str(tree.web.id)}


def test_an_old_data_center_has_parents_too() -> None:
    with stand("jira") as served:
        served.tracker.version = OLDEST["jira"]
        tree = Tree(served)
        assert members(tree.pull(), tree.id) == ALL


class Refusing:
    """A search that refuses these parents, or all."""

    def __init__(self, refused: set[str] | None = None) -> None:
        self.refused, self.asked = refused, 0

    def children(self, parents: Sequence[str]) -> list[Any]:
        self.asked += 1
        if self.refused is None or self.refused & set(parents):
            raise RefusedError("jj", "", "HTTP 400")
        return []


def levels(search: Any) -> LevelReader:
    session: Any = SimpleNamespace(types={})
    reader = LevelReader(session, search)
    reader.read_below({f"PAY-{n}": str(n) for n in range(300)})
    return reader


def test_a_jira_that_refuses_every_search_is_not_asked_for_each_parent() -> None:
    search = Refusing()
    assert levels(search).is_refused
    assert search.asked < 40


def test_a_parent_that_was_deleted_is_found_by_halves() -> None:
    search = Refusing({"PAY-7", "PAY-150"})
    assert not levels(search).is_refused
    assert search.asked < 3 + 2 * 2 * 8


# --- ancestors over time ----------------------------------------------------------------------------------------------


def day(n: int) -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=n)


def history(present: dict[str, str], **changes: list[tuple[int, str, str]]) -> ParentHistory:
    made = ParentHistory()
    made.present = present
    made.changes = {
        issue: [ParentChange(day(n), before, after) for n, before, after in rows] for issue, rows in changes.items()
    }
    return made


def test_ancestors_change_with_each_level() -> None:
    made = history({"epic2": "plan"}, epic1=[(2, "", "plan"), (4, "plan", "")])
    assert made.ancestors("epic2") == ("plan",)
    assert made.ancestors("epic1", day(3)) == ("plan",)
    own = [ParentChange(day(5), "epic1", "epic2")]
    assert [(change.at, left, joined) for change, left, joined in made.moves("story", "epic2", own)] == [
        (day(2), set(), {"plan"}),
        (day(4), {"plan"}, set()),
        (day(5), {"epic1"}, {"epic2", "plan"}),
    ]


def test_a_circle_ends_the_chain() -> None:
    made = history({"a": "b", "b": "c", "c": "a"}, a=[(1, "", "b")], c=[(2, "", "a")])
    assert made.ancestors("a") == ("b", "c")
    moves = made.moves("a", "b", made.changes["a"])
    assert [(change.at, left, joined) for change, left, joined in moves] == [(day(1), set(), {"b", "c"})]
