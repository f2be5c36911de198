"""Base of the kinds of containers of a board: each reads one column, and lists the items of each of its values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from msgspec.structs import replace

from connectors.github.boards.api_types import BoardField, BoardItem
from connectors.github.boards.state import ColumnState, KnownContainer
from connectors.shared.containers import ContainerKind
from sync.model.tracker_data import LISTED_ID_PREFIX, Milestone, UnreadRow

__all__ = ["BoardContainers", "ColumnError"]


class ColumnError(Exception):
    """A column that the configuration needs is missing, or cannot be chosen. The message is for people."""


class BoardContainers(ContainerKind[Any, BoardItem, Any]):
    """One kind of container of one board in one pull.

    ``board`` is the board's node id, ``name`` the column's name in the configuration (may be empty), and ``column``
    what the last pull knew of it, from `choose` on what is known now.
    """

    selection: ClassVar[str] = ""
    """GraphQL of an item's value, with the variable ``$column`` for the column's name."""
    optional_selection: ClassVar[str] = ""
    """The same for servers that know the type ``ProjectV2ItemIssueFieldValue``; empty: as for the others."""

    def __init__(self, board: str, name: str, column: ColumnState) -> None:
        self.board, self.name, self.column = board, name, column
        self._by_key: dict[str, KnownContainer] = {}

    def choose(self, fields: Sequence[BoardField]) -> list[UnreadRow]:
        """Choose the column and read its containers, as far as it names them. Return the rows that cannot be read.

        Raises `ColumnError`.
        """
        raise NotImplementedError

    def key_of(self, item: BoardItem) -> str:
        """The value of an item in this column; empty without one."""
        raise NotImplementedError

    def since(self, item: BoardItem) -> datetime | None:
        """The time (UTC) since when an item has its value, if it is known."""
        raise NotImplementedError

    def found(self, items: Iterable[BoardItem]) -> tuple[KnownContainer, ...]:
        """The containers, given all items of a walk."""
        del items
        return self.column.known

    def milestone(self, known: KnownContainer, project: str, url: str, at: datetime) -> Milestone:
        """Convert a container as of ``at`` (UTC). ``project`` is the id of its home, ``url`` the board's address."""
        raise NotImplementedError

    def update(self, **values: Any) -> None:
        """Replace values of `column`."""
        self.column = replace(self.column, **values)
        is_renamed = self.name not in ("", self.column.name)
        self.column = replace(self.column, former_name=self.name if is_renamed else "")
        self._by_key = {known.key: known for known in self.column.known}

    def now(self, row: BoardItem) -> Iterator[str]:
        """The container of an item; nothing for a value that belongs to none."""
        if known := self._by_key.get(self.key_of(row)):
            yield known.milestone

    def members(self, items: Iterable[tuple[BoardItem, str]]) -> Mapping[str, Mapping[str, datetime | None]]:
        """The members (issue ids) of all containers; ``items`` are with the ids of their issues."""
        members: dict[str, dict[str, datetime | None]] = {known.milestone: {} for known in self.column.known}
        for item, issue in items:
            for milestone in self.now(item):
                members[milestone][issue] = self.since(item)
        return members

    def milestone_id(self, key: str) -> str:
        """The native id of a new container."""
        return f"{LISTED_ID_PREFIX}{self.board}-{key}"
