"""Parents of sub-issues as milestones, over real HTTP and in the real store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from typing import Any

import pytest

from connectors.github.sub_issues.lists import CURSOR_KEY
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Answer, Issue
from sync.model.tracker_data import EventKind, Milestone, MilestoneKind, State
from sync.store.store import Store
from tests.contract.github_side import Clock, connected, emptied_github
from tests.proof import Record, full

OPTIONS = {"containers": ["milestones", "parents"]}


class Team:
    """Two repositories with issues and sub-issues, and a store that pulls them."""

    def __init__(self, hub: Tracker, clock: Clock) -> None:
        self.hub, self.clock = hub, clock
        self.ada = hub.user("ada")
        self.app, self.web = hub.project("acme/app"), hub.project("acme/web")
        self.store = Store.memory(clock)
        self.options: dict[str, Any] = dict(OPTIONS)
        self.names = ["acme/app", "acme/web"]
        self.source = ""
        self.unread: list[tuple[str, str]] = []
        """Key and reason of the rows that the last pull could not read."""

    def issue(self, title: str, parent: Issue | None = None, *, web: bool = False, **fields: Any) -> Issue:
        """Add an issue below another one, a minute later."""
        made = self.hub.issue(self.web if web else self.app, title, self.ada, at=self.clock.pass_(minutes=1), **fields)
        if parent is not None:
            self.hub.adopt(made, parent, self.ada)
        return made

    def pull(self) -> int:
        """Pull into the store an hour later; return the number of requests."""
        self.clock.pass_(hours=1)
        with closing(connected(self.hub, self.clock, options=self.options)) as connector:
            self.source, self.unread = connector.base_url, []
            for page in connector.pull(self.names, self.store.cursors(self.source)):
                assert page.failed == {}
                self.store.save(self.source, page, self.clock.now)
                self.unread += ((row.key, row.reason) for row in page.unread)
            return connector.requests

    @property
    def parents(self) -> dict[str, Milestone]:
        """The stored milestones of this kind, by title."""
        rows = (row for _, row in self.store.milestones(self.source))
        return {row.title: row for row in rows if row.kind is MilestoneKind.PARENT}

    def members(self, title: str) -> set[str]:
        """The titles of the present members of a parent."""
        key = self.parents[title].id
        return {row.title for row in self.store.issues(self.source) if key in row.milestones}


@pytest.fixture
def team(github: Sandbox, clock: Clock) -> Iterator[Team]:
    made = Team(emptied_github(github.world, clock), clock)
    yield made
    assert made.hub.writes == []
    made.hub.alter, made.hub.version = None, ""


def test_every_field_of_a_parent(team: Team) -> None:
    parent = team.issue("Checkout", due=date(2026, 12, 15), assignees=[team.ada], body="Owner: @ada")
    team.issue("item", parent)
    team.hub.close(parent, team.ada, team.clock.pass_(days=1))
    team.pull()
    row = team.parents["Checkout"]
    assert (row.key, row.written, row.due) == ("1", "/parent:1", date(2026, 12, 15))
    assert (row.state, row.closed_at) == (State.CLOSED, team.clock.now - timedelta(hours=1))
    assert ([person.name for person in row.owners], row.description) == (["ada"], "Owner: @ada")
    assert row.url.endswith("/acme/app/issues/1")


@pytest.mark.parametrize(
    ("fields", "due"),
    [
        pytest.param({"due": date(2026, 12, 15)}, date(2026, 12, 15), id="field"),
        pytest.param({"body": "Plan\n\n- **Due:** 2026-11-30\n"}, date(2026, 11, 30), id="a line of its text"),
        pytest.param({"body": "Target date: 2026-11-30"}, date(2026, 11, 30), id="another line of its text"),
        pytest.param({"body": "Due: 2026-02-30"}, None, id="no date"),
        pytest.param({"body": "It is due: soon"}, None, id="words"),
        pytest.param(
            {"due": date(2026, 1, 2), "body": "Due: 2026-11-30"}, date(2026, 1, 2), id="the field comes first"
        ),
        pytest.param({}, None, id="none"),
    ],
)
def test_a_parent_with_a_due_date_is_a_milestone(team: Team, fields: dict[str, Any], due: date | None) -> None:
    team.issue("item", team.issue("Parent", **fields))
    team.pull()
    assert {row.due for row in team.parents.values()} == ({due} if due else set())


def test_the_due_date_of_its_own_milestone_counts_and_moves_with_it(team: Team) -> None:
    goal = team.hub.milestone(team.app, "v1", due=date(2026, 4, 1))
    team.issue("item", team.issue("Parent", milestones=[goal.id]))
    team.pull()
    assert team.parents["Parent"].due == date(2026, 4, 1)
    goal.due, goal.updated = date(2026, 5, 1), team.clock.now
    team.pull()
    assert team.parents["Parent"].due == date(2026, 5, 1)


def test_a_named_parent_needs_no_date(team: Team) -> None:
    team.options["parents"] = ["acme/app#1", "acme/app#99", "acme/web#x"]
    team.issue("item", team.issue("Parent"))
    team.issue("other", team.issue("Not named"))
    team.pull()
    assert team.parents.keys() == {"Parent"}
    reason = "it does not exist, or this token may not see it"
    assert sorted(team.unread) == [("acme/app#99", reason), ("acme/web#x", reason)]


def test_members_are_all_levels_in_all_repositories_without_the_parent(team: Team) -> None:
    parent = team.issue("Parent", due=date(2026, 12, 15))
    level = parent
    for n in range(10):
        level = team.issue(f"level {n}", level, web=n % 2 == 0)
    team.pull()
    assert team.members("Parent") == {f"level {n}" for n in range(8)}


def test_joins_have_the_times_of_the_links(team: Team) -> None:
    parent, below = team.issue("Parent", due=date(2026, 12, 15)), team.issue("below")
    item = team.issue("item", below)
    team.hub.adopt(below, parent, team.ada, team.clock.pass_(days=2))
    linked = team.clock.now
    team.pull()
    joins = [e for e in team.store.events(team.source) if e.issue == f"I_kw{item.id}" and e.kind is EventKind.JOINED]
    assert [event.at for event in joins] == [linked], "when the issue between both was linked"


def test_what_moves_between_parents_moves_here(team: Team) -> None:
    one, two = (team.issue(title, due=date(2026, 12, 15)) for title in ("one", "two"))
    below = team.issue("below", one)
    team.issue("item", below)
    team.issue("first", one), team.issue("second", two)
    team.pull()
    assert (team.members("one"), team.members("two")) == ({"first", "below", "item"}, {"second"})
    team.hub.adopt(below, two, team.ada, team.clock.pass_(days=1))
    team.pull()
    assert (team.members("one"), team.members("two")) == ({"first"}, {"second", "below", "item"})
    two.due, two.updated = None, team.clock.pass_(days=1)
    team.pull()
    assert team.parents.keys() == {"one"}
    assert {row.title for row in team.store.issues(team.source) if row.milestones} == {"first"}


def test_nothing_changed_costs_no_request(team: Team) -> None:
    team.issue("item", team.issue("Parent", due=date(2026, 12, 15)))
    team.pull()
    assert team.pull() == 4
    assert team.members("Parent") == {"item"}
    team.issue("another", team.app.issues[1])
    assert team.pull() <= 4 + 2 + 1
    assert team.members("Parent") == {"item", "another"}


def test_a_pull_that_ends_before_the_trees_are_read_loses_nothing(team: Team) -> None:
    parent = team.issue("Parent", due=date(2026, 12, 15))
    team.issue("item", parent)
    team.pull()
    team.issue("another", parent)
    team.clock.pass_(hours=1)
    with closing(connected(team.hub, team.clock, options=team.options)) as connector:
        for page in connector.pull(team.names, team.store.cursors(team.source)):
            if not page.all_listed:
                team.store.save(team.source, page, team.clock.now)
    assert team.members("Parent") == {"item"}
    team.pull()
    assert team.members("Parent") == {"item", "another"}


def test_switched_on_later_and_off_again(team: Team) -> None:
    team.issue("item", team.issue("Parent", due=date(2026, 12, 15)))
    team.options = {}
    team.pull()
    assert team.parents == {}
    team.options = dict(OPTIONS)
    team.pull()
    assert team.members("Parent") == {"item"}
    team.options = {}
    team.pull()
    assert team.parents == {}
    assert all(not row.milestones for row in team.store.issues(team.source))


def test_epics_in_a_circle_end(team: Team) -> None:
    one = team.issue("one", due=date(2026, 12, 15))
    two = team.issue("two", one, due=date(2026, 12, 16))
    team.hub.adopt(one, two, team.ada)
    team.pull()
    assert (team.members("one"), team.members("two")) == ({"two"}, {"one"})


def test_a_parent_that_may_not_be_read_is_left_out(team: Team) -> None:
    secret = team.hub.project("acme/secret")
    hidden = team.hub.issue(secret, "hidden", team.ada, due=date(2026, 12, 15))
    parent = team.issue("Parent", due=date(2026, 12, 15))
    team.issue("item", hidden)
    team.issue("seen", parent)
    team.hub.adopt(hidden, parent, team.ada)
    secret.hidden = True
    team.pull()
    assert team.parents.keys() == {"Parent"}
    assert team.members("Parent") == {"seen"}
    assert team.unread == []


def test_a_repository_that_cannot_be_read_now_keeps_its_parents(team: Team) -> None:
    parent = team.issue("Parent", due=date(2026, 12, 15))
    below = team.issue("below", parent, web=True)
    team.issue("item", below)
    team.pull()
    whole = {"below", "item"}
    assert team.members("Parent") == whole

    def fail(_method: str, _path: str, answer: Answer) -> Answer:
        return answer._replace(status=502) if b'"subIssues"' in answer.body and b'"below"' in answer.body else answer

    team.hub.alter = fail
    team.issue("new", parent)
    team.pull()
    assert team.members("Parent") == whole, "a tree of which a part is missing stays as it was"
    assert [key for key, _ in team.unread] == ["acme/web"]
    team.hub.alter = None
    team.pull()
    assert team.members("Parent") == {*whole, "new"}
    assert team.unread == []


def test_a_parent_that_cannot_be_decoded_costs_no_other(team: Team) -> None:
    for title in ("bad", "good"):
        team.issue(f"item of {title}", team.issue(title, due=date(2026, 12, 15)))
    team.pull()

    def spoil(_method: str, path: str, answer: Answer) -> Answer:
        body = json.loads(answer.body) if path.endswith("/graphql") else {}
        for row in ((body.get("data") or {}).get("repository") or {}).values() if body else ():
            if isinstance(row, dict) and "subIssues" in row and row["title"] == "bad":
                row["createdAt"] = "yesterday"
        return answer._replace(body=json.dumps(body).encode()) if body else answer

    team.hub.alter = spoil
    team.issue("new", team.app.issues[3])
    team.pull()
    assert team.parents.keys() == {"bad", "good"}
    assert team.members("bad") == {"item of bad"}
    assert team.members("good") == {"item of good", "new"}
    assert [key for key, _ in team.unread] == ["acme/app#1"]


@pytest.mark.proof
@pytest.mark.parametrize("shape", ["flat", "tree"])
def test_many_sub_issues(team: Team, shape: str, record_property: Record) -> None:
    """GitHub allows a hundred for each issue; a server that has more is read to the end."""
    parts, size = full((100, 50), (12, 50))
    count, pages = parts * size, parts * size // 100
    root = team.issue("Parent", due=date(2026, 12, 15))
    parents = [root] if shape == "flat" else [team.issue(f"part {n}", root) for n in range(parts)]
    for n in range(count):
        team.issue(f"item {n}", parents[n % len(parents)])
    requests = team.pull()
    assert len(team.members("Parent")) == count + (len(parents) if shape == "tree" else 0)
    walk = 2 * pages if shape == "flat" else 3
    assert requests <= 8 + pages + walk
    assert len(team.store.cursors(team.source)[CURSOR_KEY]) < 2000, "what is kept grows with the parents alone"
    team.issue("another", parents[-1])
    assert team.pull() <= 8 + walk, "a change reads the trees again, and no item"
    assert "another" in team.members("Parent")
    record_property("sub-issues in trees", count)


def test_a_server_without_sub_issues_says_so(team: Team) -> None:
    team.issue("item", team.issue("Parent", due=date(2026, 12, 15)))
    team.hub.version = "3.17"
    team.options["parents"] = ["acme/app#1"]
    team.pull()
    assert team.parents == {}
    assert team.unread == [("acme/app", "this server has no sub-issues")]


def test_a_server_without_date_fields_has_the_other_dates(team: Team) -> None:
    team.issue("item", team.issue("Parent", body="Due: 2026-12-01"))
    team.hub.version = "3.20"
    team.pull()
    assert team.parents["Parent"].due == date(2026, 12, 1)
