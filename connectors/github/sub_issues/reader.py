"""Read the sub-issues of issues by GraphQL, fifty parents in a request.

Parents with more than a hundred sub-issues, which GitHub does not allow today, take a request for each further hundred.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cache, partial
from typing import Any

from msgspec import Raw, Struct

from connectors.github.api_types import Actor, IssueId, Node, Nodes, Pages, RepositoryRef, Wire
from connectors.github.schema import DATE_FIELDS, unknown_field
from connectors.github.session import Session, TooHeavyError
from connectors.shared.batch_size import BatchSize
from connectors.shared.responses import Number, Time, decode_row
from sync.tracker.errors import MalformedError, RefusedError

__all__ = ["Parent", "SubIssueReader", "parents_document"]

BATCH = 50
"""Parents in one request."""

_DUE_LINE = re.compile(
    r"^[\s>*_-]*(?:due|target date)[\s*_]*:[\s*_]*(\d{4}-\d{2}-\d{2})\b", re.IGNORECASE | re.MULTILINE
)
_NULL = Raw(b"null")

_DATES = """issueFieldValues(first: 25) {
    nodes { ... on IssueFieldDateValue { value field { ... on IssueFieldDate { name } } } }
  }"""
_SUB_ISSUES = "pageInfo { hasNextPage endCursor } nodes { id number repository { nameWithOwner } }"
_ADDED = """pageInfo { hasNextPage endCursor }
    nodes { ... on SubIssueAddedEvent { createdAt subIssue { id } } }"""
_MORE_SUB_ISSUES = f"""query MoreSubIssues($parent: ID!, $after: String) {{
  node(id: $parent) {{ ... on Issue {{ subIssues(first: 100, after: $after) {{ {_SUB_ISSUES} }} }} }}
}}"""
_MORE_ADDED = f"""query MoreAdded($parent: ID!, $after: String) {{
  node(id: $parent) {{ ... on Issue {{
    timelineItems(first: 100, after: $after, itemTypes: [SUB_ISSUE_ADDED_EVENT]) {{ {_ADDED} }}
  }} }}
}}"""
_WITH_SUB_ISSUES = """query WithSubIssues($owner: String!, $name: String!, $after: String) {
  repository(owner: $owner, name: $name) {
    issues(first: 100, after: $after, orderBy: {field: CREATED_AT, direction: ASC}) {
      pageInfo { hasNextPage endCursor } nodes { number subIssuesSummary { total } }
    }
  }
}"""


@cache
def parents_document(count: int, lacking: frozenset[str]) -> str:
    """Document for the parents ``$n0 ... $n{count-1}`` of a repository, as ``n0 ...``, with their sub-issues."""
    variables = ", ".join(f"$n{i}: Int!" for i in range(count))
    selection = "\n".join(f"    n{i}: issue(number: $n{i}) {{ ...Parent }}" for i in range(count))
    return f"""query Parents($owner: String!, $name: String!, {variables}) {{
  repository(owner: $owner, name: $name) {{
    id
{selection}
  }}
}}
fragment Parent on Issue {{
  id number title url state createdAt updatedAt closedAt body
  milestone {{ dueOn }}
  assignees(first: 10) {{ nodes {{ id login }} }}
  subIssues(first: 100) {{ {_SUB_ISSUES} }}
  timelineItems(first: 100, itemTypes: [SUB_ISSUE_ADDED_EVENT]) {{ {_ADDED} }}
  {"" if DATE_FIELDS & lacking else _DATES}
}}"""


class _Summary(Struct, frozen=True):
    total: int


class _WithSubIssues(Wire, frozen=True):
    number: Number
    sub_issues_summary: _Summary


class SubIssue(IssueId, frozen=True):
    """Sub-issue, perhaps of another repository."""

    repository: RepositoryRef


class Added(Wire, frozen=True):
    """Timeline event: a sub-issue was added. Other events have no fields."""

    created_at: Time | None = None
    sub_issue: Node | None = None


class _FieldName(Struct, frozen=True):
    name: str = ""


class _FieldValue(Struct, frozen=True):
    value: str | None = None
    field: _FieldName | None = None


class _OwnMilestone(Wire, frozen=True):
    due_on: Time | None = None


class Parent(Wire, frozen=True, kw_only=True):
    """Issue with its sub-issues. A sub-issue that the token may not see is None."""

    id: str
    number: Number
    title: str
    url: str
    state: str
    created_at: Time
    updated_at: Time
    closed_at: Time | None = None
    body: str = ""
    milestone: _OwnMilestone | None = None
    assignees: Nodes[Actor]
    sub_issues: Pages[SubIssue | None]
    timeline_items: Pages[Added | None]
    issue_field_values: Nodes[_FieldValue] | None = None

    def due(self, field: str) -> date | None:
        """The due date: of the date field with this name, of the own milestone, or of the text, in this order."""
        values = self.issue_field_values.visible if self.issue_field_values else ()
        texts = [value.value for value in values if value.field and value.field.name.casefold() == field.casefold()]
        if day := next(filter(None, map(_day, texts)), None):
            return day
        if self.milestone is not None and self.milestone.due_on is not None:
            return self.milestone.due_on.date()
        line = _DUE_LINE.search(self.body)
        return _day(line[1]) if line else None


class SubIssueReader:
    """Reader of the sub-issues of one connection."""

    def __init__(self, session: Session) -> None:
        self._session, self._batch = session, BatchSize(BATCH)

    def search(self, name: str) -> list[int]:
        """Return the numbers of all issues of a repository that have sub-issues: a request for each hundred issues."""
        owner, short = self._session.split_name(name, name)
        variables = {"owner": owner, "name": short}
        rows = self._session.pages(_WITH_SUB_ISSUES, variables, _WithSubIssues, name, _skip)
        return [row.number for row in rows if row.sub_issues_summary.total]

    def fetch(self, name: str, numbers: Sequence[int]) -> Iterator[tuple[str, int, Parent | str]]:
        """Yield project id, number and row of these issues; instead of a row that cannot be read the reason.

        Issues that do not exist, or may not be seen, are left out.
        """
        owner, short = self._session.split_name(name, name)
        while numbers:
            batch = numbers[: self._batch.size]
            variables = {"owner": owner, "name": short} | {f"n{i}": number for i, number in enumerate(batch)}
            try:
                reply = self._session.query(
                    partial(parents_document, len(batch)),
                    variables,
                    dict[str, dict[str, Raw] | None],
                    name,
                    divisible=len(batch) > 1,
                )
            except TooHeavyError:
                self._batch.shrink(len(batch))
                continue
            self._batch.grow(len(batch))
            numbers = numbers[len(batch) :]
            # an error further down concerns a sub-issue that the token may not see
            errors = [error for error in reply.errors if len(error.path or ()) <= 2]
            if any(map(unknown_field, errors)):
                raise RefusedError(self._session.name, name, "this server has no sub-issues")
            self._session.raise_errors([error for error in errors if error.type != "NOT_FOUND"], name)
            missing = {error.path[1] for error in errors if error.path and len(error.path) == 2}
            repository = (reply.data or {}).get("repository") or {}
            for i, number in enumerate(batch if repository else ()):
                if f"n{i}" not in missing:
                    project = decode_row(repository["id"], str, self._session.name, name)
                    yield project, number, self._row(repository.get(f"n{i}", _NULL), name)

    def _row(self, row: Raw, name: str) -> Parent | str:
        try:
            return decode_row(row, Parent, self._session.name, name)
        except MalformedError as error:
            return error.detail

    def children(self, row: Parent, name: str) -> Iterator[tuple[SubIssue, datetime]]:
        """Yield the present sub-issues of a parent with the time (UTC) of the link; without a record the parent's own.

        Later pages are fetched.
        """
        added = {
            event.sub_issue.id: event.created_at
            for event in self._all(row, row.timeline_items, _MORE_ADDED, Added, name)
            if event.sub_issue is not None and event.created_at is not None
        }
        for child in self._all(row, row.sub_issues, _MORE_SUB_ISSUES, SubIssue, name):
            yield child, added.get(child.id, row.created_at)

    def _all(self, row: Parent, page: Pages[Any], more: str, type_: type[Any], name: str) -> Iterator[Any]:
        """Yield the nodes of a page and of all pages after it that the token may see."""
        yield from (node for node in page.nodes if node is not None)
        if page.page_info.has_next_page:
            variables: Mapping[str, Any] = {"parent": row.id, "after": page.page_info.end_cursor}
            yield from self._session.pages(more, variables, type_, name, _skip)


def _skip(error: MalformedError) -> None:
    """Leave out a row that cannot be read, or that the token may not see."""


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None
