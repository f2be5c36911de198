"""Close a status issue when its milestone has ended, and reopen it when the milestone runs again. Pure.

Only an issue that milesync created is closed and reopened, and only if the settings ask for it (`Desired.closes`). The
comment that announces the end says in its marker that the issue is closed with it (`Marker.closes`): the note. Note and
tracker decide, so nothing depends on the database:

=============  ======  =====================================  =====================================================
milestone      issue   last closing or reopening              planned
=============  ======  =====================================  =====================================================
just ended     open    any                                    close, after the announcement
ended          open    none since the note                    close: the run that posted the note did not end
ended          open    since the note, by anybody             nothing: a reopening by a person holds for this end
runs again     closed  by us, and there is a note             reopen, before the announcement
any            closed  by a person, or there is no note       nothing: the issue is muted
=============  ======  =====================================  =====================================================

An end that was announced without a note (by an earlier version, or while the setting was off) closes nothing later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sync.model.health import Status
from sync.plan.inputs import PlannerInput
from sync.tracker.actions import Action, CreateComment, SetIssueState
from sync.tracker.marker import Marker, MarkerKind
from sync.tracker.observed import StatusIssue

__all__ = ["closes_issue", "is_muted", "with_issue_state"]

_ANNOUNCEMENTS = (MarkerKind.TRANSITION, MarkerKind.CLOSING)


def is_muted(state: PlannerInput) -> bool:
    """Return whether a person muted the milestone, by a command or by closing its status issue."""
    issue = state.issue
    return state.desired.muted or (issue is not None and issue.closed and not _is_closed_by_us(state, issue))


def closes_issue(state: PlannerInput, before: Status) -> bool:
    """Return whether an announcement that is posted now closes the status issue. ``before``: the announced status.

    A second announcement of one end (`done`, then `ended`) does so only if the first one did.
    """
    if state.issue is None or not _is_ours(state, state.issue) or not state.desired.status.is_over:
        return False
    return not before.is_over or _noted_at(state) is not None


def with_issue_state(state: PlannerInput, actions: Sequence[Action]) -> tuple[list[Action], str]:
    """Return the writes of a milestone with the closing after them or the reopening before them, if one is due.

    If it is due and not possible, return the reason too. Nothing is written to an issue that cannot be reopened: its
    note would be replaced.
    """
    issue, want = state.issue, state.desired
    if issue is None or not _is_ours(state, issue) or want.stale or want.quiet:
        return [*actions], ""
    if issue.closed:
        if want.status.is_over or not _is_closed_by_us(state, issue):
            return [*actions], ""
        if issue.state_obstacle:
            return [], f"its status issue stays closed: {issue.state_obstacle}"
        return [SetIssueState(**state.address, issue=issue.issue, closed=False), *actions], ""
    if not want.status.is_over or not _is_closing_due(state, issue, actions):
        return [*actions], ""
    if issue.state_obstacle:
        return [*actions], f"its status issue stays open: {issue.state_obstacle}"
    return [*actions, SetIssueState(**state.address, issue=issue.issue, closed=True)], ""


def _is_ours(state: PlannerInput, issue: StatusIssue) -> bool:
    """Return whether milesync closes and reopens the issue: it created the issue for this milestone."""
    marker, want = Marker.decode(issue.marker), state.desired
    if marker is None or not want.closes:
        return False
    ours = (state.instance, want.milestone, MarkerKind.STATUS_ISSUE)
    return (marker.instance, marker.milestone, marker.kind) == ours


def _is_closed_by_us(state: PlannerInput, issue: StatusIssue) -> bool:
    change = issue.state_change
    is_by_us = issue.closed and change is not None and change.by_us
    return is_by_us and _is_ours(state, issue) and _noted_at(state) is not None


def _is_closing_due(state: PlannerInput, issue: StatusIssue, planned: Iterable[Action]) -> bool:
    """Return whether the note is planned, or is there and the issue was neither closed nor reopened since."""
    noted, change = _noted_at(state), issue.state_change
    if noted is not None:
        return change is None or change.at < noted
    markers = (Marker.decode(action.marker) for action in planned if isinstance(action, CreateComment))
    return any(marker is not None and marker.closes for marker in markers)


def _noted_at(state: PlannerInput) -> datetime | None:
    """Return the time (UTC) of the note about the present end; None without one, or if the milestone ran since."""
    noted: datetime | None = None
    for at, marker in _statuses(state):
        if marker.status is not None and not marker.status.is_over:
            noted = None
        elif marker.closes and noted is None:
            noted = at
    return noted


def _statuses(state: PlannerInput) -> list[tuple[datetime, Marker]]:
    """Return the markers that give a status, with the time (UTC) of each, oldest first; of one moment, the summary."""
    summaries = [(m.written or c.created_at, m) for c, m in state.comments() if m.kind is MarkerKind.SUMMARY]
    announcements = [(c.created_at, m) for c, m in state.comments() if m.kind in _ANNOUNCEMENTS]
    return sorted((*summaries, *announcements), key=lambda pair: pair[0])
