"""What stands in a tracker and the changes that can be made to it: values that plan, connector and store share."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

__all__ = [
    "Action",
    "AnyAction",
    "Attach",
    "CloseIssue",
    "CreateComment",
    "CreateLabel",
    "CreateStatusIssue",
    "DeleteComment",
    "Detach",
    "LabelItem",
    "MoveLabel",
    "PostBoardUpdate",
    "Receipt",
    "RemoveLabel",
    "SetNativeHealth",
    "UpdateComment",
    "UpdateDescription",
    "is_optional",
    "notifies",
]

# --- what is observed ------------------------------------------------------------------------------------------


# --- writing: each action is exactly one remote change -----------------------------------------------------------


class Action(Struct, frozen=True, kw_only=True, tag=True):
    """One remote change. Its tag names it in saved plans and must not change.

    ``milestone`` is the uid it serves; ``project`` a native id, ``project_key`` its path.
    """

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


class LabelItem(Action, frozen=True, kw_only=True, tag="MarkItem"):
    """Put labels on an issue of the milestone and take others off, as a delta. ``item`` is its native id, ``issue`` its
    key; ``touched`` is when it had last been touched, which our own change is not to hide.
    """

    item: str
    issue: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    touched: datetime | None = None


class UpdateDescription(Action, frozen=True, kw_only=True, tag="Describe"):
    """Put lines of ours into the milestone's own description, replace them, or (``lines`` empty) take them out.

    The milestone is told by native id, key and page. ``was`` is the mark (`sync.tracker.managed_block`) of the lines
    that are expected
    there; where it is not so, the connector refuses. Nothing else in the description is changed.
    """

    native: str
    key: str
    url: str
    instance: str
    lines: str
    was: str = ""


class SetNativeHealth(Action, frozen=True, kw_only=True, tag="SetHealth"):
    """Give the status issue a health status of the tracker's own: ``on_track``, ``needs_attention``, ``at_risk``, or
    none (empty).
    """

    issue: str
    value: str


class PostBoardUpdate(Action, frozen=True, kw_only=True, tag="TellBoard"):
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
    | LabelItem
    | UpdateDescription
    | SetNativeHealth
    | PostBoardUpdate
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
        or (isinstance(action, PostBoardUpdate) and not action.update)
    )


def is_optional(action: Action) -> bool:
    """Whether it takes rights that milesync does without otherwise: refused, it stays undone, and that is told."""
    return isinstance(action, CloseIssue | UpdateDescription | SetNativeHealth | PostBoardUpdate | Attach | Detach) or (
        isinstance(action, DeleteComment) and (action.claimed or action.superseded)
    )
