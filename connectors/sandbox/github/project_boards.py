"""Sandbox GitHub: project boards (Projects v2) and their status updates by GraphQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from graphql import GraphQLError

from connectors.sandbox.github.resolvers import Connection, Info, connection, missing
from connectors.sandbox.github.rest_views import stamp
from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Board, Note, User

__all__ = ["BOARDS"]

SCOPE = "project"


class Shown(NamedTuple):
    """Board, or a status update on it."""

    type: str
    it: Any
    board: Board


def _tracker(info: Info, scope: str = SCOPE) -> Tracker:
    """Return the tracker if the token may use boards; ``read:project`` may only read them."""
    tracker: Tracker = info.context
    held = tracker.scopes
    if held is not None and not {SCOPE, scope}.intersection(held):
        raise GraphQLError(
            f"Your token has not been granted the required scopes to execute this query: ['{scope}'].",
            extensions={"type": "INSUFFICIENT_SCOPES"},
        )
    return tracker


def _board(owner: User, info: Info, number: int) -> Shown:
    board = _tracker(info, "read:project").boards.get(f"{owner.login}/{number}")
    if board is None or board.hidden:
        raise missing(f"a ProjectV2 with the number {number}")
    return Shown("ProjectV2", board, board)


def _boards(owner: User, info: Info, **page: Any) -> Connection:
    boards = _tracker(info, "read:project").boards
    own = [board for name, board in boards.items() if name.startswith(f"{owner.login}/") and not board.hidden]
    return connection([Shown("ProjectV2", board, board) for board in own], page)


def _updates(row: Shown, _info: Info, **page: Any) -> Connection:
    newest = (page.get("orderBy") or {"direction": "DESC"})["direction"] == "DESC"
    notes = list(reversed(row.board.notes)) if newest else row.board.notes
    return connection([Shown("ProjectV2StatusUpdate", note, row.board) for note in notes], page)


def _create(_: Any, info: Info, input: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002
    tracker = _tracker(info)
    board = next((b for b in tracker.boards.values() if f"PVT_kw{b.id}" == input["projectId"]), None)
    if board is None:
        raise missing(f"a node with the global id of '{input['projectId']}'")
    _writable(board)
    now = tracker.world.clock()
    note = Note(tracker.world.next_id(), tracker.bot, input.get("status"), _body(input), now, now)
    board.notes.append(note)
    return {"statusUpdate": Shown("ProjectV2StatusUpdate", note, board)}


def _update(_: Any, info: Info, input: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002
    row = _found(info, input["statusUpdateId"])
    if "status" in input:
        row.it.status = input["status"]
    if "body" in input:
        row.it.body = _body(input)
    row.it.updated = _tracker(info).world.clock()
    return {"statusUpdate": row}


def _delete(_: Any, info: Info, input: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002
    row = _found(info, input["statusUpdateId"])
    row.board.notes.remove(row.it)
    return {"deletedStatusUpdateId": input["statusUpdateId"]}


def _found(info: Info, wanted: str) -> Shown:
    for board in _tracker(info).boards.values():
        for note in board.notes:
            if f"PVTSU_kw{note.id}" == wanted:
                _writable(board)
                return Shown("ProjectV2StatusUpdate", note, board)
    raise missing(f"a node with the global id of '{wanted}'")


def _writable(board: Board) -> None:
    if board.read_only:
        raise GraphQLError("Resource not accessible by personal access token", extensions={"type": "FORBIDDEN"})


def _body(given: Mapping[str, Any]) -> str:
    text = str(given.get("body") or "")
    if len(text) > 65536:
        raise GraphQLError("Body is too long (maximum is 65536 characters)", extensions={"type": "UNPROCESSABLE"})
    return text


BOARDS: dict[tuple[str, str], Callable[..., Any]] = {
    ("Mutation", "createProjectV2StatusUpdate"): _create,
    ("Mutation", "updateProjectV2StatusUpdate"): _update,
    ("Mutation", "deleteProjectV2StatusUpdate"): _delete,
    ("User", "projectV2"): _board,
    ("Organization", "projectV2"): _board,
    ("User", "projectsV2"): _boards,
    ("Organization", "projectsV2"): _boards,
    ("ProjectV2", "closed"): lambda *_: False,
    ("ProjectV2", "id"): lambda row, _info: f"PVT_kw{row.board.id}",
    ("ProjectV2", "public"): lambda row, _info: row.board.public,
    ("ProjectV2", "statusUpdates"): _updates,
    ("ProjectV2StatusUpdate", "id"): lambda row, _info: f"PVTSU_kw{row.it.id}",
    ("ProjectV2StatusUpdate", "body"): lambda row, _info: row.it.body,
    ("ProjectV2StatusUpdate", "createdAt"): lambda row, _info: stamp(row.it.created),
    ("ProjectV2StatusUpdate", "updatedAt"): lambda row, _info: stamp(row.it.updated),
    ("ProjectV2StatusUpdate", "creator"): lambda row, _info: row.it.creator,
    ("ProjectV2StatusUpdate", "status"): lambda row, _info: row.it.status,
}
"""Resolvers by type and field, in addition to those of `connectors.sandbox.github.resolvers`."""
