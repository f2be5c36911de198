"""observed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from sync.model.tracker_data import Visibility


class Target(Struct, frozen=True, kw_only=True):
    """A milestone whose status issue is to be observed; ``issue`` is its key there, empty when not known yet.

    ``instance`` is the installation that asks: it finds the status issues that it made, and no other's (empty: any).
    ``boards`` are the project boards (``acme/7``) on which a status update of it may stand; ``attaching`` asks whether
    files can be attached.
    """

    milestone: str
    project: str
    project_key: str
    issue: str = ""
    instance: str = ""
    boards: tuple[str, ...] = ()
    attaching: bool = False


class OurComment(Struct, frozen=True, kw_only=True):
    """A comment that we wrote: its author is us **and** it carries a marker of milesync (of any instance)."""

    id: str
    marker: str
    body: str
    created_at: datetime
    updated_at: datetime


class Claim(Struct, frozen=True, kw_only=True):
    """A comment, or (with ``issue``) an issue, that carries a marker of milesync and that another account wrote.

    It may be from before a change of token, or a forgery: nothing follows from it until a person says whose it is.
    """

    id: str
    author: str
    marker: str
    issue: str = ""
    body: str = ""


class CommandComment(Struct, frozen=True, kw_only=True):
    """A comment by which a person speaks to us: those of its lines that begin with ``/milesync``.

    ``may_write`` says that the tracker knows the author for one who may write in the project; what it does not tell
    is no. Comments that not every reader of the issue may read are left out. ``at`` is the time of the last edit.
    """

    id: str
    author: str
    name: str
    may_write: bool
    at: datetime
    text: str


class BoardUpdate(Struct, frozen=True, kw_only=True):
    """A status update on a project board that carries a marker: ours, where its author is us too.

    ``status`` is the board's own word in small letters (``on_track``), empty for none.
    """

    id: str
    status: str
    body: str
    marker: str
    created_at: datetime
    author: str = ""


class Board(Struct, frozen=True, kw_only=True):
    """A project board, by its written name (``acme/7``), with our updates for one milestone.

    ``public``: everybody may read it. ``claims`` are those of other accounts. ``why`` says in a few words why it
    cannot be used, empty where it can.
    """

    name: str
    public: bool = False
    updates: tuple[BoardUpdate, ...] = ()
    claims: tuple[BoardUpdate, ...] = ()
    why: str = ""


class Attached(Struct, frozen=True, kw_only=True):
    """A file on an issue that our own account uploaded."""

    id: str
    name: str
    created_at: datetime


class Files(Struct, frozen=True, kw_only=True):
    """Our files on an issue. ``why`` says in a few words why none can be added, empty where it can or nobody asked."""

    ours: tuple[Attached, ...] = ()
    why: str = ""


class StatusIssue(Struct, frozen=True, kw_only=True):
    """A status issue as it stands: fresh labels, our comments and what people ask, from every page of the thread.

    ``marker`` is the one in the issue itself, when milesync created it; empty for one that a person named.
    ``claims`` are comments of other accounts that carry a marker. ``health`` is the tracker's own health status, empty
    for none, None where the tracker knows no such thing. ``boards`` are those that the target named. ``files`` are
    ours, None where the tracker has no such thing.
    """

    issue: str
    url: str
    closed: bool
    labels: tuple[str, ...]
    comments: tuple[OurComment, ...]
    marker: str = ""
    visibility: Visibility = Visibility.PROJECT
    asked: tuple[CommandComment, ...] = ()
    claims: tuple[Claim, ...] = ()
    health: str | None = None
    boards: tuple[Board, ...] = ()
    files: Files | None = None


class Observed(Struct, frozen=True, kw_only=True):
    """What `Connector.observe` saw, by milestone uid. A target without an entry in either has no status issue.

    ``labels`` are the names of the labels that exist in each project (by id), where a tracker needs them created.
    ``claims`` are issues of other accounts that carry the marker of a milestone without a status issue of ours.
    """

    issues: Mapping[str, StatusIssue] = field(default_factory=dict)
    failed: Mapping[str, Exception] = field(default_factory=dict)
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)
    claims: Mapping[str, Claim] = field(default_factory=dict)
