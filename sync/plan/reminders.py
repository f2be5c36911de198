"""Plan the reminder: one comment that asks owners about their issues. Pure.

It is rewritten in place between two reminders, at most once a day, and deleted when no issue needs its owner any more.
A new reminder, which notifies people, replaces the old one every ``remind_every`` days at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from sync.plan.inputs import PlannerInput
from sync.tracker.actions import Action, CreateComment, DeleteComment, UpdateComment
from sync.tracker.marker import Marker, MarkerKind, body_hash, is_edited

__all__ = ["is_reminder_due", "last_reminder", "plan_reminder"]


def last_reminder(state: PlannerInput, summary: Marker | None) -> datetime | None:
    """Return the time (UTC) of the last reminder, None if there was none.

    Both the summary's marker and the reminder's hold the time, since a person may delete either comment.
    """
    times = [marker.written for _, marker in state.comments() if marker.kind is MarkerKind.REMINDER]
    times += [summary.reminded] if summary else []
    return max((at for at in times if at is not None), default=None)


def is_reminder_due(state: PlannerInput, summary: Marker | None) -> bool:
    """Return whether a new reminder must be posted now. ``summary`` is the marker of the summary comment.

    The run after a change of the forecast's method posts none, so that an upgrade sends no notification.
    """
    want, last = state.desired, last_reminder(state, summary)
    if want.reminder is None or want.quiet or want.stale:
        return False
    if summary is not None and summary.method != want.method:
        return False
    return last is None or (state.today - state.day_of(last)).days >= want.remind_every


def plan_reminder(state: PlannerInput, summary: Marker | None) -> Iterator[Action]:
    """Yield the writes: post a due reminder, or rewrite the newest one; delete the others.

    A reminder that a person edited stays.
    """
    want, issue = state.desired, state.issue.issue if state.issue else ""
    present = sorted(
        (
            (comment, marker)
            for comment, marker in state.comments()
            if marker.kind is MarkerKind.REMINDER and not is_edited(comment.body, marker)
        ),
        key=lambda pair: (pair[0].created_at, pair[0].id),
    )
    marker = Marker(
        instance=state.instance,
        kind=MarkerKind.REMINDER,
        milestone=want.milestone,
        body=body_hash(want.reminder or ""),
        written=state.now,
    )
    if want.reminder is not None and is_reminder_due(state, summary):
        body, text = want.reminder, marker.encode()
        yield CreateComment(**state.address, issue=issue, body=body, marker=text, summary=False)
    elif want.reminder is not None and present:
        comment, old = present.pop()
        if old.body != marker.body and state.day_of(comment.updated_at) < state.today:
            text = msgspec.structs.replace(marker, written=old.written).encode()
            yield UpdateComment(**state.address, issue=issue, comment=comment.id, body=want.reminder, marker=text)
    for comment, _ in present:
        yield DeleteComment(**state.address, issue=issue, comment=comment.id, superseded=True)
