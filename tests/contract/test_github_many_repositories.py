"""GitHub: many repositories in one request, and what was deleted in them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from connectors.sandbox.world_data import Answer, Fault
from sync.model.tracker_data import State, Visibility
from sync.tracker.errors import (
    BusyError,
    LimitedError,
)
from tests.contract.github_side import Clock, Small, Taken, connected, pulled

pytestmark = pytest.mark.usefixtures("nothing_written")


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


@pytest.mark.parametrize("queries", [4, 8, 12, 16])
def test_new_repositories_are_read_one_by_one_until_a_rate_limit(there: Small, clock: Clock, queries: int) -> None:
    """After the batch probe each takes two queries. None is asked for all of them ahead: a limit would waste it."""
    hub, ada = there.tracker, there.tracker.user("ada")
    places = [hub.project(f"acme/r{n}") for n in range(10)]
    for place in places:
        hub.issue(place, "one", ada)
    headers = {"Retry-After": "3600"}
    hub.faults.append(Fault("status", "graphql", status=429, times=999, after=queries, headers=headers))
    got = Taken()
    with pytest.raises(LimitedError):
        got.take(connected(hub, clock).pull([place.key for place in places], {}))
    assert len(got.complete) == (queries - 1) // 2


def test_a_repository_that_becomes_private_while_another_is_read_is_private(there: Small, clock: Clock) -> None:
    hub = there.tracker
    later = hub.project("acme/later")
    hub.issue(later, "one", hub.user("ada"))
    pages = connected(hub, clock).pull(["acme/app", "acme/later"], {})
    got = Taken().take(iter([next(pages)]))
    assert [project.key for project in got.projects.values()] == ["acme/app"]
    later.private = True
    got.take(pages)
    seen = {row.visibility for row in got.issues.values() if row.project == f"R_kw{later.id}"}
    assert seen == {got.projects[f"R_kw{later.id}"].visibility} == {Visibility.PROJECT}


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
