"""Reading GitHub over real HTTP: complete, incremental, with history to day one, and never a write."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile

import pytest

from connectors.github import api_types, normalize
from connectors.sandbox.world_data import Answer, Fault
from sync.model.tracker_data import MilestoneKind, State, StatusCategory, Visibility
from tests.contract.github_side import START, Clock, Small, Taken, connected, pulled

pytestmark = pytest.mark.usefixtures("nothing_written")


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


@pytest.mark.parametrize("count", [0, 57, 100, 200])
@pytest.mark.parametrize("answer", ["issues", "graphql"], ids=["after the list", "after the opening"])
def test_an_issue_that_is_born_during_the_first_pull_is_read(
    there: Small, clock: Clock, count: int, answer: str
) -> None:
    """The numbers to read must not be older than the list whose ETag says later that nothing changed."""
    hub, ada = there.tracker, there.tracker.user("ada")
    place = hub.project("acme/growing")
    for _ in range(count):
        hub.issue(place, "old", ada)
    clock.pass_(hours=1)

    def born(_method: str, path: str, sent: Answer) -> Answer:
        if answer in path and len(place.issues) == count:
            hub.issue(place, "born meanwhile", ada)
        return sent

    hub.alter = born
    hub.faults.append(Fault("status", "/acme/growing/issues", status=502, times=3))
    connector = connected(hub, clock)
    got = pulled(connector, ["acme/growing"])
    before_the_opening = takewhile(lambda entry: "graphql" not in entry[1], hub.log)
    assert sorted(status for _, _, status in before_the_opening) == [200, 200, 502, 502, 502]
    clock.pass_(hours=1)
    got.take(connector.pull(["acme/growing"], dict(got.cursors)))
    assert len(got.issues) == count + 1


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
