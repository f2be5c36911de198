"""Pull requests of GitHub over real HTTP: complete, with history and reviews, and read again only when they change."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta

import pytest

from connectors.sandbox.world_data import Answer, Issue
from sync.model.tracker_data import State, StatusCategory
from sync.store.store import Store
from tests.contract.github_side import START, Clock, Small, Taken, connected, pulled

pytestmark = pytest.mark.usefixtures("nothing_written")


def change(there: Small, title: str, *, in_milestone: bool = True) -> Issue:
    """Add a pull request, in the first milestone from its creation on."""
    own = [there.one.id] if in_milestone else []
    return there.tracker.issue(there.place, title, there.tracker.user("ada"), pull=True, milestones=own)


def mostly_changes(there: Small) -> None:
    """Add so many pull requests that the repository is not read by number; every tenth is in a milestone."""
    for n in range(400):
        change(there, f"change {n}", in_milestone=n % 10 == 0)


# --- one pull request ----------------------------------------------------------------------------------------------


def test_every_field_of_a_pull_request(there: Small, clock: Clock) -> None:
    hub, ben = there.tracker, there.tracker.user("ben")
    merged, refused, draft = change(there, "merged"), change(there, "refused"), change(there, "draft")
    merged.closing, merged.assignees, draft.draft = [there.plain.number, there.moved.number], [ben], True
    hub.close(merged, ben, clock.pass_(hours=1))
    hub.close(refused, ben, clock.now, resolution="not merged")
    got = pulled(connected(hub, clock))
    rows = [got.issue(item.number) for item in (merged, refused, draft, there.pull)]
    assert all(row.is_pull_request and row.url.endswith(f"/pull/{row.key[1:]}") for row in rows)
    assert [(row.state, row.raw_state, row.category, row.resolution) for row in rows] == [
        (State.CLOSED, "merged", StatusCategory.DONE, "merged"),
        (State.CLOSED, "closed", StatusCategory.DONE, "not merged"),
        (State.OPEN, "draft", StatusCategory.IN_PROGRESS, ""),
        (State.OPEN, "open", StatusCategory.IN_PROGRESS, ""),
    ]
    assert rows[0].closes == (got.issue(there.plain.number).id, got.issue(there.moved.number).id)
    assert (rows[0].closed_at, [person.name for person in rows[0].assignees]) == (clock.now, ["ben"])
    assert [row.milestones for row in rows] == [(f"MI_kw{there.one.id}",)] * 3 + [()]


def test_its_history_has_the_true_times(there: Small, clock: Clock) -> None:
    hub, pull = there.tracker, there.pull
    hub.move(there.place, pull, [there.one.id], hub.bot, START + timedelta(hours=5))
    hub.move(there.place, pull, [], hub.bot, START + timedelta(days=1))
    hub.move(there.place, pull, [there.two.id], hub.bot, START + timedelta(days=2))
    hub.close(pull, hub.bot, START + timedelta(days=2, hours=1))
    got = pulled(connected(hub, clock))
    assert got.events(pull.number) == [("joined", "v1"), ("left", "v1"), ("joined", "v2"), ("closed", "")]
    assert [event.at - START for event in got.histories[got.issue(pull.number).id]] == [
        timedelta(hours=5),
        timedelta(days=1),
        timedelta(days=2),
        timedelta(days=2, hours=1),
    ]


def test_a_long_timeline_of_a_pull_request_is_read_to_its_end(there: Small, clock: Clock) -> None:
    for n in range(140):
        there.tracker.move(
            there.place, there.pull, [(there.one if n % 2 else there.two).id], there.tracker.bot, clock.pass_(minutes=1)
        )
    assert len(pulled(connected(there.tracker, clock)).events(there.pull.number)) == 279


def test_it_waits_for_those_who_were_asked(there: Small, clock: Clock) -> None:
    hub, pull = there.tracker, there.pull
    ada, ben = hub.user("ada"), hub.user("ben")
    first = clock.now
    hub.ask(pull, ben, ada)
    hub.ask(pull, "acme/core", ada, clock.pass_(days=1))
    row = pulled(connected(hub, clock)).issue(pull.number)
    assert [person.name for person in row.reviewers] == ["ben", "acme/core"]
    assert row.review_since == first
    hub.review(pull, ben, "COMMENTED", clock.pass_(days=1))
    row = pulled(connected(hub, clock)).issue(pull.number)
    assert ([person.name for person in row.reviewers], row.review_since) == (["acme/core"], first + timedelta(days=1))
    hub.review(pull, ben, "APPROVED", clock.pass_(days=1))
    assert pulled(connected(hub, clock)).issue(pull.number).review_since is None, "the request to the team stays listed"


def test_a_team_that_may_not_be_seen_makes_it_wait_unnamed(there: Small, clock: Clock) -> None:
    there.tracker.ask(there.pull, "acme/secret", there.tracker.bot)

    def hide(_method: str, path: str, answer: Answer) -> Answer:
        body = answer.body.replace(b'{"__typename":"Team","id":"T_acme/secret","combinedSlug":"acme/secret"}', b"null")
        body = body.replace(b'"requestedReviewer":{"id":"T_acme/secret"}', b'"requestedReviewer":null')
        return answer._replace(body=body)

    there.tracker.alter = hide
    row = pulled(connected(there.tracker, clock)).issue(there.pull.number)
    assert (row.reviewers, row.review_since) == ((), clock.now)


# --- only what changed ---------------------------------------------------------------------------------------------


def test_a_changed_pull_request_costs_one_more_request(there: Small, clock: Clock) -> None:
    for n in range(120):
        change(there, f"change {n}")
    there.moved.title, there.moved.updated = "touched", clock.pass_(hours=1)
    connector = connected(there.tracker, clock)
    got = pulled(connector)
    clock.pass_(hours=1)
    before = connector.requests
    assert pulled(connector, cursors=got.cursors).issues == {}
    assert connector.requests - before == 2
    there.tracker.move(there.place, there.pull, [there.two.id], there.tracker.bot)
    before = connector.requests
    again = pulled(connector, cursors=got.cursors)
    assert again.events(there.pull.number) == [("joined", "v2")]
    assert {issue.key for issue in again.issues.values()} == {"#1", "#4"}, "what is newest comes again"
    assert connector.requests - before == 2 + 1 + 1


def test_a_changed_issue_asks_for_no_pull_request(there: Small, clock: Clock) -> None:
    connector = connected(there.tracker, clock)
    got = pulled(connector)
    there.moved.title, there.moved.updated = "touched", clock.pass_(hours=1)
    before = connector.requests
    assert pulled(connector, cursors=got.cursors).issue(there.moved.number).title == "touched"
    assert connector.requests - before == 2 + 1


def test_more_changed_pull_requests_than_a_page_come(there: Small, clock: Clock) -> None:
    changes = [change(there, f"change {n}", in_milestone=False) for n in range(250)]
    connector = connected(there.tracker, clock)
    got = pulled(connector)
    clock.pass_(hours=1)
    for n, pull in enumerate(changes):
        there.tracker.move(there.place, pull, [there.two.id], there.tracker.bot, clock.pass_(seconds=n % 2))
    for n in range(60):  # newer than all pull requests, and more than the newest changes show
        there.tracker.issue(there.place, f"issue {n}", there.tracker.bot, at=clock.pass_(seconds=1))
    got.take(connector.pull(["acme/app"], got.cursors))
    assert {got.issue(pull.number).milestones for pull in changes} == {(f"MI_kw{there.two.id}",)}


@pytest.mark.parametrize("repositories", [1, 6])
def test_a_pull_request_that_changes_alone_is_seen(there: Small, clock: Clock, repositories: int) -> None:
    names = [there.tracker.project(f"acme/r{n}").key for n in range(repositories - 1)] + ["acme/app"]
    connector = connected(there.tracker, clock)
    got = pulled(connector, names)
    for _ in range(2):
        got.take(connector.pull(names, got.cursors))
    there.tracker.close(there.pull, there.tracker.bot, clock.pass_(hours=1))
    assert pulled(connector, names, got.cursors).issue(there.pull.number).state is State.CLOSED


# --- repositories of mostly pull requests, and databases of an earlier version -------------------------------------


def test_of_mostly_pull_requests_those_in_milestones_are_read(there: Small, clock: Clock) -> None:
    mostly_changes(there)
    connector = connected(there.tracker, clock)
    got = pulled(connector)
    there_now = [item for item in there.place.issues.values() if not item.pull or item.milestones]
    assert {issue.key for issue in got.issues.values()} == {f"#{item.number}" for item in there_now}
    assert connector.requests == 2 + 1 + 1 + 1 + 1, "one lists forty pull requests, and one reads them"


def test_pull_requests_that_are_mostly_in_milestones_are_read_by_number(there: Small, clock: Clock) -> None:
    for n in range(396):
        change(there, f"change {n}", in_milestone=n % 3 > 0)
    connector = connected(there.tracker, clock)
    assert len(pulled(connector).issues) == 400
    assert connector.requests == 2 + 1 + 4


def test_an_earlier_database_reads_the_pull_requests_of_milestones_once(there: Small, clock: Clock) -> None:
    joined = change(there, "in a milestone")
    there.tracker.move(there.place, joined, [there.two.id], there.tracker.bot, clock.pass_(days=3))
    connector = connected(there.tracker, clock)
    got = pulled(connector)
    old = {key: text.replace('"pulls"', '"unknown"') for key, text in got.cursors.items()}
    before = connector.requests
    again = pulled(connector, cursors=old)
    assert [issue.key for issue in again.issues.values()] == [f"#{joined.number}"]
    assert again.events(joined.number) == [("joined", "v1"), ("left", "v1"), ("joined", "v2")]
    assert connector.requests - before == 2 + 3
    before = connector.requests
    assert pulled(connector, cursors=again.cursors).issues == {}
    assert connector.requests - before == 2


def test_what_left_its_milestone_while_no_cursor_was_known_is_in_none(there: Small, clock: Clock) -> None:
    mostly_changes(there)
    [first, *_] = [item for item in there.place.issues.values() if item.pull and item.milestones]
    with Store.memory(clock) as store, closing(connected(there.tracker, clock)) as connector:
        for _ in range(2):
            for page in connector.pull(["acme/app"], {}):
                store.save(connector.base_url, page, clock.now)
            [row] = [row for row in store.issues(connector.base_url) if row.key == f"#{first.number}"]
            assert bool(row.milestones) is bool(first.milestones)
            there.tracker.move(there.place, first, [], there.tracker.bot, clock.pass_(hours=1))


def test_a_sweep_deletes_no_pull_request_that_is_there(there: Small, clock: Clock) -> None:
    kept, gone = change(there, "kept"), change(there, "deleted by GitHub")
    with Store.memory(clock) as store, closing(connected(there.tracker, clock)) as connector:
        for _ in range(2):
            for page in connector.pull(["acme/app"], store.cursors(connector.base_url)):
                store.save(connector.base_url, page, clock.now)
            there.place.issues.pop(gone.number, None)
            clock.pass_(days=8)
        rows = {row.key: row for row in store.issues(connector.base_url)}
        assert rows[f"#{kept.number}"].milestones
        assert not rows[f"#{gone.number}"].milestones
        assert rows["#4"].visibility.value == "public", "one in no milestone is in no list"
        assert all(store.cursors(connector.base_url).values())


# --- bad input -----------------------------------------------------------------------------------------------------


def test_a_pull_request_that_cannot_be_read_costs_no_other(there: Small, clock: Clock) -> None:
    bad, good = change(there, "bad"), change(there, "good")
    is_broken = True

    def spoil(_method: str, path: str, answer: Answer) -> Answer:
        if not is_broken or not path.endswith("/graphql"):
            return answer
        body = json.loads(answer.body)
        repository = (body.get("data") or {}).get("repository") or {}
        rows = [*repository.values(), *((repository.get("pullRequests") or {}).get("nodes") or ())]
        for row in rows:
            if isinstance(row, dict) and row.get("number") == bad.number and "isDraft" in row:
                row["isDraft"] = "perhaps"
        return answer._replace(body=json.dumps(body).encode())

    there.tracker.alter = spoil
    connector = connected(there.tracker, clock)
    got = pulled(connector)
    assert {row.name for page in got.pages for row in page.unread} == {f"pull request #{bad.number}"}
    assert got.issue(good.number).is_pull_request
    there.tracker.close(bad, there.tracker.bot, clock.pass_(hours=1))
    again = Taken().take(connector.pull(["acme/app"], got.cursors))
    assert {row.name for page in again.pages for row in page.unread} == {f"pull request #{bad.number}"}
    is_broken = False
    assert pulled(connector, cursors=again.cursors).issue(bad.number).state is State.CLOSED
