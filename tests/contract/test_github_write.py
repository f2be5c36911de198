"""Status issues on GitHub over real HTTP: found, read to the end, written once and as one change each."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.sandbox.world_data import Fault, Issue
from sync.tracker.actions import CreateComment, CreateLabel, CreateStatusIssue, DeleteComment, MoveLabel, UpdateComment
from sync.tracker.errors import GoneError, LimitedError, MalformedError, RefusedError
from sync.tracker.marker import with_marker
from tests.contract.github_side import Clock, Small, connected, marker, target


def about(there: Small) -> dict[str, Any]:
    """Whom an action serves."""
    connector = connected(there.tracker, Clock())
    wanted = target(connector, there, there.one)
    return {"milestone": wanted.milestone, "project": wanted.project, "project_key": wanted.project_key}


def status_issue(there: Small, **more: object) -> Issue:
    """One that milesync has made."""
    mark = marker(about(there)["milestone"], "status_issue")
    fields: dict[str, Any] = {"body": with_marker("Health of v1", mark), "labels": ["milestone-status"], **more}
    return there.tracker.issue(there.place, "Milestone v1", there.tracker.bot, **fields)


# --- a round ---------------------------------------------------------------------------------------------------------


def test_what_is_written_is_what_is_observed(there: Small, clock: Clock) -> None:
    connector, to = connected(there.tracker, clock), about(there)
    mark = marker(to["milestone"], "summary", status="at_risk")
    assert connector.observe([target(connector, there, there.one)]).issues == {}

    connector.apply(CreateLabel(**to, label="health/at-risk", colour="fbca04", description="Milestone health: at risk"))
    connector.apply(CreateLabel(**to, label="health/done", colour="5319e7", description="Milestone health: done"))
    made = connector.apply(
        CreateStatusIssue(
            **to, title="Milestone v1", body="Health", marker=marker(to["milestone"], "status_issue"),
            labels=("milestone-status",),
        )
    )  # fmt: skip
    assert made.issue == "#5"
    connector.apply(MoveLabel(**to, issue=made.issue, add="health/at-risk"))
    comment = connector.apply(CreateComment(**to, issue=made.issue, body="**At risk**", marker=mark, summary=True))

    seen = connector.observe([target(connector, there, there.one)])
    found = seen.issues[to["milestone"]]
    assert (found.issue, found.closed, set(found.labels)) == ("#5", False, {"milestone-status", "health/at-risk"})
    assert found.url == f"{there.tracker.url}/acme/app/issues/5"
    assert '"status_issue"' in found.marker
    assert [(c.id, c.marker) for c in found.comments] == [(comment.id, mark)]
    assert seen.labels[to["project"]] >= {"health/at-risk", "health/done"}
    assert there.place.labels["health/at-risk"].colour == "fbca04"
    assert there.place.issues[5].milestones == [], "never in the milestone"

    clock.pass_(hours=1)
    there.tracker.label(there.place.issues[5], ["a person's"], [], there.tracker.user("ada"))
    connector.apply(MoveLabel(**to, issue=made.issue, add="health/done", remove=("health/at-risk", "health/unknown")))
    new = marker(to["milestone"], "summary", status="done")
    connector.apply(UpdateComment(**to, issue=made.issue, comment=comment.id, body="Done", marker=new))
    found = connector.observe([target(connector, there, there.one, made.issue)]).issues[to["milestone"]]
    assert set(found.labels) == {"milestone-status", "health/done"}
    assert [(c.id, c.marker) for c in found.comments] == [(comment.id, new)]
    assert found.comments[0].updated_at == clock.now
    assert "a person's" in there.place.issues[5].labels, "labels of people stay"

    connector.apply(DeleteComment(**to, issue=made.issue, comment=comment.id))
    connector.apply(DeleteComment(**to, issue=made.issue, comment=comment.id))
    assert connector.observe([target(connector, there, there.one)]).issues[to["milestone"]].comments == ()


def test_our_own_writes_are_a_second_apart(there: Small, clock: Clock) -> None:
    slept: list[float] = []
    connector, to = connected(there.tracker, clock, slept=slept), about(there)
    for n in range(3):
        connector.apply(CreateLabel(**to, label=f"l{n}", colour="000000", description=""))
    assert slept == [1, 1]


# --- whose it is -----------------------------------------------------------------------------------------------------


def test_an_issue_with_a_copied_marker_is_not_taken(there: Small, clock: Clock) -> None:
    mark = marker(about(there)["milestone"], "status_issue")
    there.tracker.issue(
        there.place, "copied", there.tracker.user("ada"), body=with_marker("x", mark), labels=["milestone-status"]
    )
    there.tracker.issue(there.place, "a summary's", there.tracker.bot, body=with_marker(
        "x", marker(about(there)["milestone"], "summary")), labels=["milestone-status"])  # fmt: skip
    there.tracker.issue(
        there.place, "torn", there.tracker.bot, body="<!-- milesync {1} -->", labels=["milestone-status"]
    )
    connector = connected(there.tracker, clock)
    assert connector.observe([target(connector, there, there.one)]).issues == {}
    real = status_issue(there)
    status_issue(there)
    found = connector.observe([target(connector, there, there.one)]).issues[about(there)["milestone"]]
    assert found.issue == f"#{real.number}", "the oldest of two"


def test_an_issue_that_a_person_named_has_no_marker_of_its_own(there: Small, clock: Clock) -> None:
    connector = connected(there.tracker, clock)
    for written in ("#3", "3", "acme/app#3"):
        seen = connector.observe([target(connector, there, there.one, written)])
        assert (seen.issues[about(there)["milestone"]].issue, seen.issues[about(there)["milestone"]].marker) == (
            "#3",
            "",
        )


def test_a_named_issue_in_another_repository(there: Small, clock: Clock) -> None:
    other = there.tracker.project("acme/plans", private=True)
    there.tracker.issue(other, "Plan", there.tracker.user("ada"))
    connector, to = connected(there.tracker, clock), about(there)
    found = connector.observe([target(connector, there, there.one, "acme/plans#1")]).issues[to["milestone"]]
    assert (found.issue, str(found.visibility)) == ("acme/plans#1", "project")
    connector.apply(CreateComment(**to, issue=found.issue, body="x", marker=marker("m", "summary"), summary=True))
    assert len(other.issues[1].comments) == 1
    with pytest.raises(RefusedError, match="has no label health/done"):
        connector.apply(MoveLabel(**to, issue=found.issue, add="health/done"))


def test_many_status_issues_come_in_few_requests(there: Small, clock: Clock) -> None:
    connector, wanted = connected(there.tracker, clock), []
    for n in range(45):
        goal = there.tracker.milestone(there.place, f"m{n}")
        one = target(connector, there, goal)
        mark = marker(one.milestone, "status_issue")
        there.tracker.issue(
            there.place, f"Milestone m{n}", there.tracker.bot, body=with_marker("x", mark), labels=["milestone-status"]
        )
        wanted.append(one)
    seen = connector.observe(wanted)
    assert seen.issues.keys() == {target.milestone for target in wanted}
    assert connector.requests == 1 + 5


def test_a_status_issue_that_is_gone_or_closed(there: Small, clock: Clock) -> None:
    connector, to = connected(there.tracker, clock), about(there)
    assert connector.observe([target(connector, there, there.one, "#77")]).issues == {}
    assert connector.observe([target(connector, there, there.one, "#4")]).issues == {}, "a pull request"
    issue = status_issue(there)
    there.tracker.close(issue, there.tracker.user("ada"))
    assert connector.observe([target(connector, there, there.one)]).issues[to["milestone"]].closed


def test_one_repository_that_fails_leaves_the_others(there: Small, clock: Clock) -> None:
    connector, to = connected(there.tracker, clock), about(there)
    status_issue(there)
    gone = target(connector, there, there.two)
    there.tracker.project("acme/secret").hidden = True
    lost = type(gone)(milestone=gone.milestone, project="R_x", project_key="acme/secret")
    named = type(gone)(milestone="named", project=gone.project, project_key=gone.project_key, issue="acme/secret#1")
    odd = type(gone)(milestone="odd", project="R_y", project_key="acme/app2", issue="the issue")
    there.tracker.project("acme/app2")
    seen = connector.observe([target(connector, there, there.one), lost, named, odd])
    assert seen.issues.keys() == {to["milestone"]}
    assert {uid: type(error) for uid, error in seen.failed.items()} == {
        lost.milestone: GoneError,
        "named": GoneError,
        "odd": RefusedError,
    }


def test_a_heavy_observation_is_halved(there: Small, clock: Clock) -> None:
    connector = connected(there.tracker, clock)
    wanted = [target(connector, there, goal, key) for goal, key in ((there.one, "#1"), (there.two, "#2"))]
    seen, sent = connector.observe(wanted), connector.requests
    past_the_labels = Fault("slow", "/graphql", headers={"seconds": "0"})
    there.tracker.faults += [past_the_labels, Fault("status", "/graphql", status=502)]
    assert connector.observe(wanted) == seen
    assert connector.requests - sent == 1 + 1 + 2


# --- what goes wrong -----------------------------------------------------------------------------------------------


def test_a_label_that_is_there_is_as_good(there: Small, clock: Clock) -> None:
    connector, to = connected(there.tracker, clock), about(there)
    action = CreateLabel(**to, label="health/done", colour="5319e7", description="x" * 300)
    there.tracker.faults.append(Fault("drop", "POST /repos/acme/app/labels"))
    first = connector.apply(action)
    assert connector.apply(action) == first
    assert list(there.place.labels) == ["health/done"]
    with pytest.raises(RefusedError):
        connector.apply(CreateLabel(**to, label="x", colour="not a colour", description=""))


def test_writes_to_what_is_not_there(there: Small, clock: Clock) -> None:
    connector, to = connected(there.tracker, clock), about(there)
    mark = marker(to["milestone"], "summary")
    for action in (
        CreateComment(**to, issue="#99", body="x", marker=mark, summary=True),
        UpdateComment(**to, issue="#1", comment="IC_kw99", body="x", marker=mark),
        MoveLabel(**to, issue="#99", add="health/done"),
        CreateStatusIssue(**to | {"project_key": "acme/nothing"}, title="x", body="x", marker=mark),
    ):
        with pytest.raises(GoneError):
            connector.apply(action)
    with pytest.raises(RefusedError):
        connector.apply(MoveLabel(**to, issue="the issue", add="health/done"))


def test_a_body_that_is_too_long_is_refused(there: Small, clock: Clock) -> None:
    connector, to = connected(there.tracker, clock), about(there)
    assert connector.capabilities.body_limit < 65536
    with pytest.raises(RefusedError):
        connector.apply(CreateComment(**to, issue="#1", body="x" * 70_000, marker=marker("m", "summary"), summary=True))


def test_a_limited_creation_was_surely_refused(there: Small, clock: Clock) -> None:
    connector, to = connected(there.tracker, clock), about(there)
    body = '{"message": "You have exceeded a secondary rate limit"}'
    there.tracker.faults.append(Fault("status", "/comments", status=403, body=body, headers={"retry-after": "90"}))
    with pytest.raises(LimitedError):
        connector.apply(CreateComment(**to, issue="#1", body="x", marker=marker("m", "summary"), summary=True))
    assert there.moved.comments == []


def test_html_while_observing_names_the_project(there: Small, clock: Clock) -> None:
    connector = connected(there.tracker, clock)
    there.tracker.faults.append(Fault("html", "/graphql", times=9))
    (error,) = connector.observe([target(connector, there, there.one)]).failed.values()
    assert isinstance(error, MalformedError)
    assert "acme/app" in str(error)


# --- labels of a new issue, node ids, limits of created texts ---------------------------------------------------------


def test_a_new_status_issue_gets_its_labels_in_one_request(there: Small, clock: Clock) -> None:
    connector, to = connected(there.tracker, clock), about(there)
    made = connector.apply(
        CreateStatusIssue(**to, title="x", body="x", marker=marker("m", "status_issue"), labels=("Health/done", "b"))
    )
    assert (connector.requests, made.dropped) == (1, ())
    assert sorted(there.place.issues[int(made.issue[1:])].labels) == ["Health/done", "b"]


def test_labels_that_a_new_issue_did_not_get_are_named(there: Small, clock: Clock) -> None:
    there.place.drops_labels = True
    connector, to = connected(there.tracker, clock), about(there)
    made = connector.apply(
        CreateStatusIssue(**to, title="x", body="x", marker=marker("m", "status_issue"), labels=("health/done", "b"))
    )
    assert made.dropped == ("health/done", "b")
    assert int(made.issue[1:]) in there.place.issues


def test_a_label_is_moved_in_one_request_after_an_observation(there: Small, clock: Clock) -> None:
    connector, to = connected(there.tracker, clock), about(there)
    status_issue(there)
    for name in ("health/on-track", "health/done"):
        connector.apply(CreateLabel(**to, label=name, colour="000000", description=""))
    found = connector.observe([target(connector, there, there.one)]).issues[to["milestone"]]
    connector.apply(CreateLabel(**to, label="health/new", colour="000000", description=""))
    for add, remove in (("health/on-track", ()), ("health/done", ("Health/On-Track", "none")), ("health/new", ())):
        sent = connector.requests
        connector.apply(MoveLabel(**to, issue=found.issue, add=add, remove=remove))
        assert connector.requests - sent == 1
    labels = there.place.issues[int(found.issue[1:])].labels
    assert sorted(name for name in labels if name.startswith("health")) == ["health/done", "health/new"]


def test_a_label_that_was_created_again_since_the_observation_is_found(there: Small, clock: Clock) -> None:
    connector, to = connected(there.tracker, clock), about(there)
    status_issue(there)
    connector.apply(CreateLabel(**to, label="health/done", colour="000000", description=""))
    found = connector.observe([target(connector, there, there.one)]).issues[to["milestone"]]
    there.place.labels["health/done"].id = there.tracker.world.next_id()
    connector.apply(MoveLabel(**to, issue=found.issue, add="health/done"))
    assert "health/done" in there.place.issues[int(found.issue[1:])].labels


@pytest.mark.parametrize("status", [403, 422])
def test_texts_that_were_submitted_too_quickly_are_not_sent_again(there: Small, clock: Clock, status: int) -> None:
    """GitHub gives no time, and waiting a minute does not help."""
    connector, to = connected(there.tracker, clock), about(there)
    body = '{"message": "Validation Failed", "errors": [{"resource": "Issue", "message": "was submitted too quickly"}]}'
    there.tracker.faults.append(Fault("status", "POST", status=status, body=body))
    with pytest.raises(LimitedError):
        connector.apply(CreateStatusIssue(**to, title="x", body="x", marker=marker("m", "status_issue")))
    assert connector.requests == 1


def test_a_change_that_was_submitted_too_quickly_is_not_sent_again(there: Small, clock: Clock) -> None:
    connector, to = connected(there.tracker, clock), about(there)
    body = (
        '{"data": null, "errors": [{"type": "UNPROCESSABLE", "path": ["a"], "message": "was submitted too quickly"}]}'
    )
    there.tracker.faults.append(Fault("status", "/graphql", status=200, body=body))
    with pytest.raises(LimitedError):
        connector.apply(UpdateComment(**to, issue="#1", comment="IC_kw1", body="x", marker=marker("m", "summary")))
    assert connector.requests == 1


@pytest.mark.parametrize("times", [1, 3])
def test_a_text_that_a_secondary_limit_refused_is_sent_again(there: Small, clock: Clock, times: int) -> None:
    slept: list[float] = []
    connector, to = connected(there.tracker, clock, slept=slept), about(there)
    body = '{"message": "You have exceeded a secondary rate limit"}'
    fault = Fault("status", "/comments", status=403, body=body, headers={"retry-after": "5"}, times=times)
    there.tracker.faults.append(fault)
    connector.apply(CreateComment(**to, issue="#1", body="x", marker=marker("m", "summary"), summary=True))
    assert len(there.moved.comments) == 1
    assert slept == [5] * times
