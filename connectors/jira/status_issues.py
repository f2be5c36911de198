"""Read status issues with their threads: on Cloud many at once, on Data Center one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import structs

from connectors.jira import api_types
from connectors.jira.search import chunks
from connectors.jira.session import PROJECT_ERRORS, Session
from connectors.shared.paths import path_of
from connectors.shared.responses import decode_row
from sync.tracker.errors import MalformedError, TrackerError

__all__ = ["PROPERTY", "StatusIssueReader", "Thread", "has_whole_changelog", "project_key"]

PROPERTY = "milesync"
"""Entity property that carries a marker, on comments and on status issues."""

_FIELDS = (
    "status", "labels", "resolution", "resolutiondate", "creator", "security", "attachment", "updated", "comment",
)  # fmt: skip
_EXPAND = ("transitions", "changelog")

_COMMENTS, _BULK, _BULK_COMMENTS = 100, 100, 1000
"""Comments in a page of a thread; issues, and comments, that Cloud returns at once."""

_BULK_CHANGES = 40
"""Entries of a changelog that Cloud returns with many issues at once, the newest ones."""

Thread = Sequence[api_types.Comment]
"""All comments of an issue, oldest first."""


def project_key(issue: str) -> str:
    """Return the key of an issue's project: ``PAY`` for ``PAY-12``."""
    return issue.rpartition("-")[0]


class StatusIssueReader:
    """Reader of the status issues of one connection.

    An answer for many issues counts for those that it holds in full. All others are read alone, which also shows why
    one cannot be read.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def issues(self, keys: Sequence[str]) -> dict[str, api_types.StatusIssue | TrackerError]:
        """Read issues by key. An error concerns this issue alone."""
        found: dict[str, api_types.StatusIssue | TrackerError] = {}
        if self._session.is_cloud and len(keys) > 1:
            for rows in self._session.caller.map_all(self._bulk_issues, chunks(keys, _BULK)):
                found |= {row.key: row for row in rows}
        rest = [key for key in keys if key not in found]
        return found | dict(zip(rest, self._session.caller.map_all(self.issue, rest), strict=True))

    def threads(self, rows: Sequence[api_types.StatusIssue]) -> dict[str, Thread | TrackerError]:
        """Read the threads of issues, by issue id. An error concerns this issue alone."""
        found: dict[str, Thread | TrackerError] = dict(self._written_threads(rows))
        if self._session.is_cloud and len(rows) - len(found) > 1:
            found |= self._bulk_threads([row for row in rows if row.id not in found])
        rest = [row for row in rows if row.id not in found]
        threads = self._session.caller.map_all(self._thread, rest)
        return found | dict(zip([row.id for row in rest], threads, strict=True))

    # --- one by one -------------------------------------------------------------------------------------------------

    def issue(self, key: str) -> api_types.StatusIssue | TrackerError:
        """Read an issue with its changelog."""
        query = {"fields": ",".join(_FIELDS), "properties": PROPERTY, "expand": ",".join(_EXPAND)}
        try:
            return self._session.read(api_types.StatusIssue, path_of("issue/{}", key), query, project=project_key(key))
        except PROJECT_ERRORS as error:
            return error

    def _thread(self, row: api_types.StatusIssue) -> Thread | TrackerError:
        thread: list[api_types.Comment] = []
        project = project_key(row.key)
        start, guard = 0, self._session.caller.guard(project)
        try:
            while True:
                query = {"startAt": start, "maxResults": _COMMENTS, "orderBy": "created", "expand": "properties"}
                path = path_of("issue/{}/comment", row.key)
                page = self._session.read(api_types.CommentPage, path, query, project=project)
                start += len(page.comments)
                thread += page.comments
                if start >= page.total:
                    return thread
                guard.check(len(page.comments), tuple(comment.id for comment in page.comments), start)
        except PROJECT_ERRORS as error:
            return error

    def _written_threads(self, rows: Sequence[api_types.StatusIssue]) -> Iterator[tuple[str, Thread]]:
        """Yield the threads, by issue id, that hold only comments of this process, which knows their markers."""
        markers, us = self._session.written_markers, self._session.own_account.id
        for row in rows:
            thread = _all_comments(row)
            if thread is None or not all(comment.id in markers for comment in thread):
                continue
            if all(comment.author is not None and comment.author.id == us for comment in thread):
                yield row.id, [_with_marker(comment, markers[comment.id]) for comment in thread]

    # --- many at once -----------------------------------------------------------------------------------------------

    def _bulk_issues(self, keys: Sequence[str]) -> list[api_types.StatusIssue]:
        """Read issues at once. Cloud leaves out what is missing or invisible."""
        body: dict[str, Any] = {"issueIdsOrKeys": keys, "fields": _FIELDS}
        body |= {"properties": [PROPERTY], "expand": _EXPAND}
        rows: list[api_types.StatusIssue] = []
        try:
            page = self._session.read(api_types.SearchPage, "issue/bulkfetch", body=body)
        except PROJECT_ERRORS:
            return rows
        for raw in page.issues:
            try:
                rows.append(decode_row(raw, api_types.StatusIssue, self._session.name))
            except MalformedError:
                continue
        return rows

    def _bulk_threads(self, rows: Sequence[api_types.StatusIssue]) -> dict[str, Thread]:
        """Read the properties of the comments that came with their issues, where all did."""
        named = {row.id: _all_comments(row) for row in rows}
        ids = {issue: [comment.id for comment in thread] for issue, thread in named.items() if thread is not None}
        wanted = [int(id_) for own in ids.values() for id_ in own if id_.isdecimal()]
        pages = self._session.caller.map_all(self._bulk_comments, chunks(wanted, _BULK_COMMENTS))
        comments = {comment.id: comment for page in pages for comment in page if comment.properties is not None}
        return {issue: [comments[id_] for id_ in own] for issue, own in ids.items() if comments.keys() >= set(own)}

    def _bulk_comments(self, ids: Sequence[int]) -> Sequence[api_types.Comment]:
        query = {"expand": "properties"}
        try:
            return self._session.read(api_types.CommentList, "comment/list", query, body={"ids": ids}).values
        except PROJECT_ERRORS:
            return ()


def _all_comments(row: api_types.StatusIssue) -> Thread | None:
    """The comments that came with an issue, without properties; None if it has more."""
    page = row.fields.comment
    return None if page is None or len(page.comments) < page.total else page.comments


def _with_marker(comment: api_types.Comment, marker: str) -> api_types.Comment:
    return structs.replace(comment, properties=[api_types.Property(PROPERTY, {"marker": marker})])


def has_whole_changelog(row: api_types.StatusIssue) -> bool:
    """Return whether an issue was read with its whole changelog, as far as its length shows."""
    return row.changelog is None or len(row.changelog.histories) < _BULK_CHANGES
