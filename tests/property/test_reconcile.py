"""From any state of a tracker, applying the plan once leaves an empty plan."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.model.health import Status
from sync.model.policy import Policy
from sync.plan.desired import Desired, PreviousWrites, label_name
from sync.plan.reconcile import reconcile
from sync.tracker.actions import Action, CreateLabel, DeleteComment, SetIssueState, UpdateComment
from sync.tracker.marker import Marker, MarkerKind, body_hash
from sync.tracker.observed import Claim, OurComment, StateChange, StatusIssue, Target
from tests.memory_tracker import MemoryTracker
from tests.proof import TIMEOUT, Record, full, tried

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
PARTS = full(5, 1)
MANY = full(2_000, 300)
"""In each part."""

pytestmark = TIMEOUT
parts = pytest.mark.parametrize("part", range(PARTS))

ZONES = [ZoneInfo("Pacific/Kiritimati"), ZoneInfo("UTC"), ZoneInfo("Etc/GMT+12")]
statuses = st.sampled_from(Status)
words = st.sampled_from(["a", "b"])
times = st.integers(0, 72).map(lambda hours: NOW - timedelta(hours=hours))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Desired], MemoryTracker]:
    """Some milestones, each with its desired state and an observed state: ours, others', half-done moves."""
    tracker = MemoryTracker(lambda: NOW)
    desired = []
    for n in range(draw(st.integers(1, 4))):
        uid = f"memory://tracker/milestone/{n}"
        status = draw(statuses)
        labels = {s: label_name("health", draw(st.sampled_from(["/"])), s) for s in Status}
        desired.append(
            Desired(
                milestone=uid,
                project="p",
                project_key="acme/app",
                status=status,
                since=draw(times),
                label=labels[status],
                siblings=tuple(label for s, label in labels.items() if s is not status),
                summary=draw(words),
                meaning=draw(words),
                transition=(lambda before: f"was {before}") if draw(st.booleans()) else (lambda before: None),
                issue_title="t",
                issue_body="b",
                issue_labels=("milestone-status",),
                policy=Policy.CREATE,
                previous=PreviousWrites(summary=draw(st.booleans())),
                may_create=draw(st.booleans()),
                needs_label=draw(st.booleans()),
                stale=draw(st.booleans()),
                closes=draw(st.booleans()),
                quiet=draw(st.booleans()),
                muted=draw(st.sampled_from([False, False, True])),
                refresh=draw(st.none() | times),
                zone=draw(st.sampled_from(ZONES)),
            )
        )
        if draw(st.booleans()):
            _stand(draw, tracker, uid, list(labels.values()))
    return desired, tracker


def _stand(draw: st.DrawFn, tracker: MemoryTracker, uid: str, labels: list[str]) -> None:
    comments = []
    for _ in range(draw(st.integers(0, 4))):
        marker = Marker(
            instance=draw(st.sampled_from(["acme", "other"])),
            kind=draw(st.sampled_from([MarkerKind.SUMMARY, MarkerKind.TRANSITION, MarkerKind.CLOSING])),
            milestone=draw(st.sampled_from([uid, "memory://tracker/milestone/9"])),
            status=draw(statuses),
            since=draw(times),
            meaning=draw(words),
            body=draw(st.sampled_from(["", body_hash("a"), body_hash("b")])),
            written=draw(times),
            closes=draw(st.booleans()),
        )
        text = draw(st.sampled_from([marker.encode(), "", "{}", "nonsense"]))
        at, body = draw(times), draw(words)
        comments.append(OurComment(id=str(next(tracker.ids)), marker=text, body=body, created_at=at, updated_at=at))
    key = str(next(tracker.ids))
    own = Marker(instance="acme", kind=MarkerKind.STATUS_ISSUE, milestone=uid).encode()
    claim = Marker(instance=draw(st.sampled_from(["acme", "other"])), kind=MarkerKind.SUMMARY, milestone=uid).encode()
    tracker.issues[key] = StatusIssue(
        issue=key,
        url="u",
        closed=draw(st.booleans()),
        labels=tuple(draw(st.sets(st.sampled_from([*labels, "bug"])))),
        comments=tuple(comments),
        marker=own,
        claims=(Claim(id="c", author="before", marker=claim),) if draw(st.booleans()) else (),
        state_change=draw(st.none() | st.builds(StateChange, at=times, by_us=st.booleans())),
        state_obstacle=draw(st.sampled_from(["", "", "no transition"])),
    )


@pytest.mark.proof
@parts
def test_applying_a_plan_leaves_an_empty_one(part: int, record_property: Record) -> None:
    record_property("worlds", tried(settles, worlds(), cases=MANY, part=part))


def settles(world: tuple[list[Desired], MemoryTracker]) -> None:
    desired, tracker = world
    targets = [Target(milestone=d.milestone, project="p", project_key="acme/app") for d in desired]
    before = {key: [c for c in issue.comments if not c.marker] for key, issue in tracker.issues.items()}
    edited = {
        c.id: c
        for issue in tracker.issues.values()
        for c in issue.comments
        if (marker := Marker.decode(c.marker)) and marker.body not in ("", body_hash(c.body))
    }
    asked = any(wish.refresh for wish in desired)
    made: dict[str, str] = {}
    for planned in reconcile(desired, tracker.seen(targets), instance="acme", now=NOW).actions:
        action: Action = planned
        if getattr(planned, "issue", None) == "":
            action = msgspec.structs.replace(planned, issue=made[planned.milestone])
        if isinstance(action, SetIssueState):
            change = tracker.issues[action.issue].state_change
            assert action.closed or (change and change.by_us), "what a person closed stays so"
        if isinstance(action, UpdateComment | DeleteComment) and not asked:
            assert action.comment not in edited, "what a person edited stays so"
        receipt = tracker.do(action)
        if receipt.issue:
            made[planned.milestone] = receipt.issue
    again = reconcile(desired, tracker.seen(targets), instance="acme", now=NOW)
    assert again.actions == ()
    for key, foreign in before.items():
        assert [c for c in tracker.issues[key].comments if not c.marker] == foreign


@settings(max_examples=MANY // 10, deadline=None)
@given(worlds(), st.randoms())
def test_the_order_of_milestones_changes_no_milestones_plan(
    world: tuple[list[Desired], MemoryTracker], random: object
) -> None:
    desired, tracker = world
    targets = [Target(milestone=d.milestone, project="p", project_key="acme/app") for d in desired]
    seen = tracker.seen(targets)
    one = reconcile(desired, seen, instance="acme", now=NOW).actions
    other = reconcile(list(reversed(desired)), seen, instance="acme", now=NOW).actions

    def by_milestone(actions: tuple[Action, ...]) -> dict[str, list[Action]]:
        found: dict[str, list[Action]] = {}
        for action in actions:
            if not isinstance(action, CreateLabel):
                found.setdefault(action.milestone, []).append(action)
        return found

    assert by_milestone(one) == by_milestone(other)
