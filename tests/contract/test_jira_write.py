"""Status issues, labels and comments through the Jira connector, in both dialects."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.sandbox.world_data import Fault, Issue, Project
from sync.model.health import Status
from sync.model.policy import Policy
from sync.model.tracker_data import Markup, uid
from sync.plan.desired import Desired, label_name
from sync.plan.reconcile import reconcile
from sync.tracker.actions import CreateComment, CreateLabel, CreateStatusIssue, MoveLabel, UpdateComment
from sync.tracker.errors import GoneError, RefusedError
from sync.tracker.marker import Marker, MarkerKind
from sync.tracker.observed import Observed, Target
from tests.contract.jira_side import DIALECTS, Stand, pulled, stand

WANTED = "https://jira.example.org/milestone/10001"
LABELS = tuple(label_name("health", "/", status) for status in Status)


@pytest.fixture(params=DIALECTS)
def served(request: pytest.FixtureRequest) -> Iterator[Stand]:
    with stand(request.param) as made:
        made.connector()
        yield made


@pytest.fixture
def project(served: Stand) -> Project:
    return served.fill("PAY", 3)


def at(project: Project, milestone: str = WANTED) -> dict[str, Any]:
    return {"milestone": milestone, "project": str(project.id), "project_key": project.key}


def marker(kind: MarkerKind = MarkerKind.STATUS_ISSUE, milestone: str = WANTED) -> str:
    return Marker(instance="acme", kind=kind, milestone=milestone).encode()


def created(served: Stand, project: Project, milestone: str = WANTED) -> Issue:
    action = CreateStatusIssue(
        **at(project, milestone),
        title="Health of 1.0",
        body=served.body("about"),
        marker=marker(milestone=milestone),
        labels=("milestone-status",),
    )
    receipt = served.made[-1].apply(action)
    number = int(receipt.issue.rpartition("-")[2])
    assert receipt.id == str(project.issues[number].id)
    return project.issues[number]


def comment(served: Stand, project: Project, issue: Issue, text: str = "summary", *, summary: bool = True) -> str:
    kind = MarkerKind.SUMMARY if summary else MarkerKind.TRANSITION
    body, sign = served.body(text), marker(kind)
    action = CreateComment(**at(project), issue=issue.key, body=body, marker=sign, summary=summary)
    return served.made[-1].apply(action).id


def seen(served: Stand, project: Project, key: str = "") -> Observed:
    return served.made[-1].observe([Target(**at(project), issue=key)])


# --- status issues --------------------------------------------------------------------------------------------------


def test_a_status_issue_always_carries_the_label_by_which_it_is_found(served: Stand, project: Project) -> None:
    connector = served.connector(status_labels=["our-status"], status_type="Story", status_fields={"duedate": None})
    connector.apply(CreateStatusIssue(**at(project), title="x", body=served.body("b"), marker=marker()))
    issue = project.issues[4]
    assert (issue.labels, issue.type) == (["our-status"], "Story")
    assert seen(served, project).issues[WANTED].issue == issue.key


def test_a_long_title_of_many_lines_still_makes_an_issue(served: Stand, project: Project) -> None:
    action = CreateStatusIssue(**at(project), title="a\nb " * 200, body=served.body("b"), marker=marker())
    served.made[-1].apply(action)
    assert project.issues[4].title.startswith("a b a b")
    assert len(project.issues[4].title) <= 255


def test_what_cannot_be_observed_fails_alone(served: Stand, project: Project) -> None:
    issue = created(served, project)
    targets = [
        Target(**at(project), issue=issue.key),
        Target(milestone="gone", project="1", project_key="PAY", issue="PAY-99"),
        Target(milestone="lost", project="1", project_key="NOPE"),
    ]
    found = served.made[-1].observe(targets)
    assert set(found.issues) == {WANTED}
    assert isinstance(found.failed["gone"], GoneError)
    assert isinstance(found.failed["lost"], RefusedError)


# --- labels ---------------------------------------------------------------------------------------------------------


def test_labels_make_themselves(served: Stand, project: Project) -> None:
    connector = served.made[-1]
    assert not connector.capabilities.needs_label_creation
    connector.apply(CreateLabel(**at(project), label="health/done", colour="0e8a16", description=""))
    assert served.tracker.writes == []


def test_a_label_with_a_space_is_refused(served: Stand, project: Project) -> None:
    with pytest.raises(RefusedError, match="spaces"):
        served.made[-1].apply(MoveLabel(**at(project), issue="PAY-1", add="at risk"))


# --- comments -------------------------------------------------------------------------------------------------------


def test_a_marker_that_the_server_left_out_is_set_by_itself(served: Stand, project: Project) -> None:
    served.tracker.ignores_properties = True
    issue = created(served, project)
    number = comment(served, project, issue)
    assert [event.id for event in seen(served, project).issues[WANTED].comments] == [number]
    newer = marker(MarkerKind.TRANSITION)
    update = UpdateComment(**at(project), issue=issue.key, comment=number, body=served.body("new"), marker=newer)
    served.made[-1].apply(update)
    assert seen(served, project).issues[WANTED].comments[0].marker == newer


def test_no_person_is_notified_of_an_update(served: Stand, project: Project) -> None:
    issue = created(served, project)
    number = comment(served, project, issue)
    served.made[-1].apply(MoveLabel(**at(project), issue=issue.key, add="x"))
    update = UpdateComment(**at(project), issue=issue.key, comment=number, body=served.body("b"), marker="{}")
    served.made[-1].apply(update)
    puts = [path for method, path, _ in served.tracker.log if method == "PUT"]
    assert len(puts) == 2
    assert all("notifyUsers=false" in path for path in puts)


def test_without_the_right_to_be_quiet_it_is_tried_once(served: Stand, project: Project) -> None:
    served.tracker.faults.append(Fault("status", "notifyUsers=false", times=9, status=403))
    for label in ("a", "b"):
        served.made[-1].apply(MoveLabel(**at(project), issue="PAY-1", add=label))
    assert project.issues[1].labels == ["a", "b"]
    puts = [("notifyUsers" in path, status) for method, path, status in served.tracker.log if method == "PUT"]
    assert puts == [(True, 403), (False, 204), (False, 204)]


def test_a_text_that_is_too_long_is_refused(served: Stand, project: Project) -> None:
    limit = served.made[-1].capabilities.body_limit
    comment(served, project, project.issues[1], "x" * limit)
    with pytest.raises(RefusedError, match="too long"):
        comment(served, project, project.issues[1], "x" * 33_000)


# --- lost answers ---------------------------------------------------------------------------------------------------


# --- the plan -------------------------------------------------------------------------------------------------------


def test_a_plan_that_was_applied_leaves_nothing_to_do(served: Stand, project: Project) -> None:
    connector = served.made[-1]
    state = pulled(connector, ["PAY"])
    version = next(iter(state.milestones))
    milestone = uid(connector.base_url, "milestone", version)
    now = datetime(2026, 3, 15, 12, tzinfo=UTC)

    def wanted(status: Status) -> Desired:
        label = label_name("health", "/", status)
        return Desired(
            milestone=milestone,
            project=str(project.id),
            project_key="PAY",
            status=status,
            since=now,
            label=label,
            siblings=tuple(name for name in LABELS if name != label),
            summary=served.body(f"it is {status}"),
            meaning=status.value,
            transition=lambda before: served.body(f"from {before} to {status}"),
            issue_title="Health of 1.0",
            issue_body=served.body("kept up to date"),
            issue_labels=("milestone-status",),
            policy=Policy.CREATE,
            needs_label=connector.capabilities.needs_label_creation,
        )

    for status in (Status.ON_TRACK, Status.AT_RISK, Status.AT_RISK, Status.DONE):
        for _ in range(3):
            known = connector.observe([Target(milestone=milestone, project=str(project.id), project_key="PAY")])
            for action in reconcile([wanted(status)], known, instance="acme", now=now).actions:
                if not getattr(action, "issue", "PAY-4"):
                    break
                connector.apply(action)
        known = connector.observe([Target(milestone=milestone, project=str(project.id), project_key="PAY")])
        assert reconcile([wanted(status)], known, instance="acme", now=now).actions == ()
        assert [name for name in known.issues[milestone].labels if name in LABELS] == [
            label_name("health", "/", status)
        ]
    assert len(project.issues) == 4
    assert len(project.issues[4].comments) == 3
    assert connector.capabilities.markup is (Markup.ADF if served.tracker.kind == "jira-cloud" else Markup.WIKI)
