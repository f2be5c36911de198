"""Taking over what a former account wrote, and taking away all that we did: plans that only a person asks for. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct

from sync.plan.board_status import adopt_board_updates
from sync.plan.desired import Desired, Plan, Skipped, merge_plans
from sync.plan.reconcile import claimed, edited, first_summary, ours
from sync.tracker.actions import Action, CloseIssue, DeleteComment, RemoveLabel
from sync.tracker.marker import Marker, MarkerKind
from sync.tracker.observed import Claim, Observed, OurComment, StatusIssue

__all__ = ["OwnedIssue", "adoption", "retirement"]


def adoption(
    desired: Iterable[Desired], observed: Observed, *, instance: str, now: datetime, accounts: Collection[str]
) -> Plan:
    """A new summary for each that one of these accounts wrote for us before, which is then taken away; and so for its
    status updates on project boards.

    One that a person has edited since stays, and no second one is made beside it. What bears our marker and is of no
    such account is somebody's copy: it is left alone, and does not stand in the way of ours any longer.
    """
    made = []
    for want in desired:
        have = observed.issues.get(want.milestone)
        kind = MarkerKind.SUMMARY
        claims = [c for c in (have.claims if have else ()) if claimed(c, instance, want.milestone, kind)]
        if have is None:
            continue
        board = Plan() if _silent(want, have) else adopt_board_updates(want, have, instance, accounts)
        if not claims:
            made.append(board)
            continue
        old = [claim for claim in claims if claim.author in accounts]
        why = _why_not(want, have, old)
        if why:
            made += [Plan(skipped=(Skipped(want.milestone, why),)), board]
            continue
        mine = [marker for _, marker in ours(have.comments, instance, want.milestone) if marker.kind is kind]
        first: list[Action] = [] if mine else [first_summary(want, have, instance=instance, now=now)]
        taken = [
            DeleteComment(
                milestone=want.milestone,
                project=want.project,
                project_key=want.project_key,
                issue=have.issue,
                comment=claim.id,
                claimed=True,
            )
            for claim in old
        ]
        made += [Plan(actions=(*first, *taken)), board]
    return merge_plans(made)


def _silent(want: Desired, have: StatusIssue) -> str:
    if have.closed or want.muted:
        return "it is muted"
    return "its data is stale" if want.stale else ""


def _why_not(want: Desired, have: StatusIssue, old: Iterable[Claim]) -> str:
    if any((marker := Marker.decode(claim.marker)) and edited(claim.body, marker) for claim in old):
        return _silent(want, have) or "a person edited the former account's summary, which stays"
    return _silent(want, have)


class OwnedIssue(Struct, frozen=True, kw_only=True):
    """A status issue as it stands. ``labels`` are all that we would ever put there; ``opened``: we made the issue;
    ``posted``: something of ours stood there once.
    """

    milestone: str
    project: str
    project_key: str
    issue: StatusIssue
    labels: Collection[str]
    opened: bool = False
    posted: bool = False


def retirement(standing: Iterable[OwnedIssue], *, instance: str) -> Plan:
    """Take away every comment and label of ours, and close the status issues that we opened.

    What a person has edited stays, and so does everything of another instance. Several milestones may share an issue.
    """
    made, seen = [], set[tuple[str, str, str]]()
    for issue in standing:
        actions, skipped = [], []
        for action in _taken(issue, instance):
            what = action.comment if isinstance(action, DeleteComment) else type(action).__name__
            key = (issue.project_key, issue.issue.issue, what)
            if key not in seen:
                seen.add(key)
                actions.append(action)
        kept = sum(edited(c.body, m) for c, m in _marked(issue.issue, instance))
        if kept:
            skipped.append(Skipped(issue.milestone, "a person edited a comment of ours, which stays"))
        made.append(Plan(actions=tuple(actions), skipped=tuple(skipped)))
    return merge_plans(made)


def _taken(item: OwnedIssue, instance: str) -> Iterator[Action]:
    to: dict[str, Any] = {"milestone": item.milestone, "project": item.project, "project_key": item.project_key}
    issue, marked = item.issue, list(_marked(item.issue, instance))
    for comment, marker in marked:
        if not edited(comment.body, marker):
            yield DeleteComment(**to, issue=issue.issue, comment=comment.id)
    labels = tuple(label for label in issue.labels if label in item.labels)
    if labels and (marked or item.opened or item.posted):
        yield RemoveLabel(**to, issue=issue.issue, labels=labels)
    if item.opened and not issue.closed:
        yield CloseIssue(**to, issue=issue.issue)


def _marked(issue: StatusIssue, instance: str) -> Iterator[tuple[OurComment, Marker]]:
    """Our comments of this instance, about whichever milestone."""
    for comment in issue.comments:
        marker = Marker.decode(comment.marker)
        if marker is not None and marker.instance == instance:
            yield comment, marker
