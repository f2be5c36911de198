"""The tables of the store, in SQLAlchemy Core.

Rows from a tracker are keyed by (source, id): ``source`` is a small number for the tracker's identity, ``id`` the
native id. Times are whole microseconds since 1970 UTC, and dates are dates, in `health` days since 1970: the same in
SQLite and in PostgreSQL. The columns of a table that holds a type of `sync.model.tracker_data` have the names of its
fields.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from sys import intern
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Date,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypeDecorator,
    false,
)
from sqlalchemy import event as events

from sync.model.health import Status
from sync.model.tracker_data import EventKind, MilestoneKind, Person, State, StatusCategory, UnreadKind, Visibility
from sync.tracker.actions import OwnContent

__all__ = [
    "DERIVED",
    "HEAD",
    "METADATA",
    "BulkType",
    "DayNumber",
    "Delivery",
    "EnumText",
    "EventOrigin",
    "Json",
    "PackedText",
    "UtcMicroseconds",
]

_T = TypeVar("_T")

HEAD = "0021"
"""The revision of this code: the newest in `sync.store.migrations`."""

METADATA = MetaData()

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY = _EPOCH.toordinal()
_MICROSECOND = timedelta(microseconds=1)


class EventOrigin(StrEnum):
    """Source of an event: the tracker's own history, or a difference between two pulls."""

    TRACKER = "tracker"
    SNAPSHOT = "snapshot"


class Delivery(StrEnum):
    """Outcome of a message: sent, nothing to report (quiet), certainly not delivered (refused), unknown (unsure)."""

    SENT = "sent"
    QUIET = "quiet"
    REFUSED = "refused"
    UNSURE = "unsure"


class BulkType(TypeDecorator[_T]):
    """Column type that converts many values at once: conversion one by one took a third of the time to save a pull."""

    impl: Any = Text
    cache_ok = True

    def bound(self, values: Sequence[Any]) -> list[Any]:
        """Return the values in the form of the database."""
        raise NotImplementedError

    def process_bind_param(self, value: Any, _dialect: Dialect) -> Any:  # noqa: D102
        (bound,) = self.bound((value,))
        return bound

    def result_processor(self, _dialect: Dialect, _coltype: object) -> Callable[[Any], Any] | None:
        """Return `loader`, without SQLAlchemy's own call around it: a run reads a million values."""
        return self.loader()

    def loader(self) -> Callable[[Any], Any] | None:
        """Return the conversion of a value of the database; None: it stays as it is."""
        return None


class UtcMicroseconds(BulkType[datetime]):
    """A time, as whole microseconds since 1970 UTC: exact, and comparable with the database's clock."""

    impl: Any = BigInteger
    cache_ok = True

    def bound(self, values: Sequence[datetime | None]) -> list[int | None]:  # noqa: D102
        return [None if value is None else (value - _EPOCH) // _MICROSECOND for value in values]

    def loader(self) -> Callable[[Any], Any]:  # noqa: D102
        return lambda value: None if value is None else _EPOCH + timedelta(microseconds=value)


class TrackerText(BulkType[str]):
    """Text from a tracker. PostgreSQL cannot hold a NUL, so it becomes U+FFFD in both databases."""

    impl = Text
    cache_ok = True

    def bound(self, values: Sequence[str | None]) -> list[str | None]:
        return [value.replace("\x00", "\ufffd") if value and "\x00" in value else value for value in values]


class CommonText(TrackerText):
    """Text that many rows share, such as the id of their project: equal texts are one string in memory."""

    cache_ok = True

    def loader(self) -> Callable[[Any], Any]:
        return lambda value: None if value is None else intern(value)


class EnumText(BulkType[Any]):
    """A member of a string enumeration, stored as its value."""

    impl = Text
    cache_ok = True

    def __init__(self, of: type[StrEnum]) -> None:
        super().__init__()
        self.of = of
        self._members: dict[str | None, StrEnum | None] = {None: None, **{member.value: member for member in of}}

    def bound(self, values: Sequence[StrEnum | None]) -> list[str | None]:  # noqa: D102
        return [None if value is None else value._value_ for value in values]

    def loader(self) -> Callable[[Any], Any]:  # noqa: D102
        return self._members.__getitem__


_DECODED = 4096
"""Number of decoded texts that are cached for a type, because many rows have the same labels and people."""


class Json(BulkType[Any]):
    """A tuple as JSON; an empty one as an empty text, because most are."""

    impl = Text
    cache_ok = True

    def __init__(self, of: Any) -> None:
        super().__init__()
        self.of = of
        self._decode = lru_cache(_DECODED)(msgspec.json.Decoder(of).decode)
        self._encoder = msgspec.json.Encoder()

    def bound(self, values: Sequence[Any]) -> list[str]:  # noqa: D102
        encode = self._encoder.encode
        return [encode(value).decode() if value else "" for value in values]

    def loader(self) -> Callable[[Any], Any]:  # noqa: D102
        decode = self._decode
        return lambda value: decode(value) if value else ()


class DayNumber(BulkType[date]):
    """A date, as days since 1970: on SQLite two bytes instead of ten, for a table with many of them."""

    impl = Integer
    cache_ok = True

    def bound(self, values: Sequence[date | None]) -> list[int | None]:  # noqa: D102
        return [None if value is None else value.toordinal() - _FIRST_DAY for value in values]

    def loader(self) -> Callable[[Any], Any]:  # noqa: D102
        return lambda value: None if value is None else date.fromordinal(value + _FIRST_DAY)


class PackedText(BulkType[str]):
    """A long text, compressed by zlib. Raises ValueError for a value that is not."""

    impl = LargeBinary
    cache_ok = True

    def bound(self, values: Sequence[str | None]) -> list[bytes | None]:  # noqa: D102
        return [None if value is None else zlib.compress(value.encode()) for value in values]

    def loader(self) -> Callable[[Any], Any]:  # noqa: D102
        return _unpacked


def _unpacked(value: Any) -> str | None:
    try:
        return None if value is None else zlib.decompress(value).decode()
    except (TypeError, zlib.error) as error:
        raise ValueError("a compressed text cannot be read") from error


def _table(name: str, key: tuple[str, ...], *columns: Column[Any] | Index) -> Table:
    """A table clustered by its key: on SQLite without a second copy of it in a separate index."""
    return Table(name, METADATA, *columns, PrimaryKeyConstraint(*key, name=f"pk_{name}"), sqlite_with_rowid=False)


def _source() -> Column[int]:
    return Column("source", Integer, nullable=False)


def _partial(index: Index, where: ColumnElement[bool] | Column[bool]) -> None:
    """Limit an index to these rows.

    The option for PostgreSQL is set when its tables are created, because setting it imports the dialect, which is slow.
    """
    index.dialect_options["sqlite"]["where"] = where

    def limit(_: MetaData, connection: Connection, **_settings: Any) -> None:
        if connection.dialect.name == "postgresql":
            index.dialect_options["postgresql"]["where"] = where

    events.listen(METADATA, "before_create", limit)


source = Table(
    "source",
    METADATA,
    Column("n", Integer, primary_key=True),
    Column("url", Text, nullable=False, unique=True),
    Column("tracker_id", Text),
    Column("hours_a_day", Float),
    Column("days_a_week", Float),
)
"""``url`` is the identity of the tracker, by default its first address. ``tracker_id`` is the id that it returned.

``hours_a_day`` and ``days_a_week`` are its working time; NULL: it has none.
"""

address = _table(
    "address",
    ("connection", "url"),
    Column("connection", Text, nullable=False),
    Column("url", Text, nullable=False),
    _source(),
    Column("at", UtcMicroseconds, nullable=False),
)
"""Addresses at which a connection, by its configured name, has read a tracker; ``at``: since when."""

installation = _table(
    "installation",
    ("name",),
    Column("name", Text, nullable=False),
    Column("value", Text, nullable=False),
)
"""Settings with which texts and labels were written last."""

project = _table(
    "project",
    ("source", "id"),
    _source(),
    Column("id", TrackerText, nullable=False),
    Column("key", TrackerText, nullable=False),
    Column("name", TrackerText, nullable=False),
    Column("url", TrackerText, nullable=False),
    Column("visibility", EnumText(Visibility), nullable=False),
)

cursor = _table(
    "cursor",
    ("source", "project"),
    _source(),
    Column("project", TrackerText, nullable=False),
    Column("cursor", TrackerText, nullable=False),
)

pull = _table(
    "pull",
    ("source", "project_key"),
    _source(),
    Column("project_key", TrackerText, nullable=False),
    Column("good_at", UtcMicroseconds),
    Column("failed_at", UtcMicroseconds),
    Column("error", TrackerText),
)
"""``good_at`` is the last complete pull, ``failed_at`` the first failure since then."""

unread = _table(
    "unread",
    ("source", "project", "kind", "item"),
    _source(),
    Column("project", TrackerText, nullable=False),
    Column("kind", EnumText(UnreadKind), nullable=False),
    Column("item", TrackerText, nullable=False),
    Column("id", TrackerText, nullable=False),
    Column("key", TrackerText, nullable=False),
    Column("reason", TrackerText, nullable=False),
    Column("milestones", Json(tuple[str, ...]), nullable=False),
    Column("failed_at", UtcMicroseconds, nullable=False),
    Column("seen_at", UtcMicroseconds, nullable=False),
    Column("good_at", UtcMicroseconds),
)
"""Rows that cannot be read; ``item`` is the id, else the key, else empty.

``milestones`` are those that the row or the stored issue is in. ``failed_at`` is the first pull that could not read the
row, ``seen_at`` the last one, ``good_at`` the last complete pull of the project before.
"""

watch = _table(
    "watch",
    ("connection", "source", "project"),
    Column("connection", Text, nullable=False),
    _source(),
    Column("project", Text, nullable=False),
    Index("ix_watch_source", "source", "project"),
)
"""The projects (native ids) that a connection, by its configured name, reads; other projects are not assessed."""

dirty = _table(
    "dirty",
    ("connection", "project"),
    Column("connection", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("at", UtcMicroseconds, nullable=False),
)
"""Configured projects that webhooks have marked as changed, with the time of the last mark."""

milestone = _table(
    "milestone",
    ("source", "id"),
    _source(),
    Column("id", TrackerText, nullable=False),
    Column("project", TrackerText, nullable=False),
    Column("kind", EnumText(MilestoneKind), nullable=False),
    Column("key", TrackerText, nullable=False),
    Column("written", TrackerText, nullable=False),
    Column("title", TrackerText, nullable=False),
    Column("url", TrackerText, nullable=False),
    Column("state", EnumText(State), nullable=False),
    Column("description", TrackerText, nullable=False),
    Column("start", Date),
    Column("due", Date),
    Column("created_at", UtcMicroseconds),
    Column("updated_at", UtcMicroseconds),
    Column("closed_at", UtcMicroseconds),
    Column("deleted_at", UtcMicroseconds),
    Column("listed_open", Integer),
    Column("listed_closed", Integer),
    Column("open_pull_requests", Integer),
    Column("closed_pull_requests", Integer),
    Column("owners", Json(tuple[Person, ...]), nullable=False, server_default=""),
    Column("is_due_inherited", Boolean, nullable=False, server_default=false()),
    Index("ix_milestone_project", "source", "project"),
)

milestone_title = _table(
    "milestone_title",
    ("source", "milestone", "title"),
    _source(),
    Column("milestone", TrackerText, nullable=False),
    Column("title", TrackerText, nullable=False),
)

due_date = _table(
    "due_date",
    ("source", "milestone", "seen", "origin"),
    _source(),
    Column("milestone", TrackerText, nullable=False),
    Column("seen", UtcMicroseconds, nullable=False),
    Column("origin", EnumText(EventOrigin), nullable=False),
    Column("due", Date),
    Column("after", UtcMicroseconds),
    Column("actor_id", TrackerText),
    Column("actor_name", TrackerText),
)

issue = _table(
    "issue",
    ("source", "id"),
    _source(),
    Column("id", TrackerText, nullable=False),
    Column("project", CommonText, nullable=False),
    Column("key", TrackerText, nullable=False),
    Column("title", TrackerText, nullable=False),
    Column("url", TrackerText, nullable=False),
    Column("state", EnumText(State), nullable=False),
    Column("raw_state", CommonText, nullable=False),
    Column("category", EnumText(StatusCategory), nullable=False),
    Column("created_at", UtcMicroseconds, nullable=False),
    Column("updated_at", UtcMicroseconds, nullable=False),
    Column("closed_at", UtcMicroseconds),
    Column("resolution", TrackerText, nullable=False),
    Column("type", TrackerText, nullable=False),
    Column("priority", TrackerText, nullable=False),
    Column("assignees", Json(tuple[Person, ...]), nullable=False),
    Column("labels", Json(tuple[str, ...]), nullable=False),
    Column("milestones", Json(tuple[str, ...]), nullable=False),
    Column("estimate", BigInteger),
    Column("remaining", BigInteger),
    Column("spent", BigInteger),
    Column("points", Float(53)),
    Column("blocked_by", Json(tuple[str, ...]), nullable=False),
    Column("parent", TrackerText, nullable=False),
    Column("due", Date),
    Column("is_pull_request", Boolean, nullable=False),
    Column("closes", Json(tuple[str, ...]), nullable=False, server_default=""),
    Column("reviewers", Json(tuple[Person, ...]), nullable=False, server_default=""),
    Column("review_since", UtcMicroseconds),
    Column("visibility", EnumText(Visibility), nullable=False),
    Column("deleted_at", UtcMicroseconds),
    Index("ix_issue_project", "source", "project", "id"),
    Index("ix_issue_key", "source", "key", "project"),
)

member = _table(
    "member",
    ("source", "milestone", "issue"),
    _source(),
    Column("milestone", TrackerText, nullable=False),
    Column("issue", TrackerText, nullable=False),
)
"""Issues that were ever in a milestone (native ids), to find the issues of a milestone, former ones included."""

event = _table(
    "event",
    ("source", "issue", "origin", "n"),
    _source(),
    Column("issue", TrackerText, nullable=False),
    Column("origin", EnumText(EventOrigin), nullable=False),
    Column("n", Integer, nullable=False),
    Column("at", UtcMicroseconds, nullable=False),
    Column("kind", EnumText(EventKind), nullable=False),
    Column("milestone", TrackerText, nullable=False),
    Column("milestone_title", TrackerText, nullable=False),
    Column("actor_id", TrackerText),
    Column("actor_name", TrackerText),
    Column("value", TrackerText, nullable=False, server_default=""),
)
_partial(
    Index("ix_event_title", event.c.source, event.c.milestone_title),
    (event.c.milestone == "") & (event.c.milestone_title != ""),
)

edition = _table(
    "edition",
    ("source", "project"),
    _source(),
    Column("project", Text, nullable=False),
    Column("n", BigInteger, nullable=False),
)
"""Number of changes to a project's rows, histories and titles, which its memberships are computed from."""

memo = _table(
    "memo",
    ("source", "project", "rule"),
    _source(),
    Column("project", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("edition", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""Cache of the memberships of a project's items, encoded by `sync.history.membership_table`, by rule.

An entry is valid while the project's edition is the same. All of it can be computed again.
"""

run = _table(
    "run",
    ("id",),
    Column("id", Text, nullable=False),
    Column("started_at", UtcMicroseconds, nullable=False),
    Column("finished_at", UtcMicroseconds),
    Column("summary", Text),
)

health = _table(
    "health",
    ("container", "audience", "at"),
    Column("container", TrackerText, nullable=False),
    Column("audience", TrackerText, nullable=False),
    Column("at", UtcMicroseconds, nullable=False),
    Column("run", Text, nullable=False),
    Column("stream", TrackerText, nullable=False),
    Column("status", EnumText(Status), nullable=False),
    Column("start", DayNumber),
    Column("due", DayNumber),
    Column("probability", Float(53)),
    Column("p50", DayNumber),
    Column("p85", DayNumber),
    Column("p95", DayNumber),
    Column("p70", DayNumber),
    Column("leftover_low", Integer),
    Column("leftover_high", Integer),
    Column("method", Integer, nullable=False, server_default="1"),
    Column("latest", Boolean, nullable=False),
    Column("repeated", UtcMicroseconds),
)
"""``repeated``: when a later run of the same day gave the same assessment for the last time; None: none did."""
_partial(Index("ix_health_latest", health.c.latest), health.c.latest)

verdict = Table(
    "verdict",
    METADATA,
    Column("container", TrackerText, primary_key=True),
    Column("audience", TrackerText, primary_key=True),
    Column("body", PackedText, nullable=False),
)
"""The whole of the latest assessment in `health`. In a table of its own: SQLite would not use the space again that an
older row of `health` gives back."""

outcome = _table(
    "outcome",
    ("container",),
    Column("container", TrackerText, nullable=False),
    Column("done", UtcMicroseconds),
    Column("dropped", Boolean, nullable=False),
)

closing = Table(
    "closing",
    METADATA,
    Column("container", TrackerText, primary_key=True),
    Column("at", UtcMicroseconds, nullable=False),
    Column("body", PackedText, nullable=False),
)

observed = Table(
    "observed",
    METADATA,
    _source(),
    Column("milestone", TrackerText, primary_key=True),
    Column("at", UtcMicroseconds, nullable=False),
    Column("body", PackedText),
)
"""The last observation of each milestone's status issue; without ``body``: it had none. As `verdict` and `closing`, the
table has rowids: in one without, SQLite stores each body of more than a kilobyte in pages of its own."""

obstacle = _table(
    "obstacle",
    ("milestone",),
    _source(),
    Column("milestone", TrackerText, nullable=False),
    Column("words", TrackerText, nullable=False),
    Column("at", UtcMicroseconds, nullable=False),
)
"""What keeps the last plan from writing on a milestone until a person decides, in words."""

made = _table(
    "made",
    ("milestone", "what", "project", "issue", "url"),
    _source(),
    Column("milestone", TrackerText, nullable=False),
    Column("what", EnumText(OwnContent), nullable=False),
    Column("project", TrackerText, nullable=False),
    Column("issue", TrackerText, nullable=False),
    Column("url", TrackerText, nullable=False),
    Index("ix_made_source", "source", "what"),
)
"""Content that milesync wrote to trackers; a row remains after people have deleted the content."""

mark = _table(
    "mark",
    ("source", "issue", "label"),
    _source(),
    Column("project", TrackerText, nullable=False),
    Column("issue", TrackerText, nullable=False),
    Column("label", Text, nullable=False),
    Column("milestone", TrackerText, nullable=False),
    Column("at", UtcMicroseconds, nullable=False),
    Column("touched", UtcMicroseconds, nullable=False),
)
"""Labels that milesync added to items of milestones; a row remains while the reason of the label is true."""

journal = Table(
    "journal",
    METADATA,
    Column("n", Integer, primary_key=True),
    _source(),
    Column("run", Text, nullable=False),
    Column("milestone", TrackerText, nullable=False),
    Column("action", Text, nullable=False),
    Column("begun_at", UtcMicroseconds, nullable=False),
    Column("finished_at", UtcMicroseconds),
    Column("receipt", Text),
    Column("error", TrackerText),
)
_partial(Index("ix_journal_unfinished", journal.c.source), journal.c.finished_at.is_(None))

telling = _table(
    "telling",
    ("audience", "channel", "day", "attempt"),
    Column("audience", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("run", Text, nullable=False),
    Column("begun_at", UtcMicroseconds, nullable=False),
    Column("ended_at", UtcMicroseconds),
    Column("delivery", EnumText(Delivery)),
    Column("words", Text, nullable=False),
    Column("told", Text, nullable=False),
)
"""Journal of messages to audiences; ``told`` is the content of a channel's last message as JSON, else empty."""

lease = _table(
    "lease",
    ("source",),
    _source(),
    Column("holder", Text, nullable=False),
    Column("term", Integer, nullable=False),
    Column("until", BigInteger, nullable=False),
)
"""``until`` is in microseconds since 1970 UTC by the database's clock; ``term`` counts the grants."""

DERIVED = frozenset({"memo"})
"""Tables that can be computed again from the others."""
