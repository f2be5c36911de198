"""Project boards (Projects v2): our status updates on them, read and written.

A status update is ours if the token's own account wrote it: the creator is the same node as the viewer, or the bot of
the same GitHub App, which the two fields spell differently (``app[bot]`` and ``app``). A token needs the scope
``project``, a GitHub App the permission *Projects*.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress

import msgspec

from connectors.github import api_types
from connectors.github.normalize import is_account
from connectors.github.session import PROJECT_ERRORS, Session
from connectors.shared.responses import parse
from sync.tracker.actions import PostBoardUpdate, Receipt
from sync.tracker.errors import GoneError, RefusedError, UncertainError
from sync.tracker.marker import find_marker, with_marker
from sync.tracker.observed import Board, BoardUpdate

__all__ = ["Boards"]

_BOARD = """query Board($owner: String!, $number: Int!, $after: String) {
  viewer { id login }
  repositoryOwner(login: $owner) { ... on ProjectV2Owner { projectV2(number: $number) {
    id public statusUpdates(first: 100, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes { id body status createdAt creator { __typename login ... on Node { id } } }
    }
  } } }
}"""
_POST = """mutation Post($board: ID!, $status: ProjectV2StatusUpdateStatus!, $body: String!) {
  createProjectV2StatusUpdate(input: {projectId: $board, status: $status, body: $body}) { statusUpdate { id } }
}"""
_UPDATE = """mutation Rewrite($update: ID!, $status: ProjectV2StatusUpdateStatus!, $body: String!) {
  updateProjectV2StatusUpdate(input: {statusUpdateId: $update, status: $status, body: $body}) { clientMutationId }
}"""
_DELETE = """mutation Take($update: ID!) {
  deleteProjectV2StatusUpdate(input: {statusUpdateId: $update}) { clientMutationId }
}"""


class Boards:
    """Reader and writer of status updates on boards. A board is written ``owner/number``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def read(self, names: Iterable[str]) -> dict[str, Board]:
        """Fetch the boards with all status updates that carry a marker. `Board.why` explains an unreadable board."""
        boards = sorted(set(names))
        return dict(zip(boards, self._session.caller.map_all(self._read, boards), strict=True))

    def of(self, board: Board, uids: Collection[str]) -> Board:
        """The board with the status updates of one milestone only; ``uids`` are the ids that their markers may name."""
        return msgspec.structs.replace(
            board,
            updates=tuple(update for update in board.updates if _milestone_of(update.marker) in uids),
            claims=tuple(update for update in board.claims if _milestone_of(update.marker) in uids),
        )

    def apply(self, action: PostBoardUpdate) -> Receipt:
        """Create, update or delete a status update; before a creation, look for it. Raises a `TrackerError`."""
        project = action.project_key
        if not action.body:
            with suppress(GoneError):
                self._session.mutate(_DELETE, {"update": action.update}, project)
            return Receipt(id=action.update, issue=action.issue)
        text = {"status": action.status.upper(), "body": with_marker(action.body, action.marker)}
        if action.update:
            self._session.mutate(_UPDATE, {"update": action.update, **text}, project)
            return Receipt(id=action.update, issue=action.issue)
        board_id, board = self._fetch(action.board)
        existing = [update for update in board.updates if update.marker == action.marker]
        if existing:
            return Receipt(id=existing[0].id, issue=action.issue)
        answer = self._session.create(_POST, {"board": board_id, **text}, api_types.Posted, project)
        if answer.status_update is None:
            raise UncertainError(self._session.name, project, "GraphQL left the status update out of its answer")
        return Receipt(id=answer.status_update.id, issue=action.issue)

    def _read(self, name: str) -> Board:
        try:
            return self._fetch(name)[1]
        except GoneError:
            why = f"the board {name} does not exist, or this token may not see it (scope project)"
        except RefusedError as error:
            why = f"this token may not read the board {name} (scope project): {error.detail}"
        except PROJECT_ERRORS as error:
            why = f"the board {name} could not be read: {error.detail}"
        return Board(name=name, why=why)

    def _fetch(self, name: str) -> tuple[str, Board]:
        """Fetch a board's node id, and the board with the status updates of every page."""
        owner, _, number = name.partition("/")
        variables: dict[str, object] = {"owner": owner, "number": int(number)}
        guard = self._session.caller.guard(name)
        updates: list[BoardUpdate] = []
        claims: list[BoardUpdate] = []
        while True:
            reply = self._session.query(_BOARD, variables, api_types.BoardAnswer, name)
            self._session.raise_errors(reply.errors, name)
            board = reply.data and reply.data.repository_owner and reply.data.repository_owner.project_v2
            if not reply.data or not board:
                raise GoneError(self._session.name, name)
            for update in board.status_updates.nodes:
                marker = find_marker(update.body or "")
                if marker and is_account(update.creator, reply.data.viewer):
                    updates.append(_update(update, marker))
                elif marker:
                    claims.append(_update(update, marker))
            if not board.status_updates.page_info.has_next_page:
                return board.id, Board(name=name, public=board.public, updates=tuple(updates), claims=tuple(claims))
            variables["after"] = self._session.next_cursor(board.status_updates, guard, name)


def _update(update: api_types.StatusUpdate, marker: str) -> BoardUpdate:
    status = (update.status or "").lower()
    author = update.creator.login if update.creator else ""
    return BoardUpdate(
        id=update.id, status=status, body=update.body or "", marker=marker, created_at=update.created_at, author=author
    )


def _milestone_of(marker: str) -> str:
    """The milestone (uid) of a marker; empty if it cannot be read."""
    decoded = parse(marker, api_types.MarkerMilestone)
    return decoded.milestone if decoded else ""
