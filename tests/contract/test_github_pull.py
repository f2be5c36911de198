"""Reading GitHub over real HTTP: complete, incremental, with history to day one, and never a write."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import pytest

from connectors.github import api_types, normalize
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import World
from connectors.sandbox.world_data import Answer, Fault
from sync.model.tracker_data import MilestoneKind, State, StatusCategory, Visibility
from sync.tracker.errors import (
    AuthError,
    BusyError,
    GoneError,
    MalformedError,
    RefusedError,
)
from tests.contract.github_side import START, Clock, Small, Taken, app_credentials, connected, pulled, small


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(World(Clock()), only=("github",)) as running:
        yield running


@pytest.fixture
def clock(sandbox: Sandbox) -> Clock:
    assert isinstance(sandbox.world.clock, Clock)
    return sandbox.world.clock


@pytest.fixture
def there(sandbox: Sandbox, clock: Clock) -> Iterator[Small]:
    made = small(sandbox.world, clock)
    yield made
    assert made.tracker.writes == []


# --- the whole truth -----------------------------------------------------------------------------------------------


def test_everything_of_a_repository(there: Small, clock: Clock) -> None:
    got = pulled(connected(there.tracker, clock))
    (project,) = got.projects.values()
    assert (project.key, project.name, project.visibility) == ("acme/app", "app", Visibility.PUBLIC)
    assert got.complete == {project.id}
    assert {issue.key for issue in got.issues.values()} == {"#1", "#2", "#3", "#4"}
    milestone, two = (got.milestones[f"MI_kw{goal.id}"] for goal in (there.one, there.two))
    assert (milestone.key, milestone.written, milestone.title, milestone.due, milestone.state) == (
        "1",
        "#1",
        "v1",
        date(2026, 4, 1),
        State.OPEN,
    )
    assert (milestone.kind, milestone.description, milestone.start) == (MilestoneKind.MILESTONE, "first", None)
    assert (two.due, two.state, two.closed_at) == (None, State.CLOSED, START + timedelta(days=2))


def test_every_field_of_an_issue(there: Small, clock: Clock) -> None:
    got = pulled(connected(there.tracker, clock))
    moved, done = got.issue(1), got.issue(2)
    assert moved.milestones == (f"MI_kw{there.two.id}",)
    assert [person.name for person in moved.assignees] == ["ben"]
    assert moved.blocked_by == ("#3",), "a closed issue blocks nothing"
    assert (moved.state, moved.category, moved.resolution) == (State.OPEN, StatusCategory.TODO, "")
    assert (done.state, done.category, done.resolution) == (State.CLOSED, StatusCategory.DONE, "not_planned")
    assert (done.created_at, done.closed_at) == (START, START + timedelta(days=2))
    assert not done.is_pull_request
    assert done.url.endswith("/acme/app/issues/2")


def test_history_reaches_back_to_the_first_day(there: Small, clock: Clock) -> None:
    got = pulled(connected(there.tracker, clock))
    assert got.events(1) == [("joined", "v1"), ("left", "v1"), ("joined", "v2")]
    assert got.histories[got.issue(1).id][0].at == START
    assert got.events(2) == [("joined", "v1"), ("closed", "")]
    assert got.events(3) == []


def test_a_private_repository_is_not_public(there: Small, clock: Clock) -> None:
    there.place.private = True
    got = pulled(connected(there.tracker, clock))
    assert {issue.visibility for issue in got.issues.values()} == {Visibility.PROJECT}


@pytest.mark.parametrize(
    ("visibility", "is_private", "expected"),
    [
        ("PUBLIC", True, Visibility.PUBLIC),
        ("INTERNAL", False, Visibility.PROJECT),
        ("PRIVATE", True, Visibility.PROJECT),
        ("new", False, Visibility.PROJECT),
        ("", False, Visibility.PUBLIC),
        ("", True, Visibility.PROJECT),
    ],
)
def test_only_a_public_repository_is_public(visibility: str, is_private: bool, expected: Visibility) -> None:
    access = api_types.RepositoryAccess(visibility=visibility, is_private=is_private)
    assert normalize.visibility(access) is expected


def test_many_pages_with_holes_and_pull_requests(there: Small, clock: Clock) -> None:
    ada = there.tracker.user("ada")
    for number in range(5, 451):
        there.tracker.issue(there.place, f"issue {number}", ada, number=number, pull=number % 7 == 0)
    del there.place.issues[200]
    connector = connected(there.tracker, clock)
    got = pulled(connector)
    wanted = {f"#{n}": issue.pull for n, issue in there.place.issues.items()}
    assert {issue.key: issue.is_pull_request for issue in got.issues.values()} == wanted
    assert connector.requests == 2 + 1 + 5, "a look, an opening, a hundred numbers a request"
    numbers = [int(issue.key[1:]) for page in got.pages for issue in page.issues]
    assert numbers == sorted(numbers)


def test_imported_issues_have_high_numbers_and_old_times(there: Small, clock: Clock) -> None:
    for n in range(5, 251):
        age = timedelta(days=n if n < 60 else 400 + n)
        there.tracker.issue(there.place, f"Imported {n}", there.tracker.user("ada"), at=START - age, number=n)
    got = pulled(connected(there.tracker, clock))
    assert {issue.key for issue in got.issues.values()} >= {f"#{n}" for n in range(5, 251)}


@pytest.mark.parametrize("broken_after", [3, 4, 99])
def test_a_transferred_issue_beyond_all_that_were_made_here_is_read(
    there: Small, clock: Clock, broken_after: int
) -> None:
    """It has the next number (pull requests took those before it) and keeps its time: nothing younger leads to it."""
    hub, ada = there.tracker, there.tracker.user("ada")
    for n in range(5, 201):
        hub.issue(there.place, f"issue {n}", ada, number=n)
    for n in (301, 420):
        hub.issue(there.place, "transferred", ada, at=START - timedelta(days=9), number=n)
    connector, got = connected(hub, clock), Taken()
    got.take(islice(connector.pull(["acme/app"], {}), broken_after))
    got.take(connector.pull(["acme/app"], got.cursors))
    assert {issue.key for issue in got.issues.values()} >= {f"#{n}" for n in (5, 200, 301, 420)}
    got.take(connector.pull(["acme/app"], got.cursors))
    assert pulled(connector, cursors=got.cursors).issues == {}
    assert got.complete == got.projects.keys()


def test_mostly_pull_requests_are_read_by_cursor(there: Small, clock: Clock) -> None:
    ada = there.tracker.user("ada")
    for number in range(5, 900):
        there.tracker.issue(there.place, f"change {number}", ada, number=number, pull=number % 6 != 0)
    connector = connected(there.tracker, clock)
    got = pulled(connector)
    assert len(got.issues) == sum(1 for issue in there.place.issues.values() if not issue.pull)
    assert connector.requests == 2 + 1 + 2 + 1, "the last lists the pull requests of milestones"
    assert pulled(connector, cursors=got.cursors).issues == {}


def test_more_than_a_hundred_milestones(there: Small, clock: Clock) -> None:
    for n in range(250):
        there.tracker.milestone(there.place, f"m{n}", due=date(2026, 5, 1) + timedelta(days=n))
    connector = connected(there.tracker, clock)
    got = pulled(connector)
    assert len(got.milestones) == 252
    used = there.tracker.used
    assert pulled(connector, cursors=got.cursors).milestones == {}
    assert there.tracker.used == used
    there.tracker.milestone(there.place, "another", due=date(2030, 1, 1))
    assert len(pulled(connector, cursors=got.cursors).milestones) == 253


@pytest.mark.parametrize("count", [10, 100, 200])
def test_exactly_full_pages_of_milestones_hide_no_later_one_and_are_not_read_again(
    there: Small, clock: Clock, count: int
) -> None:
    for n in range(count - 2):
        there.tracker.milestone(there.place, f"m{n}", due=date(2026, 5, 1))
    connector = connected(there.tracker, clock)
    cursors = pulled(connector).cursors
    for _ in range(2):
        used = there.tracker.used
        got = pulled(connector, cursors=cursors)
        assert (got.milestones, got.issues, there.tracker.used) == ({}, {}, used), "all requests were conditional"
        cursors |= got.cursors
    there.tracker.milestone(there.place, "the next page", due=date(2031, 1, 1))
    got = pulled(connector, cursors=cursors)
    assert len(got.milestones) == count + 1
    last = max(there.place.milestones)
    del there.place.milestones[last]
    assert len(pulled(connector, cursors=cursors | got.cursors).milestones) == count


def test_a_long_timeline_is_read_to_its_end(there: Small, clock: Clock) -> None:
    for n in range(140):
        clock.pass_(minutes=1)
        there.tracker.move(there.place, there.plain, [(there.one if n % 2 else there.two).id], there.tracker.bot)
    got = pulled(connected(there.tracker, clock))
    assert len(got.events(3)) == 279
    at = [event.at for event in got.histories[got.issue(3).id]]
    assert at == sorted(at)


def test_all_repositories_of_an_owner(there: Small, clock: Clock) -> None:
    there.tracker.project("acme/web")
    there.tracker.project("other/lib")
    got = pulled(connected(there.tracker, clock), ["acme/*", "acme/app"])
    assert {project.key for project in got.projects.values()} == {"acme/app", "acme/web"}
    assert pulled(connected(there.tracker, clock), ["nobody/*"]).failed.keys() == {"nobody/*"}


def test_an_enterprise_server_has_its_apis_elsewhere(there: Small, clock: Clock) -> None:
    connector = connected(there.tracker, clock, url=f"{there.tracker.url}/api/v3/")
    assert connector.base_url == f"{there.tracker.url}/api/v3"
    assert len(pulled(connector).issues) == 4
    assert {path.split("?")[0] for _, path, _ in there.tracker.log} == {
        "/api/v3/repos/acme/app/issues",
        "/api/v3/repos/acme/app/milestones",
        "/api/graphql",
    }


# --- only what changed ---------------------------------------------------------------------------------------------


def test_nothing_changed_costs_two_requests_and_no_points(there: Small, clock: Clock) -> None:
    connector = connected(there.tracker, clock)
    first = pulled(connector)
    clock.pass_(minutes=5)
    used, sent = there.tracker.used, connector.requests
    again = pulled(connector, cursors=first.cursors)
    assert (again.issues, again.milestones, again.complete) == ({}, {}, first.complete)
    assert (there.tracker.used - used, connector.requests - sent) == (0, 2)


def test_a_cursor_from_before_pull_requests_were_counted_reads_the_milestones_once(there: Small, clock: Clock) -> None:
    first = pulled(connected(there.tracker, clock))
    assert all(row.listed_open is not None for row in first.milestones.values())
    old = {key: text.replace('"counted_milestones"', '"milestones"') for key, text in first.cursors.items()}
    assert old != first.cursors
    again = pulled(connected(there.tracker, clock), cursors=old)
    assert (again.issues, again.milestones) == ({}, first.milestones)
    assert pulled(connected(there.tracker, clock), cursors=again.cursors).milestones == {}


def test_what_nothing_blocks_any_more_says_so(there: Small, clock: Clock) -> None:
    connector = connected(there.tracker, clock)
    first = pulled(connector)
    clock.pass_(hours=5)
    there.tracker.close(there.plain, there.tracker.bot)
    second = pulled(connector, cursors=first.cursors)
    assert there.moved.updated < clock.now
    assert second.issue(1).blocked_by == ()


def test_what_shows_late_with_an_earlier_time_is_not_lost(there: Small, clock: Clock) -> None:
    """GitHub answers from copies that may lag behind each other."""
    hub, ada = there.tracker, there.tracker.user("ada")
    late = hub.issue(there.place, "late", ada)
    clock.pass_(hours=1)
    hub.issue(there.place, "newest", ada)
    connector = connected(hub, clock)
    first = pulled(connector)
    hub.close(late, ada, clock.now - timedelta(seconds=90))
    assert pulled(connector, cursors=first.cursors).issue(late.number).state is State.CLOSED


@pytest.mark.parametrize("broken_after", range(1, 6))
def test_a_pull_that_is_broken_off_goes_on_and_loses_nothing(there: Small, clock: Clock, broken_after: int) -> None:
    ada = there.tracker.user("ada")
    for number in range(5, 305):
        there.tracker.issue(there.place, f"issue {number}", ada)
    connector = connected(there.tracker, clock)
    got = Taken()
    pages = connector.pull(["acme/app"], {})
    for _ in range(broken_after):
        got.take(iter([next(pages)]))
    pages.close()  # type: ignore[attr-defined]
    clock.pass_(hours=1)
    there.tracker.close(there.plain, ada)
    seen, again = len(got.issues), connected(there.tracker, clock)  # the first one's last requests may be under way
    got.take(again.pull(["acme/app"], got.cursors))
    assert again.requests <= 3 + 4 - seen // 100, "what was stored is not read again"
    got.take(again.pull(["acme/app"], got.cursors))
    assert {i.key: i.state for i in got.issues.values()} == {
        i.key: i.state for i in pulled(connected(there.tracker, clock)).issues.values()
    }
    assert pulled(connector, cursors=got.cursors).complete == got.complete


def test_numbers_that_change_back_after_a_pull_was_broken_off_are_read(there: Small, clock: Clock) -> None:
    connector = connected(there.tracker, clock)
    got = pulled(connector)
    counted = {key: row.listed_open for key, row in got.milestones.items()}
    for issue_count in (1, 0):
        there.tracker.move(
            there.place, there.plain, [there.one.id] * issue_count, there.tracker.bot, clock.pass_(hours=1)
        )
        pages = connector.pull(["acme/app"], got.cursors)
        while not got.take(iter([next(pages)])).pages[-1].milestones:
            pass
        pages.close()  # type: ignore[attr-defined]
    assert {key: row.listed_open for key, row in got.milestones.items()} == counted


def test_the_cursor_is_never_our_clock(there: Small, clock: Clock) -> None:
    connector = connected(there.tracker, Clock(datetime(2031, 1, 1, tzinfo=UTC)))
    first = pulled(connector)
    clock.pass_(seconds=1)
    there.tracker.close(there.plain, there.tracker.bot)
    assert pulled(connector, cursors=first.cursors).issue(3).state is State.CLOSED


def test_a_renamed_repository_keeps_its_rows_and_its_query(there: Small, clock: Clock) -> None:
    ada = there.tracker.user("ada")
    for n in range(60):
        there.tracker.close(there.tracker.issue(there.place, f"closed {n}", ada), ada)
    connector = connected(there.tracker, clock)
    first = pulled(connector)
    there.tracker.rename(there.place, "acme/renamed")
    clock.pass_(hours=1)
    fresh = pulled(connected(there.tracker, clock))
    assert fresh.projects.keys() == first.projects.keys()
    assert len(fresh.issues) == 64, "the closed ones too: state=all survived the redirect"
    assert {project.key for project in fresh.projects.values()} == {"acme/renamed"}
    assert len(fresh.milestones) == 2
    again = pulled(connector, cursors=first.cursors)
    assert again.complete == first.complete
    assert len({m.id for m in again.milestones.values()}) in (0, 2)


def test_another_repository_under_the_old_name_is_read_whole(there: Small, clock: Clock) -> None:
    connector = connected(there.tracker, clock)
    first = pulled(connector)
    there.tracker.rename(there.place, "acme/old")
    there.tracker.moved.clear()
    clock.pass_(days=-30)
    other = there.tracker.project("acme/app")
    there.tracker.issue(other, "older than the cursor", there.tracker.user("ada"))
    clock.pass_(days=30)
    there.tracker.issue(other, "newer", there.tracker.user("ada"))
    there.tracker.milestone(other, "its own")
    got = pulled(connector, cursors=first.cursors)
    assert got.complete == {f"R_kw{other.id}"}
    assert len([issue for issue in got.issues.values() if issue.project == f"R_kw{other.id}"]) == 2
    assert [m.project for page in got.pages for m in page.milestones] == [f"R_kw{other.id}"]
    assert f"R_kw{there.place.id}" not in {key for page in got.pages for key in page.all_milestones}
    sent = connector.requests
    assert pulled(connector, cursors=first.cursors | got.cursors).complete == got.complete
    assert connector.requests - sent == 2


# --- as whom -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app() -> dict[str, Any]:
    return app_credentials()


@pytest.mark.parametrize("path", ["", "/api/v3"])
def test_a_github_app_gets_its_token_and_gets_it_again(
    there: Small, clock: Clock, path: str, app: dict[str, Any]
) -> None:
    connector = connected(there.tracker, clock, url=there.tracker.url + path, concurrency=1, **app)
    first = pulled(connector)
    assert len(first.issues) == 4
    pulled(connector, cursors=first.cursors)
    asked = [path for _, path, _ in there.tracker.log if path.endswith("/app/installations/70/access_tokens")]
    assert len(asked) == 6, "by the real clock, a token of this sandbox has always just expired"


def test_an_app_that_is_refused(there: Small, clock: Clock, app: dict[str, Any]) -> None:
    body = '{"message": "A JSON web token could not be decoded"}'
    there.tracker.faults.append(Fault("status", "/access_tokens", status=401, body=body))
    with pytest.raises(AuthError, match="could not be decoded"):
        pulled(connected(there.tracker, clock, **app))


# --- what goes wrong -----------------------------------------------------------------------------------------------


def test_a_missing_project_fails_alone(there: Small, clock: Clock) -> None:
    there.tracker.project("acme/secret").hidden = True
    got = pulled(connected(there.tracker, clock), ["acme/nothing", "acme/app", "acme/secret", "nonsense"])
    assert {name: type(error) for name, error in got.failed.items()} == {
        "acme/nothing": GoneError,
        "acme/secret": GoneError,
        "nonsense": RefusedError,
    }
    assert str(got.failed["acme/nothing"]).startswith("gh: acme/nothing: ")
    assert got.complete == {f"R_kw{there.place.id}"}


@pytest.mark.parametrize("where", ["GET /repos/acme/app/issues", "GET /repos/acme/app/milestones", "POST /graphql"])
@pytest.mark.parametrize("kind", ["html", "garbage"])
def test_an_answer_that_is_not_github_names_the_project(there: Small, clock: Clock, where: str, kind: str) -> None:
    there.tracker.faults.append(Fault(kind, where, times=99))
    error = pulled(connected(there.tracker, clock)).failed["acme/app"]
    assert isinstance(error, MalformedError)
    assert str(error).startswith("gh: acme/app: ")
    assert "<h1>" not in str(error)


@pytest.mark.parametrize(
    ("where", "body"),
    [
        ("/milestones", '{"message": "not a list"}'),
        ("/graphql", '{"data": {"repository": {"id": 5}}}'),
        ("/graphql", '{"data": null}'),
        ("/graphql", "[]"),
    ],
)
def test_missing_fields_and_wrong_types(there: Small, clock: Clock, where: str, body: str) -> None:
    there.tracker.faults.append(Fault("status", where, status=200, body=body, times=99))
    got = pulled(connected(there.tracker, clock))
    assert isinstance(got.failed["acme/app"], MalformedError | GoneError)
    assert got.complete == set()


def test_null_dates_and_names(there: Small, clock: Clock) -> None:
    there.one.due = None
    there.tracker.issue(there.place, "unassigned", there.tracker.user("ghost"))
    got = pulled(connected(there.tracker, clock))
    assert got.milestones[f"MI_kw{there.one.id}"].due is None
    assert got.issue(5).assignees == ()


def test_a_heavy_query_is_halved_until_it_goes_through(there: Small, clock: Clock) -> None:
    ada = there.tracker.user("ada")
    for number in range(5, 101):
        there.tracker.issue(there.place, f"issue {number}", ada)
    connector = connected(there.tracker, clock, concurrency=1)
    first = next(page for page in connector.pull(["acme/app"], {}) if page.issues)
    assert len(first.issues) == 100
    there.tracker.faults.append(Fault("status", "/graphql", status=502, times=0))
    pages = connector.pull(["acme/app"], {})
    next(pages), next(pages)
    there.tracker.faults[-1].times = 2
    assert len(next(page for page in pages if page.issues).issues) == 100


def test_a_heavy_page_of_changes_is_halved(there: Small, clock: Clock) -> None:
    connector = connected(there.tracker, clock)
    first = pulled(connector)
    ada = there.tracker.user("ada")
    clock.pass_(hours=1)
    for n in range(150):
        there.tracker.issue(there.place, f"new {n}", ada)
    there.tracker.faults.append(Fault("status", "/graphql", status=504, times=2))
    got = pulled(connector, cursors=first.cursors)
    assert len([issue for issue in got.issues.values() if issue.title.startswith("new")]) == 150


def test_partial_data_is_never_taken_for_all(there: Small, clock: Clock) -> None:
    connector = connected(there.tracker, clock)
    pages = connector.pull(["acme/app"], {})
    next(pages), next(pages)
    gap = '{"data": {"repository": {"n0": null, "n1": null, "n2": null, "n3": null}},'
    error = '"errors": [{"type": "%s", "path": ["repository", "n0"], "message": "x"}]}'
    for kind, wanted in (("NOT_FOUND", BusyError), ("FORBIDDEN", RefusedError), ("WHATEVER", BusyError)):
        there.tracker.faults.clear()
        there.tracker.faults.append(Fault("status", "/graphql", status=200, body=gap + error % kind, times=0))
        pages = connector.pull(["acme/app"], {})
        next(pages), next(pages)
        there.tracker.faults[0].times = 9
        assert isinstance(Taken().take(pages).failed["acme/app"], wanted)


def test_a_neighbour_that_may_not_be_seen_is_left_out(there: Small, clock: Clock) -> None:
    connector = connected(there.tracker, clock)
    first = pulled(connector)
    clock.pass_(hours=1)
    there.tracker.close(there.plain, there.tracker.bot)
    issue = {
        "__typename": "Issue", "id": "I_1", "number": 3, "title": "t", "url": "u", "state": "OPEN", "parent": None,
        "createdAt": "2026-03-01T00:00:00Z", "updatedAt": "2026-03-01T00:00:00Z", "blockedBy": {"nodes": [None]},
        "assignees": {"nodes": [None]}, "timelineItems": {"nodes": [], "pageInfo": {"hasNextPage": False}},
    }  # fmt: skip
    repository = {
        "id": f"R_kw{there.place.id}", "name": "app", "nameWithOwner": "acme/app", "url": "u", "visibility": "PUBLIC",
        "issues": {"nodes": [issue], "pageInfo": {"hasNextPage": False}},
    }  # fmt: skip
    at = ["repository", "issues", "nodes", 0]
    errors = [{"type": "FORBIDDEN", "message": "SAML", "path": [*at, "parent"]},
              {"type": "FORBIDDEN", "message": "SAML", "path": [*at, "blockedBy", "nodes", 0]}]  # fmt: skip
    body = json.dumps({"data": {"repository": repository}, "errors": errors})
    there.tracker.faults.append(Fault("status", "/graphql", status=200, body=body))
    got = pulled(connector, cursors=first.cursors)
    assert got.failed == {}
    assert (got.issue(3).parent, got.issue(3).blocked_by, got.issue(3).assignees) == ("", (), ())


@pytest.mark.parametrize("issues", [1, 0], ids=["the same page", "an empty page"])
def test_pages_that_never_end_are_noticed(there: Small, clock: Clock, issues: int) -> None:
    connector = connected(there.tracker, clock)
    first = pulled(connector)
    there.tracker.close(there.plain, there.tracker.bot)
    issue = {
        "__typename": "Issue", "id": "I_1", "number": 3, "title": "t", "url": "u", "state": "OPEN", "parent": None,
        "createdAt": "2026-03-01T00:00:00Z", "updatedAt": "2026-03-01T00:00:00Z", "blockedBy": {"nodes": []},
        "assignees": {"nodes": []}, "timelineItems": {"nodes": [], "pageInfo": {"hasNextPage": False}},
    }  # fmt: skip
    page = {"nodes": [issue] * issues, "pageInfo": {"hasNextPage": True, "endCursor": "same"}}
    repository = {"id": f"R_kw{there.place.id}", "name": "app", "nameWithOwner": "acme/app", "url": "u"}
    body = json.dumps({"data": {"repository": repository | {"visibility": "PUBLIC", "issues": page}}})
    there.tracker.faults.append(Fault("status", "/graphql", status=200, body=body, times=999))
    got = pulled(connector, cursors=first.cursors)
    assert isinstance(got.failed["acme/app"], MalformedError)
    assert there.tracker.faults[0].times == 997


def test_a_redirect_to_another_host_is_not_followed(there: Small, clock: Clock) -> None:
    elsewhere = {"location": "http://127.0.0.2:9/repos/acme/app/issues"}
    for status in (301, 302, 307):
        there.tracker.faults.append(Fault("status", "/issues", status=status, headers=elsewhere))
        assert isinstance(pulled(connected(there.tracker, clock)).failed["acme/app"], MalformedError)


# --- many repositories, and what is still there ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "pulls",
    [
        [(3, 1 + 8 * 4), (0, 1), (60, 1)],
        [(0, 1 + 8 * 4), (0, 1 + 8 * 2), (3, 1 + 8 * 2), (0, 1), (60, 1)],
    ],
    ids=["changed before", "changed just now"],
)
def test_many_quiet_repositories_take_one_request(there: Small, clock: Clock, pulls: Sequence[tuple[int, int]]) -> None:
    """``pulls``: minutes before each pull, and its requests."""
    hub, ada = there.tracker, there.tracker.user("ada")
    places = [hub.project(f"acme/r{n}") for n in range(8)]
    for place in places:
        hub.milestone(place, "v1")
        hub.issue(place, "one", ada)
    names = [place.key for place in places]
    connector = connected(hub, clock)
    cursors: dict[str, str] = {}
    for minutes, expected in pulls:
        clock.pass_(minutes=minutes)
        before = connector.requests
        got = pulled(connector, names, cursors)
        cursors |= got.cursors
        assert connector.requests - before == expected
        assert got.complete == set(cursors)
    clock.pass_(hours=1)
    hub.close(places[3].issues[1], ada)
    hub.milestone(places[5], "v2")
    before = connector.requests
    got = pulled(connector, names, cursors)
    assert [issue.project for issue in got.issues.values()] == [f"R_kw{places[3].id}"]
    assert {m.title for m in got.milestones.values()} == {"v1", "v2"}
    assert connector.requests - before == 1 + 2 * 2 + 1
    assert len(got.complete) == 8


def test_a_change_in_the_second_of_the_last_reading_is_seen_by_all_the_same(there: Small, clock: Clock) -> None:
    """The combined query cannot distinguish two changes of one second: its answer has to be confirmed."""
    hub, ada = there.tracker, there.tracker.user("ada")
    places = [hub.project(f"acme/r{n}") for n in range(5)]
    for place in places:
        hub.issue(place, "one", ada)
    names = [place.key for place in places]
    connector = connected(hub, clock)
    cursors = pulled(connector, names).cursors
    hub.close(places[2].issues[1], ada, clock.now)
    got = pulled(connector, names, cursors)
    assert [issue.state for issue in got.issues.values()] == [State.CLOSED]


@pytest.mark.parametrize("pulls", [1, 2])
def test_a_second_change_of_a_second_is_seen_after_it_was_read(there: Small, clock: Clock, pulls: int) -> None:
    """Also when it comes right after the confirmation by the other requests."""
    hub, ada = there.tracker, there.tracker.user("ada")
    places = [hub.project(f"acme/r{n}") for n in range(5)]
    for place in places:
        hub.issue(place, "one", ada)
    names = [place.key for place in places]
    connector = connected(hub, clock)
    cursors: dict[str, str] = {}
    for _ in range(pulls):
        cursors |= pulled(connector, names, cursors).cursors
    hub.close(places[2].issues[1], ada, clock.now)
    clock.pass_(hours=1)
    got = pulled(connector, names, cursors)
    assert [issue.state for issue in got.issues.values()] == [State.CLOSED]


def test_an_interrupted_pull_of_many_repositories_is_continued(there: Small, clock: Clock) -> None:
    """The result of the combined query before the interruption does not count as read."""
    hub, ada = there.tracker, there.tracker.user("ada")
    places = [hub.project(f"acme/r{n}") for n in range(5)]
    for place in places:
        for n in range(150):
            hub.issue(place, f"item {n}", ada)
    names = [place.key for place in places]
    clock.pass_(hours=1)
    connector, cursors = connected(hub, clock), dict[str, str]()
    for page in connector.pull(names, {}):
        cursors |= page.cursors
        if page.issues:
            break
    assert len(pulled(connector, names, cursors).issues) == 5 * 150 - 100
    got = pulled(connector, names)
    for place in places:
        hub.close(place.issues[1], ada)
    clock.pass_(hours=1)
    cursors = dict(got.cursors)
    for page in connector.pull(names, cursors):
        cursors |= page.cursors
        if page.issues:
            break
    got = pulled(connector, names, cursors)
    assert len(got.complete) == 5
    assert sum(issue.state is State.CLOSED for issue in got.issues.values()) >= 4


def test_a_repository_that_a_glance_cannot_see_is_looked_at(there: Small, clock: Clock) -> None:
    hub = there.tracker
    names = [hub.project(f"acme/r{n}").key for n in range(5)]
    connector = connected(hub, clock)
    cursors = pulled(connector, names).cursors
    cursors |= pulled(connector, names, cursors).cursors
    hub.projects["acme/r1"].hidden = True
    got = pulled(connector, names, cursors)
    assert list(got.failed) == ["acme/r1"]
    assert len(got.complete) == 4
    hub.faults.append(Fault("status", "/graphql", status=502, times=9))
    assert len(pulled(connector, names, cursors).complete) == 4, "without a glance, one by one"


@pytest.mark.parametrize("part", ["issues", "pullRequests", "milestones"])
def test_a_hidden_last_update_confirms_nothing(
    there: Small, clock: Clock, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub replaces a row that the token may not see by null, and does the same with a later one."""
    hub, ada = there.tracker, there.tracker.user("ada")
    places = [hub.project(f"acme/r{n}") for n in range(5)]
    for place in places:
        v1 = hub.milestone(place, "v1")
        hub.issue(place, "one", ada, milestones=[v1.id])
        hub.issue(place, "two", ada, milestones=[v1.id], pull=True)
    clock.pass_(hours=1)
    names, connector = [place.key for place in places], connected(hub, clock)

    def alter(_method: str, path: str, answer: Answer) -> Answer:
        document = json.loads(answer.body) if path.endswith("/graphql") else {}
        rows = [row for alias, row in (document.get("data") or {}).items() if alias[:1] == "r" and alias[1:].isdigit()]
        if not rows or part not in rows[0]:
            return answer
        for row in rows:
            row[part]["nodes"] = [None]
        errors = [{"type": "FORBIDDEN", "path": ["r0", part, "nodes", 0], "message": "x"}]
        return answer._replace(body=json.dumps({**document, "errors": errors}).encode())

    monkeypatch.setattr(hub, "alter", alter)
    cursors = pulled(connector, names).cursors
    clock.pass_(hours=1)
    cursors |= pulled(connector, names, cursors).cursors
    if part == "milestones":
        v1.title, v1.updated = "changed", clock.now
    else:
        issue = places[-1].issues[1 if part == "issues" else 2]
        issue.title, issue.updated = "changed", clock.now
    clock.pass_(hours=1)
    got = pulled(connector, names, cursors)
    titles = [issue.title for issue in got.issues.values()] + [v.title for v in got.milestones.values()]
    assert "changed" in titles


def test_a_deleted_issue_is_gone_when_the_sweep_is_due(there: Small, clock: Clock) -> None:
    connector = connected(there.tracker, clock)
    got = pulled(connector)
    del there.place.issues[there.plain.number]
    clock.pass_(days=6)
    got.take(connector.pull(["acme/app"], got.cursors))
    assert len(got.issues) == 4
    clock.pass_(days=1)
    before = connector.requests
    got.take(connector.pull(["acme/app"], got.cursors))
    assert {issue.key for issue in got.issues.values()} == {"#1", "#2", "#4"}
    assert connector.requests - before == 2 + 3
    before = connector.requests
    got.take(connector.pull(["acme/app"], got.cursors))
    assert connector.requests - before == 2, "swept, and again in a week"


def test_a_failed_sweep_is_reported_and_repeated(there: Small, clock: Clock) -> None:
    connector = connected(there.tracker, clock)
    got = pulled(connector)
    clock.pass_(days=8)
    there.tracker.faults.append(Fault("status", "/graphql", status=502, times=9))
    failed = pulled(connector, cursors=got.cursors)
    assert isinstance(failed.failed["acme/app"], BusyError)
    there.tracker.faults.clear()
    assert pulled(connector, cursors=got.cursors).pages[-1].all_issues
