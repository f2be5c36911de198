from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from sync.engine.result import AppliedAction, Result
from sync.model.health import Status
from sync.model.policy import Limits
from sync.plan.desired import Desired, Plan, label_name
from sync.plan.limits import over_limits
from sync.plan.ownership import OwnedIssue, adoption, retirement
from sync.tracker.actions import (
    Action,
    CloseIssue,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    PostBoardUpdate,
    Receipt,
    RemoveLabel,
    UpdateComment,
    kind_of,
)
from sync.tracker.marker import Marker, MarkerKind, body_hash
from sync.tracker.observed import Claim, Observed, OurComment, StatusIssue

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
UID = "memory://tracker/milestone/1"
LABELS = tuple(label_name("health", "/", status) for status in Status)
TO: dict[str, Any] = {"milestone": UID, "project": "p", "project_key": "acme/app"}


def mark(kind: MarkerKind = MarkerKind.SUMMARY, *, instance: str = "acme", body: str = "text", uid: str = UID) -> str:
    return Marker(instance=instance, kind=kind, milestone=uid, body=body_hash(body)).encode()


def comment(id_: str, marker: str, body: str = "text") -> OurComment:
    return OurComment(id=id_, marker=marker, body=body, created_at=NOW, updated_at=NOW)


def issue(**fields: object) -> StatusIssue:
    plain = StatusIssue(issue="#5", url="u", closed=False, labels=("bug", "health/at-risk"), comments=())
    return msgspec.structs.replace(plain, **fields)


def standing(seen: StatusIssue, **fields: object) -> OwnedIssue:
    plain = OwnedIssue(milestone=UID, project="p", project_key="acme/app", issue=seen, labels=LABELS)
    return msgspec.structs.replace(plain, **fields)


def kinds(plan: Plan) -> list[type]:
    return [type(action) for action in plan.actions]


# --- retire ----------------------------------------------------------------------------------------------------------


def test_all_that_is_ours_goes() -> None:
    ours = issue(comments=(comment("1", mark()), comment("2", mark(MarkerKind.TRANSITION))))
    plan = retirement([standing(ours, opened=True)], instance="acme")
    assert kinds(plan) == [RemoveLabel, DeleteComment, DeleteComment, CloseIssue]
    assert [a.labels for a in plan.actions if isinstance(a, RemoveLabel)] == [("health/at-risk",)]


def test_an_issue_that_people_named_stays_open() -> None:
    plan = retirement([standing(issue(comments=(comment("1", mark()),)))], instance="acme")
    assert kinds(plan) == [RemoveLabel, DeleteComment]


def test_what_is_not_ours_stays() -> None:
    others = issue(comments=(comment("1", mark(instance="other")), comment("2", "{}"), comment("3", "")))
    assert retirement([standing(others)], instance="acme").actions == ()


def test_a_label_without_any_record_of_ours_belongs_to_a_person() -> None:
    assert retirement([standing(issue())], instance="acme").actions == ()
    assert kinds(retirement([standing(issue(), posted=True)], instance="acme")) == [RemoveLabel]


def test_an_edited_text_stays_and_is_reported() -> None:
    edited = issue(labels=(), comments=(comment("1", mark(), "their words"), comment("2", mark())))
    plan = retirement([standing(edited)], instance="acme")
    assert [a.comment for a in plan.actions if isinstance(a, DeleteComment)] == ["2"]
    assert "edited" in plan.skipped[0].why


def test_an_issue_that_several_milestones_share_is_cleared_once() -> None:
    shared = issue(comments=(comment("1", mark()), comment("2", mark(uid="another"))))
    both = [standing(shared), standing(shared, milestone="another")]
    plan = retirement(both, instance="acme")
    assert sorted(a.comment for a in plan.actions if isinstance(a, DeleteComment)) == ["1", "2"]
    assert kinds(plan).count(RemoveLabel) == 1


def test_a_closed_issue_is_not_closed_again() -> None:
    plan = retirement([standing(issue(closed=True, labels=()), opened=True)], instance="acme")
    assert plan.actions == ()


def test_the_limits_hold_for_it() -> None:
    many = issue(comments=tuple(comment(str(n), mark()) for n in range(21)))
    plan = retirement([standing(many)], instance="acme")
    assert [str(refusal) for refusal in over_limits(plan, Limits(), 1)] == ["21 deletes planned, 20 allowed"]


# --- adopt -----------------------------------------------------------------------------------------------------------


def want(**fields: object) -> Desired:
    plain = Desired(
        **TO,
        status=Status.ON_TRACK,
        since=NOW,
        label=LABELS[0],
        siblings=LABELS[1:],
        summary="summary",
        meaning="m",
        transition=lambda before: None,
        issue_title="t",
        issue_body="b",
    )
    return msgspec.structs.replace(plain, **fields)


def old(author: str = "former", **fields: object) -> Claim:
    return msgspec.structs.replace(Claim(id="7", author=author, marker=mark(), body="text"), **fields)


def adopted(seen: StatusIssue, desired: Desired | None = None, accounts: tuple[str, ...] = ("former",)) -> Plan:
    observed = Observed(issues={UID: seen})
    return adoption([desired or want()], observed, instance="acme", now=NOW, accounts=accounts)


def test_a_new_summary_comes_before_the_former_one_goes() -> None:
    plan = adopted(issue(claims=(old(),)))
    first, second = plan.actions
    assert isinstance(first, CreateComment)
    assert (first.body, first.summary) == ("summary", True)
    assert isinstance(second, DeleteComment)
    assert (second.comment, second.claimed) == ("7", True)


def test_half_an_adoption_is_finished() -> None:
    half = issue(claims=(old(),), comments=(comment("9", mark()),))
    assert kinds(adopted(half)) == [DeleteComment]


@pytest.mark.parametrize(
    "claim",
    [
        old(marker=mark(instance="other")),
        old(marker=mark(uid="another")),
        old(marker=mark(MarkerKind.TRANSITION)),
        old(marker="nonsense"),
    ],
)
def test_nothing_else_is_adopted(claim: Claim) -> None:
    assert adopted(issue(claims=(claim,))).actions == ()


def test_another_users_copy_stays_and_blocks_nothing() -> None:
    assert kinds(adopted(issue(claims=(old("eve"),)))) == [CreateComment]
    both = adopted(issue(claims=(old("eve", id="8"), old())))
    assert [a.comment for a in both.actions if isinstance(a, DeleteComment)] == ["7"]


@pytest.mark.parametrize(
    ("seen", "desired", "why"),
    [
        (issue(claims=(old(),), closed=True), want(), "muted"),
        (issue(claims=(old(),)), want(muted=True), "muted"),
        (issue(claims=(old(),)), want(stale=True), "stale"),
        (issue(claims=(old(body="their words"),)), want(), "edited"),
    ],
)
def test_what_keeps_it_from_being_adopted(seen: StatusIssue, desired: Desired, why: str) -> None:
    plan = adopted(seen, desired)
    assert plan.actions == ()
    assert why in plan.skipped[0].why


# --- what a write means ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "notifies"),
    [
        (CreateStatusIssue(**TO, title="t", body="b", marker="{}"), True),
        (CreateComment(**TO, issue="1", body="b", marker="{}", summary=True), True),
        (CreateComment(**TO, issue="1", body="b", marker="{}", summary=False), True),
        (CloseIssue(**TO, issue="1"), True),
        (PostBoardUpdate(**TO, issue="1", board="acme/7", body="b", marker="{}"), True),
        (PostBoardUpdate(**TO, issue="1", board="acme/7", update="2", body="b", marker="{}"), False),
        (PostBoardUpdate(**TO, issue="1", board="acme/7", update="2"), False),
        (UpdateComment(**TO, issue="1", comment="2", body="b", marker="{}"), False),
        (DeleteComment(**TO, issue="1", comment="2"), False),
        (RemoveLabel(**TO, issue="1", labels=("a",)), False),
        (CreateLabel(**TO, label="a", colour="ffffff", description=""), False),
    ],
)
def test_which_writes_notify_people(action: Action, notifies: bool) -> None:
    assert kind_of(action).notifies(action) is notifies
    assert Result(written=[AppliedAction(action, Receipt(loud=True))]).notifications == 1


def test_what_a_tracker_may_refuse() -> None:
    def is_optional(action: Action) -> bool:
        return kind_of(action).is_optional(action)

    assert is_optional(CloseIssue(**TO, issue="1"))
    assert is_optional(DeleteComment(**TO, issue="1", comment="2", claimed=True))
    assert not is_optional(DeleteComment(**TO, issue="1", comment="2"))
