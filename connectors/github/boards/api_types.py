"""Fields that are read of a project board (Projects v2). Times are in UTC, days are the board's own."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from msgspec import Meta, Raw, Struct, field

from connectors.github.api_types import Node, Pages, Wire
from connectors.shared.responses import Time

__all__ = [
    "Board",
    "BoardField",
    "BoardHead",
    "BoardItem",
    "BoardItems",
    "Iteration",
    "Owner",
    "Repository",
]

Count = Annotated[int, Meta(ge=0, lt=1 << 31)]
Days = Annotated[int, Meta(ge=1, le=3660)]


class Iteration(Wire, frozen=True):
    """Iteration of a field. ``duration`` is in days, breaks between iterations are gaps."""

    id: str
    title: str
    start_date: date
    duration: Days

    @property
    def last_day(self) -> date:
        """The last day of the iteration; the last day of the calendar if it would be later."""
        return self.start_date + min(timedelta(days=self.duration - 1), date.max - self.start_date)


class _Configuration(Wire, frozen=True):
    iterations: tuple[Raw, ...] = ()
    completed_iterations: tuple[Raw, ...] = ()


class BoardField(Wire, frozen=True):
    """Column of a board. ``data_type`` is ``ITERATION``, ``DATE`` and others; that of an issue field is not known."""

    id: str = ""
    name: str = ""
    data_type: str = ""
    configuration: _Configuration | None = None


class _Fields(Wire, frozen=True):
    nodes: tuple[Raw, ...] = ()


class _Recent(Wire, frozen=True):
    """Item that was updated on or after the day of the newest update that the last walk found."""

    updated_at: Time


class _Items(Wire, frozen=True):
    total_count: Count
    nodes: tuple[_Recent | None, ...] = ()


class Board(Wire, frozen=True, kw_only=True):
    """Board with its columns and the numbers that show a change. ``recent`` is None on servers without filters."""

    id: str
    title: str
    url: str
    public: bool
    updated_at: Time
    fields: _Fields
    items: _Items
    recent: _Items | None = None


class BoardHead(Wire, frozen=True):
    """Owner of the board; None in it: it does not exist, or the token may not see it."""

    project_v2: Board | None = field(default=None, name="projectV2")


class Owner(Struct, frozen=True):
    """Answer to the query for a board."""

    repository_owner: BoardHead | None = field(default=None, name="repositoryOwner")


class Repository(Node, frozen=True):
    """Repository of an item."""

    is_private: bool = True
    name_with_owner: str = ""


class Content(Wire, frozen=True):
    """Issue, pull request or draft of an item. A draft has neither id nor repository here."""

    kind: str = field(default="", name="__typename")
    id: str = ""
    closed: bool = False
    closed_at: Time | None = None
    repository: Repository | None = None


class _IterationValue(Wire, frozen=True):
    iteration_id: str = ""
    updated_at: Time | None = None


class _IssueFieldValue(Wire, frozen=True):
    value: date | None = field(default=None, name="date")


class _DateValue(Wire, frozen=True):
    value: date | None = field(default=None, name="date")
    updated_at: Time | None = None
    issue_field_value: _IssueFieldValue | None = None

    @property
    def day(self) -> date | None:
        """The date of a column of the board, or of an issue field that is shown as one."""
        return self.value or (self.issue_field_value.value if self.issue_field_value else None)


class BoardItem(Wire, frozen=True, kw_only=True):
    """Item of a board with its values. ``content`` is None or the type ``REDACTED`` if the token may not see it."""

    type: str
    updated_at: Time
    is_archived: bool = False
    content: Content | None = None
    iteration: _IterationValue | None = None
    target: _DateValue | None = None

    @property
    def is_hidden(self) -> bool:
        """True if the token may not see the item's issue."""
        return self.type == "REDACTED" or (self.content is None and self.type != "DRAFT_ISSUE")


class _WalkedBoard(Wire, frozen=True):
    items: Pages[Raw]


class _WalkedOwner(Wire, frozen=True):
    project_v2: _WalkedBoard | None = field(default=None, name="projectV2")


class BoardItems(Struct, frozen=True):
    """Answer to the query for a page of items."""

    repository_owner: _WalkedOwner | None = field(default=None, name="repositoryOwner")
