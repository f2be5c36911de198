"""What stands in a tracker and the changes that can be made to it: values that plan, connector and store share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from sync.model import Visibility

__all__ = [
    "Action",
    "AnyAction",
    "Asked",
    "Attach",
    "Attached",
    "Board",
    "BoardUpdate",
    "Claim",
    "CloseIssue",
    "CreateComment",
    "CreateLabel",
    "CreateStatusIssue",
    "DeleteComment",
    "Describe",
    "Detach",
    "Files",
    "MarkItem",
    "MoveLabel",
    "Observed",
    "OurComment",
    "Receipt",
    "RemoveLabel",
    "SetHealth",
    "StatusIssue",
    "Target",
    "TellBoard",
    "UpdateComment",
    "may_be_refused",
    "notifies",
]

# --- what is observed ------------------------------------------------------------------------------------------


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


class Asked(Struct, frozen=True, kw_only=True):
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
    asked: tuple[Asked, ...] = ()
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


# --- writing: each action is exactly one remote change -----------------------------------------------------------


class Action(Struct, frozen=True, kw_only=True, tag=True):
    """One remote change. ``milestone`` is the uid it serves; ``project`` a native id, ``project_key`` its path."""

    milestone: str
    project: str
    project_key: str


class CreateLabel(Action, frozen=True, kw_only=True, tag=True):
    """Make a label known to the project, with a colour (six hex digits) and a description."""

    label: str
    colour: str
    description: str


class CreateStatusIssue(Action, frozen=True, kw_only=True, tag=True):
    """Open the issue that carries a milestone's label and comments. It is never put into the milestone."""

    title: str
    body: str
    marker: str
    labels: tuple[str, ...] = ()


class MoveLabel(Action, frozen=True, kw_only=True, tag=True):
    """Add one label and remove its siblings as a delta; never replace the whole set."""

    issue: str
    add: str
    remove: tuple[str, ...] = ()


class RemoveLabel(Action, frozen=True, kw_only=True, tag=True):
    """Take labels off an issue; the labels as such stay."""

    issue: str
    labels: tuple[str, ...]


class MarkItem(Action, frozen=True, kw_only=True, tag=True):
    """Put labels on an issue of the milestone and take others off, as a delta. ``item`` is its native id, ``issue`` its
    key; ``touched`` is when it had last been touched, which our own change is not to hide.
    """

    item: str
    issue: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    touched: datetime | None = None


class Describe(Action, frozen=True, kw_only=True, tag=True):
    """Put lines of ours into the milestone's own description, replace them, or (``lines`` empty) take them out.

    The milestone is told by native id, key and page. ``was`` is the mark (`sync.fence`) of the lines that are expected
    there; where it is not so, the connector refuses. Nothing else in the description is changed.
    """

    native: str
    key: str
    url: str
    instance: str
    lines: str
    was: str = ""


class SetHealth(Action, frozen=True, kw_only=True, tag=True):
    """Give the status issue a health status of the tracker's own: ``on_track``, ``needs_attention``, ``at_risk``, or
    none (empty).
    """

    issue: str
    value: str


class TellBoard(Action, frozen=True, kw_only=True, tag=True):
    """Post a status update on a project board (``acme/7``), rewrite the one with id ``update``, or (``body`` empty)
    take it away. Where one with this very marker stands already, none is posted.
    """

    issue: str
    board: str
    update: str = ""
    status: str = ""
    body: str = ""
    marker: str = ""


class Attach(Action, frozen=True, kw_only=True, tag=True):
    """Upload a picture (PNG) to an issue under this name; ``again``: in place of one that goes after it. ``content`` is
    drawn at the last moment, and no plan or journal holds it.
    """

    issue: str
    name: str
    again: bool = False
    content: bytes = b""


class Detach(Action, frozen=True, kw_only=True, tag=True):
    """Take a file of ours (id) off an issue; ``superseded``: another one tells the same, or more."""

    issue: str
    file: str
    name: str
    superseded: bool = False


class CreateComment(Action, frozen=True, kw_only=True, tag=True):
    """Post a comment: the summary (once) or a transition."""

    issue: str
    body: str
    marker: str
    summary: bool


class UpdateComment(Action, frozen=True, kw_only=True, tag=True):
    """Rewrite the summary in place, without notifying where the tracker allows to ask for that."""

    issue: str
    comment: str
    body: str
    marker: str


class DeleteComment(Action, frozen=True, kw_only=True, tag=True):
    """Take away a comment of ours: a second summary, or all that we wrote. ``claimed`` marks one that another account
    wrote for us before, ``superseded`` a reminder that has served; that the tracker refuses these is no failure.
    """

    issue: str
    comment: str
    claimed: bool = False
    superseded: bool = False


class CloseIssue(Action, frozen=True, kw_only=True, tag=True):
    """Close a status issue that we opened. Where the workflow knows no way to do that, the tracker refuses it."""

    issue: str


AnyAction = (
    CreateLabel
    | CreateStatusIssue
    | MoveLabel
    | RemoveLabel
    | MarkItem
    | Describe
    | SetHealth
    | TellBoard
    | Attach
    | Detach
    | CreateComment
    | UpdateComment
    | DeleteComment
    | CloseIssue
)
"""For decoding: the tag says which it is."""


class Receipt(Struct, frozen=True, kw_only=True):
    """What a write made: the native id of the comment or label, the key of the issue.

    ``loud``: the tracker did not let us spare people a notification of it.
    """

    id: str = ""
    issue: str = ""
    loud: bool = False


def notifies(action: Action, receipt: Receipt) -> bool:
    """Whether this write has sent people a notification: new comments and issues do, and files that come or go;
    rewritings and labels do not.
    """
    return receipt.loud or (
        isinstance(action, CreateComment | CreateStatusIssue | CloseIssue | Attach | Detach)
        or (isinstance(action, TellBoard) and not action.update)
    )


def may_be_refused(action: Action) -> bool:
    """Whether it takes rights that milesync does without otherwise: refused, it stays undone, and that is told."""
    return isinstance(action, CloseIssue | Describe | SetHealth | TellBoard | Attach | Detach) or (
        isinstance(action, DeleteComment) and (action.claimed or action.superseded)
    )
