"""Plan what only a person asks for: adopt the texts of a former account, or retire everything of ours. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from sync.plan.board_status import adopt_board_updates
from sync.plan.desired import Desired, Plan, Skipped, merge_plans
from sync.plan.inputs import PlannerInput
from sync.plan.issue_state import is_muted
from sync.plan.reconcile import first_summary
from sync.tracker.actions import Action, CloseIssue, DeleteComment, MarkStatusIssue, RemoveLabel, UpdateComment
from sync.tracker.marker import Marker, MarkerKind, is_claim, is_edited, without_marker
from sync.tracker.observed import Claim, Observed, OurComment, StatusIssue

__all__ = ["OwnedIssue", "adoption", "renaming", "retirement"]


def adoption(
    desired: Iterable[Desired], observed: Observed, *, instance: str, now: datetime, accounts: Collection[str]
) -> Plan:
    """Return the plan that replaces the summaries and board updates of these former accounts of ours.

    The new summary is posted, then the old one is deleted. A summary that a person has edited stays, and no second
    one is posted. A text with our marker by any other account is a copy: it is ignored.
    """
    plans = []
    for want in desired:
        issue = observed.issues.get(want.milestone)
        if issue is not None:
            plans += _adopt_milestone(PlannerInput(want, issue, instance, now), issue, accounts)
    return merge_plans(plans)


def _adopt_milestone(state: PlannerInput, issue: StatusIssue, accounts: Collection[str]) -> list[Plan]:
    """Return the plans for the summary and the board updates of one milestone."""
    want, kind = state.desired, MarkerKind.SUMMARY
    board = Plan() if _paused(state) else adopt_board_updates(state, accounts)
    claims = [claim for claim in issue.claims if is_claim(claim, state.instance, want.milestone, kind)]
    if not claims:
        return [board]
    old = [claim for claim in claims if claim.author in accounts]
    why = _not_adoptable(state, old)
    if why:
        return [Plan(skipped=(Skipped(want.milestone, why),)), board]
    has_summary = any(marker.kind is kind for _, marker in state.comments())
    posts: list[Action] = [] if has_summary else [first_summary(state)]
    deletions = [DeleteComment(**state.address, issue=issue.issue, comment=claim.id, claimed=True) for claim in old]
    return [Plan(actions=(*posts, *deletions)), board]


def _paused(state: PlannerInput) -> str:
    """Return the reason why nothing is written on the milestone; empty if there is none."""
    if is_muted(state):
        return "it is muted"
    return "its data is stale" if state.desired.stale else ""


def _not_adoptable(state: PlannerInput, old: Iterable[Claim]) -> str:
    """Return the reason why the summaries of former accounts stay; empty if there is none."""
    paused = _paused(state)
    if any((marker := Marker.decode(claim.marker)) and is_edited(claim.body, marker) for claim in old):
        return paused or "a person edited the former account's summary, which stays"
    return paused


def renaming(issues: Iterable[tuple[dict[str, Any], StatusIssue]], *, former: str, instance: str) -> Plan:
    """Return the plan that gives our texts of a former instance the present one: markers only, no words.

    ``issues`` are status issues, each with the fields that every action of its milestone has.
    """
    actions: dict[tuple[str, str, str], Action] = {}
    for address, issue in issues:
        marker = Marker.decode(issue.marker) if issue.marker else None
        if marker is not None and marker.instance == former:
            text = msgspec.structs.replace(marker, instance=instance).encode()
            key = (address["project_key"], issue.issue, "")
            actions.setdefault(key, MarkStatusIssue(**address, issue=issue.issue, marker=text))
        for comment, own in _ours(issue, former):
            text, body = msgspec.structs.replace(own, instance=instance).encode(), without_marker(comment.body)
            update = UpdateComment(**address, issue=issue.issue, comment=comment.id, body=body, marker=text)
            actions.setdefault((address["project_key"], issue.issue, comment.id), update)
    return Plan(actions=tuple(actions.values()))


class OwnedIssue(Struct, frozen=True, kw_only=True):
    """A status issue to retire.

    ``labels`` are all status labels that milesync may put there; ``opened``: milesync created the issue; ``posted``:
    milesync has posted a summary there.
    """

    milestone: str
    project: str
    project_key: str
    issue: StatusIssue
    labels: Collection[str]
    opened: bool = False
    posted: bool = False


def retirement(owned: Iterable[OwnedIssue], *, instance: str) -> Plan:
    """Return the plan that deletes our comments, removes our labels and closes the status issues that we created.

    Texts that a person edited stay, and so do those of other instances. Milestones may share a status issue; each
    write is planned once.
    """
    plans, planned = [], set[tuple[str, str, str]]()
    for item in owned:
        actions = []
        for action in _removals(item, instance):
            what = action.comment if isinstance(action, DeleteComment) else type(action).__name__
            key = (item.project_key, item.issue.issue, what)
            if key not in planned:
                planned.add(key)
                actions.append(action)
        has_edited = any(is_edited(comment.body, marker) for comment, marker in _ours(item.issue, instance))
        skipped = Skipped(item.milestone, "a person edited a comment of ours, which stays")
        plans.append(Plan(actions=tuple(actions), skipped=(skipped,) if has_edited else ()))
    return merge_plans(plans)


def _removals(item: OwnedIssue, instance: str) -> Iterator[Action]:
    address: dict[str, Any] = {"milestone": item.milestone, "project": item.project, "project_key": item.project_key}
    issue, ours = item.issue, list(_ours(item.issue, instance))
    labels = tuple(label for label in issue.labels if label in item.labels)
    if labels and (ours or item.opened or item.posted):
        yield RemoveLabel(**address, issue=issue.issue, labels=labels)  # first: our comments say that it is ours
    for comment, marker in ours:
        if not is_edited(comment.body, marker):
            is_summary = (marker.kind, marker.milestone) == (MarkerKind.SUMMARY, item.milestone)
            yield DeleteComment(**address, issue=issue.issue, comment=comment.id, summary=is_summary)
    if item.opened and not issue.closed:
        yield CloseIssue(**address, issue=issue.issue)


def _ours(issue: StatusIssue, instance: str) -> Iterator[tuple[OurComment, Marker]]:
    """Yield our comments of this instance, about any milestone."""
    for comment in issue.comments:
        marker = Marker.decode(comment.marker)
        if marker is not None and marker.instance == instance:
            yield comment, marker
