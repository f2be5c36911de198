"""Reading status issues afresh: their labels, our comments and what people ask, from every page of the thread.

A person may write whom Jira lists among those with the permission to edit the issue. It tells that to administrators
of the project only; to others it is unknown, and no command is heard. Nor is any in a comment that only some may read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from connectors.jira import jql
from connectors.jira.api_types import Comment, Comments, Found, KeyOnly, Property, Seen, User
from connectors.jira.attachments import files_of, hindrances
from connectors.jira.comment_text import lines_of
from connectors.jira.normalize import moment_of
from connectors.jira.search import ORDER, by_token
from connectors.jira.session import OWN, Session
from connectors.shared.responses import decoder
from sync.model.tracker_data import Visibility
from sync.tracker.errors import TrackerError
from sync.tracker.protocol import Claim, CommandComment, Observed, OurComment, StatusIssue, Target, status_issue_of

__all__ = ["PROPERTY", "marker_in", "observe", "status_labels"]

PROPERTY = "milesync"
"""The entity property that carries a marker, on comments and on status issues."""

_PAGE, _KEYS = 100, 1000
"""Comments, and keys of issues, in one request."""


def status_labels(session: Session) -> tuple[str, ...]:
    """The labels by which status issues are found."""
    return session.listed("status_labels") or ("milestone-status",)


def marker_in(properties: Mapping[str, Any] | Sequence[Property] | None) -> str:
    """The marker in a thing's entity properties, or an empty text."""
    if properties is None:
        return ""
    by_key = properties if isinstance(properties, Mapping) else {one.key: one.value for one in properties}
    value = by_key.get(PROPERTY)
    marker = value.get("marker") if isinstance(value, Mapping) else None
    return marker if isinstance(marker, str) else ""


def observe(session: Session, targets: Sequence[Target]) -> Observed:
    """See `sync.tracker.protocol.Connector.observe`. Jira makes labels by itself, so none are listed."""
    failed: dict[str, TrackerError] = {}
    candidates = _candidates(session, [target for target in targets if not target.issue], failed)
    named = [target.issue for target in targets if target.issue]
    keys = list(dict.fromkeys([*named, *candidates]))
    seen = dict(zip(keys, session.caller.map_all(lambda key: _seen(session, key), keys), strict=True))
    lost = {target.milestone: target for target in targets if not target.issue}
    owned, claims = _by_milestone(session, [s for key in candidates if isinstance(s := seen[key], Seen)], lost)
    chosen: dict[str, Seen] = {}
    for target in targets:
        issue = seen.get(target.issue) if target.issue else owned.get(target.milestone)
        if isinstance(issue, TrackerError):
            failed[target.milestone] = issue
        elif issue is not None:
            chosen[target.milestone] = issue
    threads = {issue.id: issue for issue in chosen.values()}
    comments = dict(
        zip(threads, session.caller.map_all(lambda i: _comments(session, i), threads.values()), strict=True)
    )
    issues: dict[str, StatusIssue] = {}
    why = hindrances(session, targets)
    where = {target.milestone: target.project_key for target in targets if target.attaching}
    for milestone, issue in chosen.items():
        thread = comments[issue.id]
        if isinstance(thread, TrackerError):
            failed[milestone] = thread
        else:
            files = files_of(session, issue.fields.attachment, why.get(where.get(milestone, ""), ""))
            issues[milestone] = msgspec.structs.replace(_status_issue(session, issue, thread), files=files)
    absent = {target.milestone for target in targets} - issues.keys() - failed.keys()
    return Observed(issues=issues, failed=failed, claims={uid: claims[uid] for uid in absent & claims.keys()})


def _candidates(session: Session, targets: Sequence[Target], failed: dict[str, TrackerError]) -> list[str]:
    """Keys of the issues with a status label in these targets' projects; all in one query, or else one by one."""
    projects = list(dict.fromkeys(target.project_key for target in targets))
    if not projects:
        return []
    try:
        return _labelled(session, projects)
    except OWN as problem:
        if len(projects) > 1:
            found = [key for p in projects for key in _candidates(session, _of(targets, p), failed)]
            return list(dict.fromkeys(found))
        failed.update((target.milestone, problem) for target in targets)
        return []


def _of(targets: Sequence[Target], project: str) -> list[Target]:
    return [target for target in targets if target.project_key == project]


def _labelled(session: Session, projects: Sequence[str]) -> list[str]:
    labels = jql.any_of("labels", status_labels(session))
    query = f"{jql.any_of('project', projects)} AND {labels}{ORDER}"
    pages = by_token(session, query, ["key"], _KEYS) if session.cloud else _by_offset(session, query)
    keys = [decoder(KeyOnly).decode(raw).key for found in pages for raw in found.issues]
    return list(dict.fromkeys(keys))


def _by_offset(session: Session, query: str) -> Iterator[Found]:
    start = 0
    while True:
        body = {"jql": query, "startAt": start, "maxResults": _KEYS, "fields": ["key"]}
        found = session.read(Found, "search", body=body)
        yield found
        start += len(found.issues)
        if not found.issues or start >= found.total:
            return


def _seen(session: Session, key: str) -> Seen | TrackerError:
    asked = {"fields": "status,labels,resolutiondate,creator,security,attachment", "properties": PROPERTY}
    try:
        return session.read(Seen, f"issue/{key}", asked, project=key.rpartition("-")[0])
    except OWN as problem:
        return problem


def _by_milestone(
    session: Session, issues: Sequence[Seen], lost: Mapping[str, Target]
) -> tuple[dict[str, Seen], dict[str, Claim]]:
    """The status issue of each milestone uid: made by us, with a marker that says so; of several the oldest. Then
    those that another account made.
    """
    found: dict[str, Seen] = {}
    claims: dict[str, Claim] = {}
    for issue in sorted(issues, key=lambda seen: int(seen.id) if seen.id.isdigit() else 0):
        text, author = marker_in(issue.properties), issue.fields.creator
        target = status_issue_of(text, lost)
        if target is None:
            continue
        if _is_us(session, author):
            found.setdefault(target.milestone, issue)
        else:
            claims.setdefault(
                target.milestone, Claim(id=issue.key, author=_login(author), marker=text, issue=issue.key)
            )
    return found, claims


def _is_us(session: Session, author: User | None) -> bool:
    return author is not None and author.id == session.me.id


def _login(author: User | None) -> str:
    """How people write an account: its name on Data Center; on Cloud there is only its id."""
    return (author.name or author.id) if author else ""


def _marker(session: Session, issue: Seen) -> str:
    return marker_in(issue.properties) if _is_us(session, issue.fields.creator) else ""


def _comments(session: Session, issue: Seen) -> list[tuple[Comment, bool]] | TrackerError:
    """What concerns us in a thread, each with whether we wrote it: comments with a marker, and commands."""
    ours: list[tuple[Comment, bool]] = []
    read = 0
    try:
        while True:
            asked = {"startAt": read, "maxResults": _PAGE, "orderBy": "created", "expand": "properties"}
            page = session.read(Comments, f"issue/{issue.key}/comment", asked, project=issue.key.rpartition("-")[0])
            read += len(page.comments)
            ours += [
                (c, _is_us(session, c.author)) for c in page.comments if marker_in(c.properties) or lines_of(c.body)
            ]
            if not page.comments or read >= page.total:
                return ours
    except OWN as problem:
        return problem


def _status_issue(session: Session, issue: Seen, thread: Sequence[tuple[Comment, bool]]) -> StatusIssue:
    fields = issue.fields
    marked = [(comment, by_us, marker_in(comment.properties)) for comment, by_us in thread]
    return StatusIssue(
        issue=issue.key,
        url=f"{session.site}/browse/{issue.key}",
        closed=fields.resolutiondate is not None or fields.status.statusCategory.key == "done",
        labels=tuple(fields.labels or ()),
        comments=tuple(
            OurComment(
                id=comment.id,
                marker=marker,
                body=_text(comment.body),
                created_at=moment_of(comment.created),
                updated_at=moment_of(comment.updated),
            )
            for comment, by_us, marker in marked
            if by_us and marker
        ),
        marker=_marker(session, issue),
        visibility=Visibility.CONFIDENTIAL if fields.security else Visibility.PROJECT,
        asked=tuple(_asked(session, issue, [(c, by_us) for c, by_us, marker in marked if not (by_us and marker)])),
        claims=tuple(
            Claim(id=comment.id, author=_login(comment.author), marker=marker, body=_text(comment.body))
            for comment, by_us, marker in marked
            if marker and not by_us
        ),
    )


def _asked(session: Session, issue: Seen, comments: Sequence[tuple[Comment, bool]]) -> Iterator[CommandComment]:
    """What people ask in this thread; each author's right is asked for once."""
    writers: dict[str, bool] = {}
    for comment, by_us in comments:
        lines, author = lines_of(comment.body), comment.author
        if not lines or author is None or comment.visibility or not comment.jsdPublic:
            continue
        if author.id not in writers:
            writers[author.id] = by_us or _may_write(session, issue.key, author)
        yield CommandComment(
            id=comment.id,
            author=author.id,
            name=author.displayName or _login(author),
            may_write=writers[author.id],
            at=moment_of(comment.updated),
            text=lines,
        )


def _may_write(session: Session, key: str, user: User) -> bool:
    who = {"accountId": user.accountId} if user.accountId else {"username": user.name or ""}
    asked = {"permissions": "EDIT_ISSUES", "issueKey": key, **who}
    try:
        found = session.read(list[User], "user/permission/search", asked, project=key.rpartition("-")[0])
    except OWN:
        return False
    return any(one.id == user.id for one in found)


def _text(body: Any) -> str:
    """Wiki markup as it is, an ADF document as JSON text in the form in which we send it."""
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
