"""Sandbox Jira: searches by offset on Data Center, by token on Cloud, and Cloud's bulk reads."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from connectors.sandbox.jira.hierarchy import parent_field, types
from connectors.sandbox.jira.jql import BadQueryError, Query, Row, Scope, parse
from connectors.sandbox.jira.requests import RefusedByJiraError, names, whole
from connectors.sandbox.jira.views import Wording
from connectors.sandbox.world import Tracker

__all__ = ["MOST", "Desk"]

Json = dict[str, Any]

MOST = 1000
"""Issues in one page of a Data Center search."""
MOST_IDS = 5000
"""Issues in one page of a Cloud search for ids and keys alone; with more fields the page shrinks to 100."""
MOST_BULK = 100
NEWEST_CHANGES = 40
"""Entries of a changelog in a bulk read."""


class Desk:
    """Finds issues: by id or key through an index, by query."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self._by_id: dict[str, Row] = {}
        self._last: tuple[object, list[Row]] = (None, [])

    def find(self, word: str) -> Row | None:
        """Return the issue of that id or key, if visible."""
        key, _, number = word.upper().rpartition("-")
        project = self.tracker.projects.get(self.tracker.moved.get(key, key))
        if project is not None and number.isdigit():
            issue = project.issues.get(int(number))
            return None if issue is None or project.hidden else (project, issue)
        if not word.isdigit():
            return None
        row = self._by_id.get(word)
        if row is None or row[0].issues.get(row[1].number) is not row[1]:
            self._by_id = {str(i.id): (p, i) for p in self.tracker.projects.values() for i in p.issues.values()}
            row = self._by_id.get(word)
        return None if row is None or row[0].hidden else row

    def rows(self, jql: str, *, bounded: bool = False, validates: bool = True) -> list[Row]:
        """Return the rows of a query. The last answer is cached for its next pages until a change."""
        query, scope = self._query(jql, validates=validates)
        if bounded and not query.bounded:
            raise RefusedByJiraError(
                400, "Unbounded JQL queries are not allowed here. Please add a search restriction."
            )
        if not query.lasting:
            return query.run(scope)
        times = tuple([issue.updated for project in scope.projects for issue in project.issues.values()])
        state = (jql, scope.zone.key, [project.id for project in scope.projects], len(times), hash(times))
        if self._last[0] != state:
            self._last = state, query.run(scope)
        return self._last[1]

    def _query(self, jql: str, *, validates: bool = True) -> tuple[Query, Scope]:
        wording = Wording(self.tracker)
        scope = Scope(
            tuple(
                project
                for project in self.tracker.projects.values()
                if not project.hidden and project.key not in self.tracker.unsearchable
            ),
            self.tracker.world.clock(),
            wording.zone,
            wording.category_of,
            self.find,
            self.tracker.moved,
            lambda: frozenset(entry["name"].lower() for entry in types(self.tracker)),
            lambda issue: parent_field(self.tracker, issue),
            validates=validates,
        )
        try:
            return parse(jql, scope), scope
        except BadQueryError as problem:
            raise RefusedByJiraError(400, str(problem)) from None

    def by_offset(self, asked: Json) -> Json:
        """``/search`` on Data Center."""
        rows = self.rows(
            str(asked.get("jql") or ""),
            validates=asked.get("validateQuery") is not False or self.tracker.always_validates,
        )
        start = whole(asked.get("startAt"), 0)
        size = min(whole(asked.get("maxResults"), 50), MOST)
        fields = names(asked.get("fields")) or ["*navigable"]
        expand = ",".join(names(asked.get("expand")))
        wording = Wording(self.tracker)
        return {
            "expand": "schema,names",
            "startAt": start,
            "maxResults": size,
            "total": len(rows),
            "issues": [wording.issue(row, fields, expand=expand) for row in rows[start : start + size]],
        }

    def by_token(self, asked: Json) -> Json:
        """``/search/jql`` on Cloud: the token is the place of the next page; there is no total."""
        rows = self.rows(str(asked.get("jql") or ""), bounded=True)
        fields = names(asked.get("fields")) or ["id"]
        light = set(fields) <= {"id", "key"}
        size = min(whole(asked.get("maxResults"), 50), MOST_IDS if light else MOST_BULK)
        start = _offset(asked.get("nextPageToken"))
        wording = Wording(self.tracker)
        properties = names(asked.get("properties"))
        expand = str(asked.get("expand") or "")
        page = rows[start : start + size]
        if light:
            shown = [{"id": str(i.id)} | ({"key": i.key} if "key" in fields else {}) for _, i in page]
        else:
            shown = [wording.issue(row, fields, expand=expand, properties=properties) for row in page]
        answer: Json = {"issues": shown, "isLast": start + size >= len(rows)}
        if not answer["isLast"]:
            answer["nextPageToken"] = _token(start + size)
        return answer

    def count(self, asked: Json) -> Json:
        """``/search/approximate-count`` on Cloud."""
        return {"count": len(self.rows(str(asked.get("jql") or ""), bounded=True))}

    def bulk(self, asked: Json) -> Json:
        """``/issue/bulkfetch``: at most 100 issues, in the order of their ids, with their 40 newest changes.

        Missing and invisible ones are in neither list.
        """
        words = _listed(asked, MOST_BULK)
        found = {word: self.find(word) for word in words}
        rows = sorted((row for row in found.values() if row is not None), key=lambda row: row[1].id)
        wording = Wording(self.tracker)
        fields = names(asked.get("fields")) or ["*navigable"]
        expand = ",".join(names(asked.get("expand")))
        properties = names(asked.get("properties"))
        issues = [wording.issue(row, fields, expand=expand, properties=properties) for row in rows]
        for changelog in (issue["changelog"] for issue in issues if "changelog" in issue):
            changelog["histories"] = changelog["histories"][::-1][:NEWEST_CHANGES]
        return {"issues": issues, "issueErrors": []}

    def bulk_changelogs(self, asked: Json) -> Json:
        """``/changelog/bulkfetch``: the histories of up to 1,000 issues, oldest first, optionally of some fields."""
        words = _listed(asked, 1000)
        fields = set(names(asked.get("fieldIds")))
        if len(fields) > 10:
            raise RefusedByJiraError(400, "At most 10 fieldIds are allowed.")
        size = min(whole(asked.get("maxResults"), 1000), 10000)
        start = _offset(asked.get("nextPageToken"))
        wording = Wording(self.tracker)
        lines = [
            (str(row[1].id), entry)
            for row in map(self.find, words)
            if row is not None
            for entry in wording.histories(row[1])
            if not fields or any(item.get("fieldId") in fields for item in entry["items"])
        ]
        logs: dict[str, list[Json]] = {}
        for number, entry in lines[start : start + size]:
            logs.setdefault(number, []).append(entry)
        answer: Json = {
            "issueChangeLogs": [{"issueId": number, "changeHistories": entries} for number, entries in logs.items()]
        }
        if start + size < len(lines):
            answer["nextPageToken"] = _token(start + size)
        return answer


def _listed(asked: Json, most: int) -> list[str]:
    words = names(asked.get("issueIdsOrKeys"))
    if not words or len(words) > most:
        raise RefusedByJiraError(400, f"Between 1 and {most} issueIdsOrKeys are allowed.")
    return words


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(b"at:%d" % offset).decode()


def _offset(token: Any) -> int:
    if not token:
        return 0
    try:
        text = base64.urlsafe_b64decode(str(token)).decode()
        return int(text.removeprefix("at:"))
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise RefusedByJiraError(400, "The nextPageToken is invalid or has expired.") from None
