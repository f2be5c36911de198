"""Find the status issues of Data Center that are as they were at the last look, so that they need not be read again.

Data Center has no bulk read of comments with their properties. But a search returns the comments of many issues, which
show when each was edited. An issue whose time of update and whose comments are those of the last look is as it was; a
comment that a person edits or deletes shows. A changed property shows in neither, so everything is read each week, and
where another person's doing may end an obstacle or give a right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b

import msgspec

from connectors.jira import api_types, jql
from connectors.jira.search import chunks
from connectors.jira.session import PROJECT_ERRORS, Session
from connectors.shared.responses import decode_row
from sync.tracker.errors import MalformedError, RefusedError
from sync.tracker.observed import Look, StatusIssue, Target

__all__ = ["look_at", "unchanged"]

_MAX_AGE = timedelta(days=7)
"""Age at which a status issue is read again, changed or not."""

_KEYS = 100
"""Issues in one search with their comments."""


def look_at(
    session: Session,
    updated: datetime | None,
    comments: Iterable[api_types.Comment | api_types.CommentTimes],
    target: Target,
    at: datetime,
) -> Look | None:
    """The look at an issue and its whole thread at a time (UTC); None on Cloud."""
    if session.is_cloud or updated is None:
        return None
    times = sorted((comment.id, comment.updated.timestamp()) for comment in comments)
    others = [session.own_account.id, session.site, sorted(target.ignored_accounts)]
    content = msgspec.json.encode([updated.timestamp(), times, others])
    return Look(at=at, content=blake2b(content, digest_size=8).hexdigest())


def unchanged(session: Session, targets: Sequence[Target], now: datetime) -> dict[str, StatusIssue]:
    """Return the last observations that still hold, by milestone (uid): one search for a hundred issues."""
    known = {target.milestone: (target, target.last) for target in targets if target.last and _is_lasting(target, now)}
    keys = sorted({last.issue for _, last in known.values()})
    if session.is_cloud or not keys:
        return {}
    rows = {
        row.key: row.fields
        for found in session.caller.map_all(lambda part: _times(session, part), chunks(keys, _KEYS))
        for row in found
    }
    return {
        uid: last
        for uid, (target, last) in known.items()
        if (row := rows.get(last.issue)) is not None
        and len(row.comment.comments) >= row.comment.total
        and last.look is not None
        and look_at(session, row.updated, row.comment.comments, target, last.look.at) == last.look
    }


def _is_lasting(target: Target, now: datetime) -> bool:
    """Return whether only a change of the issue or its thread could change the last observation."""
    last = target.last
    if last is None or last.look is None or last.issue != target.issue or abs(now - last.look.at) >= _MAX_AGE:
        return False
    # an administrator may repair what stops us, and change the transitions that reopen an issue
    is_repairable = last.state_obstacle or last.closed or (last.files is not None and last.files.why)
    return not (is_repairable or last.asked or (target.attaching and last.files is None))


def _times(session: Session, keys: Sequence[str]) -> list[api_types.IssueTimes]:
    """Search issues with the times of their comments; without those that are gone, or that cannot be read."""
    body = {"jql": jql.any_of("key", keys), "fields": ["updated", "comment"], "maxResults": _KEYS}
    body |= {"validateQuery": False}  # otherwise one deleted issue fails the query
    try:
        page = session.read(api_types.SearchPage, "search", body=body)
    except RefusedError:
        return [row for half in jql.halves(keys) for row in _times(session, half)]
    except PROJECT_ERRORS:
        return []
    rows: list[api_types.IssueTimes] = []
    for raw in page.issues:
        try:
            rows.append(decode_row(raw, api_types.IssueTimes, session.name))
        except MalformedError:
            continue
    return rows
