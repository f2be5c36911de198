"""Project boards (Projects v2): our status updates on them, read and written.

Ours is what the token's own account wrote: the same node, or for a GitHub App its bot, which the two fields that tell
of it spell differently (``app[bot]`` and ``app``). A token needs the scope ``project``, an App *Projects*.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import msgspec

from connectors.github import api_types
from connectors.github.session import OWN, Session
from sync.tracker.actions import PostBoardUpdate, Receipt
from sync.tracker.errors import GoneError, RefusedError, UncertainError
from sync.tracker.observed import Board, BoardUpdate
from sync.tracker.protocol import find_marker, with_marker

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
_REWRITE = """mutation Rewrite($update: ID!, $status: ProjectV2StatusUpdateStatus!, $body: String!) {
  updateProjectV2StatusUpdate(input: {statusUpdateId: $update, status: $status, body: $body}) { clientMutationId }
}"""
_TAKE = """mutation Take($update: ID!) {
  deleteProjectV2StatusUpdate(input: {statusUpdateId: $update}) { clientMutationId }
}"""


class Boards:
    """Reads and writes the status updates of boards, each written ``owner/number``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def read(self, names: Iterable[str]) -> dict[str, Board]:
        """The boards with all that carries a marker; one that cannot be read says why."""
        wanted = sorted(set(names))
        return dict(zip(wanted, self._session.caller.map_all(self._readable, wanted), strict=True))

    def of(self, board: Board, milestone: str) -> Board:
        """What of a board is about one milestone (uid)."""
        return msgspec.structs.replace(
            board,
            updates=tuple(update for update in board.updates if _about(update.marker) == milestone),
            claims=tuple(update for update in board.claims if _about(update.marker) == milestone),
        )

    def apply(self, action: PostBoardUpdate) -> Receipt:
        """Post, rewrite or take away; looks before it posts. Raises `TrackerError`."""
        text = {"status": action.status.upper(), "body": with_marker(action.body, action.marker)} if action.body else {}
        if not action.body:
            with suppress(GoneError):
                self._change(_TAKE, {"update": action.update}, action)
            return Receipt(id=action.update, issue=action.issue)
        if action.update:
            self._change(_REWRITE, {"update": action.update, **text}, action)
            return Receipt(id=action.update, issue=action.issue)
        native, board = self._look(action.board)
        there = [update for update in board.updates if update.marker == action.marker]
        if there:
            return Receipt(id=there[0].id, issue=action.issue)
        made = self._session.create(_POST, {"board": native, **text}, api_types.Posted, action.project_key)
        if made.status_update is None:
            raise UncertainError(self._session.name, action.project_key, "GraphQL left the status update out")
        return Receipt(id=made.status_update.id, issue=action.issue)

    def _change(self, document: str, variables: dict[str, str], action: PostBoardUpdate) -> None:
        self._session.refuse(self._session.mutate(document, variables, action.project_key), action.project_key)

    def _readable(self, name: str) -> Board:
        try:
            return self._look(name)[1]
        except GoneError:
            why = f"the board {name} is not there, or this token may not see it (scope project)"
        except RefusedError as error:
            why = f"the board {name} may not be read by this token (scope project): {error.detail}"
        except OWN as error:
            why = f"the board {name} could not be read: {error.detail}"
        return Board(name=name, why=why)

    def _look(self, name: str) -> tuple[str, Board]:
        """A board's native id and the board, from every page."""
        owner, _, number = name.partition("/")
        asked: dict[str, object] = {"owner": owner, "number": int(number)}
        seen = set[str]()
        updates: list[BoardUpdate] = []
        claims: list[BoardUpdate] = []
        while True:
            reply = self._session.query(_BOARD, asked, api_types.BoardAnswer, name)
            self._session.refuse(reply.errors, name)
            board = reply.data and reply.data.repository_owner and reply.data.repository_owner.project_v2
            if not reply.data or not board:
                raise GoneError(self._session.name, name)
            for update in board.status_updates.nodes:
                marker = find_marker(update.body or "")
                if marker and _by(update.creator, reply.data.viewer):
                    updates.append(_update(update, marker))
                elif marker:
                    claims.append(_update(update, marker))
            if not board.status_updates.page_info.has_next_page:
                return board.id, Board(name=name, public=board.public, updates=tuple(updates), claims=tuple(claims))
            asked["after"] = self._session.onward(board.status_updates.page_info, seen, name)


def _update(update: api_types.StatusUpdate, marker: str) -> BoardUpdate:
    status = (update.status or "").lower()
    author = update.creator.login if update.creator else ""
    return BoardUpdate(
        id=update.id, status=status, body=update.body or "", marker=marker, created_at=update.created_at, author=author
    )


def _by(creator: api_types.Creator | None, viewer: api_types.Creator) -> bool:
    if creator is None:
        return False
    return creator.id == viewer.id or (creator.kind == "Bot" and f"{creator.login}[bot]" == viewer.login)


def _about(text: str) -> str:
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(text, type=api_types.About).milestone
    return ""
