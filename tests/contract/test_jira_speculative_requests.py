"""Speculative requests: the connector asks for changes while it looks the projects up, and drops the answer if a key
now names another project.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event

import pytest

from connectors.sandbox.world_data import Fault
from sync.tracker.errors import AuthError, BusyError, GoneError, LimitedError, RefusedError, TrackerError
from tests.contract.jira_side import DIALECTS, Pulled, Stand, pulled, stand


@pytest.fixture(params=DIALECTS)
def served(request: pytest.FixtureRequest) -> Iterator[Stand]:
    with stand(request.param) as made:
        yield made


@contextmanager
def at_once(made: Stand, number: int, match: str = "/rest/api/") -> Iterator[None]:
    """The first of these requests are answered when so many have come; none is given up and sent again."""
    made.tracker.faults.append(Fault("gather", match, times=number))
    yield
    assert made.slept == []


def settled(made: Stand, *keys: str) -> Pulled:
    """Pull these projects twice: the cursor then remembers only issues within the overlap."""
    state = pulled(made.connector(), keys)
    pulled(made.connector(), keys, state)
    return again(state)


def again(state: Pulled) -> Pulled:
    """The same before another pull."""
    state.complete, state.failed = set(), {}
    return state


def searches(made: Stand) -> int:
    return sum("/search" in path for _, path, _ in made.tracker.log)


def the_same(state: Pulled, made: Stand, *keys: str) -> bool:
    """Compare the rows with those of one full pull."""
    whole = pulled(made.connector(), keys)
    mine = {number: row for number, row in state.issues.items() if row.project in whole.complete}
    return (mine, state.complete, state.failed) == (whole.issues, whole.complete, {})


# --- what changed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [["PAY"], ["PAY", "WEB", "OPS"]], ids=len)
def test_projects_and_what_changed_are_asked_at_once(served: Stand, keys: list[str]) -> None:
    for key in keys:
        served.fill(key, 5)
    state, connector = settled(served, *keys), served.connector()
    before = dict(state.cursors)
    with at_once(served, len(keys) + 1):
        pulled(connector, keys, state)
    assert connector.requests == len(keys) + 1
    assert state.cursors == before
    assert len(state.complete) == len(keys)


@pytest.mark.parametrize("number", [230, 3])
def test_a_first_pull_asks_for_the_containers_and_issues_of_cloud_at_once(number: int) -> None:
    """The versions and the first issues, after six answers about the Jira."""
    with stand("jira-cloud") as served:
        served.fill("PAY", number)
        together = Fault("gather", "/rest/api/", times=2, after=6)
        served.tracker.faults.append(together)
        state = pulled(served.connector(), ["PAY"])
        assert (served.slept, together.times, len(state.issues)) == ([], 0, number)
        assert the_same(state, served, "PAY")


def test_a_first_pull_drops_the_answer_about_a_project_whose_containers_cannot_be_read(served: Stand) -> None:
    served.fill("PAY", 5)
    served.fill("WEB", 3)
    rule = {"projects": "WEB", "sign": "?", "text": "no query"}
    state = pulled(served.connector(rules=[rule]), ["PAY", "WEB"])
    assert {issue.key.partition("-")[0] for issue in state.issues.values()} == {"PAY"}
    assert (set(state.failed), len(state.complete)) == ({"WEB"}, 1)
    pulled(served.connector(), ["PAY", "WEB"], again(state))
    assert the_same(state, served, "PAY", "WEB")


def test_what_changed_comes(served: Stand) -> None:
    project = served.fill("PAY", 230)
    state = settled(served, "PAY")
    version = served.tracker.milestone(project, "9.0")
    for number in range(3, 133):
        at = served.clock.on(minutes=1)
        served.tracker.move(project, project.issues[number], [version.id], served.tracker.user("ada"), at)
    with at_once(served, 2):
        pulled(served.connector(), ["PAY"], state)
    assert str(version.id) in state.milestones
    assert the_same(state, served, "PAY")


def test_a_first_pull_that_was_cut_off_goes_on_at_once(served: Stand) -> None:
    served.fill("PAY", 2200)
    state, connector = Pulled(), served.connector(history=False)
    for page in connector.pull(["PAY"], {}):
        state.take(page)
        if state.cursors:
            break
    assert not state.complete
    with at_once(served, 2):
        pulled(connector, ["PAY"], state)
    assert the_same(state, served, "PAY")


def test_a_project_that_was_renamed(served: Stand) -> None:
    project = served.fill("PAY", 5)
    state = settled(served, "PAY")
    served.tracker.rename(project, "NEW")
    pulled(served.connector(), ["PAY"], state)
    assert {issue.key for issue in state.issues.values()} == {f"NEW-{n}" for n in range(1, 6)}
    assert the_same(state, served, "PAY")
    again(state)
    pulled(served.connector(), ["PAY"], state)
    assert the_same(state, served, "PAY")


@pytest.mark.parametrize("fault", [None, 400, 503])
def test_another_project_of_that_key(served: Stand, fault: int | None) -> None:
    served.fill("PAY", 5)
    state = settled(served, "PAY")
    del served.tracker.projects["PAY"]
    second = served.fill("PAY", 7)
    if fault:
        served.tracker.faults.append(Fault("status", "/search", status=fault, times=1 if fault == 400 else 4))
    connector = served.connector(concurrency=1)
    pulled(connector, ["PAY"], state)
    assert state.complete == {str(second.id)}
    assert the_same(state, served, "PAY")


def test_two_projects_that_had_one_key_after_another(served: Stand) -> None:
    first = served.fill("PAY", 5)
    state = settled(served, "PAY")
    served.tracker.rename(first, "OLD")
    served.tracker.moved.clear()
    served.fill("PAY", 7)
    for _ in range(3):
        pulled(served.connector(), ["PAY"], again(state))
        assert the_same(state, served, "PAY")


def test_a_deleted_project_is_reported_once(served: Stand) -> None:
    served.fill("PAY", 5)
    other = served.fill("WEB", 5)
    state = settled(served, "PAY", "WEB")
    del served.tracker.projects["PAY"]
    pulled(served.connector(), ["PAY", "WEB"], state)
    assert state.complete == {str(other.id)}
    assert [type(problem) for page in state.pages for problem in page.failed.values()] == [GoneError]


def test_a_project_more(served: Stand) -> None:
    served.fill("PAY", 5)
    state = settled(served, "PAY")
    served.fill("WEB", 5)
    served.tracker.log.clear()
    pulled(served.connector(), ["PAY", "WEB"], state)
    assert len(state.issues) == 10
    assert searches(served) == 1


def test_issues_chosen_by_other_rules(served: Stand) -> None:
    project = served.fill("PAY", 5)
    project.issues[2].labels = ["go"]
    state = settled(served, "PAY")
    rule = {"projects": "PAY", "sign": "?", "text": "labels = go"}
    for rules in ([rule], [rule], []):
        connector = served.connector(rules=rules)
        pulled(connector, ["PAY"], again(state))
        whole = pulled(served.connector(rules=rules), ["PAY"])
        assert (state.issues, state.complete) == (whole.issues, whole.complete)


@pytest.mark.parametrize(("status", "error", "waits"), [(503, BusyError, 3), (400, RefusedError, 0)])
def test_a_failed_search_is_reported_once(served: Stand, status: int, error: type[TrackerError], waits: int) -> None:
    served.fill("PAY", 5)
    state, connector = settled(served, "PAY"), served.connector()
    before = dict(state.cursors)
    served.tracker.faults.append(Fault("status", "/search", status=status, times=99))
    pulled(connector, ["PAY"], state)
    assert [type(problem) for page in state.pages for problem in page.failed.values()] == [error]
    assert str(state.failed["PAY"]).startswith("jj: PAY: ")
    assert (state.complete, state.cursors) == (set(), before)
    assert (connector.requests, len(served.slept)) == (1 + 1 + waits, waits)


@pytest.mark.parametrize("fault", ["reset", "truncate", "status"])
def test_a_passing_fault_of_what_was_asked_ahead_is_waited_out(served: Stand, fault: str) -> None:
    served.fill("PAY", 5)
    state = settled(served, "PAY")
    served.tracker.faults.append(Fault(fault, "/search", times=2))
    pulled(served.connector(), ["PAY"], state)
    assert (len(state.complete), state.failed, len(served.slept)) == (1, {}, 2)


def test_a_long_limit_ends_the_connection(served: Stand) -> None:
    served.fill("PAY", 5)
    state = settled(served, "PAY")
    served.tracker.faults.append(Fault("status", "/search", status=429, times=9, headers={"Retry-After": "3600"}))
    with pytest.raises(LimitedError) as caught:
        pulled(served.connector(), ["PAY"], state)
    assert caught.value.until == served.clock.now + timedelta(hours=1)
    assert served.slept == []


def test_a_token_that_expired_ends_the_connection(served: Stand) -> None:
    served.fill("PAY", 5)
    state, connector = settled(served, "PAY"), served.connector()
    served.tracker.token = "another"
    with pytest.raises(AuthError):
        pulled(connector, ["PAY"], state)


# --- a walk on Cloud ------------------------------------------------------------------------------------------------


def test_a_few_issues_take_one_search() -> None:
    with stand("jira-cloud") as served:
        project = served.fill("PAY", 20)
        ada = served.tracker.user("ada")
        served.tracker.block(project, project.issues[9], [3], served.clock.now)
        state = settled(served, "PAY")
        assert state.by_key()["PAY-9"].blocked_by == ("PAY-3",)
        served.clock.on(hours=1)
        served.tracker.close(project.issues[3], ada, served.clock.now)
        served.tracker.log.clear()
        pulled(served.connector(), ["PAY"], state)
        assert state.by_key()["PAY-9"].blocked_by == ()
        assert searches(served) == 2


def test_an_edit_during_the_first_page_is_read_by_the_next_pull(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first page was answered, and before the newest update was asked for: both are requested at once."""
    from connectors.jira import search

    with stand("jira-cloud") as served:
        project = served.fill("PAY", 230)
        ada, is_read = served.tracker.user("ada"), Event()
        fetch, newest = search.Search._fetch_issues, search.Search.newest

        def fetched(self: search.Search, ids: Sequence[str]) -> search.Batch:
            batch = fetch(self, ids)
            if any(issue.key == "PAY-3" for issue in batch.issues):
                is_read.set()
            return batch

        def edited(self: search.Search, where: str) -> datetime | None:
            assert is_read.wait(60)
            served.tracker.label(project.issues[3], ["between"], [], ada, served.clock.on(minutes=2))
            return newest(self, where)

        with monkeypatch.context() as patched:
            patched.setattr(search.Search, "_fetch_issues", fetched)
            patched.setattr(search.Search, "newest", edited)
            state = pulled(served.connector(concurrency=2), ["PAY"])
        assert state.by_key()["PAY-3"].labels == ()
        assert the_same(pulled(served.connector(), ["PAY"], state), served, "PAY")
        assert state.by_key()["PAY-3"].labels == ("between",)


@pytest.mark.parametrize(("number", "requests"), [(3, 3), (230, 6)])
def test_a_first_pull_of_cloud_reads_ids_then_issues_with_their_histories(number: int, requests: int) -> None:
    """A request for the ids, one for the histories, one for each hundred issues, and of several one for the newest."""
    with stand("jira-cloud") as served:
        served.fill("PAY", number)
        pulled(served.connector(), ["PAY"])
        paths = [path for _, path, _ in served.tracker.log]
        assert sum(path.endswith(("search/jql", "bulkfetch")) for path in paths) == requests


def test_short_pages_of_ids_are_no_small_project(monkeypatch: pytest.MonkeyPatch) -> None:
    from connectors.jira import search

    monkeypatch.setattr(search, "_ID_PAGE", 40)
    with stand("jira-cloud") as served:
        served.fill("PAY", 130)
        state = pulled(served.connector(), ["PAY"])
        assert len(state.issues) == 130
        assert the_same(state, served, "PAY")


def test_short_pages_of_ids_are_not_all_read_before_the_first_issue(monkeypatch: pytest.MonkeyPatch) -> None:
    from connectors.jira import search

    monkeypatch.setattr(search, "_ID_PAGE", 40)
    monkeypatch.setattr(search, "_HISTORY_BULK", 200)
    with stand("jira-cloud") as served:
        served.fill("PAY", 620)
        assert len(pulled(served.connector(concurrency=1), ["PAY"]).issues) == 620
        paths = [path.rpartition("/api/3/")[2] for _, path, _ in served.tracker.log]
        first, last = paths.index("issue/bulkfetch"), len(paths) - paths[::-1].index("search/jql")
        assert paths[:first].count("search/jql") < 10 < paths[:last].count("search/jql")


def test_an_empty_project_makes_no_pull_read_the_others_as_if_they_were_new() -> None:
    """It never gets a cursor, while the others have few changes."""
    with stand("jira-cloud") as served:
        served.fill("PAY", 50)
        served.fill("NEW", 0)
        state = pulled(served.connector(), ["PAY", "NEW"])
        for _ in range(2):
            served.tracker.log.clear()
            pulled(served.connector(), ["PAY", "NEW"], state)
            paths = [path for _, path, _ in served.tracker.log]
            assert sum(path.endswith(("search/jql", "bulkfetch")) for path in paths) == 1
