"""Reading status issues afresh: their labels, and our comments from every page of the thread."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from connectors.jira import jql
from connectors.jira.pull import OWN
from connectors.jira.rows import moment_of
from connectors.jira.search import ORDER, by_token
from connectors.jira.session import Session
from connectors.jira.wire import Comment, Comments, Found, KeyOnly, Property, Seen
from sync.connector import Observed, OurComment, StatusIssue, Target, TrackerError
from sync.model import Visibility

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
    """See `sync.connector.Connector.observe`. Jira makes labels by itself, so none are listed."""
    failed: dict[str, TrackerError] = {}
    candidates = _candidates(session, [target for target in targets if not target.issue], failed)
    named = [target.issue for target in targets if target.issue]
    keys = list(dict.fromkeys([*named, *candidates]))
    seen = dict(zip(keys, session.caller.each(lambda key: _seen(session, key), keys), strict=True))
    owned = _by_milestone(session, [s for key in candidates if isinstance(s := seen[key], Seen)])
    chosen: dict[str, Seen] = {}
    for target in targets:
        issue = seen.get(target.issue) if target.issue else owned.get(target.milestone)
        if isinstance(issue, TrackerError):
            failed[target.milestone] = issue
        elif issue is not None:
            chosen[target.milestone] = issue
    threads = {issue.id: issue for issue in chosen.values()}
    comments = dict(zip(threads, session.caller.each(lambda i: _comments(session, i), threads.values()), strict=True))
    issues: dict[str, StatusIssue] = {}
    for milestone, issue in chosen.items():
        ours = comments[issue.id]
        if isinstance(ours, TrackerError):
            failed[milestone] = ours
        else:
            issues[milestone] = _status_issue(session, issue, ours)
    return Observed(issues=issues, failed=failed)


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
    keys = [msgspec.json.decode(raw, type=KeyOnly).key for found in pages for raw in found.issues]
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
    asked = {"fields": "status,labels,resolutiondate,creator,security", "properties": PROPERTY}
    try:
        return session.read(Seen, f"issue/{key}", asked, project=key.rpartition("-")[0])
    except OWN as problem:
        return problem


def _by_milestone(session: Session, issues: Sequence[Seen]) -> dict[str, Seen]:
    """The status issue of each milestone uid: made by us, with a marker that says so; of several the oldest."""
    found: dict[str, Seen] = {}
    for issue in sorted(issues, key=lambda one: int(one.id) if one.id.isdigit() else 0):
        try:
            marker = json.loads(_marker(session, issue) or "null")
        except ValueError:
            continue
        if isinstance(marker, dict) and marker.get("kind") == "status_issue":
            found.setdefault(str(marker.get("milestone")), issue)
    return found


def _marker(session: Session, issue: Seen) -> str:
    author = issue.fields.creator
    return marker_in(issue.properties) if author is not None and author.id == session.me.id else ""


def _comments(session: Session, issue: Seen) -> list[Comment] | TrackerError:
    """Our comments: written by us, with a marker of ours."""
    ours: list[Comment] = []
    read = 0
    try:
        me = session.me.id
        while True:
            asked = {"startAt": read, "maxResults": _PAGE, "orderBy": "created", "expand": "properties"}
            page = session.read(Comments, f"issue/{issue.key}/comment", asked, project=issue.key.rpartition("-")[0])
            read += len(page.comments)
            ours += [c for c in page.comments if c.author and c.author.id == me and marker_in(c.properties)]
            if not page.comments or read >= page.total:
                return ours
    except OWN as problem:
        return problem


def _status_issue(session: Session, issue: Seen, comments: Sequence[Comment]) -> StatusIssue:
    fields = issue.fields
    return StatusIssue(
        issue=issue.key,
        url=f"{session.source}/browse/{issue.key}",
        closed=fields.resolutiondate is not None or fields.status.statusCategory.key == "done",
        labels=tuple(fields.labels or ()),
        comments=tuple(
            OurComment(
                id=comment.id,
                marker=marker_in(comment.properties),
                body=_text(comment.body),
                created_at=moment_of(comment.created),
                updated_at=moment_of(comment.updated),
            )
            for comment in comments
        ),
        marker=_marker(session, issue),
        visibility=Visibility.CONFIDENTIAL if fields.security else Visibility.PROJECT,
    )


def _text(body: Any) -> str:
    """Wiki markup as it is, an ADF document as JSON text in the form in which we send it."""
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
