from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from sync.model.health import Status
from sync.model.policy import Limits, Policy
from sync.model.published import SummaryForecast
from sync.plan.desired import LABELS, Desired, Plan, PreviousWrites, Skipped, label_name
from sync.plan.fingerprint import fingerprint
from sync.plan.inputs import PlannerInput
from sync.plan.limits import over_limits
from sync.plan.reconcile import first_summary, reconcile
from sync.tracker.actions import (
    Action,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    MoveLabel,
    UpdateComment,
)
from sync.tracker.errors import BusyError
from sync.tracker.marker import Marker, MarkerKind
from sync.tracker.observed import Claim, Observed, StatusIssue, Target
from tests.memory_tracker import MemoryTracker

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
UID = "memory://tracker/milestone/1"
TARGET = Target(milestone=UID, project="p", project_key="acme/app")


def want(status: Status = Status.ON_TRACK, **fields: object) -> Desired:
    base = Desired(
        milestone=UID,
        project="p",
        project_key="acme/app",
        status=status,
        since=NOW,
        label=label_name("health", "/", status),
        siblings=tuple(label_name("health", "/", other) for other in Status if other is not status),
        summary=f"summary {status}",
        meaning=f"meaning {status}",
        transition=lambda before: f"{before} -> {status}",
        issue_title="Health of v1",
        issue_body="about",
        issue_labels=("milestone-status",),
        policy=Policy.CREATE,
        needs_label=True,
    )
    return msgspec.structs.replace(base, **fields)


def settle(tracker: MemoryTracker, desired: Desired, now: datetime = NOW) -> Plan:
    """Plan against the tracker and do it; the plan that was done. The tracker's clock is not behind ``now``."""
    at = max(now, tracker.clock())
    tracker.clock = lambda: at
    plan = reconcile([desired], tracker.seen([TARGET]), instance="acme", now=now)
    key = next(iter(tracker.issues), "")
    for planned in plan.actions:
        action = msgspec.structs.replace(planned, issue=key) if getattr(planned, "issue", None) == "" else planned
        key = tracker.do(action).issue or key
    return plan


def kinds(plan: Plan) -> list[type]:
    return [type(action) for action in plan.actions]


def tracker() -> MemoryTracker:
    return MemoryTracker(lambda: NOW)


def test_the_first_plan_makes_labels_an_issue_with_them_and_the_summary() -> None:
    plan = reconcile([want()], Observed(), instance="acme", now=NOW)
    assert kinds(plan) == [CreateLabel, CreateLabel, CreateStatusIssue, CreateComment]
    assert plan.skipped == ()


def test_the_second_plan_is_empty() -> None:
    there = tracker()
    settle(there, want())
    assert settle(there, want()).actions == ()


def test_a_new_status_posts_a_transition_moves_the_label_and_rewrites_the_summary_in_place() -> None:
    there = tracker()
    settle(there, want())
    plan = settle(there, want(Status.AT_RISK))
    assert kinds(plan) == [CreateLabel, MoveLabel, CreateComment, UpdateComment]
    move = next(action for action in plan.actions if isinstance(action, MoveLabel))
    assert (move.add, move.remove) == ("health/at-risk", ("health/on-track",))
    assert next(iter(there.issues.values())).labels == ("milestone-status", "health/at-risk")
    assert settle(there, want(Status.AT_RISK)).actions == ()


def test_a_transition_whose_summary_was_never_rewritten_is_not_said_twice() -> None:
    there = tracker()
    settle(there, want())
    plan = reconcile([want(Status.AT_RISK)], there.seen([TARGET]), instance="acme", now=NOW)
    said = next(action for action in plan.actions if isinstance(action, CreateComment))
    there.do(said)
    assert kinds(settle(there, want(Status.AT_RISK))) == [CreateLabel, MoveLabel, UpdateComment]


@pytest.mark.parametrize(("zone", "hours"), [("UTC", 12), ("Asia/Tokyo", 3), ("America/Los_Angeles", 19)])
def test_a_body_that_differs_only_in_words_is_rewritten_on_a_new_day_of_the_connection(zone: str, hours: int) -> None:
    """It was written on 15 March at 12:00 UTC."""
    there = tracker()
    settle(there, want())
    other = want(summary="other words", zone=ZoneInfo(zone))
    begins = NOW + timedelta(hours=hours)
    assert settle(there, other, begins - timedelta(seconds=1)).actions == ()
    plan = settle(there, other, begins)
    assert (kinds(plan), plan.refreshed) == ([UpdateComment], (UID,))
    assert settle(there, want(summary="new words", zone=other.zone), begins + timedelta(hours=22)).actions == ()


@pytest.mark.parametrize("status", [Status.DONE, Status.ENDED])
def test_the_summary_of_a_milestone_that_is_over_is_not_rewritten_for_a_new_day(status: Status) -> None:
    there = tracker()
    settle(there, want(status))
    assert settle(there, want(status, summary="other words"), NOW + timedelta(days=9)).actions == ()
    assert kinds(settle(there, want(status, summary="other words", meaning="else"))) == [UpdateComment]


def test_what_happened_is_written_at_once_and_is_no_mere_refreshing() -> None:
    there = tracker()
    settle(there, want())
    plan = settle(there, want(meaning="else", summary="other words"))
    assert (kinds(plan), plan.refreshed) == ([UpdateComment], ())
    assert settle(there, want(Status.AT_RISK), NOW + timedelta(days=1)).refreshed == ()


def test_a_human_label_stays_and_only_siblings_go() -> None:
    there = tracker()
    settle(there, want())
    key, issue = next(iter(there.issues.items()))
    there.issues[key] = msgspec.structs.replace(issue, labels=("bug", "health/off-track", "healthy"))
    settle(there, want())
    assert there.issues[key].labels == ("bug", "healthy", "health/on-track")


def test_a_closed_status_issue_mutes() -> None:
    there = tracker()
    settle(there, want())
    key, issue = next(iter(there.issues.items()))
    there.issues[key] = msgspec.structs.replace(issue, closed=True)
    plan = settle(there, want(Status.OFF_TRACK))
    assert plan.actions == ()
    assert "mutes" in plan.skipped[0].why


def test_a_summary_that_a_person_deleted_stays_deleted() -> None:
    there = tracker()
    settle(there, want())
    key, issue = next(iter(there.issues.items()))
    there.issues[key] = msgspec.structs.replace(issue, comments=())
    assert settle(there, want(previous=PreviousWrites(summary=True))).actions == ()


def test_a_second_summary_of_ours_is_deleted() -> None:
    there = tracker()
    settle(there, want())
    key, issue = next(iter(there.issues.items()))
    double = msgspec.structs.replace(issue.comments[0], id="99", created_at=NOW + timedelta(seconds=1))
    there.issues[key] = msgspec.structs.replace(issue, comments=(double, *issue.comments))
    assert [a.comment for a in settle(there, want()).actions if isinstance(a, DeleteComment)] == ["99"]
    assert settle(there, want()).actions == ()


def test_of_two_summaries_the_older_stays_however_they_are_listed() -> None:
    there = tracker()
    settle(there, want())
    key, issue = next(iter(there.issues.items()))
    (newer,) = issue.comments
    older = msgspec.structs.replace(newer, id="older", created_at=NOW - timedelta(hours=1))
    for listed in ((newer, older), (older, newer)):
        there.issues[key] = msgspec.structs.replace(issue, comments=listed)
        plan = settle(there, want())
        assert [a.comment for a in plan.actions if isinstance(a, DeleteComment)] == [newer.id]
        assert [comment.id for comment in there.issues[key].comments] == ["older"]


def test_milestones_that_share_a_status_issue_leave_each_other_alone() -> None:
    have = StatusIssue(issue="345", url="u", closed=False, labels=("health/on-track",), comments=())
    there = tracker()
    there.issues["345"] = have
    second = want(milestone="memory://tracker/milestone/2", summary="the second")
    for desired in (want(), second):
        seen = Observed(issues={desired.milestone: there.issues["345"]}, labels={"p": frozenset({"health/on-track"})})
        for action in reconcile([desired], seen, instance="acme", now=NOW).actions:
            there.do(action)
    assert [comment.body for comment in there.issues["345"].comments] == ["summary on_track", "the second"]
    seen = Observed(issues=dict.fromkeys((UID, second.milestone), there.issues["345"]))
    assert reconcile([want(), second], seen, instance="acme", now=NOW).actions == ()


def test_another_instance_is_left_alone() -> None:
    there = tracker()
    settle(there, want())
    other = reconcile([want()], there.seen([TARGET]), instance="other", now=NOW)
    assert kinds(other) == [CreateComment]


def test_update_policy_makes_no_status_issue() -> None:
    plan = reconcile([want(policy=Policy.UPDATE)], Observed(), instance="acme", now=NOW)
    assert plan.actions == ()
    assert "update only" in plan.skipped[0].why


def rewritten(tracker: MemoryTracker, body: str, at: datetime = NOW) -> None:
    """A person edits our summary; the marker stays in it."""
    key, issue = next(iter(tracker.issues.items()))
    first, *rest = issue.comments
    edited = msgspec.structs.replace(first, body=body, updated_at=at)
    tracker.issues[key] = msgspec.structs.replace(issue, comments=(edited, *rest))


def summary_of(tracker: MemoryTracker) -> Marker:
    marker = Marker.decode(next(iter(tracker.issues.values())).comments[0].marker)
    assert marker is not None
    return marker


def test_a_summary_that_a_person_edited_stays_so_and_is_counted() -> None:
    there = tracker()
    settle(there, want())
    rewritten(there, "summary, and Ada's own words")
    plan = settle(there, want(meaning="else", summary="else"))
    assert (plan.actions, plan.people.edited) == ((), 1)
    assert "edited" in plan.skipped[0].why


def test_where_case_does_not_matter_a_label_in_another_case_is_ours() -> None:
    have = StatusIssue(issue="345", url="u", closed=False, labels=("Bug", "Health/On-Track"), comments=())
    there = Observed(issues={UID: have}, labels={"p": frozenset({"Health/On-Track"})})
    moves = [
        action
        for any_case in (True, False)
        for action in reconcile([want(any_case=any_case)], there, instance="acme", now=NOW).actions
        if isinstance(action, MoveLabel | CreateLabel)
    ]
    assert [type(action) for action in moves] == [CreateLabel, MoveLabel], "only where case matters"
    turned = reconcile([want(Status.AT_RISK, any_case=True)], there, instance="acme", now=NOW).actions
    assert [(a.add, a.remove) for a in turned if isinstance(a, MoveLabel)] == [("health/at-risk", ("health/on-track",))]


def test_label_and_transitions_continue_although_the_summary_was_edited() -> None:
    there = tracker()
    settle(there, want())
    rewritten(there, "Ada's own words")
    for status in (Status.AT_RISK, Status.ON_TRACK, Status.AT_RISK):
        later = there.clock() + timedelta(hours=1)
        there.clock = lambda at=later: at  # type: ignore[misc]
        assert CreateComment in kinds(settle(there, want(status, since=there.clock())))
        assert settle(there, want(status, since=there.clock())).actions == ()
    assert next(iter(there.issues.values())).comments[0].body == "Ada's own words"


def test_what_a_tracker_does_to_line_ends_is_no_edit() -> None:
    there = tracker()
    settle(there, want(summary="one\n\ntwo"))
    rewritten(there, "one  \r\n\r\ntwo\r\n")
    plan = settle(there, want(summary="three", meaning="else"))
    assert (kinds(plan), plan.people.edited) == ([UpdateComment], 0)


def test_a_refresh_rewrites_once_and_takes_an_edited_summary_back() -> None:
    there = tracker()
    settle(there, want())
    rewritten(there, "Ada's own words", NOW + timedelta(hours=1))
    early = want(refresh=NOW + timedelta(minutes=30))
    assert settle(there, early, NOW + timedelta(hours=2)).actions == (), "edited after it was asked for"
    asked = want(refresh=NOW + timedelta(hours=2))
    assert kinds(settle(there, asked, NOW + timedelta(hours=2))) == [UpdateComment]
    assert settle(there, asked, NOW + timedelta(hours=3)).actions == ()


def test_a_refresh_dated_by_a_tracker_whose_clock_is_ahead_rewrites_once() -> None:
    there = MemoryTracker(lambda: NOW + timedelta(hours=1))
    settle(there, want())
    ahead = want(refresh=NOW + timedelta(hours=1))
    assert kinds(settle(there, ahead)) == [UpdateComment]
    assert settle(there, ahead).actions == ()


def test_a_muted_milestone_is_left_alone_and_counted() -> None:
    there = tracker()
    settle(there, want())
    plan = settle(there, want(Status.OFF_TRACK, muted=True))
    assert (plan.actions, plan.people.muted) == ((), 1)
    assert "muted" in plan.skipped[0].why
    assert CreateComment in kinds(settle(there, want(Status.OFF_TRACK))), "unmuted"


def test_on_a_quiet_day_the_transition_waits_and_is_not_lost() -> None:
    there = tracker()
    settle(there, want())
    plan = settle(there, want(Status.AT_RISK, quiet=True))
    assert kinds(plan) == [CreateLabel, MoveLabel, UpdateComment]
    assert (plan.people.waiting, summary_of(there).status) == (1, Status.ON_TRACK)
    assert settle(there, want(Status.AT_RISK, quiet=True)).actions == ()
    monday = settle(there, want(Status.AT_RISK))
    assert kinds(monday) == [CreateComment, UpdateComment]
    assert "on_track -> at_risk" in monday.actions[0].body  # type: ignore[attr-defined]
    assert settle(there, want(Status.AT_RISK)).actions == ()


def test_a_status_that_came_back_over_the_weekend_is_never_announced() -> None:
    there = tracker()
    settle(there, want())
    settle(there, want(Status.AT_RISK, quiet=True))
    assert CreateComment not in kinds(settle(there, want()))


def test_what_another_account_wrote_with_our_marker_is_neither_ours_nor_doubled() -> None:
    there = tracker()
    settle(there, want())
    key, issue = next(iter(there.issues.items()))
    old = Claim(id="7", author="former-bot", marker=issue.comments[0].marker)
    there.issues[key] = msgspec.structs.replace(issue, comments=(), claims=(old,))
    plan = settle(there, want(Status.AT_RISK))
    assert kinds(plan) == [CreateLabel, MoveLabel]
    assert "adopt" in plan.skipped[0].why
    assert "adopt" in settle(there, want(previous=PreviousWrites(summary=True))).skipped[0].why, "with the database too"
    there.issues[key] = msgspec.structs.replace(
        issue, comments=(), claims=(msgspec.structs.replace(old, marker=old.marker.replace("acme", "other")),)
    )
    assert CreateComment in kinds(settle(there, want())), "another instance's is no hindrance"


def test_a_status_issue_of_another_account_with_our_marker_is_not_doubled() -> None:
    mark = Marker(instance="acme", kind=MarkerKind.STATUS_ISSUE, milestone=UID).encode()
    seen = Observed(claims={UID: Claim(id="9", author="former-bot", marker=mark, issue="#9")})
    plan = reconcile([want()], seen, instance="acme", now=NOW)
    assert plan.actions == ()
    assert "adopt" in plan.skipped[0].why


def test_a_claim_is_named_although_nothing_may_be_written() -> None:
    mark = Marker(instance="acme", kind=MarkerKind.STATUS_ISSUE, milestone=UID).encode()
    seen = Observed(claims={UID: Claim(id="9", author="eve", marker=mark, issue="#9")})
    (update,) = reconcile([want(policy=Policy.UPDATE)], seen, instance="acme", now=NOW).skipped
    assert (update.claimed_by, update.place) == ("eve", "#9")
    (over,) = reconcile([want(may_create=False)], seen, instance="acme", now=NOW).skipped
    assert over.place == "", "no status issue is opened in any case"
    there = tracker()
    settle(there, want())
    key, issue = next(iter(there.issues.items()))
    copied = Claim(id="7", author="eve", marker=issue.comments[0].marker)
    for muted, closed in ((True, False), (False, True)):
        there.issues[key] = msgspec.structs.replace(issue, comments=(), claims=(copied,), closed=closed)
        plan = settle(there, want(muted=muted))
        assert plan.actions == ()
        assert [(skipped.claimed_by, skipped.place) for skipped in plan.skipped] == [("eve", key)]


@pytest.mark.parametrize("policy", Policy)
def test_a_milestone_without_its_status_issue_is_in_the_plan_under_every_policy(policy: Policy) -> None:
    def plan(observed: Observed, desired: Desired) -> Plan:
        return reconcile([desired], observed, instance="acme", now=NOW)

    missing = plan(Observed(), want(policy=policy))
    assert (missing.without_issue, missing.undecided) == ((UID,), ())
    assert plan(Observed(), want(policy=policy, may_create=False)).without_issue == ()
    unread = Observed(failed={UID: ConnectionError()})
    stale, kept = want(policy=policy, stale=True), want(policy=policy, keeps_verdict=True)
    for undecided in (plan(unread, want(policy=policy)), plan(Observed(), stale), plan(Observed(), kept)):
        assert (undecided.without_issue, undecided.undecided) == ((), (UID,))


def test_stale_data_only_updates_an_existing_summary() -> None:
    assert reconcile([want(stale=True)], Observed(), instance="acme", now=NOW).actions == ()
    there = tracker()
    settle(there, want())
    plan = settle(there, want(Status.UNKNOWN, stale=True, meaning="stale since"))
    assert kinds(plan) == [UpdateComment]


def test_an_unreadable_status_issue_is_not_written_to() -> None:
    plan = reconcile([want()], Observed(failed={UID: ValueError()}), instance="acme", now=NOW)
    assert plan.actions == ()
    assert plan.skipped


def test_limits_by_number_and_by_share() -> None:
    plan = reconcile([want()], Observed(), instance="acme", now=NOW)
    assert over_limits(plan, Limits(), 1) == []
    assert [str(r) for r in over_limits(plan, Limits(creates=3), 1)] == ["4 creates planned, 3 allowed"]
    many = Plan(
        actions=tuple(
            CreateComment(milestone=str(n), project="p", project_key="k", issue="1", body="", marker="", summary=True)
            for n in range(12)
        )
    )
    assert over_limits(many, Limits(share=0.5), 20)
    assert not over_limits(many, Limits(share=0.5), 24)
    assert not over_limits(many, Limits(share=0.0), 10)


@pytest.mark.parametrize("what", ["creates", "updates", "deletes"])
def test_each_sort_of_write_has_its_own_limits(what: str) -> None:
    to: list[dict[str, Any]] = [
        {"milestone": str(n), "project": "p", "project_key": "k", "issue": "1"} for n in range(12)
    ]
    made: dict[str, list[Action]] = {
        "creates": [CreateComment(**row, body="", marker="", summary=True) for row in to],
        "updates": [UpdateComment(**row, comment="1", body="", marker="") for row in to],
        "deletes": [DeleteComment(**row, comment="1") for row in to],
    }
    plan = Plan(actions=tuple(made[what]))
    none: dict[str, int] = {what: 11}
    assert [str(refusal) for refusal in over_limits(plan, Limits(**none), 24)] == [f"12 {what} planned, 11 allowed"]
    found = over_limits(plan, Limits(creates=99, updates=99, deletes=99, share=0.25), 24)
    assert [str(refusal) for refusal in found] == [f"12 milestones with {what} planned, 6 allowed"]
    others = {sort: 0 for sort in made if sort != what}
    assert over_limits(plan, Limits(**{what: 12}, **others), 24) == []


def test_the_fingerprint_ignores_when_but_not_what() -> None:
    first = reconcile([want()], Observed(), instance="acme", now=NOW)
    later = reconcile([want()], Observed(), instance="acme", now=NOW + timedelta(hours=1))
    other = reconcile([want(Status.AT_RISK)], Observed(), instance="acme", now=NOW)
    assert fingerprint(first.actions) == fingerprint(later.actions) != fingerprint(other.actions)


def test_a_marker_survives_its_own_encoding_and_refuses_strangers() -> None:
    plan = reconcile([want()], Observed(), instance="acme", now=NOW)
    text = next(a.marker for a in plan.actions if isinstance(a, CreateComment))
    marker = Marker.decode(text)
    assert marker is not None
    assert marker.encode() == text
    assert Marker.decode("not json") is None
    assert Marker.decode('{"v": 1, "instance": 3}') is None


def test_a_status_issue_named_by_a_person_needs_no_marker() -> None:
    have = StatusIssue(issue="345", url="u", closed=False, labels=(), comments=())
    plan = reconcile([want(may_create=False)], Observed(issues={UID: have}), instance="acme", now=NOW)
    assert [getattr(a, "issue", None) for a in plan.actions if not isinstance(a, CreateLabel)] == ["345", "345"]


def test_nothing_to_do_is_nothing_skipped() -> None:
    there = tracker()
    settle(there, want())
    again = settle(there, want())
    assert (again.actions, again.skipped) == ((), ())
    assert settle(there, want(muted=True)).skipped == (), "muted, but nothing differs"


def test_what_is_skipped_is_named_with_its_reason() -> None:
    unread = reconcile([want()], Observed(failed={UID: ConnectionError()}), instance="acme", now=NOW)
    assert unread == Plan(skipped=(Skipped(UID, "its status issue could not be read"),), undecided=(UID,))
    there = tracker()
    settle(there, want())
    rewritten(there, "Ada's own words")
    edited = settle(there, want(meaning="else", summary="else"))
    assert edited.skipped == (Skipped(UID, "a person edited its summary, which stays"),)


def test_a_summary_that_was_lost_is_posted_again_and_nothing_is_skipped() -> None:
    there = tracker()
    settle(there, want())
    key, issue = next(iter(there.issues.items()))
    there.issues[key] = msgspec.structs.replace(issue, comments=())
    plan = settle(there, want())
    assert (kinds(plan), plan.skipped) == ([CreateComment], ())


def test_labels_come_with_their_colour_and_words() -> None:
    made = {a.label: a for a in settle(tracker(), want()).actions if isinstance(a, CreateLabel)}
    colour, words = LABELS[Status.ON_TRACK]
    same = {"milestone": UID, "project": "p", "project_key": "acme/app"}
    status = CreateLabel(**same, label="health/on-track", colour=colour, description=words)
    other = CreateLabel(**same, label="milestone-status", colour="ededed", description="Carries a milestone's health")
    assert made == {status.label: status, other.label: other}


def test_the_summarys_marker_remembers_what_was_published() -> None:
    there = tracker()
    wanted = want(baseline=date(2026, 4, 1), probability=0.6)
    plan = settle(there, wanted)
    (posted,) = (a for a in plan.actions if isinstance(a, CreateComment))
    assert posted.summary
    marker = summary_of(there)
    assert (marker.baseline, marker.probability, marker.status) == (date(2026, 4, 1), 0.6, Status.ON_TRACK)
    assert (marker.since, marker.meaning) == (NOW, wanted.meaning)


def test_the_summarys_marker_keeps_what_the_summary_says_about_the_forecast_before() -> None:
    there, first = tracker(), SummaryForecast(probability=0.6, p50=date(2026, 4, 2), due=date(2026, 4, 1))
    settle(there, want(changes_since=NOW, previous_forecast=first, method_changed_at=NOW))
    marker = summary_of(there)
    assert (marker.changes_since, marker.previous_forecast, marker.method_changed_at) == (NOW, first, NOW)


def test_a_first_summary_is_the_one_that_the_plan_would_post() -> None:
    there = tracker()
    settle(there, want())
    key, issue = next(iter(there.issues.items()))
    bare = msgspec.structs.replace(issue, comments=())
    there.issues[key] = bare
    (planned,) = reconcile([want()], there.seen([TARGET]), instance="acme", now=NOW).actions
    assert first_summary(PlannerInput(want(), bare, "acme", NOW)) == planned


def test_a_refresh_asked_for_at_the_moment_of_the_edit_takes_it_back() -> None:
    there = tracker()
    settle(there, want())
    rewritten(there, "Ada's own words", NOW + timedelta(hours=1))
    asked = want(refresh=NOW + timedelta(hours=1))
    assert kinds(settle(there, asked, NOW + timedelta(hours=1))) == [UpdateComment]


def test_an_undated_summary_has_the_date_of_its_comment() -> None:
    """The transition after it is newer: at risk was announced already."""
    there = tracker()
    settle(there, want())
    key, issue = next(iter(there.issues.items()))
    undated = msgspec.structs.replace(summary_of(there), written=None).encode()
    first = msgspec.structs.replace(issue.comments[0], marker=undated)
    there.issues[key] = msgspec.structs.replace(issue, comments=(first,))
    there.clock = lambda: NOW + timedelta(hours=1)
    plan = reconcile([want(Status.AT_RISK)], there.seen([TARGET]), instance="acme", now=there.clock())
    there.do(next(action for action in plan.actions if isinstance(action, CreateComment)))
    assert CreateComment not in kinds(settle(there, want(Status.AT_RISK, since=there.clock()), there.clock()))


def test_a_fingerprint_is_of_what_is_meant_not_of_its_wording_and_times() -> None:
    def posted(**fields: Any) -> CreateComment:
        (action,) = (
            a
            for a in reconcile([want(**fields)], Observed(), instance="acme", now=NOW).actions
            if isinstance(a, CreateComment)
        )
        return action

    plain = fingerprint([posted()])
    assert fingerprint([posted(summary="other words", probability=0.7, since=NOW + timedelta(days=1))]) == plain
    assert fingerprint([posted(meaning="another")]) != plain
    assert fingerprint([posted(baseline=date(2026, 4, 1))]) != plain
    assert fingerprint([posted(), posted()]) != plain


def test_a_fingerprint_knows_the_words_of_a_transition() -> None:
    there = tracker()
    settle(there, want())

    def told(words: str) -> list[Action]:
        plan = reconcile(
            [want(Status.AT_RISK, transition=lambda _: words)], there.seen([TARGET]), instance="acme", now=NOW
        )
        return [a for a in plan.actions if isinstance(a, CreateComment)]

    assert fingerprint(told("one")) == fingerprint(told("one")) != fingerprint(told("another"))


def test_one_that_could_not_be_read_stops_only_its_own_milestone() -> None:
    failed = want(milestone="memory://tracker/milestone/0")
    seen = Observed(failed={failed.milestone: BusyError("memory", "acme/app")}, labels={"p": frozenset()})
    plan = reconcile([failed, want()], seen, instance="acme", now=NOW)
    assert plan.skipped == (Skipped(failed.milestone, "its status issue could not be read"),)
    assert {action.milestone for action in plan.actions} == {UID}


def test_a_label_that_several_need_is_made_once() -> None:
    twice = [want(), want(milestone="memory://tracker/milestone/2")]
    made = [a for a in reconcile(twice, Observed(), instance="acme", now=NOW).actions if isinstance(a, CreateLabel)]
    assert [action.label for action in made] == ["health/on-track", "milestone-status"]
    here = Observed(labels={"p": frozenset({"health/on-track"})})
    made = [a for a in reconcile(twice, here, instance="acme", now=NOW).actions if isinstance(a, CreateLabel)]
    assert [action.label for action in made] == ["milestone-status"]
    elsewhere = [want(), want(milestone="memory://tracker/milestone/2", project="q")]
    made = [a for a in reconcile(elsewhere, here, instance="acme", now=NOW).actions if isinstance(a, CreateLabel)]
    assert [(action.project, action.label) for action in made] == [
        ("p", "milestone-status"),
        ("q", "health/on-track"),
        ("q", "milestone-status"),
    ]


# --- another method of the forecast -----------------------------------------------------------------------------------


def test_another_method_announces_no_status_and_posts_no_reminder() -> None:
    there = tracker()
    settle(there, want())
    over = want(Status.DONE, method=2, closing="It is over.", reminder="Remember", is_transition=False)
    plan = settle(there, over)
    assert kinds(plan) == [CreateLabel, MoveLabel, UpdateComment]
    assert plan.recomputed == (UID,)
    marker = summary_of(there)
    assert (marker.status, marker.method, marker.reminded) == (Status.DONE, 2, None)


def test_another_method_rewrites_a_summary_of_the_same_meaning_once() -> None:
    there = tracker()
    settle(there, want())
    assert kinds(settle(there, want(method=2))) == [UpdateComment]
    assert settle(there, want(method=2)).actions == ()


def test_the_next_transition_within_the_new_method_is_announced() -> None:
    there = tracker()
    settle(there, want())
    settle(there, want(Status.AT_RISK, method=2, is_transition=False))
    plan = settle(there, want(Status.OFF_TRACK, method=2))
    assert [action.body for action in plan.actions if isinstance(action, CreateComment)] == ["at_risk -> off_track"]


def test_an_edited_summary_keeps_quiet_until_a_transition_within_the_new_method() -> None:
    there = tracker()
    settle(there, want())
    rewritten(there, "Ada's own words")
    recomputed = want(Status.AT_RISK, method=2, is_transition=False)
    assert kinds(settle(there, recomputed)) == [CreateLabel, MoveLabel]
    assert settle(there, recomputed).actions == ()
    for status in (Status.OFF_TRACK, Status.AT_RISK):
        later = there.clock() + timedelta(hours=1)
        there.clock = lambda at=later: at  # type: ignore[misc]
        assert CreateComment in kinds(settle(there, want(status, method=2, since=there.clock())))
    assert next(iter(there.issues.values())).comments[0].body == "Ada's own words"


def test_a_summary_of_a_clock_that_ran_ahead_hides_no_later_transition() -> None:
    """A person edited the summary, so that its marker stays: the tracker's own time of the comment counts."""
    there = tracker()
    settle(there, want())
    (issue,) = there.issues.values()
    (summary,) = issue.comments
    marker = Marker.decode(summary.marker)
    assert marker is not None
    ahead = msgspec.structs.replace(marker, written=NOW + timedelta(days=500))
    edited = msgspec.structs.replace(summary, marker=ahead.encode(), body="by a person")
    there.issues[issue.issue] = msgspec.structs.replace(issue, comments=(edited,))
    announced = []
    for hours, status in enumerate((Status.AT_RISK, Status.ON_TRACK, Status.AT_RISK), start=1):
        now = NOW + timedelta(hours=hours)
        plan = settle(there, want(status, since=now), now)
        announced += [action for action in plan.actions if isinstance(action, CreateComment)]
    assert len(announced) == 3
