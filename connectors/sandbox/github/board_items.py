"""Sandbox GitHub: columns and items of project boards (Projects v2) by GraphQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, NamedTuple

from graphql import GraphQLError

from connectors.sandbox.github.resolvers import Connection, Info, Row, connection
from connectors.sandbox.github.rest_views import stamp
from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Board, BoardItem, Column, Iteration

__all__ = ["BOARD_ITEMS"]

_FILTER = "updated:>="


class _Column(NamedTuple):
    type: str
    column: Column
    board: Board


class _Item(NamedTuple):
    type: str
    item: BoardItem
    board: Board


class _Value(NamedTuple):
    type: str
    value: Any
    item: BoardItem
    column: Column
    board: Board


class _FieldValue(NamedTuple):
    type: str
    name: str
    value: Any


class _Draft(NamedTuple):
    type: str
    item: BoardItem


def _fields(row: Any, _info: Info, **page: Any) -> Connection:
    return connection(
        [
            _Column("ProjectV2IterationField" if column.type == "ITERATION" else "ProjectV2Field", column, row.board)
            for column in row.board.columns
        ],
        page,
    )


def _items(
    row: Any,
    _info: Info,
    query: str | None = None,
    archivedStates: list[str] | None = None,  # noqa: N803
    **page: Any,
) -> Connection:
    """List items in their order on the board; archived ones only if asked for."""
    states = archivedStates or ["NOT_ARCHIVED"]
    items = [item for item in row.board.items if ("ARCHIVED" if item.archived else "NOT_ARCHIVED") in states]
    if query is not None:
        if not query.startswith(_FILTER):
            raise GraphQLError(f"the sandbox knows the filter {_FILTER} only", extensions={"type": "UNPROCESSABLE"})
        since = date.fromisoformat(query.removeprefix(_FILTER))
        items = [item for item in items if item.updated.date() >= since]
    return connection([_Item("ProjectV2Item", item, row.board) for item in items], page)


def _field_values(row: Any, _info: Info, **page: Any) -> Connection:
    """Return the values of an issue's fields; its due date is the field Target date."""
    values = ({"Target date": row.it.due} if row.it.due else {}) | row.it.fields
    return connection([_FieldValue(_field_type(value, "Value"), name, value) for name, value in values.items()], page)


def _field_type(value: Any, suffix: str = "") -> str:
    return f"IssueField{'Date' if isinstance(value, date) else 'Text' if isinstance(value, str) else 'Number'}{suffix}"


def _plain(row: _FieldValue | _Value, _info: Info) -> Any:
    return row.value.isoformat() if isinstance(row.value, date) else row.value


def _is_hidden(item: BoardItem) -> bool:
    return item.project is not None and item.project.hidden


def _item_type(row: Any, _info: Info) -> str:
    if _is_hidden(row.item):
        return "REDACTED"
    if row.item.issue is None:
        return "DRAFT_ISSUE"
    return "PULL_REQUEST" if row.item.issue.pull else "ISSUE"


def _content(row: Any, _info: Info) -> Any:
    item = row.item
    if _is_hidden(item):
        return None
    if item.issue is None:
        return _Draft("DraftIssue", item)
    return Row("PullRequest" if item.issue.pull else "Issue", item.issue, item.project)


def _value(row: Any, _info: Info, name: str) -> Any:
    """Return the value in the first column of that name; null for an empty one, and for no such column."""
    column = next((column for column in row.board.columns if column.name == name), None)
    if column is None or column.id not in row.item.values:
        return None
    kind = {"ITERATION": "ProjectV2ItemFieldIterationValue", "ISSUE_FIELD": "ProjectV2ItemIssueFieldValue"}
    value = row.item.values[column.id][0]
    return _Value(kind.get(column.type, "ProjectV2ItemFieldDateValue"), value, row.item, column, row.board)


def _iteration(row: _Value) -> Iteration:
    return next(iteration for iteration in row.column.iterations if iteration.id == row.value)


def _configuration(row: Any, info: Info) -> dict[str, Any]:
    """Return the iterations; those whose last day has passed (UTC) are completed, the newest first."""
    tracker: Tracker = info.context
    today = tracker.world.clock().date()
    rows = [(iteration, iteration.start + timedelta(days=iteration.days)) for iteration in row.column.iterations]
    views = [(_iteration_view(iteration), end <= today) for iteration, end in rows]
    return {
        "duration": 14,
        "startDay": 1,
        "iterations": [view for view, is_completed in views if not is_completed],
        "completedIterations": [view for view, is_completed in reversed(views) if is_completed],
    }


def _iteration_view(iteration: Iteration) -> dict[str, Any]:
    return {
        "id": iteration.id,
        "title": iteration.title,
        "startDate": iteration.start.isoformat(),
        "duration": iteration.days,
    }


def _url(row: Any, info: Info) -> str:
    tracker: Tracker = info.context
    name = next(name for name, board in tracker.boards.items() if board is row.board)
    owner, _, number = name.partition("/")
    return f"{tracker.url}/orgs/{owner}/projects/{number}"


def _number(row: Any, info: Info) -> int:
    return int(_url(row, info).rpartition("/")[2])


BOARD_ITEMS: dict[tuple[str, str], Callable[..., Any]] = {
    ("ProjectV2", "number"): _number,
    ("ProjectV2", "title"): lambda row, info: f"Board {_number(row, info)}",
    ("ProjectV2", "url"): _url,
    ("ProjectV2", "updatedAt"): lambda row, _info: stamp(row.board.updated),
    ("ProjectV2", "fields"): _fields,
    ("ProjectV2", "items"): _items,
    **{
        (type_, name): value
        for type_ in ("ProjectV2Field", "ProjectV2IterationField")
        for name, value in {
            "id": lambda row, _info: f"PVTF_kw{row.column.id}",
            "name": lambda row, _info: row.column.name,
            "dataType": lambda row, _info: row.column.type,
        }.items()
    },
    ("ProjectV2IterationField", "configuration"): _configuration,
    **{
        ("ProjectV2IterationFieldIteration", name): lambda view, info: view[info.field_name]
        for name in ("id", "title", "startDate", "duration")
    },
    ("ProjectV2Item", "id"): lambda row, _info: f"PVTI_kw{row.item.id}",
    ("ProjectV2Item", "type"): _item_type,
    ("ProjectV2Item", "isArchived"): lambda row, _info: row.item.archived,
    ("ProjectV2Item", "createdAt"): lambda row, _info: stamp(row.item.created),
    ("ProjectV2Item", "updatedAt"): lambda row, _info: stamp(row.item.updated),
    ("ProjectV2Item", "content"): _content,
    ("ProjectV2Item", "fieldValueByName"): _value,
    ("DraftIssue", "id"): lambda row, _info: f"DI_kw{row.item.id}",
    ("DraftIssue", "title"): lambda *_: "a draft",
    **{
        (type_, "updatedAt"): lambda row, _info: stamp(row.item.values[row.column.id][1])
        for type_ in ("ProjectV2ItemFieldDateValue", "ProjectV2ItemFieldIterationValue")
    },
    **{
        (type_, "id"): lambda row, _info: f"PVTFV_kw{row.column.id}-{row.item.id}"
        for type_ in ("ProjectV2ItemFieldDateValue", "ProjectV2ItemFieldIterationValue", "IssueFieldDateValue")
    },
    ("ProjectV2ItemFieldDateValue", "date"): lambda row, _info: row.value.isoformat(),
    ("ProjectV2ItemFieldIterationValue", "iterationId"): lambda row, _info: row.value,
    ("ProjectV2ItemFieldIterationValue", "title"): lambda row, _info: _iteration(row).title,
    ("ProjectV2ItemFieldIterationValue", "startDate"): lambda row, _info: _iteration(row).start.isoformat(),
    ("ProjectV2ItemFieldIterationValue", "duration"): lambda row, _info: _iteration(row).days,
    ("ProjectV2ItemIssueFieldValue", "issueFieldValue"): lambda row, _info: row._replace(type="IssueFieldDateValue"),
    ("Issue", "issueFieldValues"): _field_values,
    **{
        (f"IssueField{type_}Value", name): value
        for type_ in ("Date", "Number", "Text")
        for name, value in {
            "value": _plain,
            "field": lambda row, _info: _FieldValue(_field_type(row.value), row.name, row.value),
        }.items()
    },
    **{(f"IssueField{type_}", "name"): lambda row, _info: row.name for type_ in ("Date", "Number", "Text")},
}
"""Resolvers by type and field, in addition to those of `connectors.sandbox.github.project_boards`."""
