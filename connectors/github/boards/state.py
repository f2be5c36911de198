"""State of a board between two pulls, and the options of boards. Pure.

GitHub keeps no history of a board's values, and gives iterations new ids. So each board has a cursor of its own, next
to those of the repositories.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import Struct

from connectors.github.schema import SchemaMemory
from connectors.shared.responses import parse
from sync.tracker.preflight import Limitation

__all__ = [
    "CURSOR_PREFIX",
    "BoardOptions",
    "BoardSignature",
    "BoardState",
    "ColumnState",
    "KnownContainer",
    "board_limitations",
    "board_states",
]

CURSOR_PREFIX = "board-"
"""Prefix of the key of a board's cursor, which no repository's id has."""


class KnownContainer(Struct, frozen=True, omit_defaults=True):
    """Container as a pull found it. ``milestone`` is its native id, ``key`` the value in the column.

    ``closed_at`` (UTC): the last moment at which something was closed in it; None while it runs.
    """

    milestone: str
    key: str
    title: str
    due: date
    start: date | None = None
    closed_at: datetime | None = None


class ColumnState(Struct, frozen=True, omit_defaults=True):
    """Column between two pulls: its ``id`` and ``name``, its containers, and the number of items with a value.

    ``former_name`` is the configured name if the column was renamed.
    """

    id: str = ""
    name: str = ""
    former_name: str = ""
    known: tuple[KnownContainer, ...] = ()
    count: int = 0


class BoardOptions(Struct, frozen=True):
    """Options of a connection for its boards, ``owner/number`` each.

    ``homes``: repository by board. ``columns``: the name of the column by the kinds that are switched on.
    """

    names: tuple[str, ...] = ()
    homes: Mapping[str, str] = {}
    columns: Mapping[str, str] = {}

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> BoardOptions:
        """Read the options of a connection."""
        columns = {
            "iterations": options.get("iteration_field") or "",
            "target dates": options.get("date_field") or "Target date",
        }
        columns = {kind: name for kind, name in columns.items() if kind in (options.get("containers") or ())}
        names = tuple(dict.fromkeys(options.get("boards") or ())) if columns else ()
        return cls(names, options.get("board_homes") or {}, columns)


class BoardSignature(Struct, frozen=True, omit_defaults=True):
    """Numbers that differ when a board changed: its time of update, its items, and the newest updates of items.

    ``newest`` is the newest update of an item (UTC), ``recent`` the number of items updated since the beginning of that
    day; None without any item.
    """

    updated_at: datetime
    total: int
    newest: datetime | None = None
    recent: int = 0


class BoardState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """State of a board at the last pull; its cursor. ``id`` and ``home`` are native ids, of board and project.

    ``columns`` are by the kinds that are switched on. ``seen`` is the board's signature at the last walk, None if the
    next pull must walk. ``projects`` is a fingerprint of the projects that were stored then. ``is_emptied``: the last
    walk found that all values of a kind were gone, and the next walk believes it. ``hidden`` and ``foreign`` are the
    numbers of items that the token may not see, and of repositories that are not configured. ``incomplete``: the
    milestones of hidden items.
    """

    id: str = ""
    url: str = ""
    home: str = ""
    columns: Mapping[str, ColumnState] = {}
    walked_at: datetime | None = None
    seen: BoardSignature | None = None
    projects: str = ""
    schema: SchemaMemory | None = None
    is_emptied: bool = False
    hidden: int = 0
    foreign: int = 0
    incomplete: tuple[str, ...] = ()

    def encode(self) -> str:
        """The state as one line of JSON."""
        return msgspec.json.encode(self).decode()


def board_limitations(cursors: Mapping[str, str]) -> Iterator[Limitation]:
    """Yield a line for each loss of the last pull: items that are not counted, and renamed columns."""
    for name, state in board_states(cursors):
        if state.foreign:
            words = f"not counted on the board {name}: {_items(state.foreign)} of repositories that are not configured"
            yield Limitation(words=words, remedy="add the repositories to projects")
        if state.hidden:
            words = f"not counted on the board {name}: {_items(state.hidden)} that this token may not see"
            yield Limitation(words=words, remedy="give the token access to their repositories")
        for kind, column in state.columns.items():
            if column.former_name:
                words = f"the column {column.former_name} of the board {name} is called {column.name} now"
                option = "iteration_field" if kind == "iterations" else "date_field"
                yield Limitation(words=words, remedy=f"change {option}")


def _items(number: int) -> str:
    return f"{number} item{'' if number == 1 else 's'}"


def board_states(cursors: Mapping[str, str]) -> Iterator[tuple[str, BoardState]]:
    """Yield name and state of each board. Skip a state that this version cannot read: the board is walked again."""
    for key, text in cursors.items():
        state = parse(text, BoardState) if key.startswith(CURSOR_PREFIX) and text else None
        if state is not None:
            yield key.removeprefix(CURSOR_PREFIX), state
