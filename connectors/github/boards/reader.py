"""Read boards (Projects v2): one request shows whether a board changed, then all items are walked.

=======================  ==================================================================================
known state              requests
=======================  ==================================================================================
nothing changed          one: columns, time of the last update, number of items, newest updates by a filter
something changed        all items, a hundred a request, fewer where GitHub gives up; at least once a day
=======================  ==================================================================================

GitHub does not say which changes move a board's time of update, and servers without filters show no other sign of a
new value. So each board is walked once a day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

import msgspec
from msgspec import Struct

from connectors.github.api_types import Pages
from connectors.github.boards.api_types import Board, BoardField, BoardItem, BoardItems, Owner
from connectors.github.boards.state import BoardSignature
from connectors.github.session import Document, Session, TooHeavyError
from connectors.shared.batch_size import BatchSize
from connectors.shared.responses import decode_row
from connectors.shared.rows import fields_of, read_rows, word_at
from sync.model.tracker_data import UnreadKind, UnreadRow
from sync.tracker.errors import GoneError, RefusedError

__all__ = [
    "BOARD_ENTRY",
    "BoardReader",
    "BoardWalk",
    "WalkedColumn",
    "head_document",
    "items_document",
    "signature_of",
    "walked_signature",
]

BOARD_ENTRY = re.compile(r"[^/]+/projects/[0-9]{1,9}")
"""Entry of ``projects`` that means the repositories with items on a board: ``acme/projects/7``, as in its address."""

PAGE = 100
"""Items in one request, while GitHub can answer so many."""

_HIDDEN_PARTS = frozenset(("content", "repository"))
"""Parts of an item that a token may not see: GitHub answers null and an error."""


class WalkedColumn(Struct, frozen=True):
    """Column to read: its name, and the GraphQL of its values (`BoardContainers.selection`)."""

    name: str
    selection: str
    optional_selection: str = ""


class BoardWalk(Struct, frozen=True):
    """All items of a board that can be read, and the rows that cannot.

    ``hidden``: items of which the token may see the values and not the issue. ``invisible``: the number of items of
    which it may see nothing.
    """

    items: Sequence[BoardItem]
    hidden: Sequence[BoardItem]
    unread: Sequence[UnreadRow]
    invisible: int = 0


def signature_of(board: Board, newest: datetime | None) -> BoardSignature:
    """Return the present signature of a board. ``newest`` is that of the last walk, from which ``recent`` counts."""
    times = [item.updated_at for item in board.recent.nodes if item is not None] if board.recent else []
    recent = board.recent.total_count if board.recent else 0
    return BoardSignature(board.updated_at, board.items.total_count, max(times, default=newest), recent)


def walked_signature(board: Board, walk: BoardWalk, *, has_filters: bool) -> BoardSignature:
    """Return the signature that `signature_of` returns for an unchanged board after this walk."""
    times = [item.updated_at for item in (*walk.items, *walk.hidden) if not item.is_archived]
    newest = max(times, default=None)
    recent = sum(at.date() >= newest.date() for at in times) if newest and has_filters else 0
    return BoardSignature(board.updated_at, board.items.total_count, newest, recent)


class BoardReader:
    """Reader of boards through one session. A board is written ``owner/number``."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._batch = BatchSize(PAGE)

    @property
    def has_filters(self) -> bool:
        """False if the server is known to lack filters of a board's items."""
        return "query" not in self._session.schema.lacking

    def fetch(self, name: str, newest: datetime | None = None) -> Board:
        """Fetch a board without its items. ``newest``: see `signature_of`. Raises a `TrackerError`."""
        if not re.fullmatch(r"[^/]+/[0-9]{1,9}", name):
            raise RefusedError(self._session.name, name, "write a board as owner/number")
        variables = {**_variables(name), "recent": f"updated:>={newest:%Y-%m-%d}" if newest else None}
        document = partial(head_document, has_newest=newest is not None)
        reply = self._session.query(document, variables, Owner, name)
        self._session.raise_errors(reply.errors, name)
        board = reply.data and reply.data.repository_owner and reply.data.repository_owner.project_v2
        if not board:
            raise GoneError(self._session.name, name)
        return board

    def fields(self, board: Board) -> list[BoardField]:
        """Return the columns of a board that can be read."""
        found = read_rows(board.fields.nodes, lambda row: decode_row(row, BoardField, self._session.name), _nameless)
        return list(found.read)

    def repositories(self, entry: str) -> list[str]:
        """Return the repositories with items on a board, by name, given its entry in ``projects`` (`BOARD_ENTRY`).

        Raises a `TrackerError`.
        """
        owner, _, number = entry.partition("/projects/")
        items = self.walk(f"{owner}/{number}", ()).items
        return sorted(
            {item.content.repository.name_with_owner for item in items if item.content and item.content.repository}
        )

    def walk(self, name: str, columns: Sequence[WalkedColumn], max_pages: int | None = None) -> BoardWalk:
        """Read all items, or those of the first pages. Raises a `TrackerError`."""
        items: list[BoardItem] = []
        unread: list[UnreadRow] = []
        invisible = 0
        for rows in islice(self._pages(name, columns), max_pages):
            present = [row for row in rows if bytes(row) != b"null"]
            invisible += len(rows) - len(present)
            found = read_rows(present, lambda row: decode_row(row, BoardItem, self._session.name, name), _unread_item)
            items += found.read
            unread += found.unread
        return BoardWalk(
            items=[item for item in items if not item.is_hidden],
            hidden=[item for item in items if item.is_hidden],
            unread=unread,
            invisible=invisible,
        )

    def _pages(self, name: str, columns: Sequence[WalkedColumn]) -> Iterator[tuple[msgspec.Raw, ...]]:
        guard = self._session.caller.guard(name)
        variables = _variables(name) | {f"column{n}": column.name for n, column in enumerate(columns)}
        document = partial(items_document, columns=columns)
        while True:
            page = self._page(name, document, variables)
            yield page.nodes
            if not page.page_info.has_next_page:
                return
            variables["after"] = self._session.next_cursor(page, guard, name)

    def _page(self, name: str, document: Document, variables: dict[str, Any]) -> Pages[msgspec.Raw]:
        """Fetch a page of items, as many as GitHub can answer."""
        while True:
            size = self._batch.size
            try:
                reply = self._session.query(
                    document, {**variables, "first": size}, BoardItems, name, divisible=size > 1
                )
            except TooHeavyError:
                self._batch.shrink(size)
                continue
            self._batch.grow(size)
            self._session.raise_errors([e for e in reply.errors if not _HIDDEN_PARTS.intersection(e.path or ())], name)
            board = reply.data and reply.data.repository_owner and reply.data.repository_owner.project_v2
            if not board:
                raise GoneError(self._session.name, name)
            return board.items


def _variables(name: str) -> dict[str, Any]:
    owner, _, number = name.partition("/")
    return {"owner": owner, "number": int(number)}


def head_document(lacking: frozenset[str], *, has_newest: bool) -> str:
    """Document for a board with its columns; with the items updated since ``$recent`` where the server has filters."""
    has_recent = has_newest and "query" not in lacking
    recent = "recent: items(first: 100, query: $recent) { totalCount nodes { updatedAt } }" if has_recent else ""
    iteration = "{ id title startDate duration }"
    return f"""query Board($owner: String!, $number: Int!{", $recent: String!" if has_recent else ""}) {{
  repositoryOwner(login: $owner) {{ ... on ProjectV2Owner {{ projectV2(number: $number) {{
    id title url public updatedAt
    fields(first: 100) {{ nodes {{
      ... on ProjectV2FieldCommon {{ id name dataType }}
      ... on ProjectV2IterationField {{
        configuration {{ iterations {iteration} completedIterations {iteration} }}
      }}
    }} }}
    items(first: 1) {{ totalCount }}
    {recent}
  }} }} }}
}}"""


def items_document(lacking: frozenset[str], *, columns: Sequence[WalkedColumn]) -> str:
    """Document for a page of items with the columns; archived items too, where the server can list them."""
    archived = "" if "archivedStates" in lacking else ", archivedStates: [ARCHIVED, NOT_ARCHIVED]"
    has_issue_fields = "ProjectV2ItemIssueFieldValue" not in lacking
    names, values = "", ""
    for n, column in enumerate(columns):
        selection = (column.optional_selection if has_issue_fields else "") or column.selection
        names += f", $column{n}: String!"
        values += f" {selection.replace('$column', f'$column{n}')}"
    content = "id closed closedAt repository { id isPrivate nameWithOwner }"
    return f"""query Items($owner: String!, $number: Int!, $first: Int!, $after: String{names}) {{
  repositoryOwner(login: $owner) {{ ... on ProjectV2Owner {{ projectV2(number: $number) {{
    items(first: $first, after: $after{archived}) {{
      pageInfo {{ hasNextPage endCursor }}
      nodes {{
        id type updatedAt isArchived
        content {{ __typename ... on Issue {{ {content} }} ... on PullRequest {{ {content} }} }}{values}
      }}
    }}
  }} }} }}
}}"""


def _nameless(_row: msgspec.Raw, reason: str) -> UnreadRow:
    return UnreadRow(project="", kind=UnreadKind.BOARD, reason=reason)


def _unread_item(row: msgspec.Raw, reason: str) -> UnreadRow:
    """Describe an item that cannot be read by the id of its issue."""
    return UnreadRow(project="", kind=UnreadKind.ISSUE, reason=reason, id=word_at(fields_of(row), "content", "id"))
