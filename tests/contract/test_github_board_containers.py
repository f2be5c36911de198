"""Iterations and target dates of GitHub's project boards over the wire: members, changed columns, missing rights."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import World
from connectors.sandbox.world_data import Board, BoardItem, Column, Fault, Issue, Iteration, Project
from sync.model.tracker_data import Milestone, MilestoneKind, State, UnreadKind, UnreadRow
from sync.tracker.protocol import Connector, Page
from tests.contract.github_side import START, Clock, connected, emptied_github

FIRST, SECOND = Iteration("a1", "Sprint 1", date(2026, 3, 2), 14), Iteration("a2", "Sprint 2", date(2026, 3, 16), 14)


class Place:
    """A private repository with issues on the board acme/7, whose column is called Sprint."""

    def __init__(self, world: World, clock: Clock) -> None:
        self.world, self.clock = world, clock
        self.hub = emptied_github(world, clock)
        self.hub.version, self.hub.scopes, self.hub.alter = "", ("repo", "read:project"), None
        self.app: Project = self.hub.project("acme/app", private=True)
        self.board: Board = self.hub.board("acme/7")
        self.sprint: Column = self.hub.column(self.board, "Sprint", "ITERATION", [FIRST, SECOND])
        self.cursors: dict[str, str] = {}
        self.settings: dict[str, Any] = {"containers": ["milestones", "iterations"], "boards": ["acme/7"]}
        self.projects = ["acme/app"]
        self.connector: Connector | None = None

    def card(self, sprint: Iteration | None = None, project: Project | None = None) -> BoardItem:
        """Add a new issue to the board."""
        home = project or self.app
        issue: Issue = self.hub.issue(home, f"work {len(home.issues)}", self.hub.user("ada"))
        item = self.hub.put_on_board(self.board, home, issue)
        if sprint is not None:
            self.board.set_value(item, self.sprint, sprint.id, self.clock())
        return item

    def pull(self, **more: Any) -> Seen:
        """Pull, an hour later."""
        self.clock.pass_(hours=1)
        self.hub.log.clear()
        connector = connected(self.hub, self.clock, options={**self.settings, **more})
        seen = Seen(list(connector.pull(self.projects, self.cursors)))
        connector.close()
        for page in seen.pages:
            self.cursors |= page.cursors
        return seen

    def requests(self) -> list[str]:
        """The paths of the last pull's requests to GraphQL."""
        return [path for _, path, _ in self.hub.log if "graphql" in path]

    def uid(self, item: BoardItem) -> str:
        """The native id of an item's issue."""
        assert item.issue is not None
        return f"I_kw{item.issue.id}"


class Seen:
    """The listed milestones and members of a pull, and what it could not read."""

    def __init__(self, pages: list[Page]) -> None:
        self.pages = pages
        rows = [row for page in pages for row in page.milestones if row.id.startswith("list-")]
        self.milestones: dict[str, Milestone] = {row.title: row for row in rows}
        titles = {row.id: row.title for row in rows}
        self.members = {titles.get(key, key): m for page in pages for key, m in page.members.items()}
        self.unread: list[UnreadRow] = [row for page in pages for row in page.unread]
        self.all_listed = {key for page in pages for key in page.all_listed}


@pytest.fixture
def place(github: Sandbox, clock: Clock) -> Place:
    return Place(github.world, clock)


def test_iterations_are_milestones_with_their_members(place: Place) -> None:
    item, later, nowhere = place.card(FIRST), place.card(SECOND), place.card()
    seen = place.pull()
    assert seen.unread == []
    first = seen.milestones["Sprint 1"]
    assert (first.kind, first.written, first.state) == (MilestoneKind.ITERATION, "/iteration:Sprint 1", State.OPEN)
    assert (first.start, first.due, first.project) == (date(2026, 3, 2), date(2026, 3, 15), f"R_kw{place.app.id}")
    assert seen.members["Sprint 1"] == {place.uid(item): START}
    assert list(seen.members["Sprint 2"]) == [place.uid(later)]
    assert place.uid(nowhere) not in {key for members in seen.members.values() for key in members}
    assert seen.all_listed == {first.project}


# --- incremental -----------------------------------------------------------------------------------------------------


def test_an_unchanged_board_costs_one_request(place: Place) -> None:
    place.card(FIRST)
    place.pull()
    seen = place.pull()
    assert len(place.requests()) == 1
    assert seen.members == {}
    assert set(seen.milestones) == {"Sprint 1", "Sprint 2"}, "their rows are known without a walk"
    assert seen.all_listed


def test_a_value_that_moves_is_a_new_list_of_both_iterations(place: Place) -> None:
    item, other = place.card(FIRST), place.card(FIRST)
    place.pull()
    place.board.set_value(item, place.sprint, SECOND.id, place.clock())
    seen = place.pull()
    assert {title: list(members) for title, members in seen.members.items()} == {
        "Sprint 1": [place.uid(other)],
        "Sprint 2": [place.uid(item)],
    }


def test_a_new_value_shows_although_the_board_keeps_its_time_of_update(place: Place) -> None:
    item = place.card()
    place.pull()
    place.pull()
    before = place.board.updated
    place.board.set_value(item, place.sprint, FIRST.id, place.clock())
    place.board.updated = before
    assert list(place.pull().members["Sprint 1"]) == [place.uid(item)]


def test_without_filters_such_a_value_shows_within_a_day(place: Place) -> None:
    place.hub.version = "3.19"
    item = place.card()
    place.pull()
    place.pull()
    before = place.board.updated
    place.board.set_value(item, place.sprint, FIRST.id, place.clock())
    place.board.updated = before
    assert place.pull().members == {}
    assert len(place.requests()) == 1, "what the server lacks is asked for once"
    place.clock.pass_(days=1)
    assert list(place.pull().members["Sprint 1"]) == [place.uid(item)]


def test_a_repository_that_is_configured_later_gets_its_members(place: Place) -> None:
    api = place.hub.project("acme/api", private=True)
    item, other = place.card(FIRST), place.card(FIRST, api)
    seen = place.pull()
    assert list(seen.members["Sprint 1"]) == [place.uid(item)]
    (limitation,) = place_limitations(place)
    assert limitation == "not counted on the board acme/7: 1 item of repositories that are not configured"
    place.projects = ["acme/app", "acme/api"]
    assert list(place.pull().members["Sprint 1"]) == [place.uid(item), place.uid(other)]
    assert place_limitations(place) == []


def place_limitations(place: Place) -> list[str]:
    """The lines of the connector about the board between two pulls."""
    connector: Any = connected(place.hub, place.clock, options=place.settings)
    return [limitation.words for limitation in connector.known_limitations(place.cursors)]


def test_5000_items_are_walked_in_50_requests(place: Place) -> None:
    issue = place.card(FIRST).issue
    place.board.items += [BoardItem(10**9 + n, place.app, issue, START, START) for n in range(4999)]
    place.pull()
    place.board.updated = place.clock()
    place.pull()
    assert len(place.requests()) == 1 + 50


def test_a_page_that_is_too_heavy_is_asked_for_in_smaller_parts(place: Place) -> None:
    for _ in range(130):
        place.card(FIRST)
    place.pull()
    place.board.updated = place.clock()
    place.hub.faults += [Fault("status", "/graphql", after=1)]
    seen = place.pull()
    assert len(seen.members["Sprint 1"]) == 130
    assert len(place.requests()) == 1 + 1 + 3, "100 in vain, then 50, 50, 30"


# --- iterations that change ------------------------------------------------------------------------------------------


def test_a_renamed_or_redated_iteration_is_the_same_milestone(place: Place) -> None:
    place.card(FIRST)
    before = place.pull().milestones["Sprint 1"]
    place.sprint.iterations = [Iteration("a1", "Payments", date(2026, 3, 2), 21), SECOND]
    after = place.pull().milestones["Payments"]
    assert (after.id, after.due) == (before.id, date(2026, 3, 22))


def test_a_completed_iteration_ends_with_its_last_day_without_any_change(place: Place) -> None:
    place.card(FIRST)
    place.pull()
    place.clock.pass_(days=14)
    first = place.pull().milestones["Sprint 1"]
    assert (first.state, first.closed_at) == (State.CLOSED, datetime(2026, 3, 16, tzinfo=UTC))


def test_new_ids_keep_the_milestones_and_the_members_for_one_pull(place: Place) -> None:
    item = place.card(FIRST)
    before = place.pull()
    renewed = [Iteration("b1", FIRST.title, FIRST.start, 14), Iteration("b2", SECOND.title, SECOND.start, 14)]
    place.board.configure(place.sprint, renewed, place.clock())
    seen = place.pull()
    assert seen.members == {}, "the last members stay"
    assert {title: row.id for title, row in seen.milestones.items()} == {
        title: row.id for title, row in before.milestones.items()
    }
    (row,) = seen.unread
    assert (row.kind, row.name, len(row.milestones)) == (UnreadKind.BOARD, "board acme/7", 2)
    assert "gone at once: the last members stay for one run" in row.reason
    place.board.set_value(item, place.sprint, "b1", place.clock())
    after = place.pull()
    assert after.unread == []
    assert after.milestones["Sprint 1"].id == before.milestones["Sprint 1"].id
    assert list(after.members["Sprint 1"]) == [place.uid(item)]


def test_values_that_stay_empty_are_believed_in_the_next_pull(place: Place) -> None:
    place.card(FIRST)
    place.pull()
    place.board.configure(place.sprint, [FIRST, SECOND], place.clock())
    assert place.pull().unread
    seen = place.pull()
    assert (seen.unread, seen.members["Sprint 1"]) == ([], {})
    assert place.pull().unread == []


def test_a_deleted_iteration_is_deleted_with_its_members(place: Place) -> None:
    item = place.card(FIRST)
    place.card(SECOND)
    gone = place.pull().milestones["Sprint 1"]
    item.values.clear()
    place.sprint.iterations = [SECOND]
    place.board.updated = place.clock()
    seen = place.pull()
    assert set(seen.milestones) == {"Sprint 2"}
    assert seen.members[gone.id] == {}
    assert gone.project in seen.all_listed


# --- columns that change ---------------------------------------------------------------------------------------------


def test_a_renamed_field_is_found_by_its_id_and_named(place: Place) -> None:
    place.settings["iteration_field"] = "Sprint"
    item = place.card(FIRST)
    place.pull()
    place.sprint.name = "Cycle"
    place.hub.column(place.board, "Other", "ITERATION")
    seen = place.pull()
    assert (seen.unread, list(seen.members["Sprint 1"])) == ([], [place.uid(item)])
    assert place_limitations(place) == ["the column Sprint of the board acme/7 is called Cycle now"]


def test_a_deleted_field_is_an_error_and_no_empty_iteration(place: Place) -> None:
    place.settings["iteration_field"] = "Sprint"
    place.card(FIRST)
    before = place.pull()
    place.board.columns.clear()
    for _ in range(2):
        seen = place.pull()
        assert seen.members == {}
        assert set(seen.milestones) == set(before.milestones)
        (row,) = seen.unread
        assert (row.name, row.reason) == ("board acme/7", "it has no iteration field Sprint: add one to the board")
        assert set(row.milestones) == {milestone.id for milestone in before.milestones.values()}
        assert any(page.complete for page in seen.pages)


def test_several_iteration_fields_must_be_chosen_from(place: Place) -> None:
    place.hub.column(place.board, "Quarter", "ITERATION", [])
    (row,) = place.pull().unread
    assert row.reason == "it has several iteration fields: set iteration_field to one of Sprint, Quarter"
    assert place.pull(iteration_field="Sprint").unread == []


def test_a_board_that_is_written_wrongly_is_an_error(place: Place) -> None:
    assert [row.reason for row in place.pull(boards=["acme/app"]).unread] == ["write a board as owner/number"]


# --- rights ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["scope", "hidden"])
def test_a_board_without_access_costs_no_repository(place: Place, way: str) -> None:
    place.card(FIRST)
    before = place.pull()
    place.hub.scopes, place.board.hidden = (("repo",), False) if way == "scope" else (("repo", "read:project"), True)
    seen = place.pull()
    assert [page.failed for page in seen.pages if page.failed] == []
    assert any(page.complete for page in seen.pages)
    (row,) = seen.unread
    assert row.name == "board acme/7"
    assert set(row.milestones) == {milestone.id for milestone in before.milestones.values()}


def test_hidden_items_make_their_iteration_incomplete_in_every_pull(place: Place) -> None:
    secret = place.hub.project("acme/secret", private=True)
    place.card(FIRST)
    place.card(FIRST, secret)
    secret.hidden = True
    for _ in range(2):
        seen = place.pull()
        (row,) = seen.unread
        assert row.reason == "this token may not see all of its items"
        assert row.milestones == (seen.milestones["Sprint 1"].id,)
    assert place_limitations(place) == ["not counted on the board acme/7: 1 item that this token may not see"]


def test_a_private_board_has_no_public_home_unless_it_is_named(place: Place) -> None:
    place.app.private = False
    place.card(FIRST)
    seen = place.pull()
    assert seen.milestones == {}
    assert seen.unread[0].reason.startswith("it is private, and its items are in public repositories")
    named = place.pull(board_homes={"acme/7": "acme/app"})
    assert named.unread == []
    assert named.milestones["Sprint 1"].project == f"R_kw{place.app.id}"


@pytest.mark.parametrize("change", ["board", "repository"])
def test_a_home_does_not_stay_when_it_would_show_a_private_board_to_the_public(place: Place, change: str) -> None:
    web = place.hub.project("acme/web", private=True)
    place.projects = ["acme/app", "acme/web"]
    place.card(FIRST)
    place.board.public, place.app.private = change == "board", change == "repository"
    assert place.pull().milestones["Sprint 1"].project == f"R_kw{place.app.id}"
    place.board.public = place.app.private = False
    place.card(SECOND)
    assert place.pull().unread[0].reason.startswith("it is private, and its items are in public repositories")
    place.card(FIRST, web)
    assert place.pull().milestones["Sprint 1"].project == f"R_kw{web.id}"


def test_the_home_is_the_first_configured_repository_with_items_and_stays(place: Place) -> None:
    web = place.hub.project("acme/web", private=True)
    place.projects = ["acme/app", "acme/web"]
    place.card(FIRST, web)
    assert place.pull().milestones["Sprint 1"].project == f"R_kw{web.id}"
    place.card(FIRST)
    assert place.pull().milestones["Sprint 1"].project == f"R_kw{web.id}"
    assert place.pull(board_homes={"acme/7": "acme/app"}).milestones["Sprint 1"].project == f"R_kw{place.app.id}"


def test_a_share_of_the_repositories_without_the_home_leaves_the_board_alone(place: Place) -> None:
    """Worker processes read the repositories of a connection in shares."""
    web = place.hub.project("acme/web", private=True)
    place.projects = ["acme/app", "acme/web"]
    item, other = place.card(FIRST), place.card(FIRST, web)
    assert set(place.pull().members["Sprint 1"]) == {place.uid(item), place.uid(other)}
    place.board.set_value(item, place.sprint, SECOND.id, place.clock())
    place.projects = ["acme/web"]
    seen = place.pull()
    assert (seen.milestones, seen.members, seen.all_listed) == ({}, {}, set())
    place.projects = ["acme/app"]
    assert set(place.pull().members["Sprint 1"]) == {place.uid(other)}, "items of other shares are stored, too"


def test_a_repository_that_fails_lets_the_board_be_walked_again(place: Place) -> None:
    place.hub.project("acme/web", private=True).hidden = True
    place.projects = ["acme/app", "acme/web"]
    item = place.card(FIRST)
    for _ in range(2):
        assert set(place.pull().members["Sprint 1"]) == {place.uid(item)}


def test_a_board_that_is_no_longer_configured_loses_its_milestones(place: Place) -> None:
    place.card(FIRST)
    place.pull()
    place.settings["boards"] = []
    seen = place.pull()
    assert (seen.milestones, seen.all_listed) == ({}, {f"R_kw{place.app.id}"})
    assert place.cursors["board-acme/7"] == ""


# --- rows ------------------------------------------------------------------------------------------------------------


def test_drafts_are_no_items_and_archived_items_stay(place: Place) -> None:
    item = place.card(FIRST)
    draft = place.hub.put_on_board(place.board)
    place.board.set_value(draft, place.sprint, FIRST.id, place.clock())
    place.pull()
    item.archived, place.board.updated = True, place.clock()
    assert list(place.pull().members["Sprint 1"]) == [place.uid(item)]


def test_one_bad_row_costs_one_row(place: Place) -> None:
    good, bad = place.card(FIRST), place.card(FIRST)
    assert bad.issue is not None
    broken = f'"id":"I_kw{bad.issue.id}","closed":'

    def alter(_method: str, _path: str, answer: Any) -> Any:
        body = answer.body.replace(broken.encode() + b"false", broken.encode() + b'"perhaps"')
        return answer._replace(body=body)

    place.hub.alter = alter
    for _ in range(2):
        seen = place.pull()
        assert list(seen.members["Sprint 1"]) == [place.uid(good)]
        (row,) = seen.unread
        assert (row.kind, row.id) == (UnreadKind.ISSUE, place.uid(bad))
        assert seen.milestones["Sprint 1"].id in row.milestones
    place.hub.alter = None
    assert len(place.pull().members["Sprint 1"]) == 2


def test_a_bad_iteration_keeps_its_milestone_and_costs_no_other(place: Place) -> None:
    place.card(FIRST)
    before = place.pull()
    place.hub.alter = lambda _method, _path, answer: answer._replace(
        body=answer.body.replace(b'"title":"Sprint 1","startDate"', b'"title":7,"startDate"')
    )
    seen = place.pull()
    assert {row.id for row in seen.milestones.values()} == {row.id for row in before.milestones.values()}
    (row,) = seen.unread
    assert (row.kind, row.id) == (UnreadKind.MILESTONE, before.milestones["Sprint 1"].id)


# --- target dates ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["DATE", "ISSUE_FIELD"])
def test_each_date_of_a_column_is_a_milestone(place: Place, kind: str) -> None:
    target = place.hub.column(place.board, "Target date", kind)
    one, two = place.card(), place.card()
    for item in (one, two):
        place.board.set_value(item, target, date(2026, 3, 20), place.clock())
    place.settings["containers"] = ["milestones", "target dates"]
    seen = place.pull()
    (milestone,) = seen.milestones.values()
    assert (milestone.kind, milestone.written, milestone.title, milestone.due, milestone.state) == (
        MilestoneKind.TARGET_DATE, "/due:2026-03-20", "Target date 2026-03-20", date(2026, 3, 20), State.OPEN,
    )  # fmt: skip
    assert set(seen.members[milestone.title]) == {place.uid(one), place.uid(two)}
    place.board.set_value(two, target, date(2026, 3, 27), place.clock())
    moved = place.pull()
    assert set(moved.milestones) == {"Target date 2026-03-20", "Target date 2026-03-27"}
    assert list(moved.members["Target date 2026-03-20"]) == [place.uid(one)]


def test_a_date_has_ended_when_it_has_passed_and_no_item_is_open(place: Place) -> None:
    target = place.hub.column(place.board, "Target date", "DATE")
    item = place.card()
    place.board.set_value(item, target, date(2026, 3, 4), place.clock())
    place.settings["containers"] = ["target dates"]
    place.pull()
    place.clock.pass_(days=5)
    assert place.pull().milestones["Target date 2026-03-04"].state is State.OPEN, "overdue"
    assert item.issue is not None
    place.hub.close(item.issue, place.hub.user("ada"))
    closed = place.clock()
    place.clock.pass_(days=1)
    ended = place.pull().milestones["Target date 2026-03-04"]
    assert (ended.state, ended.closed_at) == (State.CLOSED, closed)


def test_a_server_without_issue_fields_reads_the_boards_own_dates(place: Place) -> None:
    place.hub.version = "3.19"
    target = place.hub.column(place.board, "Target date", "DATE")
    place.board.set_value(place.card(), target, date(2026, 3, 20), place.clock())
    place.settings["containers"] = ["target dates"]
    assert list(place.pull().milestones) == ["Target date 2026-03-20"]


def test_a_column_that_holds_no_dates_is_an_error(place: Place) -> None:
    place.hub.column(place.board, "Target date", "NUMBER")
    place.hub.column(place.board, "Ship", "DATE")
    (row,) = place.pull(containers=["target dates"]).unread
    assert row.reason == "it has no date field Target date: set date_field to one of Ship"


# --- doctor and check ------------------------------------------------------------------------------------------------


def test_doctor_names_each_board_in_one_line(place: Place) -> None:
    place.hub.board("acme/8")

    def lines(**more: Any) -> list[str]:
        connector: Any = connected(place.hub, place.clock, options={**place.settings, **more})
        report = connector.examine(["acme/app"])
        boards = [right.project for right in report.rights if right.name == "Projects: read" and right.held]
        return [*boards, *(f"{line.project}: {line.words}" for line in report.obstacles if line.is_optional)]

    assert lines() == ["acme/7"]
    assert lines(boards=["acme/7", "acme/8"]) == [
        "acme/7",
        "board acme/8: it has no iteration field: add one to the board",
    ]
    place.hub.scopes = ("repo",)
    (line,) = lines()
    assert line.startswith("board acme/7: Your token has not been granted the required scopes")
    assert lines(containers=["milestones"]) == []


def test_milestones_follow_the_option_from_pull_to_pull(place: Place) -> None:
    milestone = place.hub.milestone(place.app, "v1")
    item = place.card(FIRST)
    assert item.issue is not None
    place.hub.move(place.app, item.issue, [milestone.id], place.hub.bot)
    both = place.pull()
    assert {row.title for page in both.pages for row in page.milestones} == {"v1", "Sprint 1", "Sprint 2"}
    alone = place.pull(containers=["iterations"])
    assert {row.title for page in alone.pages for row in page.milestones} == {"Sprint 1", "Sprint 2"}
    assert {issue.milestones for page in alone.pages for issue in page.issues} == {()}
    assert any(page.all_milestones for page in alone.pages), "stored ones are deleted"
    again = place.pull()
    assert {row.title for page in again.pages for row in page.milestones} == {"v1", "Sprint 1", "Sprint 2"}
    assert {len(issue.milestones) for page in again.pages for issue in page.issues} == {1}


def test_a_board_as_a_project_means_the_repositories_with_items_on_it(place: Place) -> None:
    web = place.hub.project("acme/web")
    place.hub.project("acme/other")
    place.card(FIRST), place.card(SECOND, web)
    place.projects = ["acme/projects/7"]
    seen = place.pull(board_homes={"acme/7": "*"})
    assert {project.key for page in seen.pages for project in page.projects} == {"acme/app", "acme/web"}
    assert set(seen.milestones) == {"Sprint 1", "Sprint 2"}
    place.board.hidden = True
    place.cursors.clear()
    assert [list(page.failed) for page in place.pull().pages if page.failed] == [["acme/projects/7"]]


# --- issue fields ----------------------------------------------------------------------------------------------------


def test_an_issue_has_the_target_date_and_the_effort_of_its_organisation(place: Place) -> None:
    issue, plain = place.card().issue, place.card().issue
    assert issue is not None
    assert plain is not None
    issue.fields = {"Target date": date(2026, 3, 20), "Start date": date(2026, 3, 2), "Effort": 3.5, "Team": "web"}
    rows = {row.key: row for page in place.pull(issue_fields=True).pages for row in page.issues}
    assert (rows["#1"].due, rows["#1"].points) == (date(2026, 3, 20), 3.5)
    assert (rows["#2"].due, rows["#2"].points) == (None, None)
    assert {row.due for page in place.pull().pages for row in page.issues} == {None}, "they are asked for by the option"
    again = [row for page in place.pull(issue_fields=True, effort_field="Size").pages for row in page.issues]
    assert [(row.due, row.points) for row in again if row.key == "#1"] == [(date(2026, 3, 20), None)]


def test_a_server_without_issue_fields_is_asked_for_them_once(place: Place) -> None:
    place.hub.version = "3.22"
    issue = place.card().issue
    assert issue is not None
    issue.fields = {"Target date": date(2026, 3, 20)}
    seen = place.pull(issue_fields=True)
    assert [row.due for page in seen.pages for row in page.issues] == [None]
    first = len(place.requests())
    place.cursors = {key: text for key, text in place.cursors.items() if not key.startswith("board-")}
    place.hub.issue(place.app, "another", place.hub.user("ada"))
    place.pull(issue_fields=True)
    assert len(place.requests()) < first
